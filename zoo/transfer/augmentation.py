"""Augmentation: pictures changed in ways that leave their class as it is; presets made of named operations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from zoo.errors import OptionError
from zoo.runtime import Array

# What each operation's strength means, and from which to which it goes.
OPERATIONS = {
    "crop": ("the share of each side that may be cut off", 0.9),
    "flip": ("the probability of left and right being exchanged", 1.0),
    "rotate": ("degrees, either way", 180.0),
    "scale": ("the share by which width and height may be stretched, each by itself", 0.9),
    "brightness": ("the share of white that may be added or taken away", 1.0),
    "contrast": ("the share by which the distance from mid grey may change", 1.0),
    "mixup": ("the most of another picture that may shine through; the class stays", 0.5),
}
PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "light": {"crop": 0.15, "flip": 0.5, "brightness": 0.08, "contrast": 0.1},
    "medium": {"crop": 0.25, "flip": 0.5, "rotate": 12.0, "scale": 0.1, "brightness": 0.15, "contrast": 0.2},
    "heavy": {
        "crop": 0.4,
        "flip": 0.5,
        "rotate": 25.0,
        "scale": 0.2,
        "brightness": 0.25,
        "contrast": 0.35,
        "mixup": 0.25,
    },
}
GREY = 127.5


@dataclass(frozen=True)
class Augmentation:
    """Pictures uint8 [n, h, w, 3] and a seed -> pictures of the same shape and dtype; the same seed gives the same.

    operations: strengths by name (`OPERATIONS`), applied in one resampling and one change of values; layers: a Keras
    layer, or several, which take pictures in 0..255, in place of them.
    """

    operations: Mapping[str, float]
    layers: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """Another text for another augmentation; raises OptionError for a layer that can't tell what it is."""
        if not self.layers:
            return json.dumps(dict(self.operations), sort_keys=True)
        try:
            return json.dumps([[type(layer).__name__, layer.get_config()] for layer in self.layers], default=repr)
        except (AttributeError, NotImplementedError) as error:
            raise OptionError(f"the views of a layer without get_config can't be kept: {error}; write one") from error

    def __call__(self, pictures: Array, seed: int) -> Array:
        """See the class."""
        if self.layers:
            return _by_layers(self.layers, pictures, seed)
        made = [self.one(picture, (seed, number)) for number, picture in enumerate(pictures)]
        if most := self.operations.get("mixup", 0.0):
            rng = np.random.default_rng((seed, 1))
            shares = rng.uniform(0, most, (len(made), 1, 1, 1))
            blended = np.asarray(made, np.float32)
            others = np.roll(blended, rng.integers(1, max(len(made), 2)), axis=0)  # never the picture itself
            return _whole(blended * (1 - shares) + others * shares)
        return np.asarray(made)

    def one(self, picture: Array, seed: Sequence[int]) -> Array:
        """One picture, uint8 [h, w, 3], by all operations but "mixup", which needs others."""
        strength, rng = {**dict.fromkeys(OPERATIONS, 0.0), **self.operations}, np.random.default_rng(seed)
        height, width = picture.shape[:2]
        shift = rng.uniform(-0.5, 0.5, 2) * (cut := rng.uniform(0, strength["crop"]))
        flip = rng.random() < strength["flip"]
        angle = np.deg2rad(rng.uniform(-1, 1) * strength["rotate"])
        stretch = (1 + rng.uniform(-1, 1, 2) * strength["scale"]) / (1 - cut)
        gain = 1 + rng.uniform(-1, 1) * strength["contrast"]
        lift = 255 * rng.uniform(-1, 1) * strength["brightness"]
        # PIL asks where a pixel of the result comes from: centre, stretch, turn, shift, and back again.
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([(-1 if flip else 1) / stretch[0], 1 / stretch[1]])
        centre = np.array([width, height]) / 2
        offset = centre + shift * (width, height) - matrix @ centre
        if not np.allclose(np.c_[matrix, offset], np.eye(2, 3)):
            picture = _transformed(picture, matrix, offset)
        return _whole((picture.astype(np.float32) - GREY) * gain + GREY + lift)


def augmentation(wanted: Any) -> Augmentation | None:
    """The augmentation that a user means: a preset's name, strengths by operation, a Keras layer or several; or None.

    Raises OptionError, with what there is.
    """
    if wanted is None or wanted == "none":
        return None
    if isinstance(wanted, Augmentation):
        return wanted
    if isinstance(wanted, str):
        if wanted not in PRESETS:
            raise OptionError(f"there is no augmentation {wanted!r}; there are {', '.join(map(repr, PRESETS))}")
        return Augmentation(PRESETS[wanted])
    if isinstance(wanted, Mapping):
        for name, strength in wanted.items():
            if name not in OPERATIONS:
                raise OptionError(f"there is no operation {name!r}; there are {', '.join(map(repr, OPERATIONS))}")
            what, most = OPERATIONS[name]
            if not isinstance(strength, int | float) or not 0 <= strength <= most:
                raise OptionError(f"{name}={strength!r} means nothing; it is {what}, from 0 to {most:g}")
        return Augmentation(dict(wanted))
    layers = tuple(wanted) if isinstance(wanted, Iterable) else (wanted,)
    if not layers or not all(callable(layer) for layer in layers):
        raise OptionError(f"augment={wanted!r} means nothing; give a preset, strengths by name, or Keras layers")
    return Augmentation({}, layers)


def _transformed(picture: Array, matrix: Array, offset: Array) -> Array:
    """The picture moved; what comes in from outside is its mirror image, not black corners."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((height // 2, height // 2), (width // 2, width // 2), (0, 0)), mode="reflect")
    offset = offset + np.array([width // 2, height // 2])
    data = (matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1])
    moved = Image.fromarray(padded).transform((width, height), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(moved)


def _by_layers(layers: Sequence[Any], pictures: Array, seed: int) -> Array:
    for number, layer in enumerate(layers):
        for part in (layer, *getattr(layer, "layers", ())):
            if (generator := getattr(part, "seed_generator", None) or getattr(part, "generator", None)) is not None:
                generator.state.assign([seed % 2**31, number])
    found: Any = np.asarray(pictures, np.float32)
    for layer in layers:
        found = layer(found, training=True)
    return _whole(np.asarray(found))


def _whole(values: Array) -> Array:
    found: Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return found
