"""A warm start: the rows of a head that was fitted before, where its labels are those of the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import OptionError
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.transfer.heads import DenseHead


@dataclass(frozen=True)
class Start:
    """The head to start from. rows: (its class, the new head's class) of each label that both know; name: its model."""

    head: DenseHead
    rows: Sequence[tuple[int, int]]
    name: str

    @property
    def note(self) -> str:
        """What it did, for whoever reads the results."""
        return f"{len(self.rows)} rows of the head began as those of {self.name}"

    def give(self, model: Any, scale: float) -> None:
        """Set the rows that fit in `model`, a Keras head of features times `scale`; hidden layers are taken whole.

        Raises OptionError where the layers differ in number or size.
        """
        layers = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
        own = [layer.kernel.shape[0] for layer in layers]
        theirs = [kernel.shape[0] for kernel, _ in self.head.layers]
        if own != theirs:
            raise OptionError(
                f"warm_start=True means nothing here: the layers of the head of {self.name} take {theirs} numbers, "
                f"those of the new one {own}; take the same head="
            )
        for number, (layer, (kernel, bias)) in enumerate(zip(layers, self.head.layers, strict=True)):
            kernel = kernel if number else kernel / np.float32(scale)
            if layer is layers[-1]:
                fresh, offset = (np.array(array) for array in layer.get_weights())
                for old, new in self.rows:
                    fresh[:, new], offset[new] = kernel[:, old], bias[old]
                kernel, bias = fresh, offset
            layer.set_weights([kernel, bias])


def start_of(model: Model, labels: LabelSpace) -> Start:
    """What a head over `labels` may take from `model`; raises OptionError where `model` has no head that shares any."""
    head = getattr(model, "head", None)
    if not isinstance(head, DenseHead) or model.labels is None:
        raise OptionError(
            f"warm_start=True means nothing to {model.name!r}: it takes the head of a model that was fitted before, "
            "with head 'logistic', 'linear' or 'hidden'"
        )
    known = model.labels.lookup()
    wanted = labels.lookup()
    rows = [(old, wanted[word]) for word, old in known.items() if old is not None and wanted.get(word) is not None]
    if not rows:
        raise OptionError(
            f"warm_start=True means nothing here: {model.name!r} knows none of {labels.label(0)!r} and the other labels"
        )
    return Start(head, sorted({(old, new) for old, new in rows if new is not None}), model.name)
