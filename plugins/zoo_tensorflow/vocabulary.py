"""Whether a text preprocessor and an encoder belong together: with another's word pieces, vectors mean nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import BackboneError, ZooWarning

# How many rows more than word pieces a table may have and still be theirs: some are padded to a round number.
SPARE, SHARE = 64, 1.02


def check_preprocessor(variables: Iterable[Any], folder: Path, backbone: str) -> None:
    """Compare the word pieces in the vocabulary of the preprocessor in `folder` with the rows of the encoder's tables.

    Raises BackboneError where no table has so many rows: the ids of some words would be outside. Warns where none has
    about as many. Says nothing of a preprocessor without a plain vocabulary (SentencePiece), or an encoder whose tables
    can't be seen.
    """
    pieces = _pieces(folder)
    rows = sorted({int(variable.shape[0]) for variable in variables if variable.shape.rank == 2})
    if not pieces or not rows:
        return
    start = f"backbone {backbone!r}: the preprocessor in {str(folder)!r} makes ids of {pieces:,} word pieces"
    what = "name the one that the encoder's page names, as 'preprocessor' of the input in its row"
    if rows[-1] < pieces:
        raise BackboneError(f"{start}, but the encoder's largest table has {rows[-1]:,} rows: it is another's; {what}")
    if not any(pieces <= count <= pieces * SHARE + SPARE for count in rows):
        warnings.warn(
            f"{start}, and no table of the encoder has as many rows (the largest: {rows[-1]:,}): it may be "
            f"another's, and the vectors would mean nothing; {what}",
            ZooWarning,
            stacklevel=2,
        )


def _pieces(folder: Path) -> int:
    """The lines of the only vocabulary in the module's assets; 0 where there is none, or several."""
    files = [file for file in (folder / "assets").glob("*") if "vocab" in file.name and file.suffix == ".txt"]
    if len(files) != 1:
        return 0
    return len(files[0].read_text(encoding="utf-8", errors="replace").split("\n")) - files[0].read_bytes().endswith(
        b"\n"
    )
