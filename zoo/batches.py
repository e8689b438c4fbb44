"""Batches: which inputs are several, which can be stacked, and how they pass through a compiled backbone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import numpy as np

from zoo.errors import InputError
from zoo.inputs import Prepared
from zoo.runtime import Array, Compiled, text_batch

Group = list[Prepared | InputError]
Answered = tuple[Group, dict[str, Array]]

WINDOW = 32  # batches of texts among which those of like length are brought together
PATIENCE = 0.1  # seconds that a window may take to fill


def is_many(inputs: Any, kind: str) -> bool:
    """Whether `inputs` are several inputs of that kind, not one.

    One picture is a path, bytes, a PIL image or an array of 2 or 3 axes; one text is a str or bytes.
    """
    if isinstance(inputs, str | bytes | bytearray | memoryview | Path):
        return False
    if hasattr(inputs, "__array__") and hasattr(inputs, "shape"):
        return len(inputs.shape) > (3 if kind == "image" else 0)
    return isinstance(inputs, Iterable) and not hasattr(inputs, "convert")  # a PIL image converts


def groups(prepared: Iterable[Prepared | InputError], most: int) -> Iterator[Group]:
    """`prepared` in order, in runs of at most `most` whose readable members can be stacked.

    Pictures of a network without a fixed size differ in shape, and only neighbours of one shape share a batch.
    """
    group: Group = []
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
    """Prepared values as one batch: [n, h, w, c], or object [n] of str.

    Pictures that `prepare_all` has written side by side are not copied.
    """
    if kind == "text":
        return text_batch(values)
    whole = values[0].base
    if whole is not None and whole.shape[1:] == values[0].shape and len(values) <= len(whole):
        places = (row.__array_interface__["data"] for row in whole)
        if all(value.base is whole and value.__array_interface__["data"] == next(places) for value in values):
            return cast("Array", whole[: len(values)])
    return np.stack(values)


def run_groups(run: Compiled, grouped: Iterable[Group], kind: str) -> Generator[Answered, None, None]:
    """Each group with the outputs of `run` for its readable members, in order; none readable gives no outputs.

    Several batches may be under way at once (see `Compiled.stream`). Closing it waits for them.
    """
    under_way: deque[Group] = deque()
    remaining = iter(grouped)

    def batches() -> Iterator[Array]:
        for group in remaining:
            under_way.append(group)
            values = [item.value for item in group if isinstance(item, Prepared)]
            if not values:  # nothing to run: the stream ends here, lest a long run of such groups keeps all waiting
                return
            yield stack(values, kind)

    def outputs() -> Generator[dict[str, Array], None, None]:
        yield from run.stream(batches())  # an iterator, which need not have a `close`

    while True:
        with closing(outputs()) as stream:
            for found in stream:
                yield under_way.popleft(), found
        if not under_way:
            return
        yield under_way.popleft(), {}


def run_by_length(
    run: Compiled, prepared: Iterable[Prepared | InputError], most: int
) -> Generator[Answered, None, None]:
    """Texts in groups of `most`, in order, with the outputs of `run`, as `run_groups` gives them.

    What runs together are texts of like length, chosen among the next `WINDOW` batches: little is then padded. The
    outputs must be of one shape for each text, however long it is.
    """
    waiting: deque[tuple[Group, list[int]]] = deque()

    def sorted_groups() -> Iterator[Group]:
        for window in _windows(prepared, most):
            order = sorted(range(len(window)), key=lambda place: -_length(window[place]))
            waiting.append((window, order))
            for start in range(0, len(window), most):
                yield [window[place] for place in order[start : start + most]]

    answered = 0
    parts: list[dict[str, Array]] = []
    with closing(run_groups(run, sorted_groups(), "text")) as stream:
        for group, outputs in stream:
            answered += len(group)
            parts.append(outputs)
            if answered == len(waiting[0][0]):
                yield from _restored(*waiting.popleft(), parts, most)
                answered, parts = 0, []


def _windows(prepared: Iterable[Prepared | InputError], most: int) -> Iterator[Group]:
    """`prepared` in runs of `WINDOW` batches, or as many whole batches as come without much waiting."""
    window: Group = []
    start = time.monotonic()
    for item in prepared:
        window.append(item)
        if len(window) == most * WINDOW or (len(window) % most == 0 and time.monotonic() - start > PATIENCE):
            yield window
            window, start = [], time.monotonic()
    if window:
        yield window


def _length(item: Prepared | InputError) -> int:
    return len(item.value) if isinstance(item, Prepared) else -1


def _restored(window: Group, order: Sequence[int], parts: Sequence[dict[str, Array]], most: int) -> Iterator[Answered]:
    """The members of `window` in their own order, in groups of `most`; `parts` are the outputs in the order `order`."""
    back = np.argsort([place for place in order if isinstance(window[place], Prepared)])
    found = [part for part in parts if part]
    rows = {name: np.concatenate([part[name] for part in found])[back] for name in (found[0] if found else ())}
    start = 0
    for first in range(0, len(window), most):
        group = window[first : first + most]
        end = start + sum(isinstance(item, Prepared) for item in group)
        yield group, {name: values[start:end] for name, values in rows.items()} if end > start else {}
        start = end
