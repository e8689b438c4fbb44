"""Multi-label classification of pictures and texts: all the labels that hold for each input."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `multilabel`."""
    register(
        zoo.TaskSpec(
            name="multilabel",
            help="all labels that hold for each picture or text",
            modalities=("image", "text"),
            ready=(),
            trainable=("features",),
            targets="classes",
            options=(zoo.OptionSpec(name="threshold", default=0.5, help="the probability from which a label holds"),),
            loader="zoo_multilabel.task:MultiLabelTask",
        )
    )
