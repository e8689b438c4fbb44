"""Examples that are shown with what was predicted for them: as a gallery, as a table of texts, as one picture."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

from zoo.errors import InputError
from zoo.inputs import picture
from zoo.transfer.report.drawing import Drawn, Palette
from zoo.transfer.report.judged import Judged

COLUMNS = 5
THUMBNAIL = 176  # pixels
LONGEST = 280  # characters of a text that are shown


@dataclass(frozen=True)
class Claim:
    """What was predicted, and what is true, in words; right: whether they are the same."""

    answer: str
    true: str
    right: bool


@dataclass(frozen=True)
class Answer:
    """An example with what was predicted for it. picture: a JPEG, or None where there is none to show."""

    id: str
    claim: Claim
    picture: bytes | None = None
    text: str = ""


def answers(judged: Judged, places: Sequence[int], claim: Callable[[int], Claim]) -> list[Answer]:
    """The examples at `places`; `claim` says what was predicted for the one at a place."""
    found = []
    for place, example in zip(places, judged.examples(places), strict=True):
        shown = _jpeg(example.input) if judged.kind == "image" else None
        text = textwrap.shorten(str(example.input), LONGEST, placeholder=" …") if judged.kind == "text" else ""
        found.append(Answer(judged.ids[place], claim(place), shown, text))
    return found


def grid(found: Sequence[Answer], columns: int = COLUMNS) -> Drawn:
    """The pictures with their predictions, blue where right and red where wrong, the true label in brackets."""
    rows = -(-len(found) // columns)

    def draw(figure: Any, palette: Palette) -> None:
        all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in all_axes:
            axes.axis("off")
        for axes, one in zip(all_axes, found, strict=False):
            if one.picture is not None:
                axes.imshow(Image.open(io.BytesIO(one.picture)))
            colour = palette.right if one.claim.right else palette.wrong
            cross = "" if one.claim.right else "✗ "  # not by colour alone
            told = f"{cross}{shortened(one.claim.answer)}\n({shortened(one.claim.true)})"
            axes.set_title(told, color=colour, fontsize=9, loc="center", fontweight="normal")

    wrong = sum(not one.claim.right for one in found)
    return Drawn(
        "predictions", f"{len(found)} pictures, {wrong} of them predicted wrong.", (9, 10.75 / columns * rows), draw
    )


def shortened(text: str, most: int = 24) -> str:
    """`text`, cut in the middle where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _jpeg(source: Any) -> bytes | None:
    """A small square of the middle of a picture; None where it can't be read any more."""
    try:
        whole = picture(source)
    except InputError:
        return None
    method = Image.Resampling.NEAREST if min(whole.size) < THUMBNAIL / 2 else Image.Resampling.BICUBIC
    stream = io.BytesIO()
    ImageOps.fit(whole, (THUMBNAIL, THUMBNAIL), method).save(stream, "JPEG", quality=85)
    return stream.getvalue()
