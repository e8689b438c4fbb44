"""Detection of objects in pictures: boxes with labels and scores, measured as COCO does."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `detection`."""
    register(
        zoo.TaskSpec(
            name="detection",
            help="boxes with labels for the objects in a picture",
            modalities=("image",),
            ready=("boxes",),
            targets="boxes",
            options=(
                zoo.OptionSpec(name="conf", default=0.25, help="the lowest score that is kept, 0..1"),
                zoo.OptionSpec(name="max_det", default=100, help="the most objects in a picture, at least 1"),
            ),
            loader="zoo_detection.task:Detection",
        )
    )


@zoo.hookimpl
def register_datasets(register: Callable[[zoo.DatasetSpec], None]) -> None:
    """The scheme `coco:`."""
    register(
        zoo.DatasetSpec(
            name="coco",
            help="pictures with COCO JSON: coco:FOLDER or coco:FILE.json",
            modality="image",
            targets="boxes",
            endings=(".json", "/"),
            holds=("instances*.json", "*.coco.json", "annotations/*.json"),
            takes=("split", "labels"),
            loader="zoo_detection.coco_dataset:open_coco",
        )
    )
