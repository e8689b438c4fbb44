"""Whether the timed run computed what the accuracy run did: a fast answer counts only if it is the right one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from zoo import Model
from zoo.batches import Answered
from zoo.errors import ZooError
from zoo.inputs import Prepared
from zoo.runtime import Array

SAMPLE = 64  # inputs whose outputs are compared
EQUAL = 1e-3  # of the largest value: so much may two orders of summation differ in float32
NAMES = f"outputs equal within {EQUAL:g} of their largest value"

Outputs = Mapping[str, Array]


class OutputsDifferError(ZooError):
    """The timed run gave other outputs than the accuracy run: its speed means nothing."""


class Recorder:
    """In the place of `Model.outputs`: passes everything on and keeps the outputs of the first inputs, one by one."""

    def __init__(self, model: Model) -> None:
        self._outputs = model.outputs
        self.kept: list[Outputs] = []

    def __call__(self, sources: Iterable[Any], output: str, batch_size: int) -> Generator[Answered, None, None]:
        """See `Model.outputs`."""
        with closing(self._outputs(sources, output, batch_size)) as stream:
            for group, outputs in stream:
                if len(self.kept) < SAMPLE and outputs:
                    self.kept += rows(outputs, sum(isinstance(item, Prepared) for item in group))
                yield group, outputs


def rows(outputs: Outputs, count: int) -> list[Outputs]:
    """The outputs of each of the `count` inputs of a batch."""
    return [{name: values[place] for name, values in outputs.items()} for place in range(count)]


def checked(model: Model, against: str, reference: Sequence[Outputs], timed: Mapping[int, Outputs]) -> dict[str, Any]:
    """What `zoo_bench.facts.Check` says of the outputs of the timed run, by the place of their input.

    Where they are not all but equal, the task judges whether they agree. Raises OutputsDifferError where it finds that
    they do not.
    """
    places = [place for place in sorted(timed) if place < min(len(reference), SAMPLE)]
    if not places:
        raise OutputsDifferError("not one output of the timed run could be compared with those of the " + against)
    pairs = [(reference[place], timed[place]) for place in places]
    facts: dict[str, Any] = {"against": against, "n": len(pairs)}
    equal = sum(_equal(*pair) for pair in pairs) / len(pairs)
    if equal == 1:
        return facts | {"measure": NAMES, "value": equal, "threshold": 1.0}
    found = model.task.agreement([left for left, _ in pairs], [right for _, right in pairs], model.facts)
    if not found.holds:
        raise OutputsDifferError(f"the timed run's outputs are not those of the {against}: {found}")
    return facts | {"measure": found.measure, "value": found.value, "threshold": found.threshold}


def _equal(reference: Outputs, found: Outputs) -> bool:
    if set(reference) != set(found):
        return False
    return all(_close(np.asarray(values), np.asarray(found[name])) for name, values in reference.items())


def _close(reference: Array, found: Array) -> bool:
    if reference.shape != found.shape:
        return False
    if reference.dtype.kind not in "fiub":
        return bool((reference == found).all())
    left, right = reference.astype(np.float64), found.astype(np.float64)
    finite = np.abs(left[np.isfinite(left)])
    scale = float(finite.max()) if finite.size else 0.0
    return bool(np.allclose(right, left, rtol=0, atol=EQUAL * scale, equal_nan=True))
