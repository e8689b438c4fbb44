"""Views: augmented pictures of each example, whose features are made once and kept like those of the pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.dataset import Dataset, Example, InMemory
from zoo.errors import InputError, OptionError
from zoo.model import Model
from zoo.pictures import decode
from zoo.runtime import Array
from zoo.sheet import Cell, write_sheet
from zoo.transfer.augmentation import Augmentation
from zoo.transfer.features import Extracted, extract

AT_ONCE = 32  # examples whose views are made side by side; "mixup" draws the other picture from among them
PREVIEWED = 8


class Views(Dataset):
    """`views` augmented pictures of each example of `source`, one example after the other; its order and targets stay.

    What can't be read is passed on as it is, for whoever reads it next to tell.
    """

    def __init__(self, source: Dataset, augmentation: Augmentation, views: int, seed: int) -> None:
        self.name, self.modality, self.targets = source.name, source.modality, source.targets
        self.labels, self.split, self.note = source.labels, source.split, source.note
        self._source, self._augmentation, self._views, self._seed = source, augmentation, views, seed

    def __len__(self) -> int:
        return len(self._source) * self._views

    def __iter__(self) -> Iterator[Example]:
        with ThreadPoolExecutor(max_workers=4) as pool:
            for start, group in _groups(self._source):
                opened = list(pool.map(lambda example: _opened(example.input), group))
                for number, (example, picture) in enumerate(zip(group, opened, strict=True)):
                    place = start + number
                    others = [other for other in opened if other is not None]
                    for view in range(self._views):
                        seed = (self._seed, place, view)
                        made = example.input if picture is None else self._made(picture, others, seed)
                        yield Example(f"{example.id} (view {view + 1})", made, example.target)

    def fingerprint(self) -> str:
        """See `zoo.Dataset.fingerprint`; of what the views are made from and how, not of themselves."""
        facts = (self._source.fingerprint(), self._augmentation.key, self._views, self._seed)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _made(self, picture: Array, others: Sequence[Array], seed: tuple[int, int, int]) -> Array:
        if self._augmentation.layers:
            made: Array = self._augmentation(picture[None], int(np.random.default_rng(seed).integers(2**31)))[0]
            return made
        made = self._augmentation.one(picture, seed)
        if most := self._augmentation.operations.get("mixup", 0.0):
            rng = np.random.default_rng((*seed, 1))
            other = Image.fromarray(others[int(rng.integers(len(others)))]).resize(made.shape[1::-1])
            made = np.asarray(Image.blend(Image.fromarray(made), other, rng.uniform(0, most)))
        return made


def view_features(
    model: Model,
    dataset: Dataset,
    found: Extracted,
    augment: Augmentation,
    views: int,
    seed: int,
    batch_size: int,
    output: str = "features",
) -> Array:
    """The features float32 [n, views, d] of `views` of each of the n examples that `found` has of `dataset`.

    output: "features", or "feature_maps": [n, views, h, w, d].
    Raises OptionError for texts, and for less than one view.
    """
    if dataset.modality != "image":
        raise OptionError(f"pictures are augmented; {dataset.name!r} has {dataset.modality} examples")
    made = extract(
        model,
        Views(dataset, augment, require_views(views), seed),
        batch_size=batch_size,
        max_unreadable=1.0,
        output=output,
    )
    return made.features.reshape(len(found.targets), views, *made.features.shape[1:])


def require_views(views: int) -> int:
    """`views`; raises OptionError where it is no number of views."""
    if isinstance(views, bool) or not isinstance(views, int) or views < 1:
        raise OptionError(f"views={views!r} means nothing; it is 1 or more")
    return views


def preview(dataset: Dataset, augment: Augmentation, file: str | Path, *, views: int = 6, seed: int = 0) -> Path:
    """Write a sheet of some pictures, each with its views beside it, as a PNG; raises OptionError for texts."""
    if dataset.modality != "image":
        raise OptionError(f"pictures are augmented; {dataset.name!r} has {dataset.modality} examples")
    some = InMemory(list(dataset.some(PREVIEWED)), "image", dataset.targets)
    made = iter(Views(some, augment, views, seed))
    rows: dict[str, list[Cell]] = {}
    for example in some:
        pictures = [_opened(one.input) for one in (example, *islice(made, views))]
        title = dataset.labels.label(example.target) if dataset.labels and isinstance(example.target, int) else ""
        shown = [Cell(Image.fromarray(picture)) for picture in pictures if picture is not None]
        if shown:
            rows[f"{title}: {example.id.rpartition('/')[2]}"] = shown
    return write_sheet(rows, Path(file))


def _opened(source: Any) -> Array | None:
    """A picture, uint8 [h, w, 3]; None where it can't be read."""
    try:
        return np.asarray(decode(source).image.convert("RGB"))
    except InputError:
        return None


def _groups(examples: Iterable[Example]) -> Iterator[tuple[int, list[Example]]]:
    rest, start = iter(examples), 0
    while group := list(islice(rest, AT_ONCE)):
        yield start, group
        start += len(group)
