"""Drawing: boxes with labels and scores on a picture, in a file."""

from __future__ import annotations

import colorsys
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.errors import OptionError
from zoo.inputs import picture

Colour = tuple[int, int, int]

# A label of 12 pixels and more needs about this much picture around it.
_LEGIBLE = 480
_GOLDEN_RATIO = 0.618033988749895


def draw(
    source: Any, boxes: np.ndarray, scores: np.ndarray, labels: Sequence[str], ids: np.ndarray, path: Path
) -> Path:
    """Write `source` with its objects drawn on it to `path`, atomically.

    boxes: [k, 4], (left, top, right, bottom) in pixels of the upright picture, best first. A picture whose longer side
    is shorter than 480 pixels is enlarged by a whole factor. Raises OptionError, InputError.
    """
    form = _format(path)
    canvas = picture(source)
    factor = max(1, -(-_LEGIBLE // max(canvas.size)))
    canvas = canvas.resize((canvas.width * factor, canvas.height * factor), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    width = max(2, round(max(canvas.size) / 320))
    font = ImageFont.load_default(max(12, round(max(canvas.size) / 45)))
    # The best is drawn last, over the others.
    for box, score, label, id in reversed(list(zip(boxes, scores, labels, ids, strict=True))):
        colour = class_colour(int(id))
        edges = tuple(float(edge) * factor for edge in box)
        pen.rectangle(_inside(edges, canvas.size), outline=colour, width=width)
        _write_label(pen, f"{label} {score:.0%}", edges, canvas.size, font, colour)
    _save_atomically(canvas, path, form)
    return path


def class_colour(id: int) -> Colour:
    """The colour of a class, the same in every picture; neighbouring ids are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb(id * _GOLDEN_RATIO % 1, 0.8, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _write_label(
    pen: ImageDraw.ImageDraw, text: str, edges: Sequence[float], size: tuple[int, int], font: Any, colour: Colour
) -> None:
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2, round((bottom - top) / 5))
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    # Above the box where there is room, else at its upper edge; never beyond the picture's right edge.
    x = max(0.0, min(edges[0], size[0] - width))
    y = edges[1] - height if edges[1] >= height else edges[1]
    y = max(0.0, min(y, size[1] - height))
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    pen.rectangle((x, y, x + width, y + height), fill=colour)
    pen.text((x + pad - left, y + pad - top), text, font=font, fill="black" if luminance > 128 else "white")


def _inside(edges: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A right edge at the picture's width would be drawn one pixel beyond it."""
    left, top, right, bottom = edges
    return left, top, max(left, min(right, size[0] - 1)), max(top, min(bottom, size[1] - 1))


def _format(path: Path) -> str:
    form = Image.registered_extensions().get(path.suffix.lower(), "")
    if form not in Image.SAVE:
        raise OptionError(f"{str(path)!r} is no picture's name: its suffix is {path.suffix!r}; use .png or .jpg")
    if not path.parent.is_dir():
        raise OptionError(f"{str(path)!r} can't be written: there is no folder {str(path.parent)!r}")
    return form


def _save_atomically(canvas: Image.Image, path: Path, form: str) -> None:
    try:
        # Beside the target, so that the last step is a rename within one file system.
        handle, draft = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OptionError(f"{str(path)!r} can't be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            canvas.save(file, format=form)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException as error:
        os.unlink(draft)
        if isinstance(error, OSError | ValueError):
            raise OptionError(f"{str(path)!r} can't be written as {form}: {error}") from error
        raise
