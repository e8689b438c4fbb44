"""Inputs of another size than a network's own: where it takes them; else they are resized, and that is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.backbone import load_backbone
from zoo.dataset import Dataset
from zoo.errors import OptionError
from zoo.inputs import Prepared, prepare_all
from zoo.model import Model
from zoo.pairs import require_pair
from zoo.specs import ImageInput
from zoo.transfer.copies import copied

SMALL = 0.5  # of the network's own size: pictures up to here cost more than they hold


def sized(model: Model, size: Any) -> tuple[Model, str]:
    """`model` for pictures of `size`, (height, width) or one number for both, and what is to be said of it.

    A network that takes its own size alone stays as it is. Raises OptionError for a size that means nothing.
    """
    own = model.spec.input
    if size is None:
        return model, ""
    wanted = _read(size)
    if not isinstance(own, ImageInput):
        raise OptionError(f"size={size!r} means nothing to {model.name!r}, which reads {own.kind}")
    if own.size is None:
        raise OptionError(f"size={size!r} means nothing to {model.name!r}: it takes pictures of any size as they are")
    if wanted == own.size:
        return model, ""
    if not takes_other_sizes(model):
        return (
            model,
            f"size={wanted} can't be had: pictures are resized to {_told(own.size)}, all that the network takes",
        )
    facts = {
        "input": own.model_copy(update={"size": wanted}),
        # Not the logits: a classifier's last layer may count on the size.
        "outputs": {name: facts for name, facts in model.spec.outputs.items() if name.startswith("feature")},
        "published": (),
    }
    made = copied(model, pair=require_pair(model.task.spec, model.spec.model_copy(update=facts)))
    return made, f"inputs are {_told(wanted)} pixels, not {_told(own.size)}, for which the network was trained"


def takes_other_sizes(model: Model) -> bool:
    """Whether the features of the network can be had of pictures of another size than its own."""
    return "features" in load_backbone(model.spec, "features", model.files("features")).resizable


def enlargement(model: Model, dataset: Dataset) -> str:
    """What is to be said where the pictures of `dataset` are much smaller than the network's input, else ""."""
    own = model.spec.input
    if not isinstance(own, ImageInput) or own.size is None:
        return ""
    first = next(iter(prepare_all([model.task.inputs(example)[0] for example in dataset.some(1)], own)), None)
    if not isinstance(first, Prepared):
        return ""
    there = (first.size[1], first.size[0])
    if max(there) > SMALL * min(own.size):
        return ""
    faster = "; size=(height, width) nearer to theirs is faster" if takes_other_sizes(model) else ""
    return f"pictures of {_told(there)} pixels are enlarged to {_told(own.size)}{faster}"


def _read(size: Any) -> tuple[int, int]:
    given = np.asarray(size)
    if given.dtype.kind not in "iu" or given.size not in (1, 2) or given.min() < 1:
        raise OptionError(f"size={size!r} means nothing; it is (height, width) in pixels, or one number for both")
    height, width = np.broadcast_to(given.reshape(-1), 2).tolist()
    return height, width


def _told(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
