"""The colours of a picture by name: one package that brings backbones, a task, and samples to measure them on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import zoo

# The eleven basic colour terms of Berlin and Kay (1969, Basic Color Terms), each of which CSS has too.
NAMES = ("black", "white", "grey", "red", "green", "blue", "yellow", "orange", "brown", "pink", "purple")
CELLS = 4


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Colour histograms: `features` make them fit the zoo's own tasks, `colours` the task below."""
    register(_histogram("css_basic"))
    register(_histogram("css_shades", "colour_histogram"))


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `palette`, which any backbone with an output `colours` answers."""
    register(
        zoo.TaskSpec(
            name="palette",
            help="the colours of a picture and the share of each",
            modalities=("image",),
            ready=("colours",),
            targets="shares",
            options=(zoo.OptionSpec(name="most", default=5, help="the most colours that are named, at least 1"),),
            loader="zoo_palette.task:PaletteTask",
        )
    )


@zoo.hookimpl
def register_datasets(register: Callable[[zoo.DatasetSpec], None]) -> None:
    """Pictures to measure the task on; as `samples`, `zoo bench` takes them by itself."""
    register(
        zoo.DatasetSpec(
            name="palette_samples",
            help="striped pictures in shades that the backbones do not know",
            modality="image",
            targets="shares",
            labels=NAMES,
            samples=True,
            note="drawn pictures, no photographs",
            loader="zoo_palette.samples:open_samples",
        )
    )


def _histogram(tag: str, *aliases: str) -> zoo.BackboneSpec:
    weights = zoo.WeightsSpec(path=str(Path(__file__).with_name(f"{tag}.npz")))
    return zoo.BackboneSpec(
        name=f"colour_histogram.{tag}",
        aliases=aliases,
        family="colour_histogram",
        licence="Apache-2.0",
        source="https://www.w3.org/TR/css-color-4/#named-colors",
        input=zoo.ImageInput(size=(64, 64), resize="stretch"),
        outputs={
            "colours": zoo.OutputSpec(labels=NAMES, width=len(NAMES), weights=weights),
            "features": zoo.OutputSpec(width=CELLS * CELLS * len(NAMES), weights=weights),
        },
        loader="zoo_palette.backbone:ColourHistogram",
        options={"cells": CELLS},
    )
