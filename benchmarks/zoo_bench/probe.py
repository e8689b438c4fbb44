"""Questions that only a runtime can answer, asked in a process of their own before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.compose import get_runtime


def tell_devices(runtime: str, tell: Callable[[Any], None]) -> None:
    """Tell ("devices", those at hand, best first)."""
    tell(("devices", tuple(get_runtime(runtime).devices())))
