"""The real inputs on which runtimes are compared: a dataset's, samples of the model's own labels, or the core's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ImageOps

from zoo.batches import groups, stack
from zoo.dataset import Dataset, DatasetOptions, open_dataset
from zoo.errors import InputError
from zoo.inputs import Prepared, picture, prepare_all, sample_inputs
from zoo.plugins import installed
from zoo.runtime import Array
from zoo.specs import BackboneSpec, DatasetSpec
from zoo.task import Task

MOST = 256  # examples: one in a hundred is then more than two
LARGEST = 2**28  # bytes of prepared pictures
# Windows of the sample photographs: the part of each side that is seen, and how many places along it.
WINDOWS = ((1.0, 1), (0.8, 2), (0.6, 3), (0.5, 4))


@dataclass(frozen=True)
class Examples:
    """Prepared inputs in batches of what was asked for, as far as shapes permit.

    count: how many examples there are; where they fill no whole number of batches, the first ones are repeated behind.
    origin: where they are from, in words.
    """

    batches: list[Array]
    count: int
    origin: str


def real_examples(task: Task, spec: BackboneSpec, output: str, batch_size: int, data: Dataset | None) -> Examples:
    """Inputs for `spec`: those of `data`, else of samples of the output's own labels, else of the core.

    Raises InputError where not one can be read.
    """
    sources, origin = _sources(task, spec, output, data)
    kind, most = spec.input.kind, spec.input.batch or batch_size
    with closing(prepare_all(iter(sources), spec.input)) as prepared:
        items = _within_limits(item for item in prepared if isinstance(item, Prepared))
    if not items:
        raise InputError(f"not one of {origin} can be read: there is nothing to compare runtimes on")
    count = len(items)
    if spec.input.kind == "text":
        items.sort(key=lambda item: -len(item.value))  # as `zoo.batches` runs them: little is padded
    if spec.input.kind == "text" or spec.input.size is not None:
        items = list(itertools.islice(itertools.cycle(items), -(-count // most) * most))
    batches = [
        stack([item.value for item in group if isinstance(item, Prepared)], kind) for group in groups(items, most)
    ]
    return Examples(batches, count, origin)


def own_samples(task: Task, spec: BackboneSpec, output: str) -> DatasetSpec | None:
    """The first registered set of samples, by name, of the model's kind of input, targets and labels."""
    wanted = (spec.input.kind, task.spec.targets, spec.outputs[output].labels)
    fitting = (found for found in installed().datasets if (found.modality, found.targets, found.labels) == wanted)
    return next((found for found in fitting if found.samples), None)


def _sources(task: Task, spec: BackboneSpec, output: str, data: Dataset | None) -> tuple[Sequence[Any], str]:
    samples = own_samples(task, spec, output) if data is None else None
    if samples is not None:
        options = DatasetOptions(modality=spec.input.kind, targets=task.spec.targets)
        data = open_dataset(samples.name, options, installed())
    if data is not None:
        inputs = (source for example in data.some(MOST) for source in task.inputs(example))
        return list(itertools.islice(inputs, MOST)), f"inputs of {data.name!r}"
    if spec.input.kind == "text":
        return _texts(), "the core's sentences, alone and in pairs"
    return list(_windows()), "parts of two sample photographs"


def _texts() -> list[str]:
    sentences = sample_inputs("text")
    return sentences + [f"{left} {right}" for left, right in itertools.permutations(sentences, 2)]


def _windows() -> Iterator[Any]:
    """Parts of the sample photographs, as they are and mirrored, uint8 [h, w, 3]; those of one size are neighbours."""
    photographs = [picture(path) for path in sample_inputs("image")]
    for part, places in WINDOWS:
        for row, column in itertools.product(range(places), repeat=2):
            for photograph in photographs:
                size = (int(photograph.width * part), int(photograph.height * part))
                left = (photograph.width - size[0]) * column // max(1, places - 1)
                top = (photograph.height - size[1]) * row // max(1, places - 1)
                seen = photograph.crop((left, top, left + size[0], top + size[1]))
                yield np.asarray(seen)
                yield np.asarray(ImageOps.mirror(seen))


def _within_limits(items: Iterator[Prepared]) -> list[Prepared]:
    kept: list[Prepared] = []
    size = 0
    for item in items:
        size += getattr(item.value, "nbytes", 0)
        if kept and size > LARGEST:
            break
        kept.append(item)
    return kept
