"""Files on disk: what a folder holds, whether it is real, and what to say when there is no room for more."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import BackboneError, WeightsError

# EFBIG: the file system, or a limit of the user's account, takes no file as large as this.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LFS_POINTER = b"version https://git-lfs"


def files_of(path: Path) -> dict[str, Path]:
    """The files under `path` by relative name with forward slashes, sorted; a single file goes by its own name.

    Raises WeightsError where there is no `path`.
    """
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise WeightsError(f"there is no file or folder {str(path)!r}")
    return {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}


def sha256(file: Path) -> str:
    """The SHA-256 of a file's content in hex, streamed."""
    return file_digest(file, "sha256")


def file_digest(file: Path, algorithm: str) -> str:
    """The digest of a file's content in hex; `algorithm` as hashlib names it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def refuse_pointers(path: Path) -> None:
    """Raise WeightsError that names the first git-LFS pointer under `path`: it stands for a file, and is none."""
    for name, file in files_of(path).items():
        if _is_pointer(file):
            where = path if path.is_file() else path / name
            raise WeightsError(
                f"{str(where)!r} is a git-LFS pointer, not the file itself; run `git lfs pull` where it came from"
            )


def check_saved_model(folder: Path, backbone: str) -> None:
    """Raise BackboneError that names the file which is missing from a SavedModel folder or is no real file.

    Raises WeightsError that names the ops of a SavedModel that does more than compute (`zoo.safety`).
    """
    from zoo.safety import refuse_code  # late: `zoo.safety` is needed by none who only lists

    start = f"backbone {backbone!r}: {str(folder)!r}"
    if not folder.is_dir():
        raise BackboneError(f"{start} is no SavedModel folder")
    if not (folder / "saved_model.pb").is_file():
        inside = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise BackboneError(f"{start} has no file 'saved_model.pb'; it holds {inside}")
    for name, file in files_of(folder).items():
        if _is_pointer(file):
            raise BackboneError(f"{start}: {name!r} is a git-LFS pointer, not the file; run 'git lfs pull'")
    shards = folder / "variables"
    if shards.is_dir() and any(shards.iterdir()):
        index = shards / "variables.index"
        if not index.is_file():
            raise BackboneError(f"{start} has no file 'variables/variables.index'; fetch it again")
        if not list(shards.glob("variables.data-*")):
            raise BackboneError(f"{start} has no file 'variables/variables.data-*'; fetch it again")
    try:
        refuse_code(folder)
    except (BackboneError, WeightsError) as error:
        raise type(error)(f"backbone {backbone!r}: {error}") from error


def _is_pointer(file: Path) -> bool:
    # A pointer is a text of three lines; git-lfs itself reads no longer file as one.
    return file.stat().st_size < 1024 and file.read_bytes().startswith(_LFS_POINTER)


@contextmanager
def room_for(needed: Callable[[], int], where: Path) -> Iterator[None]:
    """Write under `where`; a full disk becomes a WeightsError with the bytes `needed`, counted only then."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise no_room(needed(), where, error.strerror or "") from error


def no_room(needed: int, where: Path, reason: str) -> WeightsError:
    """What to say where `needed` bytes have no room under `where`."""
    free = shutil.disk_usage(where).free
    return WeightsError(
        f"{needed:,} bytes or more have no room in {str(where)!r}, where {free:,} are free ({reason}); "
        "make room ('zoo cache prune' helps), or move the cache with ZOO_CACHE"
    )
