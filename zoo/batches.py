"""Batches: which inputs are several, which can be stacked, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError
from zoo.inputs import Prepared
from zoo.runtime import Array, text_batch


def is_many(inputs: Any, kind: str) -> bool:
    """Whether `inputs` are several inputs of that kind, not one.

    One picture is a path, bytes, a PIL image or an array of 2 or 3 axes; one text is a str or bytes.
    """
    if isinstance(inputs, str | bytes | bytearray | memoryview | Path):
        return False
    if hasattr(inputs, "__array__") and hasattr(inputs, "shape"):
        return len(inputs.shape) > (3 if kind == "image" else 0)
    return isinstance(inputs, Iterable) and not hasattr(inputs, "convert")  # a PIL image converts


def groups(prepared: Iterable[Prepared | InputError], most: int) -> Iterator[list[Prepared | InputError]]:
    """`prepared` in order, in runs of at most `most` whose readable members can be stacked.

    Pictures of a network without a fixed size differ in shape, and only neighbours of one shape share a batch.
    """
    group: list[Prepared | InputError] = []
    shape: Any = None
    for item in prepared:
        own = getattr(item.value, "shape", None) if isinstance(item, Prepared) else shape
        if group and (len(group) == most or (own != shape and shape is not None)):
            yield group
            group, shape = [], None
        if isinstance(item, Prepared):
            shape = own
        group.append(item)
    if group:
        yield group


def stack(values: Sequence[Any], kind: str) -> Array:
    """Prepared values as one batch: [n, h, w, c], or object [n] of str."""
    return text_batch(values) if kind == "text" else np.stack(values)
