"""The check of an export: its scores beside the model's, on real examples."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ExportError, ZooError
from zoo.export.exporter import Exporter
from zoo.export.scored import scored
from zoo.inputs import sample_inputs
from zoo.runtime import Array

if TYPE_CHECKING:
    from zoo.model import Model

EXAMPLES = 16
COARSE = 0.05  # what a score may differ by where the model itself computes in less than float32


@dataclass(frozen=True)
class Check:
    """An export beside the model. difference: the largest of any score, 0..1; agreement: the share of same answers."""

    signature: str
    examples: int
    difference: float
    agreement: float

    def __str__(self) -> str:
        return (
            f"{self.signature}: scores differ by at most {self.difference:.2g} on {self.examples} examples, "
            f"{self.agreement:.0%} have the same answer"
        )

    def to_json(self) -> dict[str, Any]:
        """The check in JSON's own types."""
        return asdict(self)


@dataclass(frozen=True)
class Exported:
    """What was written where, and how it compares with the model."""

    path: Path
    format: str
    checks: tuple[Check, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.format} in {self.path}", *(f"  {check}" for check in self.checks)])

    def to_json(self) -> dict[str, Any]:
        """The same in JSON's own types."""
        return {"path": str(self.path), "format": self.format, "checks": [check.to_json() for check in self.checks]}


def real_examples(model: Model, data: Any, options: Mapping[str, Any]) -> list[Any]:
    """Up to `EXAMPLES` inputs that can be read: of `data`, else of the dataset that judged the fit (all of it, also
    where only a share was held out: answers are compared, not scored), else of the zoo's own.
    """
    if data is not None:
        found = model.dataset(data, **options).some(EXAMPLES)
    elif (held := getattr(model, "held", None)) is not None:
        try:
            found = held.dataset(model).some(EXAMPLES)
        except ZooError:  # on another machine, perhaps
            found = None
    else:
        found = None
    sources = sample_inputs(model.spec.input.kind) if found is None else [example.input for example in found]
    answers = model.predict(sources)
    readable = [source for source, answer in zip(sources, answers, strict=True) if answer]
    if not readable:
        raise ExportError(f"no example to check the export of {model.name!r} on can be read; give data=DATASET")
    return list(itertools.islice(readable, EXAMPLES))


def checked(model: Model, exporter: Exporter, folder: Path, sources: Sequence[Any]) -> tuple[Check, ...]:
    """What `exporter` wrote into `folder`, asked for `sources`; raises ExportError where it is not as the model."""
    targets = model.task.spec.targets
    wanted = scored(_logits(model, sources), targets, model.facts.activation)
    full = all(run.precision == "fp32" for run in model.loaded("logits").values())
    checks = []
    for signature, scores in exporter.answers(folder, sources, model.spec).items():
        check = compared(signature, wanted, scores, targets)
        checks.append(check)
        allowed = exporter.tolerance[signature] if full else max(COARSE, exporter.tolerance[signature])
        if not check.difference <= allowed:  # so that not-a-number is an error too
            raise ExportError(
                f"{model.name!r} can't be exported: what was written answers otherwise than the model ({check}; "
                f"allowed is {allowed:g}); nothing was kept"
            )
    return tuple(checks)


def _logits(model: Model, sources: Sequence[Any]) -> Array:
    return np.concatenate([outputs["logits"] for _, outputs in model.outputs(sources, "logits", EXAMPLES)])


def compared(signature: str, wanted: Array, found: Array, targets: str = "class") -> Check:
    """Two arrays of scores [n, width]; those of different shapes differ by as much as can be.

    Numbers ("number") are compared as shares of the largest, and are the same answer to three digits of that.
    """
    if wanted.shape != found.shape:
        return Check(signature, len(wanted), float("inf"), 0.0)
    off = np.abs(wanted - found)
    if targets == "class":
        same = wanted.argmax(-1) == found.argmax(-1)
    elif targets == "classes":
        same = ((wanted >= 0.5) == (found >= 0.5)).all(-1)
    else:
        off = off / (np.abs(wanted).max() or 1.0)
        same = (off < 1e-3).all(-1)
    return Check(signature, len(wanted), float(off.max()), float(same.mean()))
