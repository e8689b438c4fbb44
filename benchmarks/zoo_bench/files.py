"""Files that the commands write: refused before any work is done, and written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from zoo.errors import OptionError

FILE = click.Path(dir_okay=False, path_type=Path)


def writable(path: Path | None) -> None:
    """Say now, not after all the work, that `path` can't be written; raises click.UsageError."""
    if path is None:
        return
    place = path if path.exists() else path.absolute().parent
    if not os.access(place, os.W_OK):
        what = "cannot be written" if place.exists() else "lies in a folder that does not exist"
        raise click.UsageError(f"{str(path)!r} {what}")
    if path.is_file() or not path.exists():
        try:  # some places only an attempt tells, such as /proc
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
        except OSError as error:
            raise click.UsageError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Write a text file as it stands, whole or not at all; a device or a pipe is written as it is.

    A link stays, and what it points to is replaced. Raises OptionError where that is not possible.
    """
    try:
        _replace(path.resolve(), text) if path.is_file() or not path.exists() else path.write_text(text, "utf-8")
    except OSError as error:
        raise OptionError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(draft, path.stat().st_mode if path.exists() else 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
