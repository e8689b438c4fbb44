"""Losses: by name, as Keras has them, or a callable; all of logits, never of probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.errors import OptionError
from zoo.runtime import Array

# Names of losses of a head's logits, by what the targets are; the first is the default.
NAMES = {
    "class": ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "focal"),
    "classes": ("binary_crossentropy", "focal"),
    "number": ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh"),
}
SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "binary_focal_crossentropy": "focal"}


def check_loss(loss: Any, targets: str, classes: int) -> Any:
    """`loss` in full, None for the default; raises OptionError for one that means nothing to `targets`."""
    if isinstance(loss, str):
        found = SHORT.get(loss, loss)
        if found not in NAMES[targets]:
            known = ", ".join(map(repr, NAMES[targets]))
            raise OptionError(f"there is no loss {loss!r} for targets {targets!r}; there are {known}, or a callable")
        if targets == "class" and found == "binary_crossentropy" and classes != 2:
            raise OptionError(
                f"loss={loss!r} means nothing to one of {classes} classes; it is for two, or for several at once "
                f"(task 'multilabel')"
            )
        if found == NAMES[targets][0] or (targets == "class" and found != "focal"):
            return None  # of two classes the binary cross-entropy is the categorical one
        return found
    if loss is not None and not callable(loss):
        raise OptionError(f"loss={loss!r} means nothing; it is a name, a Keras loss, or a callable")
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    if config.get("from_logits") is False:
        raise OptionError(
            f"loss={type(loss).__name__}() takes probabilities, and a head gives logits; make it with from_logits=True"
        )
    return loss


def class_loss(loss: Any) -> Any:
    """The Keras loss of (class numbers [n], logits [n, classes]) that `check_loss` gave."""
    from zoo.framework import keras

    if loss is None:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if loss != "focal":
        return loss
    focal = keras.losses.CategoricalFocalCrossentropy(from_logits=True, reduction=None)

    def sparse_focal(targets: Any, logits: Any) -> Any:
        """Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002, with gamma 2."""
        return focal(keras.ops.one_hot(keras.ops.reshape(targets, (-1,)), logits.shape[-1]), logits)

    return sparse_focal


def classes_loss(loss: Any, pos_weight: Array | None) -> Any:
    """The Keras loss of (0/1 [n, classes], logits [n, classes]) that `check_loss` gave.

    pos_weight: float32 [classes], how much a label that is there counts against one that is not; None for 1.
    """
    from zoo.framework import keras

    if loss == "focal":
        return keras.losses.BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=False)
    if loss is not None:
        return loss
    weight = 1.0 if pos_weight is None else pos_weight

    def weighted_crossentropy(targets: Any, logits: Any) -> Any:
        ops = keras.ops
        targets = ops.cast(targets, logits.dtype)
        there = ops.multiply(weight, targets) * ops.softplus(-logits)
        return ops.mean(there + (1 - targets) * ops.softplus(logits), axis=-1)

    return weighted_crossentropy


def number_loss(loss: Any) -> Any:
    """The Keras loss of (numbers [n, 1], numbers [n, 1]) that `check_loss` gave."""
    from zoo.framework import keras

    found: Callable[..., Any] = keras.losses.get(loss or "mean_squared_error")
    return found
