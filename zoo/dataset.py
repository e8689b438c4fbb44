"""The contract of a dataset: examples with targets, and the ways to name one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.labels import LabelSpace
from zoo.spec import Modality

if TYPE_CHECKING:
    from zoo.plugins import Plugins


@dataclass(frozen=True)
class Example:
    """One thing to predict and its truth.

    id: what a message calls it (a path, a row number).
    input: a path, encoded bytes, a uint8 [h, w, c] array or a text; a tuple of them where a task compares several.
    target: an id in the dataset's label space ("class"), an `Objects` ("boxes"), a number ("similarity").
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
    """What a user may say beside the name: the split (`test[:50%]`), the columns of a table, a label space."""

    split: str | None = None
    input_column: str | None = None
    label_column: str | None = None
    labels: str | None = None


class Dataset(ABC):
    """Examples in a fixed order. Reading one does not read the others.

    name: as the user wrote it; targets: what `Example.target` is; labels: the space of its ids, or None when they
    are bare numbers that the dataset can't name; note: what a reader of a figure must know.
    """

    name: str
    modality: Modality
    targets: str
    labels: LabelSpace | None = None
    split: str = ""
    note: str = ""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Example]: ...

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

    Raises UnknownNameError for a scheme or set that nobody registered, DatasetError for a path that is no dataset.
    """
    raise NotImplementedError


def as_dataset(data: Any, *, modality: Modality, targets: str) -> Dataset:
    """Arrays `(x, y)`, a `tf.data.Dataset` or anything that yields `(x, y)` as a dataset."""
    raise NotImplementedError


def _content(part: Any) -> bytes:
    raise NotImplementedError
