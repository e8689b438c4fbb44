"""The detectors: every cell of a grid says which digits have their centre there, and where their edges lie.

Centres as peaks of a heat map a class: Zhou et al. 2019, "Objects as Points", arXiv:1904.07850. Edges as distances
from the cell, learnt by intersection over union: Tian et al. 2019, "FCOS", arXiv:1904.01355.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.framework import keras, tf
from zoo_tiny.digits import NAMES
from zoo_tiny.scenes import Scene, scenes
from zoo_tiny.train.learning import SEED, convolution, learn, seed
from zoo_tiny.train.saving import save_module

SIDE = 128  # what a picture is resized to before the network sees it
CLASSES = len(NAMES)
SCENES = 5000  # to learn from
INPUT = tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")
MOST = 100  # detections a picture
NEAR = 0.3  # a cell learns edges where its share in a centre is at least this


def small(classes: int = CLASSES) -> keras.Model:
    """Cells of 8 pixels."""
    pixels, x = _pixels()
    x = convolution(convolution(x, 16, stride=2), 24, stride=2)
    x = convolution(convolution(x, 32, stride=2), 32)
    return keras.Model(pixels, _head(x, classes))


def medium(classes: int = CLASSES) -> keras.Model:
    """Cells of 4 pixels, which also see what a coarser grid found around them."""
    pixels, x = _pixels()
    x = convolution(x, 16, stride=2)
    fine = convolution(x, 32, stride=2)
    x = convolution(fine, 64, stride=2)
    x = convolution(x, 64)
    x = convolution(x, 64, dilation=2)
    x = keras.layers.Add()([keras.layers.UpSampling2D()(keras.layers.Conv2D(32, 1)(x)), fine])
    return keras.Model(pixels, _head(convolution(x, 48), classes))


def _pixels() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    return pixels, keras.layers.Rescaling(1 / 127.5, -1.0)(pixels)


def _head(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """A logit for each class and four logarithms of distances for each cell."""
    # A bias of -4 starts with few centres: nearly all cells have none.
    heat = keras.layers.Conv2D(classes, 1, bias_initializer=keras.initializers.Constant(-4.0))(x)
    edges = keras.layers.Conv2D(4, 1)(x)
    return keras.layers.Concatenate()([heat, edges])


@dataclass(frozen=True)
class Recipe:
    """A network, and how often it sees all scenes."""

    build: Callable[..., keras.Model]
    epochs: int


RECIPES = {"tiny_det_s": Recipe(small, 6), "tiny_det_m": Recipe(medium, 8)}


def train(out: Path) -> None:
    """Train all detectors, and write `out/NAME/boxes`."""
    shown = list(scenes("train", SCENES, SEED))
    pixels = np.concatenate([seen(scene.pixels[None]) for scene in shown])
    for name, recipe in RECIPES.items():
        seed()
        network = recipe.build()
        targets = np.stack([target(scene, network.output_shape[1]) for scene in shown])
        learn(network, pixels, targets, loss, epochs=recipe.epochs, batch_size=16, rate=4e-3)
        save_module(network, detector(network), INPUT, out / name / "boxes")


def detector(network: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """The function of uint8 [1, h, w, 3] that a module of `network` holds."""
    return lambda picture: detections(network(seen(picture), training=False))


def seen(pictures: tf.Tensor) -> tf.Tensor:
    """What the network sees of uint8 [n, h, w, 3]: uint8 [n, SIDE, SIDE, 3], stretched."""
    return tf.cast(tf.round(tf.image.resize(pictures, (SIDE, SIDE))), tf.uint8)


def target(scene: Scene, cells: int, classes: int = CLASSES) -> np.ndarray:
    """What the network is to say of a scene: float32 [cells, cells, classes + 5].

    For each cell how near it is to the centre of a digit of each class, 0..1; its distances in cells from that digit's
    left, top, right and bottom edges; and the weight of these.
    """
    target = np.zeros((cells, cells, classes + 5), np.float32)
    height, width = scene.pixels.shape[:2]
    centres = np.arange(cells) + 0.5
    for box, digit in zip(scene.boxes, scene.digits, strict=True):
        left, top, right, bottom = box / (width, height, width, height) * cells
        across = np.exp(-0.5 * ((centres - (left + right) / 2) / _spread(right - left)) ** 2)
        down = np.exp(-0.5 * ((centres - (top + bottom) / 2) / _spread(bottom - top)) ** 2)
        share = down[:, None] * across[None]
        share[share == share.max()] = 1
        target[..., digit] = np.maximum(target[..., digit], share)
        own = (share >= NEAR) & (share > target[..., -1])
        rows, columns = np.nonzero(own)
        x, y = centres[columns], centres[rows]
        distances = np.stack([x - left, y - top, right - x, bottom - y], -1)
        target[rows, columns, classes:-1] = np.maximum(distances, 0.1)
        target[rows, columns, -1] = share[own]
    return target


def _spread(length: float) -> float:
    return max(length / 6, 0.4)


def loss(target: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """The focal loss of the heat, and one minus the intersection over union of the edges, a scene's digit each."""
    classes = output.shape[-1] - 4
    heat, edges = target[..., :classes], target[..., classes:-1]
    weight = target[..., -1]
    logits = output[..., :classes]
    found = tf.sigmoid(logits)
    is_centre = tf.cast(heat == 1, tf.float32)
    missed = -is_centre * (1 - found) ** 2 * tf.math.log_sigmoid(logits)
    invented = -(1 - is_centre) * (1 - heat) ** 4 * found**2 * tf.math.log_sigmoid(-logits)
    overlap = _overlap(edges, tf.exp(tf.clip_by_value(output[..., classes:], -5.0, 5.0)))
    digits = tf.maximum(tf.reduce_sum(is_centre), 1.0)
    off = tf.reduce_sum(weight * (1 - overlap)) / tf.maximum(tf.reduce_sum(weight), 1.0)
    return tf.reduce_sum(missed + invented) / digits + 2 * off


def _overlap(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes around one point, given by their distances (left, top, right, bottom)."""
    both = tf.minimum(one, other)
    shared = (both[..., 0] + both[..., 2]) * (both[..., 1] + both[..., 3])
    areas = [(box[..., 0] + box[..., 2]) * (box[..., 1] + box[..., 3]) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared + 1e-6)


def detections(output: tf.Tensor) -> dict[str, tf.Tensor]:
    """The network's output for one picture in the form of the TensorFlow 2 Detection API.

    A class' peak is a cell that no neighbour of its exceeds: that is all the suppression there is.
    """
    cells, classes = output.shape[1], output.shape[-1] - 4
    heat = tf.sigmoid(output[..., :classes])
    peaks = tf.where(heat >= tf.nn.max_pool2d(heat, 3, 1, "SAME"), heat, 0.0)
    scores, places = tf.math.top_k(tf.reshape(peaks, [1, -1]), MOST)
    cell, digit = places // classes, places % classes
    edges = tf.gather(tf.reshape(tf.exp(output[..., classes:]), [1, -1, 4]), cell, axis=1, batch_dims=1)
    x, y = tf.cast(cell % cells, tf.float32) + 0.5, tf.cast(cell // cells, tf.float32) + 0.5
    corners = [y - edges[..., 1], x - edges[..., 0], y + edges[..., 3], x + edges[..., 2]]
    return {
        "detection_boxes": tf.clip_by_value(tf.stack(corners, -1) / cells, 0.0, 1.0),
        "detection_scores": scores,
        "detection_classes": tf.cast(digit, tf.float32),
        "num_detections": tf.reduce_sum(tf.cast(scores > 0, tf.float32), axis=1),
    }
