"""Choices: what was tried for a model, what came out, and where that is remembered.

CACHE/choices/KEY.json      a `Choice`; the key holds the weights' digests, what was asked for, and the machine
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.agreement import Agreement
from zoo.backbone import Backbone
from zoo.cache import cache_folder
from zoo.conversion import conversion_key
from zoo.errors import WeightsError, reason
from zoo.specs import Spec
from zoo.tuning.machine import machine

_DEFAULT = ("--precision", "fp32")

Outcome = Literal["chosen", "slower", "disagrees", "failed", "not installed"]


class Verdict(Spec):
    """What came of one candidate, a runtime at a precision.

    rate: inputs per second at the batch size that was asked for, None where it came to no timing; ratio: to that of
    `tf` at fp32 in the same rounds. device: what it ran on. reason: in words, for every outcome.
    """

    runtime: str
    precision: str
    outcome: Outcome
    reason: str
    device: str = ""
    rate: float | None = None
    ratio: float | None = None
    agreement: Agreement | None = None


class Choice(Spec):
    """The fastest right candidate for a model on this machine, and why the others are not.

    model: `TASK/BACKBONE`; output: the backbone's; asked: the precision that was asked for ("auto" permits any); only:
    the one runtime among whose precisions was chosen, "" for any. examples: how many real inputs the answers were
    compared on, and inputs: where they are from. date: ISO 8601. versions: see `zoo.tuning.machine`.
    """

    model: str
    output: str
    runtime: str
    precision: str
    batch_size: int
    asked: str
    only: str
    examples: int
    inputs: str
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    verdicts: tuple[Verdict, ...]

    def __str__(self) -> str:
        chosen = next(verdict for verdict in self.verdicts if verdict.outcome == "chosen")
        return f"{self.runtime} {self.precision} for {self.model}, batches of {self.batch_size}: {chosen.reason}"


@dataclass(frozen=True)
class Question:
    """What a choice is asked for: everything but the versions, which a choice carries itself."""

    task: str
    batch_size: int
    precision: str
    device: str | None = None
    only: str = ""

    def command(self, model: str, output: str | None = None) -> str:
        """What shows the answer, for `model` as a command line calls it; output: where the task does not need it."""
        options = {"--output": output, "--runtime": self.only, "--precision": self.precision, "--device": self.device}
        shown = [f"{name} {value}" for name, value in options.items() if value and (name, value) != _DEFAULT]
        return " ".join(["zoo tune", model, f"--batch-size {self.batch_size}", *shown])

    def key(self, backbone: Backbone) -> str:
        """A file name for the choice for `backbone`: another for other weights, settings or machines."""
        facts = [self.task, self.device, self.only, machine()]
        hashed = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return conversion_key(backbone, f"{self.precision}-b{self.batch_size}-{hashed}")


def recall(key: str) -> Choice | None:
    """The choice remembered under `key`, of whatever versions; None where there is none that can be read."""
    try:
        return Choice.model_validate_json(_file(key).read_bytes())
    except (OSError, ValueError):
        return None


def remember(key: str, choice: Choice) -> Path:
    """Write `choice` for every process that comes after, whole or not at all; raises WeightsError."""
    file = _file(key)
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(choice.model_dump_json(indent=1), encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise _unwritable(error) from error
    finally:
        draft.unlink(missing_ok=True)
    return file


def forget(key: str) -> bool:
    """Remove the choice under `key`; whether there was one. Raises WeightsError."""
    try:
        _file(key).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(error) from error
    return True


def _file(key: str) -> Path:
    return cache_folder() / "choices" / f"{key}.json"


def _unwritable(error: OSError) -> WeightsError:
    return WeightsError(f"the cache {str(cache_folder())!r} can't be written: {reason(error)}; ZOO_CACHE moves it")
