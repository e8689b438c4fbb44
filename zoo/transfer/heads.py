"""Heads: what turns features into logits; trained here, and run as plain matrix products wherever that will do."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.errors import WeightsError
from zoo.runtime import Array

HIDDEN = 256  # units of the hidden layer of the textbook recipe, and filters of the convolution
BOTTLENECK = 64  # units between the two layers of a residual adapter
# While an adapter is trained its units' mean is added and no sum. Adam's steps are of one size whatever the gradient,
# and would move the sum too fast (after 6 epochs on flowers_600 a validation loss of 0.67 against 0.40).
DAMPING = 1 / BOTTLENECK
ADAPTER = "adapter"
DENSE = ("linear", "hidden", ADAPTER)  # heads of dense layers that are descended to
CONVOLUTIONAL = "convolutional"
AT_ONCE = 256  # examples that Keras takes when it predicts: the maps of more fill the memory


def output_of(kind: Any) -> str:
    """The output of a backbone that a head of this kind stands on."""
    return "feature_maps" if kind == CONVOLUTIONAL else "features"


class Head(ABC):
    """features float32 [n, d], or feature maps [n, h, w, d] -> logits float32 [n, classes].

    takes: which of the two, as the backbone calls its outputs.
    """

    takes: ClassVar[str] = "features"

    @abstractmethod
    def __call__(self, features: Array) -> Array: ...

    @abstractmethod
    def save(self, folder: Path) -> str:
        """Write the head into `folder`; returns the file's name."""

    @abstractmethod
    def parameters(self) -> int:
        """The number of its weights."""


def stacked(layers: Sequence[Callable[[Any], Any]], residual: bool, relu: Callable[[Any], Any], features: Any) -> Any:
    """What dense `layers` with ReLU between them make of features, in NumPy, in a graph or in Keras.

    residual: the first two are an adapter beside the features, to which it adds: features + up(relu(down(features))).
    """
    found = features
    if residual:
        down, up, *layers = layers
        found = features + up(relu(down(features)))
    for number, layer in enumerate(layers):
        found = layer(relu(found) if number else found)
    return found


@dataclass(frozen=True)
class DenseHead(Head):
    """Dense layers with ReLU between them, in NumPy: no framework is needed to predict.

    layers: (kernel float32 [inputs, units], bias float32 [units]) of each.
    residual: the first two are a residual adapter, see `stacked`.
    """

    layers: tuple[tuple[Array, Array], ...]
    residual: bool = False

    def __call__(self, features: Array) -> Array:
        """See `Head`."""
        return np.asarray(self.through(features, lambda found: np.maximum(found, 0)))

    def through(self, features: Any, relu: Callable[[Any], Any]) -> Any:
        """Logits for an array or a tensor of features, float32 [n, d]; relu: that of whoever computes."""
        layers = [lambda found, pair=pair: found @ pair[0] + pair[1] for pair in self.layers]
        return stacked(layers, self.residual, relu, features)

    def scaled(self, scale: float) -> DenseHead:
        """The head that makes of features what this one makes of features times `scale`."""
        by = np.float32(scale)
        (kernel, bias), *rest = self.layers
        if self.residual:  # it adds to features that nobody scales any more, and the next layer makes up for that
            (up, offset), (next, after), *rest = rest
            rest = [(up / by, offset / by), (next * by, after), *rest]
        return replace(self, layers=((kernel * by, bias), *rest))

    def rescaled(self, scale: float, offset: float) -> DenseHead:
        """The head that gives what this one gives, times `scale` plus `offset`."""
        *rest, (kernel, bias) = self.layers
        by, plus = np.float32(scale), np.float32(offset)
        return replace(self, layers=(*rest, (kernel * by, bias * by + plus)))

    def save(self, folder: Path) -> str:
        """See `Head.save`."""
        arrays = {
            f"{what}{number}": array
            for number, pair in enumerate(self.layers)
            for what, array in zip("kb", pair, strict=True)
        }
        if self.residual:
            arrays["residual"] = np.array(True)
        np.savez(folder / "head.npz", **arrays)  # type: ignore[arg-type]
        return "head.npz"

    def parameters(self) -> int:
        """See `Head.parameters`."""
        return sum(array.size for array in itertools.chain.from_iterable(self.layers))


@dataclass(frozen=True)
class KerasHead(Head):
    """A head that Keras computes: a user's own layers, or a convolution over feature maps."""

    model: Any

    @property
    def takes(self) -> str:  # type: ignore[override]
        """See `Head`; maps have four axes."""
        return "feature_maps" if len(self.model.input_shape) == 4 else "features"

    def __call__(self, features: Array) -> Array:
        """See `Head`."""
        parts = [features[start : start + AT_ONCE] for start in range(0, max(len(features), 1), AT_ONCE)]
        return np.concatenate([np.asarray(self.model(part, training=False), np.float32) for part in parts])

    def save(self, folder: Path) -> str:
        """See `Head.save`."""
        self.model.save(folder / "head.keras")
        return "head.keras"

    def parameters(self) -> int:
        """See `Head.parameters`."""
        return int(self.model.count_params())


