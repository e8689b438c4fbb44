"""What is to be measured: one pair, how it shall run and on what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

AUTO = "auto"
MAJORITY, FROM_SCRATCH = BASELINES = ("majority_class", "from_scratch")  # what fitted backbones stand beside


@dataclass(frozen=True)
class Job:
    """One pair and its settings; plain values only, so that it travels to another process.

    backbone: the full name; output: what the task uses of it; device: None for the best at hand.
    batch_size: "auto" for the one with the best throughput, which is searched for.
    dataset: a name or path as `Model.evaluate` takes it; None where there is none, then the task's sample inputs serve.
    fit: the strategy by which a head is trained on a part of the dataset before the pair is measured on the rest, or
        one of BASELINES; None where the pair is measured as it is.
    seconds: the time for each speed measurement; limit: so many examples for the metrics, None for all.
    """

    task: str
    backbone: str
    output: str
    runtime: str = "tf"
    precision: str = "fp32"
    device: str | None = None
    batch_size: int | str = 32
    dataset: str | None = None
    split: str | None = None
    seconds: float = 1.0
    limit: int | None = None
    seed: int = 0
    fit: str | None = None

    @property
    def name(self) -> str:
        """`TASK/BACKBONE`."""
        return f"{self.task}/{self.backbone}"

    @property
    def batch(self) -> int:
        """The batch size to load a model for: while it is searched for, the usual one."""
        return self.batch_size if isinstance(self.batch_size, int) else 32

    @property
    def asked(self) -> dict[str, Any]:
        """All settings by name, as a row keeps them; `fit` where it was asked for, which older rows don't know."""
        return {name: value for name, value in asdict(self).items() if name != "fit" or value is not None}


@dataclass(frozen=True)
class Run:
    """One call of the harness. id: another for each; beside: so many other pairs may run while one does."""

    id: str
    beside: int = 0
