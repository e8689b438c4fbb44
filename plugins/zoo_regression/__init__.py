"""Regression: a number for each picture or text."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `regression`."""
    register(
        zoo.TaskSpec(
            name="regression",
            help="a number for each picture or text",
            modalities=("image", "text"),
            ready=(),
            trainable=("features",),
            targets="number",
            loader="zoo_regression.task:RegressionTask",
        )
    )
