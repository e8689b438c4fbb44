"""Datasets in the forms that people have: a folder per class, a table, TensorFlow Datasets."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_datasets(register: Callable[[zoo.DatasetSpec], None]) -> None:
    """The schemes `folder:`, `csv:` and `tfds:`."""
    register(
        zoo.DatasetSpec(
            name="folder",
            help="pictures in one folder per class: folder:PATH",
            modality="image",
            targets="class",
            endings=("/",),
            loader="zoo_datasets.folder:open_folder",
        )
    )
    register(
        zoo.DatasetSpec(
            name="csv",
            help="a table with a column of picture paths or texts and one of labels: csv:FILE",
            endings=(".csv",),
            takes=("input_column", "label_column", "columns", "labels"),
            loader="zoo_datasets.table:open_table",
        )
    )
    register(
        zoo.DatasetSpec(
            name="tfds",
            help="TensorFlow Datasets: tfds:NAME[/CONFIG][:VERSION] with --split 'train[:10%]', or tfds:FOLDER",
            takes=("split", "input_column", "label_column", "labels"),
            loader="zoo_datasets.tfds:open_tfds",
        )
    )
