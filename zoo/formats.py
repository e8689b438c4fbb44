"""Formats: which form the weights at a path are in, told by names and first bytes; archives are unpacked once."""

from __future__ import annotations

from pathlib import Path

from zoo.archives import is_archive, unpack
from zoo.cache import Entry
from zoo.disk import sha256
from zoo.errors import ArchiveError, BackboneError
from zoo.plugins import installed
from zoo.safety import trust, trusts_code
from zoo.specs import FormatSpec


def format_of(path: Path, wanted_by: str) -> FormatSpec | None:
    """The form of the file or folder at `path`, None for a folder that no plugin knows.

    A folder is known by a file in it. A file is known by its name's ending, and must then start as such files do; one
    whose ending says nothing is known by its first bytes alone.
    Raises BackboneError that names `wanted_by` for a file that is not there, not what its name says, or that nobody
    reads.
    """
    if not path.exists():
        raise BackboneError(f"{wanted_by}: there is no file or folder {str(path)!r}")
    forms = list(installed().formats)
    if path.is_dir():
        return next((form for form in forms if any(_holds(path, pattern) for pattern in form.holds)), None)
    named = [form for form in forms if path.name.lower().endswith(form.endings)]
    if not named:
        if known := next((form for form in forms if form.starts and _starts(path, form)), None):
            return known
        raise BackboneError(
            f"{wanted_by}: {str(path)!r} is in no form that a plugin reads; they read "
            f"{', '.join(form.help for form in forms)}"
        )
    form = named[0]
    if form.starts and not _starts(path, form):
        raise BackboneError(f"{wanted_by}: {str(path)!r} is named as {form.help}, but {_found(path, forms)}")
    return form


def unpacked(path: Path, wanted_by: str) -> Path:
    """What a tar archive at `path` holds, unpacked once into the cache; anything else comes back as it is.

    Raises ArchiveError that names `wanted_by` for an archive that is damaged or hostile.
    """
    if not path.is_file() or not is_archive(path):
        return path
    entry = Entry(f"unpacked-{sha256(path)}")
    try:
        with entry.locked():
            folder = entry.path() or entry.write(str(path), lambda draft: _unpack(path, draft))
    except ArchiveError as error:
        raise ArchiveError(f"{wanted_by}: {str(path)!r} can't be unpacked: {error}") from error
    inside = list(folder.iterdir())
    folder = inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
    if trusts_code(path):
        trust(folder)
    return folder


def _unpack(archive: Path, folder: Path) -> Path:
    unpack(archive, folder)
    return folder


def _holds(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None


def _starts(path: Path, form: FormatSpec) -> bool:
    wanted = bytes.fromhex(form.starts)
    with path.open("rb") as stream:
        stream.seek(form.offset)
        return stream.read(len(wanted)) == wanted


def _found(path: Path, forms: list[FormatSpec]) -> str:
    """What a file is that is not what it is called, and what to do."""
    if not path.stat().st_size:
        return "is empty; fetch it again"
    other = next((form.help for form in forms if form.starts and _starts(path, form)), None)
    if other:
        return f"holds {other}; name it as that"
    with path.open("rb") as stream:
        return f"starts with {stream.read(8)!r}: it is damaged, or something else; fetch it again"
