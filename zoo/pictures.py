"""Pictures: whatever holds one becomes an upright 8-bit RGB image, or a clear error."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.errors import InputError

# PIL's own limit against decompression bombs, twice which it refuses; named here so that a message can say it.
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)


def picture(source: Any) -> Image.Image:
    """An upright 8-bit RGB picture of a path, encoded bytes, a PIL image or an array; raises InputError.

    Arrays are [h, w], [h, w, 1], [h, w, 3] or [h, w, 4], uint8 0..255 or float 0..1. Transparency is laid on white; of
    an animation the first frame is taken.
    """
    return open_picture(source, "none", 1.0, None)[0]


def open_picture(
    source: Any, resize: str, crop: float, target: tuple[int, int] | None
) -> tuple[Image.Image, tuple[int, int]]:
    """`picture`, and the (width, height) of the original.

    The picture itself may be smaller than that, where a JPEG can be decoded at a fraction of its size and what
    `resize` leaves of it is still no smaller than `target` (width, height).
    """
    if isinstance(source, Image.Image):
        return _upright(source, "the picture"), _upright_size(source)
    if not isinstance(source, str | os.PathLike | bytes | bytearray):
        image = _from_array(source)
        return image, image.size
    what = repr(str(source)) if isinstance(source, str | os.PathLike) else f"the picture of {len(source)} bytes"
    try:
        stream = _stream(source, what)
        with warnings.catch_warnings():
            # PIL warns of pictures over half the limit, and of broken metadata, which is no matter here.
            warnings.simplefilter("ignore")
            with Image.open(stream) as image:
                size = _upright_size(image)
                if target:
                    _draft(image, resize, crop, target)
                return _upright(image, what), size
    except UnidentifiedImageError as error:
        raise InputError(f"{what} is no picture that can be read (JPEG, PNG, GIF, WebP, BMP, TIFF, ...)") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{what} is enormous: more than {MOST_PIXELS:,} pixels; make it smaller first") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is truncated or broken: {error}") from error


def _stream(source: Any, what: str) -> io.BytesIO:
    if isinstance(source, bytes | bytearray):
        data = bytes(source)
    else:
        path = Path(source)
        try:
            data = path.read_bytes()
        except IsADirectoryError as error:
            raise InputError(f"{what} is a folder, not a picture") from error
        except FileNotFoundError as error:
            raise InputError(f"there is no picture {what}") from error
        except (OSError, ValueError) as error:
            raise InputError(f"{what} can't be read: {error}") from error
    if not data:
        raise InputError(f"{what} is empty")
    return io.BytesIO(data)


def _draft(image: Image.Image, resize: str, crop: float, target: tuple[int, int]) -> None:
    """Let the JPEG decoder shrink by a power of two, as far as what is kept stays as large as the target."""
    width, height = image.size
    kept = (min(width, height) * crop,) * 2 if resize == "crop" else (width, height)
    largest = max(target)  # whichever way the picture will be turned
    shrink = min(kept) / largest if resize != "pad" else max(kept) / largest
    if shrink >= 2:
        image.draft("RGB", (int(width / shrink), int(height / shrink)))


def _upright(image: Image.Image, what: str) -> Image.Image:
    """The first frame of `image`, turned as its EXIF says, as 8-bit RGB."""
    if image.width == 0 or image.height == 0:
        raise InputError(f"{what} has no pixels")
    try:
        turned = ImageOps.exif_transpose(image)
    except (ValueError, TypeError, KeyError, SyntaxError, ZeroDivisionError):  # broken EXIF: the pixels are right
        image.load()
        turned = image
    if turned.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        # 16 bits a pixel: PIL would clip them at 255 instead of scaling.
        return Image.fromarray((np.asarray(turned).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if turned.mode == "F":
        return Image.fromarray(np.asarray(turned).clip(0, 255).astype(np.uint8)).convert("RGB")
    if turned.has_transparency_data:
        rgba = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return turned if turned.mode == "RGB" and turned is not image else turned.convert("RGB")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size


def _from_array(source: Any) -> Image.Image:
    if not hasattr(source, "__array__"):
        raise InputError(f"a picture is a path, encoded bytes, a PIL image or an array, not a {type(source).__name__}")
    array = np.asarray(source)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise InputError(
            f"an array of shape {np.shape(source)} is no picture; it is [h, w], [h, w, 1], [h, w, 3] or [h, w, 4]"
        )
    if array.dtype.kind == "f":
        low, high = float(np.nanmin(array)), float(np.nanmax(array))
        if not np.isfinite(array).all() or low < 0 or high > 1 + 1e-6:
            raise InputError(
                f"a picture of floats ranges over 0..1, this one over {low:g}..{high:g}; "
                f"divide by 255, or give uint8 in 0..255"
            )
        array = (array * 255 + 0.5).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise InputError(f"an array of dtype {array.dtype} is no picture; it is uint8 in 0..255 or float in 0..1")
    if array.shape[2] == 1:
        array = array[..., 0]
    return _upright(Image.fromarray(np.ascontiguousarray(array)), f"an array of shape {np.shape(source)}")
