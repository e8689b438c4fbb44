"""What a dataset holds, recounted: examples and classes of each part, sizes of pictures, what can't be read."""

from __future__ import annotations

import io
import itertools
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from zoo.dataset import Dataset, DatasetOptions, Example, Objects, open_dataset
from zoo.errors import InputError, OptionError, SplitError
from zoo.labels import named_space
from zoo.pictures import ORIENTATION, SIDEWAYS, decode
from zoo.plugins import installed
from zoo.progress import track
from zoo.sheet import Cell, write_sheet

WHOLLY = 10_000  # pictures up to which each is decoded to its end; of more only the headers are read
SHOWN = 6  # examples of a class on a sheet
AT_ONCE = 256
UNEVEN = 1.5  # times as many examples of the largest class as of the smallest, from which it is worth a line


@dataclass(frozen=True)
class Spread:
    """Least, median and most of something."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of `values`, which are not none."""
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return " / ".join(f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" for value in asdict(self).values())


@dataclass(frozen=True)
class Part:
    """One split of a dataset.

    classes: class -> examples (of boxes: objects); spreads: "width" and "height" of upright pictures in pixels,
    "characters" of texts, "objects" of a picture, "score" of pairs; modes: PIL's name ("RGB", "L", "CMYK") -> pictures;
    unreadable: (example, why); empty: named classes without an example.
    """

    name: str
    examples: int
    classes: Mapping[str, int]
    spreads: Mapping[str, Spread]
    modes: Mapping[str, int]
    unreadable: tuple[tuple[str, str], ...]
    empty: tuple[str, ...]
    note: str = ""
    wholly: bool = True
    shown: tuple[tuple[str, int, Example], ...] = field(default=(), repr=False, compare=False)

    @property
    def imbalance(self) -> float | None:
        """How many times as large as the smallest class the largest is."""
        counts = self.classes.values()
        return max(counts) / min(counts) if len(self.classes) > 1 and min(counts) else None

    def __str__(self) -> str:
        lines = [
            f"{self.name or '(all)'}: {self.examples:,} examples"
            + (f", {len(self.classes)} classes" if self.classes else "")
        ]
        width = max((len(name) for name in self.classes), default=0)
        lines += [f"  {name:<{width}}  {count:>7,}" for name, count in self.classes.items()]
        lines += [f"  no example of class {name!r}" for name in self.empty]
        if self.imbalance and self.imbalance > UNEVEN:
            lines.append(f"  the largest class has {self.imbalance:.3g} times the examples of the smallest")
        lines += [f"  {name} (least / median / most): {spread}" for name, spread in self.spreads.items()]
        if self.modes:
            lines.append("  modes: " + ", ".join(f"{mode} {count:,}" for mode, count in self.modes.items()))
        lines += [f"  note: {self.note}"] if self.note else []
        lines += [f"  can't be read: {why}" for _, why in self.unreadable]
        if not self.wholly:
            lines.append(
                "  only headers were read: a truncated picture passes for a good one (--decode reads them all)"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Description:
    """What `describe` found. labels: the names of all classes in the order of their numbers, None for bare numbers."""

    name: str
    modality: str
    targets: str
    labels: tuple[str, ...] | None
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.name}: {self.modality} examples with targets {self.targets!r}", *map(str, self.parts)]
        )

    def to_json(self) -> dict[str, Any]:
        """The description in JSON's own types, as `zoo data --json` prints it."""
        parts = []
        for part in self.parts:
            facts = {name: value for name, value in vars(part).items() if name != "shown"}
            spreads = {name: asdict(spread) for name, spread in part.spreads.items()}
            unreadable = [{"example": id, "error": why} for id, why in part.unreadable]
            parts.append(facts | {"spreads": spreads, "unreadable": unreadable, "imbalance": part.imbalance})
        return {
            "dataset": self.name,
            "modality": self.modality,
            "targets": self.targets,
            "labels": self.labels,
            "parts": parts,
        }

    def sheet(self, file: str | os.PathLike[str]) -> Path:
        """Write some examples of each class as one PNG, a row for each class; raises OptionError for texts."""
        if self.modality != "image":
            raise OptionError(f"a sheet shows pictures; {self.name!r} has {self.modality} examples")
        rows: dict[str, list[Cell]] = {}
        for label, id, example in itertools.chain.from_iterable(part.shown for part in self.parts):
            row = rows.setdefault(label, [])
            target = example.target
            objects = zip(target.boxes, target.ids, strict=True) if isinstance(target, Objects) else ()
            boxes = [box for box, number in objects if number == id]
            with suppress(InputError):  # what can't be read has been named, or only headers were read
                if len(row) < SHOWN:
                    row.append(Cell(decode(example.input).image, boxes))
        return write_sheet(rows, Path(file))


