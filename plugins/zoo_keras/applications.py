"""A Keras Application as a backbone: built by its function, filled from a weights file that is at hand already."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import Backbone
from zoo.errors import BackboneError
from zoo_keras.network import KerasBackbone

if TYPE_CHECKING:
    from zoo.framework import keras

IMAGENET_STD = (0.229, 0.224, 0.225)


class ApplicationsBackbone(KerasBackbone):
    """`spec.options["application"]` names the function in `keras.applications`; `logits` has the top, the others not.

    Features are the mean of the last feature maps over the picture; logits are bare, with no softmax.
    """

    reads = ("keras_hdf5",)
    resizable = ("features", "feature_maps")

    def load(self) -> None:
        """Build the network and read its weights; raises BackboneError that names the file and what it should hold."""
        if self._model is not None:
            return
        model = build_application(self)
        read_weights(self, model)
        if self.spec.family == "efficientnet":
            _divide_by_std(model)
        self._model = model


def require_tensorflow(backbone: str) -> None:
    """Raise BackboneError where Keras does not run on TensorFlow with channels last."""
    from zoo.framework import keras

    if keras.backend.backend() != "tensorflow" or keras.config.image_data_format() != "channels_last":
        raise BackboneError(
            f"backbone {backbone!r} needs Keras on TensorFlow with channels last; here it runs on "
            f"{keras.backend.backend()!r} with {keras.config.image_data_format()!r}: set KERAS_BACKEND=tensorflow "
            f"before Python starts, and 'image_data_format' in keras.json"
        )


def build_application(backbone: Backbone) -> keras.Model:
    """The network of `backbone`, with random weights; as many classes as its spec's width says."""
    from zoo.framework import keras

    require_tensorflow(backbone.spec.name)
    name = backbone.spec.options.get("application", "")
    build = getattr(keras.applications, name, None)
    if build is None:
        raise BackboneError(f"backbone {backbone.spec.name!r}: Keras {keras.__version__} has no application {name!r}")
    seen = backbone.spec.input
    if backbone.output == "logits":
        form = {"include_top": True, "classifier_activation": None, "classes": backbone.facts.width or 1000}
    else:
        form = {"include_top": False, "pooling": "avg" if backbone.output == "features" else None}
    try:
        return build(weights=None, input_shape=(*seen.size, seen.depth), **form)
    except ValueError as error:  # each network has a smallest size of its own
        raise BackboneError(
            f"backbone {backbone.spec.name!r} can't be built for inputs of {seen.size[0]}x{seen.size[1]}: {error}"
        ) from error


def read_weights(backbone: Backbone, model: keras.Model) -> None:
    """Fill `model` from the weights file of `backbone`; raises BackboneError that says what it should hold."""
    file = backbone.files["weights"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            model.load_weights(str(_named_by_form(file, Path(folder))))
    except Exception as error:
        application = f"keras.applications.{backbone.spec.options['application']}"
        top = "with" if backbone.output == "logits" else "without"
        reason = " ".join(str(error).split())[:300]
        raise BackboneError(
            f"backbone {backbone.spec.name!r}, output {backbone.output!r}: {str(file)!r} does not hold the weights of "
            f"{application} {top} its top, {model.count_params():,} numbers in {len(model.weights)} arrays "
            f"({type(error).__name__}: {reason}); fetch it again, or name the right file with weights="
        ) from error


def _named_by_form(file: Path, folder: Path) -> Path:
    """`file`, or a copy in `folder` under the name by which alone Keras 3 knows weights of its own form."""
    import h5py

    with h5py.File(file) as opened:
        own = "layer_names" not in opened.attrs and "model_weights" not in opened
    if not own or file.name.endswith(".weights.h5"):
        return file
    return Path(shutil.copyfile(file, folder / "copy.weights.h5"))


def _divide_by_std(model: keras.Model) -> None:
    """Make up for what Keras' EfficientNet leaves out when it is not built with `weights="imagenet"`.

    Its published files normalise by the root of the standard deviation. Keras divides by the other root in a layer
    that it adds for `weights="imagenet"` alone (tensorflow/tensorflow#49930); without it the network sees the wrong
    picture, and says nothing. The first convolution is linear and has no bias, so it can divide as well.
    """
    import numpy as np

    stem = model.get_layer("stem_conv")
    stem.kernel.assign(stem.kernel / np.sqrt(IMAGENET_STD, dtype=np.float32)[:, np.newaxis])
