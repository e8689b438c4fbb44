"""The examples that a pair is measured on, and, where it is fitted first, those that it learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from zoo import Dataset, Example, Model
from zoo.errors import DatasetError
from zoo_bench.job import Job

HELD_OUT = 0.2  # of the examples of each class


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
    whole = model.dataset(job.dataset, split=job.split)
    return parts(whole, job.seed)[1] if job.fit else whole


def parts(whole: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """A dataset in two, to learn from and to be judged on: the same for every pair.

    A fifth of each class is held out; where each class keeps an example, however few there are. Raises DatasetError for
    a class of one example, or for one class alone.
    """
    from sklearn.model_selection import train_test_split

    found = list(whole)
    targets = [int(example.target) for example in found]
    counts = Counter(targets)
    name = whole.labels.label if whole.labels else str
    absent = set(whole.labels.names if whole.labels else ()) - set(counts)
    alone = [target for target in sorted(absent) + sorted(counts) if counts[target] < 2]
    if alone:
        raise DatasetError(
            f"{whole.name!r} has {counts[alone[0]]} examples of class {name(alone[0])!r}: two are needed, "
            "one to learn from and one to be judged on"
        )
    if len(counts) < 2:
        raise DatasetError(f"{whole.name!r} has examples of one class alone; a classifier needs two or more")
    held = max(round(HELD_OUT * len(found)), len(counts))
    learnt, judged = train_test_split(np.arange(len(found)), test_size=held, stratify=targets, random_state=seed)
    return (
        Part(whole, [found[place] for place in sorted(learnt)], "learnt from"),
        Part(whole, [found[place] for place in sorted(judged)], "held out"),
    )
