"""The harness: measures pairs of task and backbone, and adds `zoo bench`, `zoo report` and `zoo compare`.

Measure (`measure`, in a process per pair), fold (`fold`, raw timings into a `row`), print (`table`, `page`, `flat`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import zoo

if TYPE_CHECKING:
    import click


@zoo.hookimpl
def register_commands(register: Callable[[click.Command], None]) -> None:
    """`zoo bench`, `zoo report` and `zoo compare`."""
    from zoo_bench.command import bench
    from zoo_bench.compare import compare
    from zoo_bench.report import report

    register(bench)
    register(report)
    register(compare)
