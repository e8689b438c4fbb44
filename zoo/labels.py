"""Label spaces, which ids mean which classes, and the maps between them; nothing is guessed silently."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from zoo.errors import LabelError

BACKGROUND = "background"


@dataclass(frozen=True)
class LabelSpace:
    """The ids that a model gives out, or a dataset uses, and the class behind each.

    names: id -> name, in column order for logits; synonyms: id -> further words for the same class.
    """

    name: str
    names: Mapping[int, str]
    synonyms: Mapping[int, Sequence[str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def label(self, id: int) -> str:
        """The name of a class; an id that the space does not list is shown as such."""
        return self.names.get(int(id), f"class {int(id)}")

    def lookup(self) -> dict[str, int | None]:
        """Normalised word -> id; None where one word means two classes."""
        table: dict[str, int | None] = {}
        for id, name in self.names.items():
            words = {_normal(name), *(_normal(word) for word in self.synonyms.get(id, ()))}
            for word in words:
                table[word] = None if word in table else id
        return table


def label_space(labels: str | Sequence[str] | None, width: int | None = None) -> LabelSpace | None:
    """The space that a spec's `labels` field means: a known name, a name of somebody else's, or names in order.

    An unknown name with a width is a space of bare ids, whose classes are shown as `class 17`.
    """
    if labels is None:
        return None
    if not isinstance(labels, str):
        return named_space(labels)
    if labels in _KNOWN:
        return _KNOWN[labels]()
    return LabelSpace(labels, {id: f"class {id}" for id in range(width or 0)})


def translate(source: LabelSpace, target: LabelSpace, used: Iterable[int] | None = None) -> dict[int, int]:
    """id in `source` -> id in `target`, by class.

    used: the ids of `source` that must be found; by default all of them but the background. Raises LabelError that
    names those which have no counterpart.
    """
    table = target.lookup()
    mapped: dict[int, int] = {}
    lost: list[str] = []
    wanted = set(source.names) if used is None else set(used)
    for id in sorted(wanted):
        label = source.label(id)
        if source.name == target.name and source.names == target.names and id in target.names:
            mapped[id] = id
            continue
        found = _find(table, label, source.synonyms.get(id, ())) if id in source.names else None
        if found is not None:
            mapped[id] = found
        elif label != BACKGROUND:
            lost.append(f"{label!r} ({id})")
    if lost:
        raise LabelError(
            f"label space {source.name!r} does not fit {target.name!r}: no counterpart for {_some(lost)}; "
            f"{target.name!r} has {len(target)} classes, such as {_some([repr(n) for n in target.names.values()])}"
        )
    return mapped


def read_indices(ids: Iterable[int], target: LabelSpace) -> tuple[dict[int, int], str]:
    """Bare class numbers of a dataset -> ids in the model's space `target`, and a note that says how they were read.

    ImageNet's numbers are read as 0..999 whether or not the model has a background class, because every ImageNet
    list counts so; other numbers are read as the model's own ids. Raises LabelError for a number outside.
    """
    numbers = sorted(set(ids))
    source = imagenet(False) if target.name.startswith("imagenet-100") else target
    outside = [number for number in numbers if number not in source.names]
    if outside:
        meant = sister(numbers, source)
        fits = f"they are ids of {meant.name!r} ({_valid(meant)}): " if meant else ""
        how = f"(labels={meant.name!r}, --labels {meant.name})" if meant else "(labels=..., --labels)"
        raise LabelError(
            f"class numbers {_some([str(n) for n in outside])} are not in label space {source.name!r} "
            f"({_valid(source)}); {fits}name the dataset's label space {how}"
        )
    note = f"class numbers read as ids of {source.name!r}"
    if source is target:
        return {number: number for number in numbers}, note
    return translate(source, target, numbers), note


def sister(ids: Iterable[int], space: LabelSpace) -> LabelSpace | None:
    """The space of the same classes under other numbers that lists all `ids`, where `space` does not."""
    wanted = set(ids)
    names = sorted({name for pair in _SISTERS if space.name in pair for name in pair} - {space.name})
    return next((_KNOWN[name]() for name in names if wanted <= set(_KNOWN[name]().names)), None)


def refuse_ids(ids: Iterable[int], space: LabelSpace) -> None:
    """Raise LabelError where a model gives ids beyond both ends of its label space, and its sister lists them all."""
    given = {int(id) for id in ids}
    beyond = [id for id in sorted(given) if space.names and not min(space.names) <= id <= max(space.names)]
    meant = sister(given, space) if beyond else None
    if meant is not None:
        raise LabelError(
            f"the module gives class {beyond[0]}, but its row says labels = {space.name!r} ({_valid(space)}); all that "
            f"it gives are ids of {meant.name!r} ({_valid(meant)}): write labels = {meant.name!r} into its row"
        )


def _valid(space: LabelSpace) -> str:
    return f"{min(space.names)}..{max(space.names)}" if space.names else "empty"


def imagenet(background: bool) -> LabelSpace:
    """ILSVRC2012: 1000 classes, or 1001 with the background as class 0."""
    return _imagenet(background)


@functools.cache
def _imagenet(background: bool) -> LabelSpace:
    rows = _rows("imagenet.txt")
    lemmas = [row[1].split(", ") for row in rows]
    first = [words[0] for words in lemmas]
    names = [
        word if first.count(word) == 1 else _distinct(words, rows[i][0])
        for i, (word, words) in enumerate(zip(first, lemmas, strict=True))
    ]
    synonyms = [(rows[i][0], ", ".join(lemmas[i]), *lemmas[i]) for i in range(len(rows))]
    if background:
        return LabelSpace(
            "imagenet-1001",
            {0: BACKGROUND} | {i + 1: name for i, name in enumerate(names)},
            {i + 1: words for i, words in enumerate(synonyms)},
        )
    return LabelSpace("imagenet-1000", dict(enumerate(names)), dict(enumerate(synonyms)))


@functools.cache
def _coco(gaps: bool) -> LabelSpace:
    rows = [(int(id), name) for id, name in _rows("coco.txt")]
    if gaps:
        return LabelSpace("coco-91", dict(rows))
    return LabelSpace("coco-80", {index: name for index, (_, name) in enumerate(rows)})


_KNOWN = {
    "imagenet-1000": lambda: imagenet(False),
    "imagenet-1001": lambda: imagenet(True),
    "coco-91": lambda: _coco(True),
    "coco-80": lambda: _coco(False),
}


# Spaces of the same classes under other numbers: COCO's own ids, and TFDS' that leave no gaps.
_SISTERS = (("coco-91", "coco-80"), ("imagenet-1000", "imagenet-1001"))

# So that a catalogue is checked without reading the names.
SIZES = {"imagenet-1000": 1000, "imagenet-1001": 1001, "coco-80": 80}


def named_space(name: str | Sequence[str], own: LabelSpace | None = None) -> LabelSpace:
    """The space that somebody names for a dataset: one that the zoo knows, the model's `own`, or names in order.

    Raises LabelError with the nearest names for any other: its ids would mean nothing.
    """
    if not isinstance(name, str):
        return LabelSpace("own", dict(enumerate(name)))
    if own is not None and name == own.name:
        return own
    if name in _KNOWN:
        return _KNOWN[name]()
    own_name = [own.name] if own is not None and own.name not in _KNOWN else []
    there = [*known_spaces(), *own_name]
    near = misspelt(name, there)
    guess = f"; did you mean {near!r}" if near else ""
    raise LabelError(f"no label space named {name!r}{guess}; there are {_some([repr(known) for known in there], 9)}")


def misspelt(name: str, known: Sequence[str] | None = None) -> str | None:
    """The known name that `name` resembles so closely that it must be meant; None for a name of somebody's own."""
    if name in (known := known or known_spaces()):
        return None
    return next(iter(difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.84)), None)


def known_spaces() -> list[str]:
    """The names of the label spaces that the zoo knows class by class."""
    return sorted(_KNOWN)


def _rows(file: str) -> list[list[str]]:
    text = files("zoo").joinpath("label_names", file).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def _distinct(words: Sequence[str], wnid: str) -> str:
    """A name for a class whose first word another class has too ("crane", "maillot")."""
    return f"{words[0]} ({words[1]})" if len(words) > 1 else f"{words[0]} ({wnid})"


def _find(table: Mapping[str, int | None], label: str, synonyms: Sequence[str]) -> int | None:
    for word in (label, *synonyms):
        found = table.get(_normal(word))
        if found is not None:
            return found
    return None


def _normal(word: str) -> str:
    return re.sub(r"[\s_\-]+", " ", word).strip().casefold()


def _some(items: Sequence[str], most: int = 5) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
