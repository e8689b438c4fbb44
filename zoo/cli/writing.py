"""What commands write: places that are refused before any work is done, and files that are whole or not there.

A folder that a command writes into is made, and one above it that was not there is told: it may be misspelt. The folder
of a file must be there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from zoo.errors import OptionError


class Sheet(click.Path):
    """A PNG file that a sheet of pictures is written into, refused before any picture is read."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """See `click.ParamType.convert`."""
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        if file.suffix.lower() != ".png":
            self.fail(f"a sheet is a PNG file; name it {file.stem}.png", param, ctx)
        if not os.access(file.absolute().parent, os.W_OK):
            self.fail(f"there is no folder {str(file.parent)!r} that can be written", param, ctx)
        return file


SHEET = Sheet()


def make_folder(folder: Path) -> None:
    """Make the folder that a command writes into; one above it that was not there is told, for it may be misspelt."""
    if not folder.is_dir():  # one that is there may lie in a folder that nobody may write
        make_parents(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"the folder {str(folder)!r} can't be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise click.UsageError(f"the folder {str(folder)!r} can't be written")


def make_parents(path: Path) -> None:
    """Make the folders above `path`, each of which is told."""
    parent = path.absolute().parent
    absent = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"the folder {str(parent)!r} can't be made: {error.strerror}") from error
    if not os.access(parent, os.W_OK):
        raise click.UsageError(f"the folder {str(parent)!r} can't be written")
    if absent:
        click.echo(f"made the folder {str(parent)!r}, which was not there", err=True)


def write_text(file: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise OptionError(f"{str(file)!r} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
