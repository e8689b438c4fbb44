"""Encoded pictures as a network wants them, in TensorFlow's ops, as near to `zoo.inputs` as they allow.

What differs: a picture's EXIF orientation is not applied, for no op reads it; and PIL weighs pixels in whole numbers,
which now and then makes a difference of one level in 255.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo import ImageInput
from zoo.framework import tf
from zoo.inputs import GAP, prepare

KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic", "lanczos": "lanczos3"}
SHRINKS = (1, 2, 4, 8)  # at which libjpeg decodes a fraction of a picture, faster


def prepared(encoded: Any, spec: ImageInput) -> Any:
    """Pictures as `spec` wants them, [n, h, w, c], from their files' bytes: JPEG, PNG, BMP or GIF, string [n]."""
    height, width = spec.size or (None, None)
    return tf.map_fn(
        lambda data: values(_sized(data, spec), spec),
        encoded,
        fn_output_signature=tf.TensorSpec([height, width, spec.depth], spec.dtype),
    )


def values(levels: Any, spec: ImageInput) -> Any:
    """RGB levels 0..255, [..., h, w, 3], in the dtype, channels and range of `spec`."""
    levels = tf.cast(levels, tf.float32)
    if spec.channels == "grey":  # as PIL weighs them, in its whole numbers
        levels = tf.floor((tf.reduce_sum(levels * [19595.0, 38470.0, 7471.0], -1, keepdims=True) + 32768) / 65536)
    elif spec.channels == "bgr":
        levels = tf.reverse(levels, [-1])
    if spec.dtype == "uint8":
        return tf.cast(levels, tf.uint8)
    # The scale is linear in every channel: what becomes of black and of white says all.
    side = (*(spec.size or (8, 8)), 3)
    black, white = (prepare(np.full(side, level, np.uint8), spec).value[0, 0] for level in (0, 255))
    return levels * ((white - black) / np.float32(255)) + black


def _sized(data: Any, spec: ImageInput) -> Any:
    """One picture's levels at the size of `spec`, float32 [h, w, 3]."""
    image, full, shrink = _decoded(data, spec)
    image = tf.cast(image, tf.float32)
    if spec.resize == "none" or spec.size is None:
        return image
    (left, top, right, bottom), fitted = _window(full, spec)
    here = tf.cast(tf.shape(image)[:2], tf.float32)
    box = tf.minimum(tf.stack([bottom, right]) / shrink, here), tf.stack([top, left]) / shrink
    resized = tf.ensure_shape(_resampled(image, *box, fitted, spec.interpolation), [None, None, 3])
    return tf.ensure_shape(tf.image.pad_to_bounding_box(resized, 0, 0, *spec.size), [*spec.size, 3])


def _decoded(data: Any, spec: ImageInput) -> tuple[Any, Any, Any]:
    """Levels, uint8 [h, w, 3], the (height, width) of the original, and how many of its pixels one stands for."""

    def jpeg() -> tuple[Any, Any, Any]:
        full = tf.image.extract_jpeg_shape(data)[:2]
        spare = _spare(tf.cast(full, tf.float32), spec)
        place = tf.reduce_sum(tf.cast(spare >= [2.0, 4.0, 8.0], tf.int32))
        # The default, INTEGER_FAST, is another picture than PIL's by up to three levels.
        branches = [
            lambda shrink=shrink: tf.image.decode_jpeg(data, 3, ratio=shrink, dct_method="INTEGER_ACCURATE")
            for shrink in SHRINKS
        ]
        return tf.switch_case(place, branches), full, tf.gather(tf.constant(SHRINKS, tf.float32), place)

    def png() -> tuple[Any, Any, Any]:
        # Not decode_png(data, 4), which takes pictures of one bit or of a palette for transparent.
        rgb, own = tf.cast(tf.io.decode_png(data, 3), tf.float32), tf.io.decode_png(data)
        has_alpha = tf.equal(tf.shape(own)[-1] % 2, 0)
        alpha = tf.cond(has_alpha, lambda: tf.cast(own[..., -1:], tf.float32) / 255, lambda: tf.ones_like(rgb[..., :1]))
        image = tf.cast(rgb * alpha + 255 * (1 - alpha) + 0.5, tf.uint8)  # laid on white
        return image, tf.shape(image)[:2], tf.constant(1.0)

    def other() -> tuple[Any, Any, Any]:
        image = tf.io.decode_image(data, 3, expand_animations=False)
        return image, tf.shape(image)[:2], tf.constant(1.0)

    is_png = tf.equal(tf.strings.substr(data, 0, 4), b"\x89PNG")
    return tf.cond(tf.image.is_jpeg(data), jpeg, lambda: tf.cond(is_png, png, other))


def _spare(full: Any, spec: ImageInput) -> Any:
    """By how much a picture of (height, width) `full` may shrink before it is resized."""
    if not spec.size or spec.resize == "none" or spec.interpolation == "nearest":
        return tf.constant(1.0)
    if spec.resize == "pad":
        return tf.reduce_max(full) / max(spec.size) / GAP
    return tf.reduce_min(full) * (spec.crop if spec.resize == "crop" else 1) / max(spec.size) / GAP


def _window(full: Any, spec: ImageInput) -> tuple[tuple[Any, Any, Any, Any], Any]:
    """The part (left, top, right, bottom) of a picture of (height, width) `full` to show, and the size it comes to."""
    assert spec.size is not None
    height, width = tf.unstack(tf.cast(full, tf.float32))
    zero = tf.constant(0.0)
    if spec.resize == "crop":
        side = tf.maximum(1.0, tf.floor(tf.minimum(height, width) * spec.crop))
        left, top = tf.floor((width - side) / 2), tf.floor((height - side) / 2)
        return (left, top, left + side, top + side), tf.constant(spec.size)
    if spec.resize == "pad":
        shrink = tf.maximum(width / spec.size[1], height / spec.size[0])
        fitted = tf.maximum(1.0, tf.round(tf.stack([height, width]) / shrink))
        return (zero, zero, width, height), tf.cast(fitted, tf.int32)
    return (zero, zero, width, height), tf.constant(spec.size)


def _resampled(image: Any, end: Any, begin: Any, size: Any, interpolation: str) -> Any:
    """The box from `begin` to `end`, (y, x), of `image` at `size`; what shrinks is smoothed, as PIL does."""
    scale = tf.cast(size, tf.float32) / (end - begin)
    if interpolation == "nearest":
        rows, columns = (
            tf.cast(begin[axis] + (tf.cast(tf.range(size[axis]), tf.float32) + 0.5) / scale[axis], tf.int32)
            for axis in (0, 1)
        )
        return tf.gather(tf.gather(image, rows), columns, axis=1)
    # First across, then down, in whole levels between, as PIL goes.
    across = _pass(
        image, tf.stack([tf.shape(image)[0], size[1]]), [1.0, scale[1]], [0.0, -begin[1] * scale[1]], interpolation
    )
    return _pass(across, size, [scale[0], 1.0], [-begin[0] * scale[0], 0.0], interpolation)


def _pass(image: Any, size: Any, scale: Any, translation: Any, interpolation: str) -> Any:
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=size,
        scale=tf.stack(scale),
        translation=tf.stack(translation),
        kernel_type=KERNELS[interpolation],
        antialias=True,
    )[0]
    return tf.clip_by_value(tf.floor(resized + 0.5), 0, 255)
