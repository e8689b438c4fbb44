"""Embedding of texts and pictures: one vector for each input, and how alike two of them are."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_tasks(register: Callable[[zoo.TaskSpec], None]) -> None:
    """The task `embedding`."""
    register(
        zoo.TaskSpec(
            name="embedding",
            help="one vector for each text or picture, and similarities between them",
            modalities=("text", "image"),
            ready=("features",),
            targets="similarity",
            loader="zoo_embedding.task:EmbeddingTask",
        )
    )


@zoo.hookimpl
def register_datasets(register: Callable[[zoo.DatasetSpec], None]) -> None:
    """The scheme `sts:`."""
    register(
        zoo.DatasetSpec(
            name="sts",
            help="sentence pairs with scores 0..5, a TSV as STS-B has it: sts:FILE",
            modality="text",
            targets="similarity",
            endings=(".csv", ".tsv"),
            takes=(),
            loader="zoo_embedding.sts:open_sts",
        )
    )
