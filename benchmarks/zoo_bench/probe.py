"""Questions that only a runtime can answer, asked in a process of their own before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.compose import get_runtime
from zoo.tuning.contest import REFERENCE
from zoo_bench.job import AUTO


def tell_devices(runtime: str, tell: Callable[[Any], None]) -> None:
    """Tell ("devices", those at hand, best first)."""
    reference, _ = REFERENCE  # before "auto" has chosen, its devices are those of what it compares with
    tell(("devices", tuple(get_runtime(reference if runtime == AUTO else runtime).devices())))
