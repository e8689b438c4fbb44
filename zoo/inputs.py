"""Bytes become a picture or a text as a network's spec wants it, in NumPy, without TensorFlow."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.errors import InputError, ZooWarning
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

# Pictures that one thread decodes in one go: handing over each by itself costs a tenth of decoding a small one.
CHUNK = 4
# Batches are written in place up to this size in bytes; a larger one is put together from several.
LARGEST = 2**30


def prepare(source: Any, spec: ImageInput | TextInput, out: Any = None) -> Prepared:
    """A picture (see `picture`) or a text (str, or bytes in UTF-8) as `spec` wants it; raises InputError.

    A range that the spec leaves unstated is taken as 0..1. An empty text stays empty; a Path is no text, as nothing
    says whether its name or its content is meant.
    out: an array [h, w, c] to write a picture's value into, where its size is fixed; it is then the value itself.
    """
    if isinstance(spec, TextInput):
        return Prepared(_text(source), source)
    _guard_range(source, spec)
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
    return Prepared(_values(image, spec, out), source, decoded.size, window)


def prepare_all(
    sources: Iterable[Any], spec: ImageInput | TextInput, *, batch: int = 0, workers: int | None = None
) -> Generator[Prepared | InputError, None, None]:
    """`prepare` over `sources` in order, several at a time and a little ahead; an InputError is yielded, not raised.

    `sources` may be endless or slow: only a few are taken ahead of what has been asked for, and what is ready does not
    wait for them. Closing it ends its threads.
    batch: how many will run together: so many are taken ahead, and pictures of a fixed size are written side by side
        into one array, which `zoo.batches.stack` then need not copy.
    workers: threads, at most 8 and one a processor where not given.
    """
    if isinstance(spec, TextInput):  # nothing to decode: threads would only cost
        for source in sources:
            yield _attempt(source, spec, None)
        return
    workers = workers or min(8, _processors())
    # A batch's worth ahead, so that the next one is decoded while this one runs; pictures of any size may be huge.
    most, size = (max(8 * workers, batch), CHUNK) if spec.size else (2 * workers, 1)
    rows = _rows(spec, batch)
    chunk: list[tuple[Any, Any]] = []
    ahead: deque[Future[list[Prepared | InputError]]] = deque()
    ready: deque[Prepared | InputError] = deque()
    taken = 0  # and not yielded yet
    with ThreadPoolExecutor(workers, thread_name_prefix="zoo-decode") as pool:
        try:
            for source in sources:
                taken += 1
                chunk.append((source, next(rows)))
                if len(chunk) == size or not ahead or ahead[-1].done():  # nobody is at work: no reason to wait
                    ahead.append(pool.submit(_attempts, chunk, spec))
                    chunk = []
                if not ready and (taken >= most or ahead[0].done()):
                    ready.extend(ahead.popleft().result())
                if ready:
                    taken -= 1
                    yield ready.popleft()
            if chunk:
                ahead.append(pool.submit(_attempts, chunk, spec))
            yield from ready
            for future in ahead:
                yield from future.result()
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


def _attempts(chunk: Sequence[tuple[Any, Any]], spec: ImageInput) -> list[Prepared | InputError]:
    return [_attempt(source, spec, out) for source, out in chunk]


def _attempt(source: Any, spec: ImageInput | TextInput, out: Any) -> Prepared | InputError:
    try:
        return prepare(source, spec, out)
    except InputError as error:
        error.source = source
        return error


def _rows(spec: ImageInput, batch: int) -> Iterator[Any]:
    """The places of pictures in batches of `batch`, one array after the other; None where they get arrays of their own.

    A source that fails leaves its place empty, and what follows stays where it would be.
    """
    if not spec.size or not batch:
        yield from repeat(None)
        return
    shape = (*spec.size, spec.depth)
    most = max(1, LARGEST // int(np.prod(shape) * np.dtype(spec.dtype).itemsize))
    while True:
        yield from np.empty((min(batch, most), *shape), spec.dtype)


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


def _guard_range(source: Any, spec: ImageInput) -> None:
    """Say once that floats beyond 0..1 are taken for another range than the usual, and what becomes of it."""
    if getattr(getattr(source, "dtype", None), "kind", "") != "f" or not source.size or not source.max() > 1 + 1e-6:
        return
    _tell_range(255 if source.max() <= 255 else 65535, spec.range or (0.0, 1.0), spec.dtype)


@lru_cache(maxsize=64)
def _tell_range(white: int, wanted: tuple[float, float], dtype: str) -> None:
    low, high = wanted
    warnings.warn(
        f"floats beyond 1 were given as a picture: they are read as 0..{white} and brought to the {low:g}..{high:g} "
        f"({dtype}) that the network takes; give uint8, or floats in 0..1, and nothing is guessed",
        ZooWarning,
        stacklevel=4,
    )


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
    if (box[2] - box[0], box[3] - box[1]) == fitted and all(float(edge).is_integer() for edge in box):
        found = image.crop(box)  # of the right size already: resampling would give the same pixels, slower
    else:
        found = image.resize(fitted, Image.Resampling[spec.interpolation.upper()], box)
    if fitted == (width, height):
        return found
    canvas = Image.new("RGB", (width, height))
    canvas.paste(found, (0, 0))
    return canvas


def _values(image: Image.Image, spec: ImageInput, out: Any) -> Any:
    """Pixels in the dtype, channels and range of `spec`, [h, w, c], in `out` where that is given."""
    if spec.channels == "grey":
        image = image.convert("L")
    pixels = np.asarray(image)
    pixels = pixels.reshape(image.height, image.width, spec.depth)
    if spec.channels == "bgr":
        pixels = pixels[..., ::-1]
    values = np.empty(pixels.shape, spec.dtype) if out is None else out
    if spec.dtype == "uint8":
        values[...] = pixels
        return values
    factor, offset = _linear(spec)
    # Over whole rows: NumPy is six times slower at three values at a time.
    rows = values.reshape(image.height, -1)
    np.multiply(pixels.reshape(rows.shape), np.tile(factor, image.width), out=rows, dtype=np.float32)
    if offset.any():
        rows += np.tile(offset, image.width)
    return values


@lru_cache(maxsize=64)
def _linear(spec: ImageInput) -> tuple[Any, Any]:
    """(pixel / 255 * (high - low) + low - mean) / std as factor and offset of each channel."""
    low, high = spec.range or (0.0, 1.0)
    mean = np.broadcast_to(np.asarray(spec.mean or 0.0), spec.depth)
    std = np.broadcast_to(np.asarray(spec.std or 1.0), spec.depth)
    return ((high - low) / 255 / std).astype(np.float32), ((low - mean) / std).astype(np.float32)
