"""Classification of pictures and texts: one label for each input."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `classification`."""
    register(
        zoo.TaskSpec(
            name="classification",
            help="one label for each picture or text",
            modalities=("image", "text"),
            ready=("logits",),
            trainable=("features",),
            targets="class",
            loader="zoo_classification.task:ClassificationTask",
        )
    )
