"""Backbones that end in what their task makes of logits, such as probabilities: what an exporter writes.

Importing this module imports no framework; running what it makes does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbone import Backbone, load_backbone
from zoo.errors import ExportError
from zoo.labels import LabelSpace, label_space
from zoo.runtime import Array

if TYPE_CHECKING:
    from zoo.model import Model
    from zoo.parts import Piece


class ScoredBackbone(Backbone):
    """A backbone's `logits` as `scores`, float32 [n, width].

    targets: what they are trained for: "class" gives probabilities that sum to 1, "classes" one for each class by
        itself, "number" the numbers as they are.
    """

    def __init__(self, inner: Backbone, targets: str) -> None:
        super().__init__(inner.spec, inner.output, inner.files)
        self.inner = inner
        self.targets = targets

    @property
    def labels(self) -> LabelSpace | None:
        """The classes in the order of the scores, of which the best is the answer; None where that is none."""
        if self.targets != "class":
            return None
        return label_space(self.facts.labels, self.facts.width)

    def load(self) -> None:
        """See `zoo.Backbone.load`."""
        self.inner.load()

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """`scores` for a batch of prepared inputs."""
        from zoo.framework import tf

        logits = tf.cast(self.inner.forward(batch, training)[self.output], tf.float32)
        turn = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}.get(_missing(self.targets, self.facts.activation))
        return {"scores": turn(logits) if turn else logits}

    def parameters(self) -> int:
        """See `zoo.Backbone.parameters`."""
        return self.inner.parameters()


def scored(logits: Array, targets: str, activation: str) -> Array:
    """What `ScoredBackbone.forward` computes, in NumPy. activation: what has been applied to `logits` already."""
    from scipy.special import expit, softmax

    missing = _missing(targets, activation)
    values = logits.astype(np.float32)
    return np.asarray(softmax(values, axis=-1) if missing == "softmax" else expit(values) if missing else values)


def _missing(targets: str, activation: str) -> str:
    """What must yet be applied; "" for nothing."""
    return {"class": "softmax", "classes": "sigmoid"}.get(targets, "") if activation == "none" else ""


def network(model: Model) -> Backbone:
    """The network that gives the `logits` of `model`, not yet loaded; a fitted one brings its own, with its head."""
    own = getattr(model, "network", None)
    found: Backbone = own() if own else load_backbone(model.spec, "logits", model.files("logits"))
    return found


def one_piece(backbone: ScoredBackbone, refuses: Callable[[str], bool], format: str) -> Piece:
    """`backbone` frozen as one graph from "pixels" to "scores"; raises ExportError where a part can't leave TensorFlow.

    refuses: whether the format can't hold an op, by type.
    """
    from zoo.graph import freeze
    from zoo.split import split

    name = backbone.spec.name
    if backbone.spec.input.kind == "text":
        raise ExportError(f"{name!r} reads texts, for which {format!r} has no tokeniser; use format='saved_model'")
    parts = split(freeze(backbone), refuses)
    if not parts.whole:
        raise ExportError(f"a part of {name!r} runs in TensorFlow alone; use format='saved_model'")
    return _renamed(parts.middle, {parts.middle.inputs[0]: "pixels", parts.middle.outputs[0]: "scores"})


def _renamed(piece: Piece, names: dict[str, str]) -> Piece:
    from zoo.parts import Piece

    result = type(piece.graph_def)()
    result.CopyFrom(piece.graph_def)
    for node in result.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [names.get(given.removesuffix(":0"), given) for given in node.input]
    return Piece(result, *(tuple(names.get(name, name) for name in side) for side in (piece.inputs, piece.outputs)))
