"""What an evaluation found: scores with intervals, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zoo.metrics import Score
from zoo.task import Failed


@dataclass(frozen=True)
class Evaluation:
    """What `Model.evaluate` found: scores by name, over `n` examples; `failed` are inputs that could not be read."""

    model: str
    dataset: str
    n: int
    metrics: Mapping[str, Score]
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, metric: str) -> float:
        return self.metrics[metric].value

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.dataset}: n = {self.n}"]
        lines += [f"  {name:<12} {score}" for name, score in self.metrics.items()]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  not read and not counted: {failed.error}" for failed in self.failed]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The evaluation in JSON's own types, as `zoo eval --json` prints it."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "n": self.n,
            "metrics": {name: asdict(score) for name, score in self.metrics.items()},
            "failed": [failed.to_json() for failed in self.failed],
            "notes": list(self.notes),
        }


def read_evaluation(told: Mapping[str, Any]) -> Evaluation:
    """What `Evaluation.to_json` gave, without the inputs that could not be read; raises KeyError, TypeError."""
    scores = {name: Score(**score) for name, score in told["metrics"].items()}
    return Evaluation(told["model"], told["dataset"], told["n"], scores, notes=tuple(told["notes"]))
