"""Inventory: what lies in the cache, who used it when, what of it is dead, and what goes when room is needed."""

from __future__ import annotations

import fnmatch
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cache import Entry, cache_folder, entries, lock_of, manifest, unwritable
from zoo.disk import files_of
from zoo.errors import UnknownNameError
from zoo.plugins import installed
from zoo.specs import WeightsSpec

LARGE = ("weights", "converted", "features")  # kinds that are worth removing for room; the others are small notes
_STALE = 7 * 86400.0  # seconds after which nobody comes back for half a download
_OWN = {"entries", "drafts", "parts", "locks", "features"}


@dataclass(frozen=True)
class Item:
    """One thing in the cache. kind: "weights", "converted", "features", "choices", ..., "part" or "draft".

    name: the address for weights; used: seconds since 1970; source, date: where weights came from, and when.
    damage: what a cheap look finds wrong; dead: why it is of use to nobody, or "".
    """

    kind: str
    name: str
    path: Path
    size: int
    used: float
    source: str = ""
    date: str = ""
    damage: str = ""
    dead: str = ""


def items() -> list[Item]:
    """All that lies in the cache, by kind and name."""
    found = [*_weights(), *_made(), *_unfinished()]
    return sorted(found, key=lambda item: (item.kind not in LARGE, item.kind, item.name))


def prune(older_than: float | None = None, max_size: float | None = None, dry_run: bool = False) -> list[Item]:
    """Remove what is dead, what was not used for `older_than` seconds, and the longest unused beyond `max_size` bytes.

    What another process is writing at this moment stays. Returns what went, or would go with `dry_run`, with the
    reason as `dead`. Raises WeightsError where the cache can't be written.
    """
    going = list(_going(older_than, max_size))
    return going if dry_run else [item for item in going if remove(item)]


def remove(item: Item) -> bool:
    """Remove `item`; False where another process is at it. What is killed on the way leaves a dead draft at most."""
    from filelock import FileLock, Timeout

    lock = _lock(item)
    try:
        drafts = cache_folder() / "drafts"
        drafts.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        inside = cache_folder() in item.path.parents
        grave = drafts / f"removed-{item.path.name}" if inside else item.path.with_name(f"{item.path.name}.removed")
        with FileLock(lock, timeout=0):
            shutil.rmtree(grave, ignore_errors=True)
            item.path.replace(grave)
            if grave.is_dir():
                shutil.rmtree(grave, ignore_errors=True)
            else:
                grave.unlink()
    except (Timeout, FileNotFoundError):
        return False
    except OSError as error:
        raise unwritable(error) from error
    return True


def _lock(item: Item) -> Path:
    """The file that whoever writes `item` holds."""
    if item.kind == "features":
        return item.path.with_name(f"{item.path.name.removesuffix('.draft')}.lock")
    return lock_of(f"converted-{item.path.name}" if item.kind == "converted" else item.path.name)


def chosen(names: Sequence[str]) -> list[Entry]:
    """The entries that `names` mean: a backbone, an address, or a glob over addresses; all where there are none.

    Raises UnknownNameError for a name that means nothing in the cache.
    """
    held = entries()
    if not names:
        return held
    found: dict[str, Entry] = {}
    for name in names:
        wanted = _handles(name)
        meant = [entry for entry in held if wanted & addresses(entry) or fnmatch.fnmatchcase(entry.address, name)]
        if not meant:
            raise UnknownNameError(
                f"the cache {str(cache_folder())!r} has no weights of {name!r}; 'zoo cache ls' shows what it has"
            )
        found |= {entry.address: entry for entry in meant}
    return list(found.values())


def addresses(entry: Entry) -> set[str]:
    """All names of what `entry` holds: its own address, and the handles that it was fetched for."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return {entry.address, *WeightsSpec(**manifest(entry.folder).get("places", {})).handles}
    return {entry.address}


def _handles(name: str) -> set[str]:
    known = installed().backbones
    if name not in known:
        return {name}
    spec = known.get(name)
    all_weights = [facts.weights for facts in spec.outputs.values()]
    all_weights += [before] if (before := getattr(spec.input, "preprocessor", None)) else []
    return {handle for weights in all_weights for handle in weights.handles}


def _going(older_than: float | None, max_size: float | None) -> Iterator[Item]:
    """What `prune` removes, in this order, each with the reason as `dead`."""
    from dataclasses import replace

    now, kept = time.time(), []
    for item in items():
        if item.dead:
            yield item
        elif older_than is not None and now - item.used > older_than:
            yield replace(item, dead=f"not used for {(now - item.used) / 86400:.0f} days")
        else:
            kept.append(item)
    total = sum(item.size for item in kept)
    for item in sorted((item for item in kept if item.kind in (*LARGE, "part")), key=lambda item: item.used):
        if max_size is None or total <= max_size:
            return
        total -= item.size
        yield replace(item, dead="the longest unused, to make room")


def _weights() -> Iterator[Item]:
    for folder in _children(cache_folder() / "entries"):
        told: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            told = manifest(folder)
        address = str(told.get("address", "")) if isinstance(told, dict) else ""
        damage = Entry(address).damage() if address else "'manifest.json' can't be read"
        used = max(_time(folder / "used"), _time(folder / "manifest.json"))
        size = _size(folder)
        dead = f"damaged: {damage}" if damage else ""
        yield Item(
            "weights",
            address or folder.name,
            folder,
            size,
            used,
            str(told.get("source", "")),
            str(told.get("date", "")),
            damage,
            dead,
        )


def _made() -> Iterator[Item]:
    """Conversions, features, choices, and whatever else the zoo keeps: each by the folder's name."""
    features = os.environ.get("ZOO_FEATURES")
    places = [path for path in _children(cache_folder()) if path.is_dir() and path.name not in _OWN]
    for place in [*places, Path(features) if features else cache_folder() / "features"]:
        kind = "features" if place not in places else place.name
        for path in _children(place):
            if path.suffix == ".lock":
                continue
            half = path.suffix in (".draft", ".removed") and time.time() - _time(path) > _STALE
            dead = "half of something that nobody went on with" if half else ""
            yield Item(kind, path.name, path, _size(path), _time(path), dead=dead)


def _unfinished() -> Iterator[Item]:
    whole = {entry.key for entry in entries() if entry.path()}
    for path in _children(cache_folder() / "drafts"):
        dead = "" if _locked(path.name) else "left by a process that died"
        yield Item("draft", path.name, path, _size(path), _time(path), dead=dead)
    for path in _children(cache_folder() / "parts"):
        newest = max((_time(file) for file in path.rglob("*")), default=_time(path))
        dead = "its weights are whole" if path.name in whole else ""
        if time.time() - newest > _STALE:
            dead = "half of a download that nobody went on with"
        yield Item("part", path.name, path, _size(path), newest, dead=dead)


def _locked(key: str) -> bool:
    """Whether another process holds the lock of `key`; never creates it."""
    from filelock import FileLock, Timeout

    if not lock_of(key).exists():
        return False
    try:
        with FileLock(lock_of(key), timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a cache that can't be written
        return False


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    with suppress(OSError):
        return sum(file.stat().st_size for file in files_of(path).values())
    return 0


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
