"""Keras: its Applications and KerasHub's presets as catalogues, and a user's own files of many forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import zoo

PRESETS = Path(__file__).with_name("presets.json")


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogues: Keras Applications, slim's checkpoint of one, and KerasHub's presets."""
    for name in ("catalog.toml", "slim.toml"):
        for spec in zoo.read_catalog(Path(__file__).with_name(name)):
            # Weights without the top give both: features are the mean of the last maps over the picture.
            outputs = {**spec.outputs, "feature_maps": spec.outputs["features"]}
            register(spec.model_copy(update={"outputs": outputs}))
    for row in json.loads(PRESETS.read_text(encoding="utf-8")):
        register(zoo.BackboneSpec.model_validate(row | {"loader": "zoo_keras.presets:PresetBackbone"}))


@zoo.hookimpl
def register_formats(register: Callable[[zoo.FormatSpec], None]) -> None:
    """Keras' files of today and of Keras 2, TensorFlow 1's checkpoints, and KerasHub's presets."""
    loader = "zoo_keras.files:KerasFileBackbone"
    register(
        zoo.FormatSpec(
            name="keras", help="a Keras file (.keras)", endings=(".keras",), starts=b"PK\x03\x04".hex(), loader=loader
        )
    )
    register(
        zoo.FormatSpec(
            name="keras_hdf5",
            help="a Keras file in HDF5 (.h5)",
            endings=(".h5", ".hdf5"),
            starts=b"\x89HDF\r\n\x1a\n".hex(),
            loader=loader,
        )
    )
    register(
        zoo.FormatSpec(
            name="tf1_checkpoint",
            help="a checkpoint of TensorFlow 1 (.ckpt)",
            holds=("*.ckpt", "*.ckpt*.index"),
            endings=(".ckpt", ".ckpt.index"),
            loader="zoo_keras.slim:SlimBackbone",
        )
    )
    register(
        zoo.FormatSpec(
            name="kerashub_preset",
            help="a KerasHub preset",
            holds=("model.weights.h5", "model.weights.json", "preprocessor.json", "task.json", "metadata.json"),
            loader="zoo_keras.presets:PresetBackbone",
        )
    )
