"""The samples' files: drawn into the zoo's cache at first use, whole or not at all, and read from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo import DatasetOptions
from zoo.cache import Entry
from zoo.errors import DatasetError

# Raise it when a picture, an annotation or a split changes: what an older version drew must not be read any more.
VERSION = 1
SPLITS = ("train", "test")
TRAINED_ON = "the tiny networks were trained on this split: no figure of theirs on it means anything"


def drawn(name: str, draw: Callable[[Path], None]) -> Path:
    """The folder that `draw` fills, called once; another process that asks at the same time waits for it.

    Raises WeightsError where the cache can't be written.
    """
    entry = Entry(f"zoo_tiny/{VERSION}/{name}")

    def deliver(folder: Path) -> Path:
        draw(folder)
        return folder

    if found := entry.path():
        return found
    with entry.locked():
        return entry.path() or entry.write("zoo_tiny", deliver)


def note_of(split: str) -> str:
    """What a reader of a figure on `split` must know; empty for the held-out one, of which the spec tells."""
    return TRAINED_ON if split == "train" else ""


def split_of(dataset: str, path: str, options: DatasetOptions) -> str:
    """The split that is asked for, by default "test"; raises DatasetError for a path or a split that is not there."""
    if path:
        raise DatasetError(f"{dataset!r} comes with the zoo and takes no path; leave {path!r} out")
    split = options.split or "test"
    if split not in SPLITS:
        raise DatasetError(f"{dataset!r} has no split {split!r}; it has {' and '.join(map(repr, SPLITS))}")
    return split
