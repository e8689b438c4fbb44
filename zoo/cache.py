"""The cache of weights: an entry for each address, whole with its manifest or not there at all.

CACHE/entries/KEY/manifest.json     address, source, date, and each file's size and SHA-256
CACHE/entries/KEY/files/...
CACHE/drafts/KEY/...                what is being written; whoever holds the lock may remove it
CACHE/locks/KEY.lock
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.disk import files_of, refuse_pointers, sha256
from zoo.errors import WeightsError

MANIFEST = "manifest.json"
_PATIENCE = 2.0  # seconds of waiting for another process before the user is told


def cache_folder() -> Path:
    """Where weights are kept: `ZOO_CACHE`, else the user's cache folder by platform convention."""
    named = os.environ.get("ZOO_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("zoo", appauthor=False))


@dataclass(frozen=True)
class Entry:
    """The weights of one address in the cache; the address is a handle, a url or a file of a mirror."""

    address: str

    @property
    def key(self) -> str:
        """The address as a folder name: readable, and unlike every other one's."""
        readable = re.sub(r"[^A-Za-z0-9._]+", "-", re.sub(r"^\w+://", "", self.address)).strip("-.")
        return f"{readable[-100:]}-{hashlib.sha256(self.address.encode()).hexdigest()[:12]}"

    @property
    def folder(self) -> Path:
        """Where the entry lies, or would lie."""
        return cache_folder() / "entries" / self.key

    def path(self) -> Path | None:
        """The weights, a folder or a single file, or None where they are absent or damaged."""
        return self._look()[0]

    def damage(self) -> str:
        """What is wrong with the entry at a cheap look (names and sizes); empty for a whole or an absent one."""
        return self._look()[1]

    def _look(self) -> tuple[Path | None, str]:
        if not self.folder.exists():
            return None, ""
        try:
            manifest = _manifest(self.folder)
            for name, facts in manifest["files"].items():
                file = self.folder / "files" / name
                if not file.is_file():
                    return None, f"{name!r} is missing"
                if file.stat().st_size != facts["size"]:
                    return None, f"{name!r} has {file.stat().st_size:,} bytes, not {facts['size']:,}"
            return self.folder / "files" / manifest["weights"], ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return None, f"{MANIFEST!r} can't be read: {error}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with this entry among all processes; raises WeightsError where the cache can't be written."""
        from filelock import FileLock, Timeout

        lock = FileLock(_lock_file(self.key))
        try:
            _lock_file(self.key).parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                print(f"waiting for another process that is fetching {self.address!r} ...", file=sys.stderr)
                lock.acquire()
        except OSError as error:
            raise _unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def write(self, source: str, deliver: Callable[[Path], Path]) -> Path:
        """Replace the entry, which must be locked, by what `deliver` writes into the folder that it is given.

        `deliver` returns the weights: that folder, or the single file in it. Whatever it raises leaves the entry as
        it was. An OSError becomes a WeightsError.
        """
        draft = cache_folder() / "drafts" / self.key
        files = draft / "entry" / "files"
        try:
            _sweep(self.key)
            files.mkdir(parents=True)
            weights = deliver(files).relative_to(files)
            refuse_pointers(files)
            manifest = self._described(files, source, weights)
            (draft / "entry" / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            if self.folder.exists():
                self.folder.replace(draft / "damaged")
            (draft / "entry").replace(self.folder)
        except OSError as error:
            raise _unwritable(error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return self.folder / "files" / weights

    def _described(self, files: Path, source: str, weights: Path) -> dict[str, Any]:
        found = {name: {"sha256": sha256(file), "size": file.stat().st_size} for name, file in files_of(files).items()}
        if not found:
            raise WeightsError(f"{source!r} delivered no file")
        return {
            "address": self.address,
            "source": source,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "weights": weights.as_posix(),
            "files": found,
        }


def known_digests(path: Path) -> dict[str, str]:
    """The SHA-256 of the files of `path` by name: from the manifest where the cache holds `path`, else computed."""
    for folder in path.absolute().parents:
        if folder.parent == cache_folder() / "entries" and folder / "files" / _manifest(folder)["weights"] == path:
            return {name: facts["sha256"] for name, facts in _manifest(folder)["files"].items()}
    return {name: sha256(file) for name, file in files_of(path).items()}


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _lock_file(key: str) -> Path:
    return cache_folder() / "locks" / f"{key}.lock"


def _sweep(own: str) -> None:
    """Remove the drafts of processes that died: our own key's, and every other whose lock nobody holds."""
    from filelock import FileLock, Timeout

    drafts = cache_folder() / "drafts"
    for draft in list(drafts.iterdir()) if drafts.exists() else []:
        if draft.name == own:
            shutil.rmtree(draft, ignore_errors=True)
            continue
        try:
            with FileLock(_lock_file(draft.name), timeout=0):
                shutil.rmtree(draft, ignore_errors=True)
        except Timeout:
            pass


def _unwritable(error: OSError) -> WeightsError:
    return WeightsError(f"the cache {str(cache_folder())!r} can't be written: {error}; ZOO_CACHE moves it")
