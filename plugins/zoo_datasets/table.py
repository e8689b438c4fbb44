"""The scheme `csv:`: a table with a column of picture paths or texts and a column of labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError
from zoo.labels import LabelSpace

# Names that say by themselves what a column holds, looked for in this order where the user names none.
INPUTS = {
    "image": ("file", "path", "image", "filename", "file_name"),
    "text": ("text", "sentence", "review", "content"),
}
LABELS = ("label", "class", "target", "category", "label_name")


class Table(Dataset):
    """The rows of a CSV file with a header. Labels that are whole numbers are ids as they stand, others are names."""

    targets = "class"

    def __init__(self, file: Path, rows: Sequence[tuple[str, str]], options: DatasetOptions) -> None:
        self.modality = options.modality or "image"
        labels = [label for _, label in rows]
        if all(label.lstrip("-").isdigit() for label in labels):
            ids = [int(label) for label in labels]
            self.labels = options.labels
        elif options.labels is not None:
            raise DatasetError(
                f"csv: labels={options.labels.name!r} (--labels) is for class numbers; {file.name!r} names its classes"
            )
        else:
            names = sorted(set(labels))
            number = {name: id for id, name in enumerate(names)}
            ids = [number[label] for label in labels]
            self.labels = LabelSpace(f"the labels of {file.name!r}", dict(enumerate(names)))
        self._examples = [
            Example(f"{file.name} row {row}", self._input(file, value), id)
            for row, ((value, _), id) in enumerate(zip(rows, ids, strict=True), start=1)
        ]

    def _input(self, file: Path, value: str) -> Any:
        return file.parent / value if self.modality == "image" else value

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_table(path: str, options: DatasetOptions) -> Table:
    """Open a CSV file; picture paths count from its folder. Raises DatasetError that lists the columns there are."""
    file = Path(path)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = [name for name in reader.fieldnames or () if name]
            source = _column(path, columns, options.input_column, INPUTS[options.modality or "image"], "input")
            target = _column(path, columns, options.label_column, LABELS, "label")
            rows = [(row[source] or "", (row[target] or "").strip()) for row in reader]
    except OSError as error:
        raise DatasetError(f"csv: {path!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"csv: {path!r} is not UTF-8 (byte {error.start}); convert it first") from error
    except csv.Error as error:
        raise DatasetError(f"csv: {path!r}, line {reader.line_num}: {error}") from error
    blank = next((number for number, (_, label) in enumerate(rows, start=1) if not label), None)
    if not rows or blank:
        raise DatasetError(f"csv: {path!r} " + (f"has no label in row {blank}" if blank else "has no rows"))
    return Table(file, rows, options)


def _column(path: str, columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str) -> str:
    there = ", ".join(map(repr, columns)) or "none"
    if wanted:
        if wanted in columns:
            return wanted
        raise DatasetError(f"csv: {path!r} has no column {wanted!r}; its columns: {there}")
    for name in usual:
        if name in columns:
            return name
    raise DatasetError(
        f"csv: {path!r} has no {what} column under a usual name ({', '.join(usual)}); its first line, which must be a "
        f"header, says {there[:200]}; name one with {what}_column=... (--{what}-column), or add the header"
    )
