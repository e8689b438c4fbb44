"""Judged boxes on a picture, for a page: blue where right, red and crossed where wrong, dashed where missed."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from zoo.errors import InputError
from zoo.inputs import picture

LONGEST = 560  # pixels of the longer side
FONT = 20
WIDTH = 3  # of a line, in pixels
DASH = 9
PAD = 4  # between a label and its edge
COLOURS = {"right": "#1d5fb8", "wrong": "#c62828", "missed": "#4a4a4a"}  # each readable under white letters
CASING = "#ffffff"  # beside each line, so that it is seen on any picture

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """A box in pixels of the upright original, what is written at it, and its kind: "right", "wrong" or "missed"."""

    box: Box
    text: str
    kind: str


def marked(source: Any, marks: Sequence[Mark], window: Box | None = None) -> bytes | None:
    """The picture, or the part of it in `window`, with `marks` on it, the first on top, as JPEG; None if unreadable."""
    try:
        whole = picture(source)
    except InputError:
        return None
    left, top, right, bottom = map(round, window or (0, 0, *whole.size))
    part = whole.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    scale = LONGEST / max(part.size)
    size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
    canvas = part.resize(size, Image.Resampling.BICUBIC if scale < 8 else Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    placed: list[Box] = []
    boxes = [
        tuple((edge - start) * scale for edge, start in zip(one.box, (left, top) * 2, strict=True)) for one in marks
    ]
    for box, mark in reversed(list(zip(boxes, marks, strict=True))):
        _outline(pen, box, mark.kind)
    for box, mark in zip(boxes, marks, strict=True):
        placed.append(_spot(pen, box, mark.text, size, placed))
    for spot, mark in reversed(list(zip(placed, marks, strict=True))):
        pen.rectangle(spot, fill=COLOURS[mark.kind], outline=CASING)
        pen.text((spot[0] + PAD, spot[1] + PAD), mark.text, font=_font(), fill="#ffffff", anchor="lt")
    stream = io.BytesIO()
    canvas.save(stream, "JPEG", quality=82)
    return stream.getvalue()


@functools.cache
def _font() -> Any:
    """matplotlib's own, which every page needs anyway; Pillow's has neither a cross nor any script but Latin."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT)


def _outline(pen: ImageDraw.ImageDraw, box: Sequence[float], kind: str) -> None:
    width, height = pen.im.size
    left, top = (max(edge, 2.0) for edge in box[:2])
    right, bottom = max(left, min(box[2], width - 3.0)), max(top, min(box[3], height - 3.0))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    pen.line(corners, CASING, WIDTH + 3, joint="curve")
    if kind != "missed":
        pen.line(corners, COLOURS[kind], WIDTH, joint="curve")
        return
    for (x, y), (end_x, end_y) in itertools.pairwise(corners):
        length = max(abs(end_x - x), abs(end_y - y), 1.0)
        for start in range(0, int(length), 2 * DASH):
            one, other = (min(at, length) / length for at in (start, start + DASH))
            ends = [(x + (end_x - x) * at, y + (end_y - y) * at) for at in (one, other)]
            pen.line(ends, COLOURS[kind], WIDTH)


def _spot(
    pen: ImageDraw.ImageDraw, box: Sequence[float], text: str, size: tuple[int, int], placed: Sequence[Box]
) -> Box:
    """Where a label goes: above the box, else below or inside, where none stands yet; never beyond the picture."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=_font(), anchor="lt")
    width, height = right - left + 2 * PAD, bottom - top + 2 * PAD
    x = max(0.0, min(box[0] - 2, size[0] - width))
    tries = [box[1] - height, box[3], box[1], box[3] - height]
    fitting = [y for y in tries if 0 <= y <= size[1] - height] or [max(0.0, min(box[1], size[1] - height))]
    spots = [(x, y, x + width, y + height) for y in fitting]
    return next((spot for spot in spots if not any(_meet(spot, other) for other in placed)), spots[0])


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
