"""Which runtime computes the features that a head stands on: the fastest that is known to answer as TensorFlow does.

`zoo tune MODEL --output features` or runtime="auto" compares all that are installed (`zoo.tuning.contest`), in a minute
or two. Where nobody has asked for that, the first fit glances at one that opens the weights by itself, if there is one
(`zoo.tuning.glance`). Either is done once for these weights on this machine, in processes of its own, and remembered.
"""

from __future__ import annotations

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
from zoo.tuning.glance import glance
from zoo.weights import size

# Examples times the bytes of the weights: of less, features are there before a glance is done. TensorFlow takes two
# seconds for 330 pictures by a MobileNetV2 of 9 MB.
WORTH = 3e9


def swiftest(model: Model, dataset: Dataset, output: str, batch_size: int, views: int = 0) -> tuple[Model, str]:
    """`model` on the runtime that computes `output` of `dataset` and of so many `views` of each example.

    And what is to be said of it. A runtime that was named stays; features that are there already need none. A glance
    ends no fit where it fails.
    """
    auto = model.runtime
    if not isinstance(auto, AutoRuntime):
        if model.named or kept(model, dataset, output):
            return model, ""
        auto = AutoRuntime(AUTO, model.task, batch_size)
    backbone = load_backbone(model.spec, output, model.files(output))
    asked: dict[str, Any] = {"device": model.device, "precision": model.precision}
    choice = auto.remembered(backbone, **asked)
    if choice is None and auto is model.runtime:
        choice = auto.choose(backbone, **asked, data=dataset)
    try:
        if choice is None and len(dataset) * (1 + views) * size(backbone.files["weights"]) > WORTH:
            choice = glance(model, backbone, dataset, batch_size)
    except ZooError as error:
        return model, f"{output} by 'tf': what is faster here could not be found out: {error}"
    if choice is None or (choice.runtime == model.runtime.spec.name and auto is not model.runtime):
        return model, ""
    told = f"{output} by {choice.runtime} {choice.precision}, the fastest known here that answers as 'tf' does"
    return copied(model, runtime=get_runtime(choice.runtime), precision=choice.precision, named=True), told
