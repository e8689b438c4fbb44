"""The embedded default: small networks that the zoo trained itself, and samples to measure them on, all offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import zoo

NOTE = "a small held-out sample made for the zoo's own tiny networks"


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogue."""
    for spec in zoo.read_catalog(Path(__file__).with_name("catalog.toml")):
        register(spec)


@zoo.hookimpl
def register_datasets(register: Callable[[zoo.DatasetSpec], None]) -> None:
    """One set of samples for each task."""
    digits = tuple("0123456789")
    register(
        zoo.DatasetSpec(
            name="tiny_digits",
            help="handwritten digits, 32x32 pixels of grey",
            modality="image",
            targets="class",
            labels=digits,
            samples=True,
            note=f"450 digits: {NOTE}",
            loader="zoo_tiny.digits:open_digits",
        )
    )
    register(
        zoo.DatasetSpec(
            name="tiny_scenes",
            help="handwritten digits among clutter, with COCO JSON",
            modality="image",
            targets="boxes",
            labels=digits,
            samples=True,
            note=f"160 scenes: {NOTE}",
            loader="zoo_tiny.scenes:open_scenes",
        )
    )
    register(
        zoo.DatasetSpec(
            name="tiny_sentences",
            help="graded sentence pairs, written by hand",
            modality="text",
            targets="similarity",
            samples=True,
            note=f"185 pairs: {NOTE}",
            loader="zoo_tiny.sentences:open_sentences",
        )
    )
