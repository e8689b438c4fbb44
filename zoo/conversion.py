"""Converted weights: what a runtime makes of a backbone once, kept in the cache for every process that comes after.

CACHE/converted/KEY/...          whole, or not there at all
CACHE/locks/converted-KEY.lock

The key holds the digests of the files and the facts that shape the graph: other weights are another key, never stale.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from zoo.backbone import Backbone
from zoo.cache import cache_folder
from zoo.errors import WeightsError, reason
from zoo.weights import digest


def converted(backbone: Backbone, form: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled for `backbone`; made at the first call, found by all others, in any process.

    form: what it is and what made it, such as "onnx-tf2onnx-1.17": another converter's version is another form.
    Whatever `make` raises leaves nothing behind. Raises WeightsError where the cache can't be written.
    """
    from filelock import FileLock

    key = conversion_key(backbone, form)
    folder = cache_folder() / "converted" / key
    if folder.is_dir():
        with suppress(OSError):  # a cache that can't be written
            os.utime(folder)  # used just now, which `zoo cache prune` goes by
        return folder
    lock = cache_folder() / "locks" / f"converted-{key}.lock"
    draft = cache_folder() / "drafts" / f"converted-{key}"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if not folder.is_dir():  # another process was faster
                _make(draft, folder, make)
    except OSError as error:
        raise WeightsError(
            f"the cache {str(cache_folder())!r} can't be written: {reason(error)}; ZOO_CACHE moves it"
        ) from error
    return folder


def _make(draft: Path, folder: Path, make: Callable[[Path], None]) -> None:
    shutil.rmtree(draft, ignore_errors=True)  # of a process that died
    try:
        draft.mkdir(parents=True)
        make(draft)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def conversion_key(backbone: Backbone, form: str) -> str:
    """A folder name for `backbone` in `form`: readable, and another for other weights, inputs or outputs."""
    spec = backbone.spec
    facts = {
        "form": form,
        "files": {role: digest(path) for role, path in sorted(backbone.files.items())},
        "input": spec.input.model_dump(mode="json"),
        "output": backbone.facts.model_dump(mode="json", exclude={"weights", "labels"}),
        "loader": [spec.loader, spec.options, spec.family],
    }
    hashed = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return f"{spec.name}-{backbone.output}-{form}-{hashed}"
