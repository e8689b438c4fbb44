"""The classifiers: small convolutional networks on pictures of single digits, turned, shifted and scaled a little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from zoo.framework import keras
from zoo_tiny.digits import NAMES, SIDE, arrays, picture
from zoo_tiny.train.learning import SEED, convolution, learn, seed
from zoo_tiny.train.saving import save_image_module

COPIES = 8  # of each training digit, each bent in its own way


def small() -> keras.Model:
    """One layer of edges, summed up in the four quarters of the picture."""
    pixels = keras.Input((SIDE, SIDE, 1))
    x = convolution(keras.layers.AveragePooling2D(4)(pixels), 16)
    return _with_head(pixels, x, keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x)))


def medium() -> keras.Model:
    """Two layers, summed up over the whole picture."""
    pixels = keras.Input((SIDE, SIDE, 1))
    x = convolution(convolution(keras.layers.AveragePooling2D(4)(pixels), 24), 32)
    return _with_head(pixels, x, keras.layers.GlobalAveragePooling2D()(x))


def _with_head(pixels: keras.KerasTensor, maps: keras.KerasTensor, features: keras.KerasTensor) -> keras.Model:
    logits = keras.layers.Dense(len(NAMES))(features)
    return keras.Model(pixels, {"feature_maps": maps, "features": features, "logits": logits})


NETWORKS = {"tiny_cnn_s": small, "tiny_cnn_m": medium}


def train(out: Path) -> None:
    """Train all networks, and write `out/NAME/logits`, `out/NAME/features` and `out/NAME/feature_maps`."""
    pixels, digits = _examples()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, build in NETWORKS.items():
        seed()
        network = build()
        logits = keras.Model(network.input, network.output["logits"])
        learn(logits, pixels, digits, loss, epochs=12, batch_size=64, rate=5e-3)
        for output, tensor in network.output.items():
            save_image_module(keras.Model(network.input, tensor), out / name / output)


def _examples() -> tuple[np.ndarray, np.ndarray]:
    """Pixels float32 [n, 32, 32, 1] in 0..1, as the zoo gives them to the networks, and digits [n]."""
    random = np.random.default_rng(SEED)
    inks, digits = arrays("train")
    bent = [_bent(random, picture(ink)) for _ in range(COPIES) for ink in inks]
    return np.stack(bent)[..., None].astype(np.float32) / 255, np.tile(digits, COPIES)


def _bent(random: np.random.Generator, digit: Image.Image) -> np.ndarray:
    angle, slant = np.deg2rad(random.uniform(-12, 12)), random.uniform(-0.1, 0.1)
    turn = np.array([[np.cos(angle), slant - np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn * random.uniform(0.9, 1.15)
    centre = np.full(2, (SIDE - 1) / 2)
    shift = centre + random.uniform(-2, 2, 2) - turn @ centre
    matrix = (*turn[0], shift[0], *turn[1], shift[1])
    return np.asarray(digit.transform(digit.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
