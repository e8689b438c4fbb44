"""What a pair is timed with: its model, and real inputs, prepared once, in batches of any size."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import zoo
from zoo import Dataset, Model
from zoo.batches import groups, stack
from zoo.errors import InputError
from zoo.inputs import Prepared, prepare_all, sample_inputs
from zoo.runtime import Array
from zoo_bench.job import Job

SOURCES = 256  # at most so many distinct inputs, run over and over
SAVED = "fitted.zoo"  # in the folder of a job
SINGLES = 16  # distinct inputs for the latency


def opened(job: Job, folder: Path) -> Model:
    """The model of `job`, not loaded: the one that was fitted and saved in `folder`, where the job wants one."""
    how = {"runtime": job.runtime, "precision": job.precision, "device": job.device, "batch_size": job.batch}
    if job.fit:
        fitted: Model = zoo.load(folder / SAVED, **how)
        return fitted
    model: Model = zoo.get(job.task, job.backbone, **how)
    return model


class Material:
    """The first inputs that the accuracy run sees, or the samples that the core carries where there is no dataset.

    Random inputs never stand in: how fast a network is may depend on what it sees.
    """

    def __init__(self, model: Model, dataset: Dataset | None, limit: int | None) -> None:
        self._spec = model.spec.input
        if dataset is None:
            sources = list(sample_inputs(self._spec.kind))
        else:
            examples = iter(dataset) if limit is None else dataset.some(limit)
            inputs = (source for example in examples for source in model.task.inputs(example))
            sources = list(itertools.islice(inputs, SOURCES))
        self.sources: list[Any] = sources
        self._items: list[Prepared] = []
        self._tried = 0

    def items(self, count: int) -> list[Prepared]:
        """The first `count` inputs that can be read, or all if there are fewer; InputError where there is none."""
        if self._tried < min(count, len(self.sources)):
            self._tried = count
            with closing(prepare_all(iter(self.sources), self._spec)) as prepared:
                readable = (item for item in prepared if isinstance(item, Prepared))
                self._items = list(itertools.islice(readable, count))
        if not self._items:
            raise InputError("not one input could be read: there is nothing to run")
        return self._items[:count]

    def batches(self, batch_size: int) -> list[Array]:
        """Batches of the size that the network takes; too few inputs for one batch are repeated to fill it.

        Pictures of a network without a fixed size share a batch only where they are of one size.
        """
        most = self._spec.batch or batch_size
        items = self.items(max(most, 2 * SINGLES))
        if self._spec.kind == "text" or self._spec.size is not None:
            items = list(itertools.islice(itertools.cycle(items), -(-len(items) // most) * most))
        found = groups(items, most)
        return [stack([item.value for item in group if isinstance(item, Prepared)], self._spec.kind) for group in found]

    def singles(self) -> list[Array]:
        """Batches of one input each."""
        return [stack([item.value], self._spec.kind) for item in self.items(SINGLES)]
