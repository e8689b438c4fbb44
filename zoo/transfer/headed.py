"""A backbone with a fitted head as one network of tensors, for those who write it into a graph."""

from __future__ import annotations

from typing import Any

from zoo.backbone import Backbone
from zoo.errors import ExportError
from zoo.specs import BackboneSpec
from zoo.transfer.heads import DenseHead, Head


class HeadedBackbone(Backbone):
    """`features` or `feature_maps` of a backbone, and a head behind them that gives `logits`."""

    def __init__(self, features: Backbone, head: Head, spec: BackboneSpec) -> None:
        super().__init__(spec, "logits", features.files)
        self.features = features
        self.head = head

    def load(self) -> None:
        """See `zoo.Backbone.load`."""
        self.features.load()

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`."""
        return {"logits": tensors(self.head, self.features.forward(batch, training)[self.features.output])}

    def parameters(self) -> int:
        """See `zoo.Backbone.parameters`."""
        return self.features.parameters() + self.head.parameters()


def tensors(head: Head, features: Any) -> Any:
    """The logits of `head` as a tensor, for a tensor of features; raises ExportError for a head without such a form."""
    from zoo.framework import tf

    if isinstance(head, DenseHead):
        return head.through(tf.cast(features, tf.float32), tf.nn.relu)
    if (model := getattr(head, "model", None)) is not None:
        return model(features, training=False)
    raise ExportError(f"a {type(head).__name__} can't be written into a graph; fit another head")
