"""Bundles: entries of the cache in one file, for a machine without network.

A bundle is a tar of `entries/KEY/manifest.json` and `entries/KEY/files/...`, as they lie in the cache. What a mirror
delivered goes by its handle, so that a machine without that mirror finds it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo import pins
from zoo.archives import unpack
from zoo.cache import MANIFEST, Entry, cache_folder, lock_of, manifest, unwritable, write_manifest
from zoo.disk import files_of, room_for, sha256
from zoo.errors import ArchiveError, WeightsError
from zoo.progress import track
from zoo.specs import WeightsSpec
from zoo.weights import digest

_MALFORMED = (OSError, ValueError, KeyError, TypeError, AttributeError)


def export_bundle(file: Path, entries: Sequence[Entry]) -> None:
    """Write `entries` into the new bundle `file`, each read in full first; whole or not at all.

    Raises WeightsError that names an entry which is damaged, or a full disk.
    """
    if not entries:
        raise WeightsError(f"the cache {str(cache_folder())!r} has no weights to export")
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    needed = sum(path.stat().st_size for entry in entries for path in files_of(entry.folder).values())
    try:
        with room_for(lambda: needed, file.parent), tarfile.open(draft, "w") as tar:
            for entry in track(entries, len(entries), f"writing {file.name}"):
                _add(tar, entry)
        draft.replace(file)
    except OSError as error:
        raise WeightsError(f"the bundle {str(file)!r} can't be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def import_bundle(file: Path) -> list[tuple[Entry, bool]]:
    """Take what the bundle `file` holds into the cache; for each entry, whether it was not there before.

    All of it is checked before any of it is taken. Raises ArchiveError for a bundle that is damaged, hostile or none,
    WeightsError where a lock file pins something else than it holds.
    """
    from filelock import FileLock

    key = f"import-{os.getpid()}"
    draft = cache_folder() / "drafts" / key
    if not file.is_file():
        raise WeightsError(f"there is no file {str(file)!r}")
    try:
        lock_of(key).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock_of(key)):
            draft.mkdir(parents=True)
            unpack(file, draft)
            held = _checked_all(draft)
            return [(entry, _take(entry, folder)) for entry, folder in held]
    except ArchiveError as error:
        raise ArchiveError(f"the bundle {str(file)!r} is refused: {error}") from error
    except OSError as error:
        raise unwritable(error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # a cache that can't be written
            lock_of(key).unlink()


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    if damage := entry.full_damage():
        raise WeightsError(f"{entry.address!r} is damaged ({damage}); 'zoo cache verify --repair' fetches it again")
    told = manifest(entry.folder)
    handles = WeightsSpec(**told.get("places", {})).handles
    if handles and entry.address not in handles:
        told["address"] = handles[0]
    root = f"entries/{Entry(told['address']).key}"
    content = json.dumps(told, indent=1).encode()
    head = tarfile.TarInfo(f"{root}/{MANIFEST}")
    head.size = len(content)
    tar.addfile(head, io.BytesIO(content))
    for name, path in files_of(entry.folder / "files").items():
        tar.add(path, f"{root}/files/{name}")


def _checked_all(draft: Path) -> list[tuple[Entry, Path]]:
    inside = draft / "entries"
    folders = sorted(inside.iterdir()) if inside.is_dir() else []
    if not folders or [path.name for path in draft.iterdir()] != ["entries"]:
        raise ArchiveError("it is no bundle of 'zoo cache export'")
    return [(_checked(folder), folder) for folder in folders]


def _checked(folder: Path) -> Entry:
    """The entry in `folder`, whose manifest, written anew, says only what was found true."""
    try:
        told = manifest(folder)
        entry, stated, weights = Entry(str(told["address"])), dict(told["files"]), str(told["weights"])
        found = files_of(folder / "files")
        facts = {name: _facts(path, stated[name]) for name, path in found.items()}
        places = WeightsSpec(**{**told.get("places", {}), "path": None}).model_dump(exclude_none=True)
    except (*_MALFORMED, WeightsError) as error:
        raise ArchiveError(f"the manifest of {folder.name!r} does not fit its files ({error})") from error
    lone = sorted(path.name for path in folder.iterdir() if path.name not in (MANIFEST, "files"))
    if folder.name != entry.key or lone or set(stated) != set(found) or weights not in (".", *found) or not found:
        raise ArchiveError(f"the manifest of {folder.name!r} does not fit its files")
    new: dict[str, Any] = {"address": entry.address, "source": str(told["source"]), "date": str(told["date"])}
    write_manifest(folder, new | {"weights": weights, "files": facts, "places": places})
    for handle in {entry.address, *WeightsSpec(**places).handles} & set(pins.pinned()):
        pins.check(handle, digest(folder / "files" / weights), "the bundle")
    return entry


def _facts(file: Path, stated: Any) -> dict[str, Any]:
    found = {"sha256": sha256(file), "size": file.stat().st_size}
    if found["sha256"] != stated["sha256"] or found["size"] != stated["size"]:
        raise ValueError(f"{file.name!r} has {found['size']:,} bytes of SHA-256 {found['sha256']}")
    return found | {"mtime_ns": file.stat().st_mtime_ns}


def _take(entry: Entry, folder: Path) -> bool:
    with entry.locked():
        if entry.path():
            return False
        entry.put(folder)
    return True
