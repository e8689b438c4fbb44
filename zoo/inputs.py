"""Bytes become a picture or a text as a network's spec wants it, in NumPy, without TensorFlow."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.pictures import open_picture, picture
from zoo.specs import ImageInput, TextInput

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Prepared", "picture", "prepare", "prepare_all", "sample_inputs"]


@dataclass(frozen=True)
class Prepared:
    """One input, ready for a network.

    value: [h, w, c] in the dtype and range of the spec, or a str.
    source: what it was made from, so that a prediction can be drawn on it.
    size: (width, height) of the upright original in pixels; (0, 0) for text.
    window: (left, top, right, bottom), the part of the original that `value` shows, in the original's pixels; it
        reaches beyond the original where the picture was padded.
    """

    value: Any
    source: Any
    size: tuple[int, int] = (0, 0)
    window: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def prepare(source: Any, spec: ImageInput | TextInput) -> Prepared:
    """A picture (path, encoded bytes, PIL image, array) or a text (str, UTF-8 bytes) as `spec` wants it.

    A range that the spec leaves unstated is taken as 0..1. Raises InputError.
    """
    if isinstance(spec, TextInput):
        return Prepared(_text(source), source)
    height, width = spec.size or (0, 0)
    image, size = open_picture(source, spec.resize, spec.crop, (width, height) if spec.size else None)
    scale = (size[0] / image.width, size[1] / image.height)
    box = _window(image.size, spec)
    if spec.size:
        image = _resized(image, box, spec)
    window = (box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1])
    return Prepared(_values(image, spec), source, size, window)


def prepare_all(
    sources: Iterable[Any], spec: ImageInput | TextInput, *, workers: int | None = None
) -> Generator[Prepared | InputError, None, None]:
    """`prepare` over `sources` in order, several at a time and a little ahead; an InputError is yielded, not raised.

    `sources` may be endless: only a few are taken ahead of what has been asked for. Closing it ends its threads.
    """
    if isinstance(spec, TextInput):  # nothing to decode: threads would only cost
        for source in sources:
            yield _attempt(source, spec)
        return
    workers = workers or min(8, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zoo-decode")
    ahead: deque[Future[Prepared | InputError]] = deque()
    try:
        for source in sources:
            ahead.append(pool.submit(_attempt, source, spec))
            # A batch's worth ahead, so that the next one is decoded while this one runs.
            if len(ahead) > 8 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def sample_inputs(kind: str) -> list[Any]:
    """A few real inputs for when there is no dataset: photographs that scikit-learn carries, sentences of our own."""
    if kind == "text":
        return list(SENTENCES)
    found = find_spec("sklearn")  # located, not imported: its import costs a second
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise InputError(
            "the sample photographs come with scikit-learn, which is not installed (pip install scikit-learn)"
        )
    return [Path(folders[0]) / "datasets" / "images" / name for name in ("china.jpg", "flower.jpg")]


SENTENCES = (
    "A heron stands in the shallow water and waits.",
    "Rain.",
    "The night train to the coast was late again, so we shared tea with strangers on the platform.",
    "How do I reset the clock after a power cut?",
    "Two children chase a red ball across the empty square.",
    "Prices rose by three percent in the second quarter.",
    "She tuned the old violin by ear.",
    "Please send the signed form back before Friday, and keep a copy for yourself.",
)


def _attempt(source: Any, spec: ImageInput | TextInput) -> Prepared | InputError:
    try:
        return prepare(source, spec)
    except InputError as error:
        return error


def _text(source: Any) -> str:
    if isinstance(source, str):
        return str(source)
    if isinstance(source, bytes | bytearray):
        try:
            return bytes(source).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"the text {bytes(source)[:40]!r} is not UTF-8 (byte {error.start}); decode it first"
            ) from error
    raise InputError(f"a text is a str or UTF-8 bytes, not a {type(source).__name__}: {str(source)[:60]!r}")


def _window(size: tuple[int, int], spec: ImageInput) -> tuple[float, float, float, float]:
    """The part of a picture of `size` (width, height) that the network is to see, in its pixels."""
    width, height = size
    if spec.resize == "crop":
        side = max(1, int(min(width, height) * spec.crop))
        # Whole pixels: a window between them would blur what need not be resized at all.
        left, top = (width - side) // 2, (height - side) // 2
        return float(left), float(top), float(left + side), float(top + side)
    if spec.resize == "pad" and spec.size:
        shrink = max(width / spec.size[1], height / spec.size[0])
        return 0.0, 0.0, spec.size[1] * shrink, spec.size[0] * shrink
    return 0.0, 0.0, float(width), float(height)


def _resized(image: Image.Image, box: tuple[float, float, float, float], spec: ImageInput) -> Image.Image:
    from PIL import Image

    assert spec.size is not None
    height, width = spec.size
    method = Image.Resampling[spec.interpolation.upper()]
    if spec.resize == "pad":
        shrink = (box[2] - box[0]) / width
        fitted = (max(1, round(image.width / shrink)), max(1, round(image.height / shrink)))
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image.resize(fitted, method), (0, 0))
        return canvas
    return image.resize((width, height), method, box=box)


def _values(image: Image.Image, spec: ImageInput) -> Any:
    """Pixels in the dtype, channels and range of `spec`, [h, w, c]."""
    pixels = np.asarray(image.convert("L") if spec.channels == "grey" else image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if spec.channels == "bgr":
        pixels = pixels[..., ::-1]
    if spec.dtype == "uint8":
        return np.ascontiguousarray(pixels)
    low, high = spec.range or (0.0, 1.0)
    values = np.multiply(pixels, np.float32((high - low) / 255), dtype=np.float32)
    if low:
        values += np.float32(low)
    if spec.mean:
        values -= np.asarray(spec.mean, np.float32)
    if spec.std:
        values /= np.asarray(spec.std, np.float32)
    return values
