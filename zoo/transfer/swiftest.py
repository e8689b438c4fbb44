"""Which runtime computes the features that a head stands on: the fastest at hand that answers as TensorFlow does.

It is found by a contest (`zoo.tuning`): every candidate in a process of its own, its answers held against those of
TensorFlow, once for these weights on this machine. A contest takes a minute or two: without being asked for one, it is
held only where TensorFlow alone would take longer than that.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

from zoo.backbone import load_backbone
from zoo.compose import get_runtime
from zoo.dataset import Dataset
from zoo.model import Model
from zoo.plugins import AUTO
from zoo.transfer.copies import copied
from zoo.transfer.features import kept
from zoo.tuning.auto import AutoRuntime
from zoo.tuning.choice import Choice

FEW = 1000  # examples: so many take hardly any network as long as a contest
WORTH = 180.0  # seconds of computing features that make a contest worth its while


def swiftest(model: Model, dataset: Dataset, output: str, batch_size: int, views: int = 0) -> tuple[Model, str]:
    """`model` on the runtime that computes `output` of `dataset` and of so many `views` of each example.

    And what is to be said of it. A runtime that was named stays; features that are there already need none.
    """
    auto = model.runtime
    if not isinstance(auto, AutoRuntime):
        if model.named or kept(model, dataset, output):
            return model, ""
        auto = AutoRuntime(AUTO, model.task, batch_size)
    backbone = load_backbone(model.spec, output, model.files(output))
    asked: dict[str, Any] = {"device": model.device, "precision": model.precision}
    choice = auto.remembered(backbone, **asked)
    if choice is None:
        if auto is not model.runtime and not _long(model, dataset, output, batch_size, views):
            return model, ""
        choice = auto.choose(backbone, **asked, data=dataset)
    told = (
        f"{output.replace('_', ' ')} by {choice.runtime} {choice.precision}, the fastest here that answers as 'tf' does"
    )
    return _on(model, choice), told


def _on(model: Model, choice: Choice) -> Model:
    return copied(model, runtime=get_runtime(choice.runtime), precision=choice.precision, named=True)


def _long(model: Model, dataset: Dataset, output: str, batch_size: int, views: int) -> bool:
    """Whether a contest is worth its while, by what one batch takes; the first one, which compiles, does not count."""
    total = len(dataset) * (1 + views)
    if total <= FEW:
        return False
    inputs = [model.task.inputs(example)[0] for example in islice(dataset, batch_size)]
    for _ in range(2):
        begun = time.perf_counter()
        list(model.outputs(inputs, output, batch_size))
    return (time.perf_counter() - begun) / len(inputs) * total > WORTH
