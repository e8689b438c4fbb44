"""Pictures: whatever holds one becomes an upright 8-bit RGB image, or a clear error."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.errors import InputError, reason

ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
PIL_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
# What a file that holds a picture ends with: other files in a folder are no pictures, and no failures.
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_ROUNDING = 1e-6  # by which floats may lie outside of their range
READABLE = "JPEG, PNG, GIF, WebP, BMP, TIFF, ..."


class Decoded(NamedTuple):
    """An upright 8-bit RGB picture.

    size: (width, height) of the upright original, in pixels.
    shrink: how many of the original's pixels one pixel of `image` stands for, on each axis: 1, 2, 4 or 8.
    """

    image: Image.Image
    size: tuple[int, int]
    shrink: int = 1


def picture(source: Any) -> Image.Image:
    """An upright 8-bit RGB picture of a path, encoded bytes, a PIL image or an array; raises InputError.

    Arrays, and what turns into one (a tensor), are [h, w], [h, w, 1], [h, w, 3] or [h, w, 4]. Transparency is laid on
    white; of an animation the first frame is taken; 16 bits are scaled to 8. Floats and whole numbers of more than 16
    bits, in a picture or an array, state no range: the smallest of 0..1 (floats only), 0..255 and 0..65535 that holds
    them is taken.
    """
    return decode(source).image


def decode(source: Any, spare: Callable[[int, int], float] | None = None) -> Decoded:
    """`picture`, and what is known of the original.

    spare: given (width, height), by how much the caller could do with less on each axis. A JPEG then comes out at a
        half, a quarter or an eighth of its size, as far as that allows: decoding less is faster.
    """
    what = described(source)
    with _told(what):
        if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
            return _read(_encoded(source, what), what, spare)
        if isinstance(source, Image.Image):
            found = _upright(source, what)
            return found if found.image is not source else found._replace(image=source.copy())
        return _upright(_from_array(source, what), what)


def described(source: Any) -> str:
    """`source` in a few words, for messages: a path by its name, the rest by what it is."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return f"the picture of {len(source)} bytes"
    if isinstance(source, Image.Image):
        return f"the PIL image of mode {source.mode!r} and size {source.size}"
    shape = getattr(source, "shape", None)
    return f"a {type(source).__name__}" if shape is None else f"an array of shape {tuple(shape)}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tell what PIL has to say about `what` as an InputError; its warnings, of matters that are seen to, not at all.

    `warnings.catch_warnings` will not do: it puts back all filters, and several threads read at once.
    """
    filters = cast("list[Any]", warnings.filters)
    filters.insert(0, PIL_WARNINGS)
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{what} is no picture that can be read; make it one of {READABLE}") from error
    except Image.DecompressionBombError as error:
        pixels, limit = (f"{int(number):,}" for number in re.findall(r"\d+", str(error))[:2])
        raise InputError(f"{what} has {pixels} pixels, over the limit of {limit}; make it smaller first") from error
    except Exception as error:  # there is no end to what decoders raise on broken bytes
        raise InputError(f"{what} is truncated or broken: {str(error) or type(error).__name__}; replace it") from error
    finally:
        with suppress(ValueError):
            filters.remove(PIL_WARNINGS)


def _encoded(source: Any, what: str) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        try:
            data = Path(source).read_bytes()
        except IsADirectoryError as error:
            raise InputError(f"{what} is a folder, not a picture; name the files in it") from error
        except FileNotFoundError as error:
            raise InputError(f"there is no picture {what}; relative paths count from {os.getcwd()!r}") from error
        except (OSError, ValueError) as error:
            raise InputError(f"{what} can't be read: {reason(error)}") from error
    if not data:
        raise InputError(f"{what} is empty, 0 bytes; replace it")
    return data


def _read(data: bytes, what: str, spare: Callable[[int, int], float] | None) -> Decoded:
    image = Image.open(io.BytesIO(data), formats=_formats())
    size = image.size
    if spare is None or image.format not in ("JPEG", "MPO"):
        return _upright(image, what)
    most = spare(*size)
    shrink = next((power for power in (8, 4, 2) if power <= most), 1)
    if shrink > 1 and image.draft(None, (size[0] // shrink, size[1] // shrink)) is None:
        shrink = 1
    return _upright(image, what)._replace(shrink=shrink, size=size[::-1] if _orientation(image) in SIDEWAYS else size)


@cache
def _formats() -> list[str]:
    """The formats that PIL reads by itself. EPS is none: PIL hands it to Ghostscript, which runs what it says."""
    Image.init()
    return [name for name in Image.OPEN if name != "EPS"]


def _upright(image: Image.Image, what: str) -> Decoded:
    if 0 in image.size:
        raise InputError(f"{what} has no pixels, {image.width} x {image.height}; replace it")
    image.load()  # before the orientation is asked for: TIFF turns itself, PNG may state it at the end
    turn = TURNS.get(_orientation(image))
    upright = _rgb(image if turn is None else image.transpose(turn), what)
    if turn is not None:
        upright.info = {}  # it still says how the original lies: the next reader would turn it again
    return Decoded(upright, upright.size)


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # noqa: BLE001 -- broken EXIF of any kind: the pixels are still right
        return None


def _rgb(image: Image.Image, what: str) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _scaled(image, what).convert("RGB")
    try:
        if image.has_transparency_data:
            rgba = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        return image if image.mode == "RGB" else image.convert("RGB")
    except ValueError as error:
        raise InputError(f"{what} has the colours {image.mode!r}, which can't be read; save it as RGB") from error


def _scaled(image: Image.Image, what: str) -> Image.Image:
    """Grey of 16 or 32 bits as 8 bits; PIL's own conversion clips at 255."""
    whites = {"I": (255, 65535), "F": (1, 255, 65535)}.get(image.mode, (65535,))
    return Image.fromarray(_eight_bits(np.asarray(image, np.float32), whites, what))


def _eight_bits(values: np.ndarray[Any, Any], whites: tuple[int, ...], what: str) -> np.ndarray[Any, Any]:
    """float32 `values` as uint8, white being the smallest of `whites` that holds them."""
    low, high = float(values.min()), float(values.max())
    white = next((white for white in whites if low >= -_ROUNDING and high <= white + _ROUNDING), None)
    if white is None:  # not a number is in no range either
        ranges = " or ".join(f"0..{white}" for white in whites)
        raise InputError(f"{what} has pixels from {low:g} to {high:g}; scale them to {ranges}")
    return (values.clip(0, white) * np.float32(255 / white) + np.float32(0.5)).astype(np.uint8)


def _from_array(source: Any, what: str) -> Image.Image:
    if not hasattr(source, "__array__"):
        raise InputError(f"a picture is a path, encoded bytes, a PIL image or an array, not {what}")
    array = np.asarray(source)
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)) or 0 in array.shape:
        raise InputError(f"{what} is no picture; give [h, w], [h, w, 1], [h, w, 3] or [h, w, 4], none of them 0")
    if array.dtype != np.uint8:
        whites = {"f": (1, 255, 65535), "i": (255, 65535), "u": (255, 65535), "b": (1,)}.get(array.dtype.kind)
        if whites is None:
            raise InputError(f"{what} and dtype {array.dtype} is no picture; give uint8 in 0..255 or float in 0..1")
        whites = (65535,) if array.dtype == np.uint16 else whites
        array = _eight_bits(array.astype(np.float32), whites, what)
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))
