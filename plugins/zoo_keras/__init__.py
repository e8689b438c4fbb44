"""Keras: its Applications as a catalogue, and a user's own `.keras` and `.h5` files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import zoo


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogues: what Keras publishes, and slim's checkpoint of a Keras Application."""
    for name in ("catalog.toml", "slim.toml"):
        for spec in zoo.read_catalog(Path(__file__).with_name(name)):
            register(spec)


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
