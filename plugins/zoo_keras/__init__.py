"""Keras Applications as backbones: the catalogue is data, one class runs them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import zoo


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogue."""
    for spec in zoo.read_catalog(Path(__file__).with_name("catalog.toml")):
        register(spec)
