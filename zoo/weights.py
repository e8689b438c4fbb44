"""Weights: a handle becomes a verified local path, by an explicit path, a mirror, the cache or a download.

`ZOO_CACHE` moves the cache; `ZOO_MIRROR` names a mirror; `ZOO_OFFLINE=1` forbids the network.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from zoo.cache import Entry, cache_folder, known_digests
from zoo.disk import files_of, refuse_pointers
from zoo.download import UnavailableError
from zoo.errors import ArchiveError, DownloadError, WeightsError
from zoo.sources import Source, mirrored, published
from zoo.specs import WeightsSpec

__all__ = ["at_hand", "cache_folder", "digest", "fetch", "offline", "size"]

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")


def fetch(weights: WeightsSpec, *, wanted_by: str) -> Path:
    """The local folder or file of `weights`: its path, a mirror, the cache, else a download into the cache.

    Raises WeightsError or DownloadError that names `wanted_by`; the latter lists what each source answered, a damaged
    or hostile archive included.
    """
    try:
        return _explicit(weights.path) if weights.path else _fetched(weights)
    except WeightsError as error:
        raise type(error)(f"{wanted_by}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{wanted_by}: {error.filename!r} can't be read: {error.strerror}") from error


def at_hand(weights: WeightsSpec) -> Path | None:
    """Where `weights` lie already, or None; never touches the network and creates nothing."""
    try:
        if weights.path:
            return _explicit(weights.path)
        return next((path for place in _places(weights) if (path := _present(*place))), None)
    except (WeightsError, OSError):
        return None


def digest(path: Path) -> str:
    """A SHA-256 over the names and contents of the files under `path` (or of that file).

    The files of a folder count in order of their names, each as `SHA-256  NAME` and a zero byte (`sha256sum -z`).
    Raises WeightsError where there is no `path`.
    """
    known = known_digests(path)
    if path.is_file():
        return known[path.name]
    lines = (f"{known[name]}  {name}\0" for name in sorted(known))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def size(path: Path) -> int:
    """The bytes of the files under `path` (or of that file); raises WeightsError where there is no `path`."""
    return sum(file.stat().st_size for file in files_of(path).values())


def offline() -> bool:
    """Whether `ZOO_OFFLINE` forbids the network."""
    return os.environ.get("ZOO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _explicit(text: str) -> Path:
    path = Path(text).absolute() if os.path.lexists(text) else _expanded(text)
    if not path.exists():
        meant = "" if str(path) == text else f" (from {text!r})"
        raise WeightsError(
            f"there is no file or folder {str(path)!r}{meant}; correct it, or give your own with weights="
        )
    refuse_pointers(path)
    return path


def _expanded(text: str) -> Path:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not os.environ.get(name):
            raise WeightsError(
                f"the path {text!r} needs the environment variable {name!r}, which is not set; set it, or give your "
                "own files with weights="
            )
        return os.environ[name]

    expanded = _VARIABLE.sub(value, text)
    try:
        return Path(expanded).expanduser().absolute()
    except RuntimeError as error:
        raise WeightsError(f"the home folder in {text!r} is not known ({error}); write the path in full") from error


def _fetched(weights: WeightsSpec) -> Path:
    answers: list[str] = []
    for place in _places(weights):
        path = _present(*place) or _delivered(*place, answers)
        if path:
            return path
    way_out = "unset ZOO_OFFLINE" if offline() else "check the network"
    raise DownloadError(
        f"no source delivered {weights.handles[0]!r}, and the cache {str(cache_folder())!r} has no whole copy of it:\n"
        + "".join(f"  {answer}\n" for answer in answers)
        + f"{way_out}, set ZOO_MIRROR to a folder or an address that has it, or give your own files with weights="
    )


def _places(weights: WeightsSpec) -> list[tuple[Entry, list[Source]]]:
    """Entries of the cache in the order in which they count, each with the sources that can fill it.

    A mirror's files have entries of their own: whoever sets a mirror gets what it holds, not what came from elsewhere.
    """
    if not weights.handles:
        raise WeightsError("the spec names no place for the weights; give your own files with weights=")
    mirrors = [(Entry(source.address), [source]) for source in mirrored(weights)]
    return [*mirrors, (Entry(weights.handles[0]), published(weights))]


def _present(entry: Entry, sources: list[Source]) -> Path | None:
    in_place = sources[0].in_place
    if in_place:
        refuse_pointers(in_place)
    return in_place or entry.path()


def _delivered(entry: Entry, sources: list[Source], answers: list[str]) -> Path | None:
    """What the first source that can writes into the cache; what the others answered is added to `answers`."""
    if damage := entry.damage():
        answers.append(f"{entry.folder}: {damage}")
    asked = [source for source in sources if source.local or not offline()]
    answers += [f"{source.address}: not asked, ZOO_OFFLINE forbids it" for source in sources if source not in asked]
    if not asked:
        return None
    with entry.locked():
        if path := entry.path():  # another process was faster
            return path
        for source in asked:
            try:
                return entry.write(source.address, source.deliver)
            except (UnavailableError, ArchiveError) as answer:  # the next source may have it whole
                answers.append(f"{source.address}: {answer}")
    return None
