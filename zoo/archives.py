"""Archives: a tar of any publisher is unpacked into a folder, or refused by the name of the offending member."""

from __future__ import annotations

import errno
import gzip
import io
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from zoo.disk import room_for
from zoo.errors import ArchiveError

_CHUNK = 1 << 20
_BLOCK = 512
_GZIP_MAGIC = b"\x1f\x8b"
_USTAR_AT = 257
# RecursionError: tarfile calls itself for every header that announces the next one.
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: so many `files` and folders, `size` bytes unpacked, `header` bytes in one header.

    ratio: weights hardly compress, so unpacked bytes beyond `harmless` may be so many times the archive's own.
    """

    files: int = 20_000
    size: int = 64 << 30
    header: int = 1 << 20
    ratio: int = 100
    harmless: int = 1 << 30

    def of(self, archive: Path) -> Limits:
        """These limits with the ratio applied to the size of `archive`."""
        return replace(self, size=min(self.size, max(self.harmless, self.ratio * archive.stat().st_size)))


def is_archive(file: Path) -> bool:
    """Whether `file` begins as a tar, or as anything gzipped; says nothing about whether it is whole."""
    with file.open("rb") as stream:
        start = stream.read(_BLOCK)
    return start.startswith(_GZIP_MAGIC) or start[_USTAR_AT:].startswith(b"ustar")


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> None:
    """Write the files of `archive` under `folder`, an existing empty one; permissions and owners are not taken over.

    Raises ArchiveError that names the member for an absolute path, `..`, a link, a device, a name that comes twice,
    or more than `limits` allow; also for an archive that is cut or damaged. Raises WeightsError for a full disk. What
    was written by then stays for the caller to remove.
    """
    limits = limits or Limits()
    with room_for(lambda: unpacked_size(archive, limits), folder), _opened(archive, limits) as tar:
        for member in _harmless(tar, limits.of(archive)):
            _write(member, tar, folder)


def unpacked_size(archive: Path, limits: Limits | None = None) -> int:
    """The bytes of all files in `archive`; raises ArchiveError as `unpack` does."""
    limits = limits or Limits()
    with _opened(archive, limits) as tar:
        return sum(member.size for member in _harmless(tar, limits.of(archive)))


def _harmless(tar: tarfile.TarFile, limits: Limits) -> Iterator[tarfile.TarInfo]:
    """The members in order, each looked at; when it ends without an error the archive is whole."""
    total, end = 0, 0
    for count, member in enumerate(tar, start=1):
        _refuse(member)
        total += member.size
        if count > limits.files:
            raise ArchiveError(f"{member.name!r} is one member too many: more than {limits.files:,} in one archive")
        if total > limits.size:
            raise ArchiveError(f"{member.name!r} makes it {total:,} bytes unpacked, more than {limits.size:,}")
        yield member
        end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
    _refuse_damaged_end(tar, end)


@contextmanager
def _opened(archive: Path, limits: Limits) -> Iterator[tarfile.TarFile]:
    try:
        with archive.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if packed else file
            with stream, tarfile.TarFile(fileobj=_ShortReads(stream, max(limits.header, _CHUNK))) as tar:
                yield tar
    except _DAMAGE as error:
        raise ArchiveError(f"the archive is cut or damaged ({error}); fetch it again") from error


def _refuse(member: tarfile.TarInfo) -> None:
    name = member.name
    if member.size < 0:
        raise ArchiveError(f"{name!r} claims {member.size:,} bytes")
    if member.issym() or member.islnk():
        raise ArchiveError(f"{name!r} is a link to {member.linkname!r}; an archive of weights holds none")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ArchiveError(f"{name!r} is neither a plain file nor a folder; an archive of weights holds nothing else")
    # Read by the rules of both systems: a name that is harmless on one may leave the folder on the other.
    if name.startswith(("/", "\\")) or PureWindowsPath(name).anchor:
        raise ArchiveError(f"{name!r} is an absolute path; it would be written outside its folder")
    if ".." in PurePosixPath(name).parts + PureWindowsPath(name).parts:
        raise ArchiveError(f"{name!r} climbs out of its folder with '..'")
    # Letters that look like others, or turn into them on some file systems: a dot, a slash, another file's name.
    if unicodedata.normalize("NFKC", name) != name or any(unicodedata.category(one).startswith("C") for one in name):
        raise ArchiveError(f"{name!a} has characters in its name that are not what they seem")


def _write(member: tarfile.TarInfo, tar: tarfile.TarFile, folder: Path) -> None:
    target = folder / member.name
    content = tar.extractfile(member) if member.isreg() else None
    try:
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x": a name that comes twice is refused, on file systems that ignore case as well.
        with target.open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"{member.name!r} clashes with a member before it") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ArchiveError(f"{member.name[:80]!r}... is too long a name for this disk") from error
        raise


def _refuse_damaged_end(tar: tarfile.TarFile, end: int) -> None:
    """`tarfile` takes a damaged header in the middle for the end, and reads no check sum after it."""
    assert tar.fileobj is not None
    tar.fileobj.seek(end)
    if tar.fileobj.read(_BLOCK).strip(b"\0"):
        raise ArchiveError(f"the archive is damaged at byte {end:,} of its content; fetch it again")
    while tar.fileobj.read(_CHUNK):  # gzip compares its check sum at the very end
        pass


class _ShortReads(io.RawIOBase):
    """A stream that refuses to read much at once, as a header that claims gigabytes would."""

    def __init__(self, stream: gzip.GzipFile | io.BufferedReader, longest: int) -> None:
        self._stream = stream
        self._longest = longest

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= self._longest:
            raise ArchiveError(f"a header of {size:,} bytes is more than the {self._longest:,} that are allowed")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
