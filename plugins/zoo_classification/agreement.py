"""Whether two runtimes classify alike: the same best class for each example, with about the same probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from zoo import OutputSpec
from zoo.agreement import Agreement, Outputs, same_form

# On which part of the examples the best class must be the same. One in a hundred is left to rounding, which decides
# between two classes that are all but equal; more could move an accuracy by more than a point.
TOP1 = 0.99
# By how much the probability of the reference's best class may differ, over all examples on average. Coarse: it is to
# catch a softmax too many or a scale that was forgotten, which leave the best class where it is.
PROBABILITY = 0.05


def logits_agree(reference: Sequence[Outputs], candidate: Sequence[Outputs], facts: OutputSpec) -> Agreement:
    """On which part of the examples the best of `logits` [classes] is the same."""
    measure, n = "top-1 the same", len(reference)
    if not same_form(reference, candidate, "logits"):
        return Agreement(measure, 0.0, TOP1, n, fault="there are no logits, or not as many")
    left, right = (
        np.stack([outputs["logits"] for outputs in side]).astype(np.float64) for side in (reference, candidate)
    )
    if not np.isfinite(right).all():
        return Agreement(measure, 0.0, TOP1, n, fault="some logits are no finite numbers")
    if facts.activation == "none":
        left, right = softmax(left, axis=-1), softmax(right, axis=-1)
    best = left.argmax(axis=1)
    same = float((right.argmax(axis=1) == best).mean())
    rows = np.arange(n)
    off = float(np.abs(left[rows, best] - right[rows, best]).mean())
    fault = f"its probability is off by {off:.3f} on average, at most {PROBABILITY:g} wanted"
    return Agreement(measure, same, TOP1, n, fault if off > PROBABILITY else "")
