"""Examples with objects for networks that are trained whole: which of them train, and which judge."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from zoo.dataset import Dataset, Example, InMemory, Objects
from zoo.errors import DatasetError, InputError, LabelError
from zoo.inputs import prepare_all
from zoo.labels import LabelSpace, translate
from zoo.model import Model
from zoo.runtime import Array
from zoo.task import Failed
from zoo.transfer.features import require_readable
from zoo.transfer.held import HeldOut
from zoo.transfer.splits import Data, Opened, held_out

Pictures = list[tuple[Array, Objects]]


@dataclass(frozen=True)
class Parts:
    """What trains and what judges. pictures: of both; judged: the examples held out; failed: what can't be read."""

    pictures: tuple[Pictures, Pictures]
    labels: LabelSpace
    judged: Dataset
    held: HeldOut
    failed: tuple[Failed, ...]


def divided(model: Model, opened: Data, seed: int, limit: int | float) -> Parts:
    """The readable examples of what was `opened`, those that train and those that are held out."""
    training = opened.training.dataset
    ids = _classes(training)
    named = {place: training.labels.label(id) for id, place in ids.items()} if training.labels else {}
    labels = LabelSpace("own", named)
    rows, failed = _shown(model, training, ids, limit)
    if isinstance(opened.validation, Opened):
        judging, options = opened.validation.dataset, opened.validation.options
        judged, more = _shown(model, judging, _counterparts(judging, training, ids, labels), limit)
        failed += more
        held = HeldOut.of(judging, options)
    else:
        judging, places = training, np.array([row.place for row in rows])
        trains, cut, _ = held_out(np.zeros((len(rows), 1), np.float32), (opened.validation, 0.0), seed, labels)
        rows, judged = [rows[place] for place in trains], [rows[place] for place in cut]
        held = HeldOut.of(training, opened.training.options, places[cut])
    part = InMemory([row.example for row in judged], judging.modality, judging.targets)
    part.name, part.labels = judging.name, judging.labels
    pictures = [(row.pixels, row.objects) for row in rows], [(row.pixels, row.objects) for row in judged]
    return Parts(pictures, labels, part, held, tuple(failed))


def _classes(dataset: Dataset) -> dict[int, int]:
    """The dataset's ids, in order, to 0..n-1; those that an object has."""
    ids = sorted({id for example in dataset for id in example.target.ids})
    if not ids:
        raise DatasetError(f"{dataset.name!r} has no object to learn from")
    if dataset.labels is None:
        raise DatasetError(f"{dataset.name!r} names no classes; give labels=")
    return {id: place for place, id in enumerate(ids)}


def _counterparts(judging: Dataset, training: Dataset, ids: Mapping[int, int], labels: LabelSpace) -> Mapping[int, int]:
    """The ids of `judging` to 0..n-1, by class: another file of annotations may number the same classes otherwise."""
    if judging.labels is None or training.labels is None or judging.labels.names == training.labels.names:
        return ids
    found: dict[int, int] = {}
    for id in judging.labels.names:
        with suppress(LabelError):  # a class of which no object trains
            found |= translate(judging.labels, labels, [id])
    return found


@dataclass(frozen=True)
class _Shown:
    """A readable example. place: in its dataset; pixels: what the spec's input describes; objects: in own numbers."""

    place: int
    example: Example
    pixels: Array
    objects: Objects


def _shown(
    model: Model, dataset: Dataset, ids: Mapping[int, int], limit: int | float
) -> tuple[list[_Shown], list[Failed]]:
    """The readable inputs of `dataset` with their objects, classes numbered as in `ids`; others are left out."""
    found: list[_Shown] = []
    failed = []
    examples = list(dataset)
    prepared = prepare_all((row.input for row in examples), model.spec.input)
    for place, (example, item) in enumerate(zip(examples, prepared, strict=True)):
        if isinstance(item, InputError):
            failed.append(Failed.of(item))
            continue
        found.append(_Shown(place, example, np.asarray(item.value), _renumbered(example.target, ids)))
    require_readable(failed, dataset, limit)
    return found, failed


def _renumbered(objects: Objects, ids: Mapping[int, int]) -> Objects:
    """`objects` of the classes that `ids` has, by its numbers."""
    known = [place for place, id in enumerate(objects.ids) if id in ids]
    crowd = objects.crowd or (False,) * len(objects.ids)
    return replace(
        objects,
        boxes=tuple(objects.boxes[place] for place in known),
        ids=tuple(ids[objects.ids[place]] for place in known),
        crowd=tuple(crowd[place] for place in known),
        areas=(),
    )
