"""The contract of a dataset: examples with targets, and the ways to name one."""

from __future__ import annotations

import hashlib
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from zoo.backbone import import_loader
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace
from zoo.specs import DatasetSetting, DatasetSpec, Modality

if TYPE_CHECKING:
    from zoo.plugins import Plugins


@dataclass(frozen=True)
class Example:
    """One thing to predict and its truth.

    id: what a message calls it (a path, a row number).
    input: a path, encoded bytes, a uint8 [h, w, c] array or a text; a tuple of them where a task compares several.
    target: an id in the dataset's label space ("class"), a tuple of them ("classes"), a number ("number",
        "similarity"), an `Objects` ("boxes").
    """

    id: str
    input: Any
    target: Any


@dataclass(frozen=True)
class Objects:
    """The objects of a picture. boxes: (left, top, right, bottom) in pixels; ids: ids in the dataset's label space."""

    boxes: tuple[tuple[float, float, float, float], ...]
    ids: tuple[int, ...]
    crowd: tuple[bool, ...] = ()
    areas: tuple[float, ...] = ()
    image_id: int = 0
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class DatasetOptions:
    """What stands beside the name: the user's split (`test[:50%]`), columns of a table (`columns`: the names of
    those of a table without a header, in order, separated by commas), label space of class numbers;
    and, from the model that is to be measured, the modality and targets that it wants.
    """

    split: str | None = None
    input_column: str | None = None
    label_column: str | None = None
    columns: str | None = None
    labels: LabelSpace | None = None
    modality: Modality | None = None
    targets: str | None = None


