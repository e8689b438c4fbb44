"""A checkpoint of TF-Slim, TensorFlow 1's, as a backbone: its variables go by name into the Keras Application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import BackboneError
from zoo_keras.applications import build_application
from zoo_keras.network import KerasBackbone

if TYPE_CHECKING:
    from zoo.framework import keras

# The convolutions of Mixed blocks: one line a branch, in the order in which both slim and Keras make them.
_A = ("Conv2d_0a_1x1", "Conv2d_0a_1x1 Conv2d_0b_5x5", "Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_0c_3x3", "Conv2d_0b_1x1")
_B = (
    "Conv2d_0a_1x1",
    "Conv2d_0a_1x1 Conv2d_0b_1x7 Conv2d_0c_7x1",
    "Conv2d_0a_1x1 Conv2d_0b_7x1 Conv2d_0c_1x7 Conv2d_0d_7x1 Conv2d_0e_1x7",
    "Conv2d_0b_1x1",
)
_C = "Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_0c_1x3 Conv2d_0d_3x1"
# Slim's own slips of the pen are in the published file: Conv_1_0c_5x5, and "1x1" for the 3x3 kernels of Mixed_6a.
BLOCKS: dict[str, tuple[str, ...]] = {
    "Mixed_5b": _A,
    "Mixed_5c": (_A[0], "Conv2d_0b_1x1 Conv_1_0c_5x5", *_A[2:]),
    "Mixed_5d": _A,
    "Mixed_6a": ("Conv2d_1a_1x1", "Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_1a_1x1"),
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _B),
    "Mixed_7a": ("Conv2d_0a_1x1 Conv2d_1a_3x3", "Conv2d_0a_1x1 Conv2d_0b_1x7 Conv2d_0c_7x1 Conv2d_1a_3x3"),
    "Mixed_7b": ("Conv2d_0a_1x1", "Conv2d_0a_1x1 Conv2d_0b_1x3 Conv2d_0b_3x1", _C, "Conv2d_0b_1x1"),
    "Mixed_7c": ("Conv2d_0a_1x1", "Conv2d_0a_1x1 Conv2d_0b_1x3 Conv2d_0c_3x1", _C, "Conv2d_0b_1x1"),
}
STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")


class SlimBackbone(KerasBackbone):
    """Inception V3 from slim's checkpoint, one file of the first form (`.ckpt`) or a pair (`.ckpt.index`, `.data-...`).

    Its batch normalisation has no scale, its classes are 1001, 0 the background; the auxiliary head is left out.
    """

    reads = ("tf1_checkpoint",)

    def load(self) -> None:
        """Build the network and fill it; raises BackboneError that names the file and the variable that it lacks."""
        if self._model is not None:
            return
        if self.spec.options.get("application") != "InceptionV3":
            raise self._error(
                "is a checkpoint of TensorFlow 1, weights alone; slim's names are known for InceptionV3 and no others: "
                'for that set options.application = "InceptionV3" in its row'
            )
        model = build_application(self)
        self._fill(model, self._reader())
        self._model = model

    def _fill(self, model: keras.Model, reader: Any) -> None:
        from zoo.framework import keras

        convolutions = _in_order(model, keras.layers.Conv2D)
        norms = _in_order(model, keras.layers.BatchNormalization)
        for name, convolution, norm in zip(convolution_names(), convolutions, norms, strict=True):
            self._set(convolution.kernel, reader, f"{name}/weights")
            self._set(norm.beta, reader, f"{name}/BatchNorm/beta")
            self._set(norm.moving_mean, reader, f"{name}/BatchNorm/moving_mean")
            self._set(norm.moving_variance, reader, f"{name}/BatchNorm/moving_variance")
        if self.output == "logits":
            top = model.layers[-1]
            self._set(top.kernel, reader, "InceptionV3/Logits/Conv2d_1c_1x1/weights")
            self._set(top.bias, reader, "InceptionV3/Logits/Conv2d_1c_1x1/biases")

    def _set(self, variable: Any, reader: Any, name: str) -> None:
        if not reader.has_tensor(name):
            raise self._error(f"has no variable {name!r}, which slim's Inception V3 has")
        try:
            value = reader.get_tensor(name)
        except Exception as error:
            raise self._error(f"is cut or damaged at {name!r} ({type(error).__name__}); fetch it again") from error
        if value.ndim == 4 and len(variable.shape) == 2:  # slim's last layer is a convolution of 1x1
            value = value[0, 0]
        if value.shape != tuple(variable.shape):
            raise self._error(f"has {name!r} of shape {list(value.shape)}; the spec wants {list(variable.shape)}")
        variable.assign(value)

    def _reader(self) -> Any:
        from zoo.framework import tf

        prefix = self._prefix(self.files["weights"])
        try:
            return tf.train.load_checkpoint(str(prefix))
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise self._error(f"can't be read: it is cut or damaged ({reason}); fetch it again") from error

    def _prefix(self, path: Path) -> Path:
        """What TensorFlow calls the checkpoint: its one file, or the common start of its several."""
        if path.suffix == ".index":
            raise self._error("is one of a checkpoint's files; give their folder")
        if path.is_file():
            return path
        found = sorted({file.with_suffix("") for file in path.rglob("*.ckpt*.index")} | set(path.rglob("*.ckpt")))
        if len(found) != 1:
            names = ", ".join(repr(file.name) for file in found) or "none"
            raise self._error(f"holds {len(found)} checkpoints, {names}; name one with weights=")
        return found[0]

    def _error(self, what: str) -> BackboneError:
        return BackboneError(f"backbone {self.spec.name!r}: {str(self.files['weights'])!r} {what}")


def convolution_names() -> Iterator[str]:
    """Slim's names of Inception V3's 94 convolutions, in the order in which slim and Keras make them."""
    for name in STEM:
        yield f"InceptionV3/{name}"
    for block, branches in BLOCKS.items():
        for number, branch in enumerate(branches):
            for name in branch.split():
                yield f"InceptionV3/{block}/Branch_{number}/{name}"


def _in_order(model: keras.Model, kind: type) -> list[Any]:
    """The layers of that kind in the order of their making: the number that ends their names."""
    layers = [layer for layer in model.layers if isinstance(layer, kind)]
    return sorted(layers, key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or ["0"])[0]))
