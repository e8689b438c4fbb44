"""Sheets: many small pictures on one, in rows with a title."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from zoo.errors import OptionError

SIDE = 144  # pixels of a cell
GAP = 6
TITLE = 20
ROWS = 60  # more would be no sheet that anybody looks at
INK, PAPER, BOX = (20, 20, 20), (255, 255, 255), (230, 60, 20)


@dataclass(frozen=True)
class Cell:
    """An RGB picture, and boxes on it: (left, top, right, bottom) in its pixels."""

    image: Image.Image
    boxes: Sequence[tuple[float, float, float, float]] = ()


def write_sheet(rows: Mapping[str, Sequence[Cell]], file: Path) -> Path:
    """Write `rows` of pictures, each under its title, as one PNG, whole or not at all; raises OptionError.

    Of more than 60 rows the first 60 are shown, and how many were left out stands below them.
    """
    if file.suffix.lower() != ".png":
        raise OptionError(f"a sheet is a PNG file, which {str(file)!r} is not called; name it {file.stem}.png")
    if not rows:
        raise OptionError(f"there is no picture to show in {str(file)!r}")
    shown = dict(list(rows.items())[:ROWS])
    more = f"and {len(rows) - ROWS} more" if len(rows) > ROWS else ""
    across = max(len(cells) for cells in shown.values())
    height = len(shown) * (TITLE + SIDE + GAP) + GAP + (TITLE if more else 0)
    sheet = Image.new("RGB", (max(across * (SIDE + GAP) + GAP, 3 * SIDE), height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (title, cells) in enumerate(shown.items()):
        top = GAP + number * (TITLE + SIDE + GAP)
        draw.text((GAP, top + 1), title, INK, font)
        for column, cell in enumerate(cells):
            sheet.paste(_thumbnail(cell), (GAP + column * (SIDE + GAP), top + TITLE))
    draw.text((GAP, height - TITLE), more, INK, font)
    return _save(sheet, file)


def _thumbnail(cell: Cell) -> Image.Image:
    """The picture in a square cell, its sides kept in proportion."""
    share = SIDE / max(cell.image.size)
    width, height = (max(1, round(side * share)) for side in cell.image.size)
    small = cell.image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    draw = ImageDraw.Draw(small)
    for box in cell.boxes:
        left, top, right, bottom = (edge * share for edge in box)
        draw.rectangle((left, top, max(right, left), max(bottom, top)), outline=BOX, width=2)
    square = Image.new("RGB", (SIDE, SIDE), (238, 238, 238))
    square.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    return square


def _save(sheet: Image.Image, file: Path) -> Path:
    draft = file.with_name(f".{file.name}-{os.getpid()}.png")
    try:
        sheet.save(draft, format="PNG")
        draft.replace(file)
    except OSError as error:
        raise OptionError(f"{str(file)!r} can't be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return file
