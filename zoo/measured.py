"""Measured: what backbones gave on this machine, kept in the cache for `zoo show`.

CACHE/measured/BACKBONE.json    {setting: {"figures": ..., "date": ...}}; of each setting the latest
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.cache import cache_folder


def keep(backbone: str, setting: str, figures: str) -> None:
    """Remember `figures` of `backbone` (its full name) under `setting`, both in words for a person.

    A cache that can't be written remembers nothing, and that is no error: the figures were shown to whoever asked.
    """
    file = _file(backbone)
    with suppress(OSError):
        found = _read(file) | {setting: {"figures": figures, "date": datetime.now(UTC).date().isoformat()}}
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(found, indent=1), encoding="utf-8")
        draft.replace(file)


def kept(backbone: str) -> list[tuple[str, str, str]]:
    """What is remembered of `backbone`: (setting, figures, date), in the order in which it was first measured."""
    return [(setting, str(told["figures"]), str(told["date"])) for setting, told in _read(_file(backbone)).items()]


def _file(backbone: str) -> Path:
    return cache_folder() / "measured" / f"{backbone.replace('/', '-')}.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all({"figures", "date"} <= set(told) for told in found.values())
    return found if whole else {}
