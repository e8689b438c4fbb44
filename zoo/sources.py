"""Sources: the places that may hold some weights, in the order in which they are asked.

`ZOO_MIRROR` is a folder or an http(s) address laid out by handle: `https://tfhub.dev/google/x/1` is
`MIRROR/google/x/1` (a folder) or `MIRROR/google/x/1.tar.gz`, a Kaggle handle likewise; a single file has the path of
its address.
`ZOO_TFHUB_URL` stands in for `https://tfhub.dev`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoo import kaggle
from zoo.archives import is_archive, unpack
from zoo.disk import file_digest, room_for
from zoo.download import download, forget, shown
from zoo.errors import ArchiveError
from zoo.patience import UnavailableError
from zoo.specs import WeightsSpec

TFHUB = "https://tfhub.dev"


@dataclass(frozen=True)
class Source:
    """One place. `deliver(folder, parts)` writes the weights into the empty `folder` and returns their path.

    It raises UnavailableError where it has none. What came of a download that broke off stays in `parts`.
    local: asking it needs no network; in_place: a folder or file that is used where it lies, without a copy.
    """

    address: str
    deliver: Callable[[Path, Path], Path]
    local: bool = False
    in_place: Path | None = None


def mirrored(weights: WeightsSpec) -> list[Source]:
    """What `ZOO_MIRROR` may hold of `weights`; empty where no mirror is set."""
    mirror = os.environ.get("ZOO_MIRROR")
    if not mirror:
        return []
    find = _mirror_address if urlsplit(mirror).scheme in ("http", "https") else _mirror_folder
    return [find(mirror, handle, weights) for handle in weights.handles]


def published(weights: WeightsSpec) -> list[Source]:
    """Where the publishers of `weights` offer them."""
    sources = []
    if weights.tfhub:
        base = os.environ.get("ZOO_TFHUB_URL", TFHUB).rstrip("/")
        address = weights.tfhub.replace(TFHUB, base, 1).rstrip("/")
        sources.append(_remote_archive(address, f"{address}?tf-hub-format=compressed"))
    if weights.kaggle:
        sources.append(_kaggle(weights.kaggle))
    if weights.url:
        sources.append(_remote_file(weights.url, weights))
    return sources


def _mirror_address(mirror: str, handle: str, weights: WeightsSpec) -> Source:
    address = f"{mirror.rstrip('/')}/{_place(handle)}"
    if handle == weights.url:
        return _remote_file(address, weights)
    return _remote_archive(f"{address}.tar.gz", f"{address}.tar.gz")


def _mirror_folder(mirror: str, handle: str, weights: WeightsSpec) -> Source:
    place = Path(mirror).expanduser().absolute() / unquote(_place(handle))
    archive = place.with_name(f"{place.name}.tar.gz")
    if place.is_dir():
        return Source(str(place), lambda folder, parts: place, local=True, in_place=place)
    if handle == weights.url:
        return Source(str(place), lambda folder, parts: _copy(place, folder, weights), local=True)
    return Source(str(archive), lambda folder, parts: _unpack(archive, folder), local=True)


def _place(handle: str) -> str:
    """The path of a handle within a mirror."""
    return (urlsplit(handle).path if "://" in handle else handle).strip("/")


def _remote_archive(address: str, url: str) -> Source:
    def take(packed: Path, folder: Path) -> Path:
        if not is_archive(packed):
            raise UnavailableError(f"it answered with {packed.stat().st_size:,} bytes that are no archive")
        return _unpack(packed, folder)

    return Source(shown(address), lambda folder, parts: _received(url, folder, parts, take))


def _remote_file(url: str, weights: WeightsSpec) -> Source:
    def take(part: Path, folder: Path) -> Path:
        file = folder / file_name(weights)
        _checked(part, weights)
        try:
            os.link(part, file)  # and not moved: a process that is killed now need not fetch it again
        except OSError:
            part.replace(file)
        return file

    return Source(shown(url), lambda folder, parts: _received(url, folder, parts, take))


def _received(url: str, folder: Path, parts: Path, take: Callable[[Path, Path], Path]) -> Path:
    """What `take` makes of the bytes of `url`. A part from before that made them wrong costs a second, whole fetch."""
    part = parts / hashlib.sha256(url.encode()).hexdigest()[:12]
    goes_on = part.exists()
    download(url, part)
    try:
        return take(part, folder)
    except (ArchiveError, UnavailableError):
        forget(part)
        if not goes_on:
            raise
    shutil.rmtree(folder)
    folder.mkdir()
    return _received(url, folder, parts, take)


def _kaggle(handle: str) -> Source:
    def deliver(folder: Path, parts: Path) -> Path:
        kaggle.download(handle, folder, parts)
        return folder

    return Source(f"Kaggle {handle}", deliver)


def _unpack(archive: Path, folder: Path) -> Path:
    if not archive.is_file():
        raise UnavailableError("there is neither such a file nor a folder of that name without '.tar.gz'")
    unpack(archive, folder)
    return folder


def _copy(file: Path, folder: Path, weights: WeightsSpec) -> Path:
    if not file.is_file():
        raise UnavailableError("there is no such file")
    copy = folder / file_name(weights)
    with room_for(lambda: file.stat().st_size, folder):
        shutil.copyfile(file, copy)
    return _checked(copy, weights)


def file_name(weights: WeightsSpec) -> str:
    """The file name in the address: loaders tell a format by its suffix."""
    return unquote(_place(weights.url or "")).rpartition("/")[2] or "weights"


def _checked(file: Path, weights: WeightsSpec) -> Path:
    """`file`, if it has the digest that its publisher states."""
    for algorithm in ("sha256", "md5"):
        stated = getattr(weights, algorithm)
        if stated and (found := file_digest(file, algorithm)) != stated.lower():
            raise UnavailableError(f"the {algorithm} of what it delivered is {found}, not {stated}")
    return file
