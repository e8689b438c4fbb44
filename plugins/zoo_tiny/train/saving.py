"""Networks become SavedModels in the form that TF Hub's modules have."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.framework import keras, tf


def save_image_module(network: keras.Model, folder: Path) -> None:
    """Write `network` as a module `call(images, training=False)`; its variables can be trained further."""
    spec = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="images")
    call = tf.function(lambda images, training=False: network(images, training=training))
    # A module knows no other forms than those it was traced in.
    for training in (True, False):
        call.get_concrete_function(spec, training=training)
    serve = tf.function(lambda images: {"default": network(images, training=False)}, input_signature=[spec])
    _save(network, call, serve, folder)


def save_module(network: Any, forward: Callable[..., Any], spec: tf.TensorSpec, folder: Path) -> None:
    """Write `forward`, a function of one tensor that computes with the variables of `network`, as a module."""
    call = tf.function(forward, input_signature=[spec])

    def named(value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {"default": value}

    _save(network, call, tf.function(lambda x: named(forward(x)), input_signature=[spec]), folder)


def _save(network: Any, call: Any, serve: Any, folder: Path) -> None:
    """Replace `folder` by the module, whole or not at all.

    The attributes are those of TF Hub's "Reusable SavedModel" interface.
    """
    module = tf.train.Checkpoint()
    module.__call__ = call
    module.variables = [variable.value for variable in network.variables]
    module.trainable_variables = [variable.value for variable in network.trainable_variables]
    module.regularization_losses = []
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as draft:
        options = tf.saved_model.SaveOptions(save_debug_info=False, experimental_custom_gradients=False)
        tf.saved_model.save(module, f"{draft}/new", signatures={"serving_default": serve}, options=options)
        shutil.rmtree(f"{draft}/new/assets")  # always made, and empty
        if folder.exists():
            folder.rename(f"{draft}/old")
        Path(draft, "new").rename(folder)
