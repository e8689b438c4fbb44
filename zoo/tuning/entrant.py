"""A candidate on its way through a contest: what it was found to do, and what that makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from zoo.agreement import Agreement
from zoo.tuning.candidate import Candidate
from zoo.tuning.choice import Outcome, Verdict


@dataclass
class Entrant:
    """A runtime at a precision.

    single: inputs per second of one batch; timings: of streams, each beside that of the reference at about that time:
        other work on the machine slows both. outcome: None as long as it may still win.
    """

    runtime: str
    precision: str
    candidate: Candidate | None = None
    device: str = ""
    outcome: Outcome | None = None
    reason: str = ""
    agreement: Agreement | None = None
    single: float = 0.0
    timings: list[tuple[float, float]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As a person would call it."""
        return f"{self.runtime} {self.precision}"

    @property
    def rate(self) -> float:
        """Inputs per second of its streams, or of one batch where there are none."""
        return median(own for own, _ in self.timings) if self.timings else self.single

    @property
    def nearness(self) -> float:
        """How near its answers are to the reference's, at best 1."""
        return self.agreement.value if self.agreement else 1.0

    def out(self, outcome: Outcome, reason: str = "") -> None:
        """End its way, and its process."""
        self.outcome, self.reason = outcome, reason
        if self.candidate:
            self.candidate.end()

    def ratio(self, reference: Entrant) -> float:
        """How many times as fast as `reference`, by what both did in turn."""
        if self.timings:
            return median(own / other for own, other in self.timings)
        return self.single / reference.single

    def line(self, reference: Entrant) -> str:
        """What was found so far."""
        if self.outcome in ("failed", "not installed"):
            return f"{self.name}: {self.outcome}: {self.reason}"
        found = "the reference" if self is reference else str(self.agreement)
        return f"{self.name}: {self.rate:,.1f} inputs/s; {found}"

    def verdict(self, reference: Entrant, chosen: Entrant) -> Verdict:
        """What came of it, once `chosen` is chosen."""
        outcome: Outcome = "chosen" if self is chosen else self.outcome or "slower"
        return Verdict(
            runtime=self.runtime,
            precision=self.precision,
            outcome=outcome,
            reason=self.reason or self._reason(outcome, reference),
            device=self.device,
            rate=self.rate or None,
            ratio=self.ratio(reference) if self.single else None,
            agreement=self.agreement,
        )

    def _reason(self, outcome: Outcome, reference: Entrant) -> str:
        if self is reference:
            return "the reference" + ("; no other that agrees is faster" if outcome == "chosen" else "")
        speed = f"{self.ratio(reference):.2f} times as fast as {reference.name}"
        speed += "" if self.timings else ", by one batch"
        if self.agreement is None:
            return speed
        if outcome == "disagrees":
            return f"{self.agreement}; {speed}"
        return f"{speed}; {self.agreement.note}" if self.agreement.note else speed
