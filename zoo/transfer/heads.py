"""Heads: what turns features into logits; trained here, and run as plain matrix products wherever that will do."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.errors import WeightsError
from zoo.runtime import Array
from zoo.transfer.calibration import sharpness

PENALTIES = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
HIDDEN = 256  # units of the hidden layer of the textbook recipe, and filters of the convolution
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


@dataclass(frozen=True)
class DenseHead(Head):
    """Dense layers with ReLU between them, in NumPy: no framework is needed to predict.

    layers: (kernel float32 [inputs, units], bias float32 [units]) of each.
    """

    layers: tuple[tuple[Array, Array], ...]

    def __call__(self, features: Array) -> Array:
        """See `Head`."""
        found = features
        for number, (kernel, bias) in enumerate(self.layers):
            found = (np.maximum(found, 0) if number else found) @ kernel + bias
        return found

    def save(self, folder: Path) -> str:
        """See `Head.save`."""
        arrays = {
            f"{what}{number}": array
            for number, pair in enumerate(self.layers)
            for what, array in zip("kb", pair, strict=True)
        }
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
            import keras

            return KerasHead(keras.models.load_model(file))
        with np.load(file, allow_pickle=False) as stored:
            count = len(stored.files) // 2
            return DenseHead(tuple((stored[f"k{number}"], stored[f"b{number}"]) for number in range(count)))
    except Exception as error:
        raise WeightsError(f"the head {str(file)!r} can't be read: {error}") from error


def solve_logistic(
    features: Array, targets: Array, *, c: float, class_weight: Any, seed: int, views: int = 1
) -> DenseHead:
    """Multinomial logistic regression with an L2 penalty, solved to its optimum by scikit-learn (L-BFGS).

    features are scaled so that their mean length is 1: then one `c` suits networks whose features differ in size.
    c: the inverse of the penalty's strength. On 1,000 AG News texts 1 gave 0.884 and 10 gave 0.850. The penalty leaves
    logits too small, which `sharpness` makes good.
    views: of each example there are so many views, all first ones before the second ones; `sharpness` looks at the
    first alone, or it would judge on what it has seen.
    """
    scaled = np.asarray(features) * (scale := _unit_scale(features))
    ((kernel, bias),) = _optimum(scaled, targets, c, class_weight, seed).layers
    one = len(targets) // views

    def solve(rows: Array, classes: Array) -> DenseHead:
        return _optimum(rows, classes, c * views, class_weight, seed)

    sharp = np.float32(sharpness(solve, scaled[:one], targets[:one], seed))
    return DenseHead(((kernel * scale * sharp, bias * sharp),))


def _optimum(features: Array, targets: Array, c: float, class_weight: Any, seed: int) -> DenseHead:
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=c, max_iter=1000, class_weight=class_weight, random_state=seed).fit(features, targets)
    kernel, bias = found.coef_.T, found.intercept_
    if kernel.shape[1] == 1:  # two classes share one score: 0 against it is the same
        kernel, bias = np.hstack([0 * kernel, kernel]), np.array([0.0, bias[0]])
    return DenseHead(((kernel.astype(np.float32), bias.astype(np.float32)),))


def solve_labels(features: Array, targets: Array, *, c: float, pos_weight: Array | None, seed: int) -> DenseHead:
    """A logistic regression for each column of targets [n, classes], 0 or 1, as `solve_logistic` has them."""
    from sklearn.linear_model import LogisticRegression

    scale = _unit_scale(features)
    scaled = np.asarray(features) * scale
    kernels, biases = [], []
    for number, column in enumerate(targets.T):
        weights = None if pos_weight is None else {0: 1.0, 1: float(pos_weight[number])}
        found = LogisticRegression(C=c, max_iter=1000, class_weight=weights, random_state=seed)
        found.fit(scaled, column.astype(np.int64))
        kernels.append(found.coef_[0] * scale)
        biases.append(found.intercept_[0])
    return DenseHead(((np.stack(kernels, 1).astype(np.float32), np.array(biases, np.float32)),))


def solve_ridge(features: Array, targets: Array, *, c: float) -> DenseHead:
    """Least squares for numbers [n, 1] with an L2 penalty, by scikit-learn.

    Centred features are scaled to a mean length of 1, as in `solve_logistic`. Of `PENALTIES`, each over c,
    the one counts with the least error when each example is left out in turn (Golub, Heath and Wahba 1979).
    """
    from sklearn.linear_model import RidgeCV

    centre = np.asarray(features, np.float64).mean(axis=0)
    scale = _unit_scale(features - centre)
    found = RidgeCV(alphas=[penalty / c for penalty in PENALTIES])
    found.fit((np.asarray(features, np.float64) - centre) * scale, targets[:, 0])
    kernel = found.coef_ * scale
    bias = found.intercept_ - centre @ kernel
    return DenseHead(((kernel[:, None].astype(np.float32), np.array([bias], np.float32)),))


def _unit_scale(features: Array) -> np.float32:
    length = float(np.linalg.norm(features, axis=1).mean())
    return np.float32(1 / length if length > 0 else 1.0)


def keras_head(
    kind: Any, shape: Sequence[int], classes: int, dropout: float, rescaling: tuple[float, float] | None = None
) -> Any:
    """A `keras.Model` from features to logits: "linear", "hidden", a Keras layer, or a callable of a tensor.

    "convolutional" is one of feature maps: a 3x3 convolution, ReLU, the mean over the picture, dropout, a dense layer.
    shape: of an example's features, (d,), or maps, (h, w, d).
    rescaling: (scale, offset) of what the last layer gives, for outputs that are numbers and no logits.
    """
    import keras

    inputs = keras.Input(tuple(shape))
    if kind == "linear":
        outputs = keras.layers.Dense(classes)(keras.layers.Dropout(dropout)(inputs))
    elif kind == "hidden":
        hidden = keras.layers.Dense(HIDDEN, activation="relu")(inputs)
        outputs = keras.layers.Dense(classes)(keras.layers.Dropout(dropout)(hidden))
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


def as_head(model: Any, kind: Any, scale: float) -> Head:
    """The `model` that was trained on features times `scale`; dense layers of ours need no framework any more."""
    if not isinstance(kind, str):
        return KerasHead(model)
    if kind == CONVOLUTIONAL:
        first = next(layer for layer in model.layers if type(layer).__name__ == "Conv2D")
        first.kernel.assign(first.kernel * scale)
        return KerasHead(model)
    dense: Sequence[Any] = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    layers = [(np.asarray(layer.kernel), np.asarray(layer.bias)) for layer in dense]
    kernel, bias = layers[0]
    layers[0] = kernel * np.float32(scale), bias
    for layer in model.layers:
        if type(layer).__name__ == "Rescaling":
            kernel, bias = layers[-1]
            layers[-1] = kernel * np.float32(layer.scale), bias * np.float32(layer.scale) + np.float32(layer.offset)
    return DenseHead(tuple(layers))
