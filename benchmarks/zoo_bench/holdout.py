"""The examples that a pair is measured on, and, where it is fitted first, those that it learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from zoo import Dataset, DatasetOptions, Example, Model
from zoo.dataset import open_dataset
from zoo.errors import DatasetError, SplitError
from zoo.plugins import installed
from zoo_bench.job import Job

HELD_OUT = 0.2  # of the examples of each class
JUDGED = ("test", "val", "valid", "validation", "dev")  # parts that a dataset may come with, the first that is there


class Part(Dataset):
    """Some examples of a dataset; which part of it they are is told by `split`."""

    def __init__(self, whole: Dataset, examples: Sequence[Example], word: str) -> None:
        self.name = whole.name
        self.modality = whole.modality
        self.targets = whole.targets
        self.labels = whole.labels
        self.note = whole.note
        self.split = f"{whole.split} ({word})".strip()
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def examples(model: Model, job: Job) -> Dataset | None:
    """What a pair is measured on: the job's dataset, or of that the part that no head saw; None where it has none."""
    if job.dataset is None:
        return None
    if job.fit:
        return parts(lambda split: model.dataset(job.dataset, split=split), job.split, job.seed)[1]
    return model.dataset(job.dataset, split=job.split)


def parts(opened: Callable[[str | None], Dataset], split: str | None, seed: int) -> tuple[Dataset, Dataset]:
    """What every pair learns from and what it is judged on, of the dataset that `opened` gives by its split.

    Where it comes in parts and no split is named, these are train, and test or else validation; otherwise a fifth of
    each class is held out. Raises DatasetError as `parted` does.
    """
    try:
        whole = opened(split)
    except SplitError as error:
        judged = next((name for name in JUDGED if name in error.splits), None)
        if split is not None or "train" not in error.splits or judged is None:
            raise
        return opened("train"), opened(judged)
    return parted(whole, seed)


def opened_split(name: str, options: DatasetOptions, split: str | None) -> Dataset:
    """The dataset `name` as `options` say, at that split."""
    return open_dataset(name, replace(options, split=split), installed())


def parted(whole: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """A dataset in two, to learn from and to be judged on: the same for every pair.

    A fifth of each class is held out, one example at least. Raises DatasetError for a class of one example, or for one
    class alone.
    """
    found = list(whole)
    places: dict[int, list[int]] = {target: [] for target in (whole.labels.names if whole.labels else ())}
    for place, example in enumerate(found):
        places.setdefault(int(example.target), []).append(place)
    for target, own in places.items():
        if len(own) < 2:
            name = whole.labels.label(target) if whole.labels else str(target)
            raise DatasetError(
                f"{whole.name!r} has {len(own) or 'no'} example of class {name!r}: two are needed, one to learn from "
                "and one to be judged on"
            )
    if len(places) < 2:
        raise DatasetError(f"{whole.name!r} has examples of one class alone; a classifier needs two or more")
    random = np.random.default_rng(seed)
    judged = {
        place for own in places.values() for place in random.permutation(own)[: max(1, round(HELD_OUT * len(own)))]
    }
    return (
        Part(whole, [example for place, example in enumerate(found) if place not in judged], "learnt from"),
        Part(whole, [example for place, example in enumerate(found) if place in judged], "held out"),
    )
