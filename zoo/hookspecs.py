"""The plugin seam: six hooks, each given a `register` callback to be called any number of times.

A plugin is a module named by an entry point of group `zoo`; it implements any of these with `@zoo.hookimpl`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

from zoo.specs import BackboneSpec, DatasetSpec, FormatSpec, RuntimeSpec, TaskSpec

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec
def register_backbones(register: Callable[[BackboneSpec], None]) -> None:
    """Call `register(spec)` for each backbone."""


@hookspec
def register_tasks(register: Callable[[TaskSpec], None]) -> None:
    """Call `register(spec)` for each task."""


@hookspec
def register_runtimes(register: Callable[[RuntimeSpec], None]) -> None:
    """Call `register(spec)` for each runtime."""


@hookspec
def register_datasets(register: Callable[[DatasetSpec], None]) -> None:
    """Call `register(spec)` for each dataset or scheme of datasets."""


@hookspec
def register_formats(register: Callable[[FormatSpec], None]) -> None:
    """Call `register(spec)` for each form of weights on disk that a backbone of the plugin reads."""


@hookspec
def register_commands(register: Callable[[click.Command], None]) -> None:
    """Call `register(command)` for each sub-command of `zoo`; import what is heavy inside the command."""