def describe(
    data: str | os.PathLike[str] | Dataset,
    *,
    split: str | None = None,
    input_column: str | None = None,
    label_column: str | None = None,
    columns: str | None = None,
    labels: str | Sequence[str] | None = None,
    decode: bool | None = None,
) -> Description:
    """What the dataset called `data` holds, in each of its parts or in `split` alone; nothing stated is believed.

    decode: whether pictures are read to their end, which finds truncated ones, or their headers alone; by default the
        first for up to 10,000 of them in a part.
    Raises DatasetError, UnknownNameError, OptionError.

    >>> print(zoo.describe("folder:flowers/"))
    """
    if isinstance(data, Dataset):
        found = [data]
    else:
        space = named_space(labels) if labels is not None else None
        options = DatasetOptions(split, input_column, label_column, columns, space)
        found = _opened(os.fspath(data), options)
    parts = tuple(_described(dataset, decode) for dataset in found)
    names = tuple(found[0].labels.names.values()) if found[0].labels else None
    return Description(found[0].name, found[0].modality, found[0].targets, names, parts)


def _opened(name: str, options: DatasetOptions) -> list[Dataset]:
    from dataclasses import replace

    try:
        first = open_dataset(name, options, installed())
        splits: tuple[str, ...] = () if options.split else first.splits
    except SplitError as error:
        splits = error.splits
    else:
        if len(splits) < 2:
            return [first]
    return [open_dataset(name, replace(options, split=split), installed()) for split in splits]


def _described(dataset: Dataset, wholly: bool | None) -> Part:
    wholly = len(dataset) <= WHOLLY if wholly is None else wholly
    counts: Counter[int] = Counter()
    measures: dict[str, list[float]] = {}
    modes: Counter[str] = Counter()
    shown: dict[int, list[Example]] = {}
    unreadable: list[tuple[str, str]] = []
    title = f"reading {dataset.name} {dataset.split}".rstrip()
    for example, found in track(_measured(dataset, wholly), len(dataset), title):
        if isinstance(found, InputError):
            unreadable.append((example.id, str(found)))
        else:
            mode, measured = found
            modes.update([mode] if mode else [])
            for name, value in measured.items():
                measures.setdefault(name, []).append(value)
        ids = _classes(example.target)
        counts.update(ids)
        for id in set(ids) if not isinstance(found, InputError) else ():
            if len(of_class := shown.setdefault(id, [])) < SHOWN:
                of_class.append(example)
    label = dataset.labels.label if dataset.labels else str
    absent = [id for id in dataset.labels.names if id not in counts] if dataset.labels else []
    return Part(
        dataset.split,
        len(dataset),
        {label(id): counts[id] for id in sorted(counts)},
        {name: Spread.of(values) for name, values in measures.items()},
        dict(modes.most_common()),
        tuple(unreadable),
        (*dataset.empty, *(label(id) for id in absent)),
        dataset.note,
        wholly or dataset.modality != "image",
        tuple((label(id), id, example) for id in sorted(shown) for example in shown[id]),
    )


def _classes(target: Any) -> list[int]:
    if isinstance(target, Objects):
        return list(target.ids)
    return [int(target)] if isinstance(target, int) else []


def _measured(dataset: Dataset, wholly: bool) -> Iterator[tuple[Example, Any]]:
    """Each example with its mode and measures, or the InputError that says why it has none; in several threads."""

    def measure(example: Example) -> Any:
        try:
            mode, found = _picture(example.input, wholly) if dataset.modality == "image" else ("", _text(example))
        except InputError as error:
            return error
        if isinstance(example.target, Objects):
            found["objects"] = len(example.target.ids)
        elif isinstance(example.target, float):
            found["score"] = example.target
        return mode, found

    with ThreadPoolExecutor(max_workers=4) as pool:
        for group in _groups(dataset):
            yield from zip(group, pool.map(measure, group), strict=True)


def _groups(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rest = iter(examples)
    while group := list(itertools.islice(rest, AT_ONCE)):
        yield group


def _picture(source: Any, wholly: bool) -> tuple[str, dict[str, float]]:
    """PIL's mode of a picture and its upright width and height; raises InputError."""
    mode = size = None
    if isinstance(source, str | os.PathLike | bytes):
        try:
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                mode, size = image.mode, image.size
                if image.getexif().get(ORIENTATION) in SIDEWAYS:
                    size = size[::-1]
        except Exception:  # noqa: BLE001 - decoding it, below, says what is wrong in words for people
            size = None
    if wholly or size is None:
        decoded = decode(source)
        mode, size = mode or decoded.image.mode, decoded.size
    return mode or "", {"width": size[0], "height": size[1]}


def _text(example: Example) -> dict[str, float]:
    texts = example.input if isinstance(example.input, tuple) else (example.input,)
    if not all(isinstance(text, str | bytes) and text.strip() for text in texts):
        raise InputError(f"{example.id} has an empty text")
    return {
        "characters": sum(len(text if isinstance(text, str) else text.decode("utf-8", "replace")) for text in texts)
    }