class Dataset(ABC):
    """Examples in a fixed order. Reading one does not read the others.

    name: as the user wrote it; targets: what `Example.target` is; labels: the space of its ids, or None when they
    are bare numbers that the dataset can't name; note: what a reader of a figure must know; choice: in words, which
    examples `some` gives.
    split: the part that this is, of `splits`, those that can be opened under the same name; empty: classes that are
    named, and of which there is no example.
    """

    name: str = "(unnamed)"
    modality: Modality
    targets: str
    labels: LabelSpace | None = None
    split: str = ""
    note: str = ""
    choice: str = "spread evenly"
    splits: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Example]: ...

    def some(self, limit: int) -> Iterator[Example]:
        """At most `limit` examples, spread evenly: the first ones of class folders would all be of one class.

        A dataset that is costly to walk through may give its first ones, and say so in `choice`.
        """
        size = len(self)
        wanted = {index * size // limit for index in range(limit)} if limit < size else range(size)
        return (example for index, example in enumerate(self) if index in wanted)

    def fingerprint(self) -> str:
        """A SHA-256 over ids, targets and inputs: two datasets with the same one measure the same."""
        digest = hashlib.sha256()
        for example in self:
            digest.update(repr((example.id.rpartition("/")[2], example.target)).encode())
            for part in example.input if isinstance(example.input, tuple) else (example.input,):
                digest.update(_content(part))
        return digest.hexdigest()


def open_dataset(name: str, options: DatasetOptions, plugins: Plugins) -> Dataset:
    """The dataset called `name`: `SCHEME:PATH`, the name of a registered set, or a plain path whose form tells.

    Raises UnknownNameError for a scheme or set that nobody registered, DatasetError for a path that is no dataset,
    OptionError for a setting that means nothing to it.
    """
    spec, path = _resolve(name, options, plugins)
    _refuse_settings(name, options, spec.takes)
    opened: Dataset = import_loader(spec.loader, f"dataset {spec.name!r}")(path, options)
    opened.name = name
    opened.note = opened.note or spec.note
    return opened


def _refuse_settings(name: str, options: DatasetOptions, takes: Sequence[str]) -> None:
    """A setting that would be ignored is an error: whoever gave it expects it to change the figure."""
    for setting in get_args(DatasetSetting):
        value = getattr(options, setting)
        if value is not None and setting not in takes:
            flag = "--" + setting.replace("_", "-")
            given = value.name if isinstance(value, LabelSpace) else value
            known = ", ".join(takes) or "none"
            raise OptionError(
                f"{setting}={given!r} ({flag}) means nothing to dataset {name!r}; settings that do: {known}"
            )


def _resolve(name: str, options: DatasetOptions, plugins: Plugins) -> tuple[DatasetSpec, str]:
    scheme, colon, path = name.partition(":")
    if colon and scheme in plugins.datasets:
        return plugins.datasets.get(scheme), path
    if name in plugins.datasets:
        return plugins.datasets.get(name), ""
    if not os.path.exists(name):
        if colon and "/" not in scheme and "\\" not in scheme and len(scheme) > 1:
            plugins.datasets.get(scheme)  # raises, with the nearest names
        if "/" in name or "." in name:
            raise DatasetError(f"no dataset at {name!r}: there is no such file or folder")
        plugins.datasets.get(name)
    fitting = _fitting(name, options.targets, plugins)
    if len(fitting) == 1:
        return fitting[0], name
    among = " or ".join(f"{spec.name}:{name}" for spec in fitting) or "SCHEME:PATH ('zoo list --datasets')"
    raise DatasetError(f"the form of {name!r} does not tell what kind of dataset it is; write {among}")


def _fitting(path: str, targets: str | None, plugins: Plugins) -> list[DatasetSpec]:
    """The schemes that the plain `path` may be of, for a model that wants `targets`, or for none."""
    folder = Path(path) if os.path.isdir(path) else None
    ending = "/" if folder else os.path.splitext(path)[1].lower()
    named = [spec for spec in plugins.datasets if ending in spec.endings]
    if targets is not None:  # a scheme for these alone goes before one for any
        return [spec for spec in named if spec.targets == targets] or [spec for spec in named if spec.targets is None]
    told = [spec for spec in named if folder and any(next(folder.glob(pattern), None) for pattern in spec.holds)]
    if told or folder:
        return told or [spec for spec in named if not spec.holds]
    return [spec for spec in named if spec.targets is None] or named


class InMemory(Dataset):
    """Examples that somebody already holds: arrays, or anything that yields `(x, y)`."""

    name = "(in memory)"

    def __init__(self, examples: Sequence[Example], modality: Modality, targets: str) -> None:
        self._examples = examples
        self.modality = modality
        self.targets = targets

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def as_dataset(data: Any, options: DatasetOptions, limit: int | None = None) -> Dataset:
    """`(x, y)` of equal length, a `tf.data.Dataset` (batched or not) or anything that yields `(x, y)`, as a dataset.

    x: pictures [h, w, c] (uint8 0..255 or float 0..1), paths or texts; y: class ids (or one-hot rows of them),
        lists of class ids (or rows of 0 and 1), `Objects`, or numbers. limit: so many examples are taken from
        what may never end.
    Raises DatasetError where that is not what it holds.
    """
    if options.modality is None or options.targets is None:
        raise DatasetError("examples in memory need a modality and targets")
    _refuse_settings(InMemory.name, options, ("labels",))
    if isinstance(data, tuple) and len(data) == 2 and hasattr(data[0], "__len__"):
        if len(data[0]) != len(data[1]):
            raise DatasetError(f"x and y differ in length: {len(data[0])} and {len(data[1])}")
        pairs: Iterable[Any] = zip(data[0], data[1], strict=True)
        limit = None  # all are here: which of them count is chosen later
    elif hasattr(data, "element_spec"):
        pairs = _of_tf_data(data, options, limit)
    elif isinstance(data, Iterable):
        pairs = data
    else:
        raise DatasetError(f"{type(data).__name__} is no dataset; give a name, a path, (x, y), or a tf.data.Dataset")
    read = {"class": _class_id, "classes": _class_ids, "number": _number}.get(options.targets, lambda target, _: target)
    examples = []
    for number, pair in enumerate(itertools.islice(pairs, limit)):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DatasetError(f"example {number} is no pair (x, y) but a {type(pair).__name__}")
        target = read(pair[1], number)
        examples.append(Example(f"example {number}", pair[0], target))
    found = InMemory(examples, options.modality, options.targets)
    found.labels = options.labels
    return found


def _of_tf_data(data: Any, options: DatasetOptions, limit: int | None) -> Iterable[Any]:
    if not isinstance(data.element_spec, tuple) or len(data.element_spec) != 2:
        raise DatasetError(f"the tf.data.Dataset yields no pairs (x, y) but {data.element_spec}; map it to pairs first")
    if limit is None and int(data.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise DatasetError("the tf.data.Dataset never ends; give limit=, or take(n) of it")
    batched = len(data.element_spec[0].shape) == (4 if options.modality == "image" else 1)
    pairs: Iterable[Any] = (data.unbatch() if batched else data).as_numpy_iterator()
    return pairs


def _class_id(target: Any, number: int) -> int:
    """The class that `target` means: a whole number, alone or in an array of one, or a one-hot row."""
    value = np.asarray(target)
    if value.dtype.kind in "iuf" and value.size:
        flat = value.reshape(-1)
        if flat.size == 1 and float(flat[0]).is_integer():
            return int(flat[0])
        if flat.size > 1 and np.count_nonzero(flat) == 1 and flat.max() == 1:
            return int(flat.argmax())
    raise DatasetError(f"example {number}: {str(target)[:60]!r} is no class id; it is a whole number or a one-hot row")


def _class_ids(target: Any, number: int) -> tuple[int, ...]:
    """The classes that `target` means: a list or set of whole numbers, or an array of 0 and 1, one for each class."""
    value = np.asarray(list(target) if isinstance(target, set | frozenset) else target)
    if value.ndim == 1 and (not value.size or value.dtype.kind in "biuf"):
        if isinstance(target, np.ndarray) and np.isin(value, (0, 1)).all():
            return tuple(np.flatnonzero(value).tolist())
        if not isinstance(target, np.ndarray) and all(float(id).is_integer() for id in value):
            return tuple(sorted({int(id) for id in value}))
    raise DatasetError(
        f"example {number}: {str(target)[:60]!r} names no classes; it is a list of class ids, or an array of 0 and 1"
    )


def _number(target: Any, number: int) -> float:
    try:
        return float(np.asarray(target).reshape(()))
    except (TypeError, ValueError) as error:
        raise DatasetError(f"example {number}: {str(target)[:60]!r} is no number") from error


def _content(part: Any) -> bytes:
    if isinstance(part, Path):
        try:
            return part.read_bytes()
        except OSError:  # whoever reads the example tells
            return b"missing"
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode()
    return repr((part.shape, part.dtype)).encode() + bytes(part.tobytes())
