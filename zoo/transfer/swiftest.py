"""Which runtime computes the features that a head stands on: the fastest at hand that answers as TensorFlow does.

It is found by a contest (`zoo.tuning`): every candidate in a process of its own, its answers held against those of
TensorFlow, once for these weights on this machine. A contest takes a minute or two: without being asked for one, it is
held only where TensorFlow alone would take several times that. `zoo tune MODEL --output features` asks for one, and so
does runtime="auto".
"""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

from zoo.backbone import load_backbone
from zoo.compose import get_runtime
from zoo.dataset import Dataset
from zoo.errors import ZooError
from zoo.model import Model
from zoo.plugins import AUTO
from zoo.transfer.copies import copied
from zoo.transfer.features import kept
from zoo.tuning.auto import AutoRuntime

FEW = 1000  # examples: so many take hardly any network as long as a contest
WORTH = 300.0  # seconds of computing features that make a contest worth its while: it took 103 where it halved them


def swiftest(model: Model, dataset: Dataset, output: str, batch_size: int, views: int = 0) -> tuple[Model, str]:
    """`model` on the runtime that computes `output` of `dataset` and of so many `views` of each example.

    And what is to be said of it. A runtime that was named stays; features that are there already need none. A contest
    that nobody asked for ends no fit where it fails.
    """
    auto = model.runtime
    if not isinstance(auto, AutoRuntime):
        if model.named or kept(model, dataset, output):
            return model, ""
        auto = AutoRuntime(AUTO, model.task, batch_size)
    backbone = load_backbone(model.spec, output, model.files(output))
    if backbone.runtimes and auto is not model.runtime:  # 'tf' is none of them: nothing could be compared
        return model, ""
    asked: dict[str, Any] = {"device": model.device, "precision": model.precision}
    choice = auto.remembered(backbone, **asked)
    total = len(dataset) * (1 + views)
    if choice is None and auto is not model.runtime:
        if total <= FEW:
            return model, ""
        if (seconds := total * _pace(model, dataset, output, batch_size)) < WORTH:
            return (
                model,
                f"{output} by 'tf' in about {seconds:.0f} s; runtime='auto' finds out what is faster here, once",
            )
    try:
        choice = choice or auto.choose(backbone, **asked, data=dataset)
    except ZooError as error:
        if auto is model.runtime:
            raise
        return model, f"{output} by 'tf': what is faster here could not be found out: {error}"
    told = f"{output} by {choice.runtime} {choice.precision}, the fastest here that answers as 'tf' does"
    return copied(model, runtime=get_runtime(choice.runtime), precision=choice.precision, named=True), told


def _pace(model: Model, dataset: Dataset, output: str, batch_size: int) -> float:
    """Seconds an example, of one batch; the first one, which compiles, does not count."""
    inputs = [model.task.inputs(example)[0] for example in islice(dataset, batch_size)]
    for _ in range(2):
        begun = time.perf_counter()
        list(model.outputs(inputs, output, batch_size))
    return (time.perf_counter() - begun) / len(inputs)