def read_head(file: Path) -> Head:
    """The head that `Head.save` wrote; raises WeightsError for anything else."""
    try:
        if file.suffix == ".keras":
            from zoo.framework import keras

            return KerasHead(keras.models.load_model(file))
        with np.load(file, allow_pickle=False) as stored:
            residual, count = "residual" in stored.files, len(stored.files) // 2
            if count < (3 if residual else 1):
                raise ValueError(f"it holds {count} layers")
            return DenseHead(tuple((stored[f"k{number}"], stored[f"b{number}"]) for number in range(count)), residual)
    except Exception as error:  # there is no end to what Keras and NumPy raise on broken bytes
        raise WeightsError(f"the head {str(file)!r} can't be read: {error}") from error


def keras_head(
    kind: Any, shape: Sequence[int], classes: int, dropout: float, rescaling: tuple[float, float] | None = None
) -> Any:
    """A `keras.Model` from features to logits: "linear", "hidden", "adapter", a Keras layer, or a callable of a tensor.

    "convolutional" is one of feature maps: a 3x3 convolution, ReLU, the mean over the picture, dropout, a dense layer.
    shape: of an example's features, (d,), or maps, (h, w, d).
    rescaling: (scale, offset) of what the last layer gives, for outputs that are numbers and no logits.
    """
    from zoo.framework import keras

    inputs = keras.Input(tuple(shape))
    if isinstance(kind, str) and kind in DENSE:
        units = {"linear": (), "hidden": (HIDDEN,), ADAPTER: (BOTTLENECK, shape[-1])}[kind]
        outputs = keras_dense(inputs, (*units, classes), kind == ADAPTER, dropout)
    elif kind == CONVOLUTIONAL:
        convolved = keras.layers.Conv2D(HIDDEN, 3, padding="same", activation="relu")(inputs)
        mean = keras.layers.GlobalAveragePooling2D()(convolved)
        outputs = keras.layers.Dense(classes)(keras.layers.Dropout(dropout)(mean))
    else:
        outputs = kind(inputs)
        if outputs.shape[-1] != classes:
            outputs = keras.layers.Dense(classes)(outputs)
    if rescaling is not None:
        outputs = keras.layers.Rescaling(*rescaling)(outputs)
    return keras.Model(inputs, outputs)


def keras_dense(inputs: Any, units: Sequence[int], residual: bool, dropout: float) -> Any:
    """A Keras tensor of logits for one of features: dense layers of so many `units` each, dropout before the last.

    residual: see `stacked`; the adapter begins as nothing, so that training begins at the head without it.
    """
    from zoo.framework import keras

    def dense(number: int) -> Any:
        start = "zeros" if residual and number == 1 else "glorot_uniform"
        return keras.layers.Dense(units[number], kernel_initializer=start)

    *layers, last = [dense(number) for number in range(len(units))]
    drop = keras.layers.Dropout(dropout)

    def relu(found: Any) -> Any:
        return keras.ops.relu(found) * (DAMPING if residual else 1.0)

    return stacked([*layers, lambda found: last(drop(found))], residual, relu, inputs)


def as_head(model: Any, kind: Any, scale: float) -> Head:
    """The `model` that was trained on features times `scale`; dense layers of ours need no framework any more."""
    if not isinstance(kind, str):
        return KerasHead(model)
    if kind == CONVOLUTIONAL:
        first = next(layer for layer in model.layers if type(layer).__name__ == "Conv2D")
        first.kernel.assign(first.kernel * scale)
        return KerasHead(model)
    return dense_head(model, kind == ADAPTER, scale)


def dense_head(model: Any, residual: bool, scale: float) -> DenseHead:
    """The dense layers of a Keras `model` of features times `scale`, for features that nobody scales."""
    layers = [tuple(layer.get_weights()) for layer in _dense_layers(model)]
    return _damped(DenseHead(tuple(layers), residual), DAMPING).scaled(scale).rescaled(*_rescaling(model))


def set_dense(model: Any, head: DenseHead, scale: float) -> None:
    """Make the layers of `model` those of `head`, of the same form: what `dense_head` undoes."""
    by, plus = _rescaling(model)
    damped = _damped(head.rescaled(1 / by, -plus / by).scaled(1 / scale), 1 / DAMPING)
    for layer, weights in zip(_dense_layers(model), damped.layers, strict=True):
        layer.set_weights(weights)


def _damped(head: DenseHead, by: float) -> DenseHead:
    """`head` with what its adapter adds, but for the bias, times `by`; one without an adapter as it is."""
    if not head.residual:
        return head
    down, (kernel, bias), *rest = head.layers
    return replace(head, layers=(down, (kernel * np.float32(by), bias), *rest))


def _dense_layers(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ == "Dense"]


def _rescaling(model: Any) -> tuple[float, float]:
    """(scale, offset) of what the last layer of `model` gives; (1, 0) where nothing rescales it."""
    found = [(layer.scale, layer.offset) for layer in model.layers if type(layer).__name__ == "Rescaling"]
    return found[0] if found else (1.0, 0.0)
