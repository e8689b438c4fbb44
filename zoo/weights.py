"""Weights: a handle becomes a verified local path, by an explicit path, a mirror, the cache or a download."""

from __future__ import annotations

from pathlib import Path

from zoo.spec import WeightsSpec


def fetch(weights: WeightsSpec, *, wanted_by: str) -> Path:
    """The local folder or file of `weights`: its path, a mirror, the cache, else a download into the cache.

    Raises WeightsError, DownloadError or ArchiveError that names `wanted_by`.
    """
    raise NotImplementedError


def at_hand(weights: WeightsSpec) -> Path | None:
    """Where `weights` lie already, or None; never touches the network and creates nothing."""
    raise NotImplementedError


def digest(path: Path) -> str:
    """A SHA-256 over the names and contents of the files under `path` (or of that file)."""
    raise NotImplementedError


def size(path: Path) -> int:
    """The bytes of the files under `path` (or of that file)."""
    raise NotImplementedError
