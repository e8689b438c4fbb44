"""The scheme `csv:`: a table with a column of picture paths or texts and a column of labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError
from zoo.labels import LabelSpace
from zoo.pictures import ENDINGS
from zoo_datasets.targets import numbers, several

# Names that say by themselves what a column holds, looked for in this order where the user names none.
INPUTS = {
    "image": ("file", "path", "image", "filename", "file_name"),
    "text": ("text", "sentence", "review", "content"),
}
Row = Mapping[str, str | None]
LABELS = ("label", "class", "target", "category", "label_name")


class Table(Dataset):
    """The rows of a CSV file. Labels that are whole numbers are ids as they stand, others are names; `targets` says how
    many a row has, or that it has a number instead.

    Numbers that run from 1 to the number of the names in `options.labels` count from 1, and the note says so.
    """

    targets = "class"

    def __init__(
        self, file: Path, inputs: Sequence[str], rows: Sequence[Row], columns: Sequence[str], options: DatasetOptions
    ) -> None:
        pictures = all(Path(value).suffix.lower() in ENDINGS for value in inputs)
        self.modality = options.modality or ("image" if pictures else "text")
        targets: Sequence[Any]
        if options.targets == "classes":
            targets, self.labels = several(file.name, rows, columns, options)
        elif options.targets == "number":
            targets, self.labels = numbers(file.name, rows, columns[0])
        else:
            targets = self._classes(file, [(row[columns[0]] or "").strip() for row in rows], options)
        if options.targets in ("classes", "number"):
            self.targets = options.targets
        self._examples = [
            Example(f"{file.name} row {row}", self._input(file, value), target)
            for row, (value, target) in enumerate(zip(inputs, targets, strict=True), start=1)
        ]

    def _classes(self, file: Path, labels: Sequence[str], options: DatasetOptions) -> list[int]:
        blank = next((number for number, label in enumerate(labels, start=1) if not label), None)
        if blank:
            raise DatasetError(f"csv: {str(file)!r} has no label in row {blank}")
        if all(label.lstrip("-").isdigit() for label in labels):
            ids = [int(label) for label in labels]
            self.labels = options.labels
            if options.labels and 0 not in ids and max(ids) == len(options.labels):
                ids = [id - 1 for id in ids]
                self.note = f"class numbers are read as 1..{len(options.labels)}"
            return ids
        if options.labels is not None:
            raise DatasetError(
                f"csv: labels={options.labels.name!r} (--labels) is for class numbers; {file.name!r} names its classes"
            )
        names = sorted(set(labels))
        self.labels = LabelSpace(f"the labels of {file.name!r}", dict(enumerate(names)))
        number = {name: id for id, name in enumerate(names)}
        return [number[label] for label in labels]

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
            reader = csv.DictReader(
                stream, fieldnames=[name.strip() for name in options.columns.split(",")] if options.columns else None
            )
            columns = [name for name in reader.fieldnames or () if name]
            sources = _inputs(path, columns, options)
            targets = _targets(path, columns, options)
            sources = [name for name in sources if name not in targets] or sources
            inputs, rows = [], []
            for row in reader:
                if options.columns and (None in row or None in row.values()):
                    raise DatasetError(
                        f"csv: {path!r}, line {reader.line_num} has not the {len(columns)} columns named"
                    )
                inputs.append(" ".join(filter(None, (row[name] for name in sources))))
                rows.append({name: row[name] for name in targets})
    except OSError as error:
        raise DatasetError(f"csv: {path!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"csv: {path!r} is not UTF-8 (byte {error.start}); convert it first") from error
    except csv.Error as error:
        raise DatasetError(f"csv: {path!r}, line {reader.line_num}: {error}") from error
    if not rows:
        raise DatasetError(f"csv: {path!r} has no rows")
    return Table(file, inputs, rows, targets, options)


def _targets(path: str, columns: Sequence[str], options: DatasetOptions) -> list[str]:
    """The columns that make a target; of several labels at once they may be one for each, of 0 and 1."""
    wanted = options.label_column
    if options.targets == "classes" and wanted and wanted not in columns and "," in wanted:
        return [_column(path, columns, name.strip(), (), "label") for name in wanted.split(",")]
    usual = {"classes": ("labels", "tags"), "number": ("value", "score")}.get(options.targets or "", ())
    return [_column(path, columns, wanted, (*usual, *LABELS), "label")]


def _inputs(path: str, columns: Sequence[str], options: DatasetOptions) -> list[str]:
    """The columns that make an input; of a text they may be several, of which the user names some or the names."""
    known = set(columns) & set(INPUTS["image"])  # which tell, where nobody said whether to look for pictures or texts
    wanted, modality = options.input_column, options.modality or ("image" if known else "text")
    if wanted and wanted not in columns and "," in wanted and modality == "text":
        return [_column(path, columns, name.strip(), (), "input") for name in wanted.split(",")]
    if options.columns and not wanted and modality == "text" and not set(columns) & set(INPUTS["text"]):
        return list(columns)
    return [_column(path, columns, wanted, INPUTS[modality], "input")]


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
        f"header, says {there[:200]}; name one with {what}_column=... (--{what}-column), or all that there are, where "
        f"there is no header, with columns='label,title,...' (--columns)"
    )
