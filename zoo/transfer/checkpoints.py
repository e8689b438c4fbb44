"""Checkpoints: a training that is killed goes on, from its last whole epoch, when the same is asked for again.

CACHE/training/KEY.npz      weights, the optimiser's state and the history; replaced in one go after every epoch

The key holds the digests of weights and data and every setting. What was finished is removed; of what was given up,
the newest `KEPT` stay.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from zoo.cache import cache_folder
from zoo.errors import WeightsError, reason
from zoo.runtime import Array

KEPT = 8
ABANDONED = 3600  # seconds after which what a process was writing is taken for that of one that was killed


@dataclass
class State:
    """How far a training has come. arrays: by group; best: those of the epoch with the least validation loss."""

    phase: int = 0
    epoch: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    arrays: dict[str, list[Array]] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The place of one training's state."""

    key: str

    @property
    def file(self) -> Path:
        """Where it lies."""
        return cache_folder() / "training" / f"{self.key}.npz"

    def read(self) -> State | None:
        """What an earlier process left, or None; what can't be read counts as nothing."""
        try:
            with self.file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                told = json.loads(str(stored["facts"]))
                arrays = {
                    group: [stored[f"{group}{number}"] for number in range(count)]
                    for group, count in told["groups"].items()
                }
            return State(told["phase"], told["epoch"], told["history"], arrays)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def write(self, state: State) -> None:
        """Replace what is there by `state`; raises WeightsError where the cache can't be written."""
        draft = self.file.with_suffix(f".{os.getpid()}.part")
        groups = {group: len(held) for group, held in state.arrays.items()}
        facts = {"phase": state.phase, "epoch": state.epoch, "history": state.history, "groups": groups}
        arrays = {
            f"{group}{number}": array for group, held in state.arrays.items() for number, array in enumerate(held)
        }
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as stream:
                np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]
            draft.replace(self.file)
            self._prune()
        except OSError as error:
            raise WeightsError(
                f"the cache {str(cache_folder())!r} can't be written: {reason(error)}; ZOO_CACHE moves it"
            ) from error

    def remove(self) -> None:
        """Forget the training: it is finished."""
        self.file.unlink(missing_ok=True)

    def _prune(self) -> None:
        found = sorted(self.file.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        drafts = [file for file in self.file.parent.glob("*.part") if time.time() - file.stat().st_mtime > ABANDONED]
        for file in [*found[:-KEPT], *drafts]:
            file.unlink(missing_ok=True)


def settings_key(name: str, facts: Mapping[str, Any]) -> str:
    """A file name for a training of `name` with these settings, of which a user's own may be functions or layers."""
    told = json.dumps(facts, sort_keys=True, default=_told)
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _told(value: Any) -> Any:
    """What makes `value` differ from another, the same in every process."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    if code := getattr(value, "__code__", None):
        return hashlib.sha256(marshal.dumps(code.co_code) + repr(_constants(code.co_consts)).encode()).hexdigest()
    if callable(getattr(value, "get_config", None)):
        return [type(value).__qualname__, repr(value.get_config())]
    return type(value).__qualname__


def _constants(found: Sequence[Any]) -> list[Any]:
    return [value for value in found if isinstance(value, int | float | str | bytes | tuple)]
