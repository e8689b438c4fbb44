"""Bytes become a picture or a text as a network's spec wants it, in NumPy, without TensorFlow."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.errors import InputError
from zoo.pictures import Decoded, decode, described, picture
from zoo.specs import ImageInput, TextInput

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


# How much larger than its target a JPEG must still be when decoded at a fraction of its size, as in PIL's thumbnails.
# At 2 a MobileNetV2 gave the same answer on at least 98 of 100 pictures, at 1 on 95: a benchmark would notice.
GAP = 2


def prepare(source: Any, spec: ImageInput | TextInput) -> Prepared:
    """A picture (see `picture`) or a text (str, or bytes in UTF-8) as `spec` wants it; raises InputError.

    A range that the spec leaves unstated is taken as 0..1. An empty text stays empty; a Path is no text, as nothing
    says whether its name or its content is meant.
    """
    if isinstance(spec, TextInput):
        return Prepared(_text(source), source)
    decoded = decode(source, partial(_spare, spec))
    window = _window(decoded.size, spec)
    if spec.resize == "none":
        image = decoded.image
        if spec.size and image.size != spec.size[::-1]:
            raise InputError(
                f"{described(source)} is {image.width} x {image.height} pixels, the network takes "
                f"{spec.size[1]} x {spec.size[0]} and resizes nothing (resize = 'none'); resize it first"
            )
    else:
        image = _resized(decoded, window, spec)
    return Prepared(_values(image, spec), source, decoded.size, window)


def prepare_all(
    sources: Iterable[Any], spec: ImageInput | TextInput, *, workers: int | None = None
) -> Generator[Prepared | InputError, None, None]:
    """`prepare` over `sources` in order, several at a time and a little ahead; an InputError is yielded, not raised.

    `sources` may be endless or slow: only a few are taken ahead of what has been asked for, and what is ready does not
    wait for them. workers: threads, at most 8 and one a processor where not given. Closing it ends them.
    """
    if isinstance(spec, TextInput):  # nothing to decode: threads would only cost
        for source in sources:
            yield _attempt(source, spec)
        return
    workers = workers or min(8, _processors())
    # A batch's worth ahead, so that the next one is decoded while this one runs; pictures of any size may be huge.
    most = workers * (8 if spec.size else 2)
    ahead: deque[Future[Prepared | InputError]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="zoo-decode") as pool:
        try:
            for source in sources:
                ahead.append(pool.submit(_attempt, source, spec))
                if len(ahead) >= most or ahead[0].done():
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # the end of `with` waits for those that run


def sample_inputs(kind: str) -> list[Any]:
    """A few real inputs for when there is no dataset; `kind` is that of the input: "image" or "text".

    Pictures are the paths of two photographs that scikit-learn carries, texts are sentences of our own.
    """
    if kind == "text":
        return list(SENTENCES)
    if kind != "image":
        raise InputError(f"there are no sample inputs of kind {kind!r}; there are 'image' and 'text'")
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
        error.source = source
        return error


def _processors() -> int:
    """How many processors this process may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _text(source: Any) -> str:
    if isinstance(source, str):
        try:
            source.encode()
        except UnicodeEncodeError as error:  # a lone surrogate: how Python passes on arguments that are not UTF-8
            raise InputError(
                f"the text {source[:40]!r} is not valid Unicode (character {error.start}); was it read as UTF-8?"
            ) from error
        return str(source)
    if isinstance(source, bytes | bytearray | memoryview):
        try:
            return str(source, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"the text {bytes(source)[:40]!r} is not UTF-8 (byte {error.start}); decode it first"
            ) from error
    if isinstance(source, os.PathLike):
        raise InputError(f"a text is a str or UTF-8 bytes; read the file {os.fspath(source)!r} first")
    raise InputError(f"a text is a str or UTF-8 bytes, not a {type(source).__name__}: {str(source)[:60]!r}")


def _spare(spec: ImageInput, width: int, height: int) -> float:
    """By how much a picture of that size may shrink before it is resized."""
    if (
        not spec.size or spec.resize == "none" or spec.interpolation == "nearest"
    ):  # which picks pixels: all must be there
        return 1
    shortest = min(width, height) * (spec.crop if spec.resize == "crop" else 1)
    # The picture may yet be turned by its EXIF: the larger side of the target must do for either.
    return (max(width, height) if spec.resize == "pad" else shortest) / max(spec.size) / GAP


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


def _resized(decoded: Decoded, window: tuple[float, float, float, float], spec: ImageInput) -> Image.Image:
    """`window` of the picture at the size of `spec`; what lies beyond the picture is black."""
    assert spec.size is not None
    height, width = spec.size
    image, (full_width, full_height), shrink = decoded
    left, top, right, bottom = window
    seen = (min(right, full_width), min(bottom, full_height))
    # Rounded up, the last pixel of a shrunk picture stands for less than the others: it must not stretch the rest.
    box = (left / shrink, top / shrink, min(seen[0] / shrink, image.width), min(seen[1] / shrink, image.height))
    fitted = (round(seen[0] / right * width) or 1, round(seen[1] / bottom * height) or 1)
    if spec.resize != "pad":
        fitted = (width, height)
    found = image.resize(fitted, Image.Resampling[spec.interpolation.upper()], box)
    if fitted == (width, height):
        return found
    canvas = Image.new("RGB", (width, height))
    canvas.paste(found, (0, 0))
    return canvas


def _values(image: Image.Image, spec: ImageInput) -> Any:
    """Pixels in the dtype, channels and range of `spec`, [h, w, c]."""
    if spec.channels == "grey":
        image = image.convert("L")
    pixels = np.asarray(image)
    pixels = pixels.reshape(image.height, image.width, spec.depth)
    if spec.channels == "bgr":
        pixels = pixels[..., ::-1]
    if spec.dtype == "uint8":
        return np.array(pixels, order="C")  # PIL's own is read-only
    factor, offset = _linear(spec)
    # Over whole rows: NumPy is six times slower at three values at a time.
    rows = np.multiply(pixels.reshape(image.height, -1), np.tile(factor, image.width), dtype=np.float32)
    if offset.any():
        rows += np.tile(offset, image.width)
    return rows.reshape(pixels.shape)


@lru_cache(maxsize=64)
def _linear(spec: ImageInput) -> tuple[Any, Any]:
    """(pixel / 255 * (high - low) + low - mean) / std as factor and offset of each channel."""
    low, high = spec.range or (0.0, 1.0)
    mean = np.broadcast_to(np.asarray(spec.mean or 0.0), spec.depth)
    std = np.broadcast_to(np.asarray(spec.std or 1.0), spec.depth)
    return ((high - low) / 255 / std).astype(np.float32), ((low - mean) / std).astype(np.float32)
