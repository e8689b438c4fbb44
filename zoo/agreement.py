"""Agreement: whether two runtimes give the same answers to the same inputs, in one figure with its tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Outputs = Mapping[str, npt.NDArray[Any]]

# The least cosine of a vector with the reference's: an angle of 2.6 degrees. Of two neighbours the nearer one stays
# the nearer, unless they are almost as near.
COSINE = 0.999
# By how much a vector may be longer or shorter than the reference's. Coarse, for rounding costs length too: it is to
# catch a scale that was forgotten, which cosines don't see and distances do.
LENGTH = 0.05


@dataclass(frozen=True)
class Agreement:
    """How far a candidate answers as the reference does.

    measure: what `value` counts, in words ("top-1 the same"); value: the figure, at best 1.
    threshold: the least that counts as agreement; n: how many examples were compared.
    fault: what else is wrong, in words; it breaks the agreement whatever the figure says. note: what is seen beside
        it, and breaks nothing.
    """

    measure: str
    value: float
    threshold: float
    n: int
    fault: str = ""
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the candidate's answers may stand for the reference's."""
        return not self.fault and self.value >= self.threshold

    @property
    def shown(self) -> str:
        """The figure, cut and not rounded: 0.989999 must not look like the 0.99 that it misses."""
        return f"{np.floor(self.value * 1e5) / 1e5:.5f}"

    def __str__(self) -> str:
        found = f"{self.measure} {self.shown}, at least {self.threshold:g} wanted, n = {self.n}"
        return "; ".join(part for part in (found, self.fault, self.note) if part)


def same_form(reference: Sequence[Outputs], candidate: Sequence[Outputs], *names: str) -> bool:
    """Whether both hold arrays of one shape under each of `names`, example by example."""
    return all(
        name in right and right[name].shape == left[name].shape
        for left, right in zip(reference, candidate, strict=True)
        for name in names
    )


def vectors_agree(reference: Sequence[Outputs], candidate: Sequence[Outputs]) -> Agreement:
    """The least cosine of an example's arrays with the reference's, each taken as one vector; lengths agree too.

    What holds of any output whose numbers count together (`features`), and of outputs that a task does not know.
    """
    measure = "least cosine"
    names = tuple(reference[0])
    if not same_form(reference, candidate, *names):
        return Agreement(measure, 0.0, COSINE, len(reference), fault="the outputs have other names or shapes")
    cosines, ratios = [], []
    for left, right in zip(reference, candidate, strict=True):
        for name in names:
            cosine, ratio = _compared(left[name], right[name])
            cosines.append(cosine)
            ratios.append(ratio)
    furthest = max(abs(ratio - 1) for ratio in ratios)
    fault = f"a vector's length is off by {furthest:.2%}, at most {LENGTH:.0%} wanted" if furthest > LENGTH else ""
    return Agreement(measure, min(cosines), COSINE, len(reference), fault)


def _compared(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> tuple[float, float]:
    """The cosine of two arrays and the ratio of their lengths; both 0 where one is zero alone, or not finite."""
    first, second = (np.asarray(array, np.float64).ravel() for array in (left, right))
    lengths = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if lengths == (0.0, 0.0):
        return 1.0, 1.0
    if not np.isfinite(lengths).all() or 0.0 in lengths:
        return 0.0, 0.0
    return float(first @ second / (lengths[0] * lengths[1])), lengths[1] / lengths[0]
