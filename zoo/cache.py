"""The cache of weights: an entry for each address, whole with its manifest or not there at all.

CACHE/entries/KEY/manifest.json     address, source, date, and each file's size, time and SHA-256
CACHE/entries/KEY/files/...
CACHE/entries/KEY/used              its time is when the entry was last used
CACHE/drafts/KEY/...                what is being written; whoever holds the lock may remove it
CACHE/parts/KEY/...                 what came of downloads that broke off, for the next attempt
CACHE/locks/KEY.lock

A cache that can't be written serves what it holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.disk import files_of, refuse_pointers, sha256
from zoo.errors import WeightsError, reason

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

    @property
    def parts(self) -> Path:
        """Where what came of a broken download waits for the rest."""
        return cache_folder() / "parts" / self.key

    def path(self) -> Path | None:
        """The weights, a folder or a single file, or None where they are absent or damaged."""
        return self._look()[0]

    def damage(self) -> str:
        """What is wrong with the entry at a cheap look (names, sizes, times); empty for a whole or an absent one."""
        return self._look()[1]

    def full_damage(self) -> str:
        """The same after reading every byte; a file that no manifest names counts too."""
        if found := self.damage():
            return found
        files = files_of(self.folder / "files") if self.folder.exists() else {}
        known = manifest(self.folder)["files"] if files else {}
        for name, file in files.items():
            if name not in known:
                return f"{name!r} was not fetched, and lies there all the same"
            if wrong := _changed(name, file, known[name]):
                return wrong
        return ""

    def use(self) -> None:
        """Note that the entry is used now."""
        with suppress(OSError):  # a cache that can't be written
            (self.folder / "used").touch()

    def _look(self) -> tuple[Path | None, str]:
        if not self.folder.exists():
            return None, ""
        try:
            told = manifest(self.folder)
            touched = []
            for name, facts in told["files"].items():
                file = self.folder / "files" / name
                if not file.is_file():
                    return None, f"{name!r} is missing"
                stat = file.stat()
                if stat.st_size != facts["size"]:
                    return None, f"{name!r} has {stat.st_size:,} bytes, not {facts['size']:,}"
                if stat.st_mtime_ns != facts.get("mtime_ns"):
                    touched.append(name)
            for name in touched:  # changed, or copied without its time: only its content can tell
                if wrong := _changed(name, self.folder / "files" / name, told["files"][name]):
                    return None, wrong
            if touched:
                self._retime(told)
            return self.folder / "files" / told["weights"], ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return None, f"{MANIFEST!r} can't be read: {reason(error)}"

    def _retime(self, told: dict[str, Any]) -> None:
        """Note the times that files have now whose content was found right, so that it is not read again."""
        from filelock import FileLock, Timeout

        with suppress(OSError, Timeout), FileLock(lock_of(self.key), timeout=0):
            if manifest(self.folder)["date"] == told["date"]:
                for name, facts in told["files"].items():
                    facts["mtime_ns"] = (self.folder / "files" / name).stat().st_mtime_ns
                write_manifest(self.folder, told)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with this entry among all processes; raises WeightsError where the cache can't be written."""
        from filelock import FileLock, Timeout

        lock = FileLock(lock_of(self.key))
        try:
            lock_of(self.key).parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                print(f"waiting for another process that is fetching {self.address!r} ...", file=sys.stderr)
                lock.acquire()
        except OSError as error:
            raise unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def write(self, source: str, deliver: Callable[[Path], Path], places: Mapping[str, str] | None = None) -> Path:
        """Replace the entry, which must be locked, by what `deliver` writes into the folder that it is given.

        `deliver` returns the weights: that folder, or the single file in it. Whatever it raises leaves the entry as
        it was. places: the fields of the `WeightsSpec`, by which the entry can be fetched again.
        An OSError becomes a WeightsError.
        """
        draft = cache_folder() / "drafts" / self.key
        files = draft / "entry" / "files"
        try:
            _sweep(self.key)
            files.mkdir(parents=True)
            weights = deliver(files).relative_to(files)
            refuse_pointers(files)
            write_manifest(draft / "entry", self._described(files, source, weights) | {"places": dict(places or {})})
            self.put(draft / "entry")
        except OSError as error:
            raise unwritable(error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.parts, ignore_errors=True)
        return self.folder / "files" / weights

    def put(self, draft: Path) -> None:
        """Let the whole entry in `draft`, in this cache's `drafts`, take this one's place, which must be locked."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if self.folder.exists():
            self.folder.replace(draft.with_name(f"replaced-{draft.name}"))
        draft.replace(self.folder)

    def _described(self, files: Path, source: str, weights: Path) -> dict[str, Any]:
        found = {
            name: {"sha256": sha256(file), "size": file.stat().st_size, "mtime_ns": file.stat().st_mtime_ns}
            for name, file in files_of(files).items()
        }
        if not found:
            raise WeightsError(f"{source!r} delivered no file")
        return {
            "address": self.address,
            "source": source,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "weights": weights.as_posix(),
            "files": found,
        }


def entries() -> list[Entry]:
    """All entries of the cache, in order of their addresses; one whose manifest can't be read is not among them."""
    found = []
    for folder in (cache_folder() / "entries").glob("*"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            found.append(Entry(manifest(folder)["address"]))
    return sorted(found, key=lambda entry: entry.address)


def known_digests(path: Path) -> dict[str, str]:
    """The SHA-256 of the files of `path` by name: from the manifest where the cache holds `path`, else computed."""
    for folder in path.absolute().parents:
        if folder.parent == cache_folder() / "entries" and folder / "files" / manifest(folder)["weights"] == path:
            return {name: facts["sha256"] for name, facts in manifest(folder)["files"].items()}
    return {name: sha256(file) for name, file in files_of(path).items()}


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the entry in `folder`; raises OSError or ValueError where it can't be read."""
    told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return told


def write_manifest(folder: Path, told: Mapping[str, Any]) -> None:
    """Write the manifest of the entry in `folder`, whole or not at all."""
    draft = folder / f"{MANIFEST}.{os.getpid()}"
    draft.write_text(json.dumps(told, indent=1), encoding="utf-8")
    draft.replace(folder / MANIFEST)


def _changed(name: str, file: Path, facts: Mapping[str, Any]) -> str:
    found = sha256(file)
    return "" if found == facts["sha256"] else f"{name!r} has SHA-256 {found}, not {facts['sha256']}"


def lock_of(key: str) -> Path:
    """The file that is locked by whoever writes or removes what goes by `key`."""
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
            with FileLock(lock_of(draft.name), timeout=0):
                shutil.rmtree(draft, ignore_errors=True)
        except Timeout:
            pass


def unwritable(error: OSError) -> WeightsError:
    """What to say where the cache takes no writing."""
    return WeightsError(f"the cache {str(cache_folder())!r} can't be written: {error}; ZOO_CACHE moves it")
