"""What the label columns of a table mean: one class a row, several, or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zoo import DatasetOptions
from zoo.errors import DatasetError
from zoo.labels import LabelSpace

SEPARATORS = ("|", ";", ",")  # of several labels in one column, looked for in this order


def several(
    file: str, rows: Sequence[Mapping[str, str | None]], columns: Sequence[str], options: DatasetOptions
) -> tuple[list[tuple[int, ...]], LabelSpace | None]:
    """The class ids of each row: of several columns those that hold 1, or the labels in one column.

    A row may have none. Raises DatasetError for a cell of several columns that is neither 0 nor 1.
    """
    if len(columns) > 1:
        space = LabelSpace(f"the columns of {file!r}", dict(enumerate(columns)))
        return [_marked(file, number, row, columns) for number, row in enumerate(rows, 1)], space
    cells = [row[columns[0]] or "" for row in rows]
    separator = next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), SEPARATORS[0])
    labels = [[part.strip() for part in cell.split(separator) if part.strip()] for cell in cells]
    names = sorted({label for found in labels for label in found})
    if names and all(name.isdigit() for name in names):
        return [tuple(sorted({int(label) for label in found})) for found in labels], options.labels
    if options.labels is not None:
        raise DatasetError(
            f"csv: labels={options.labels.name!r} (--labels) is for class numbers; {file!r} names its classes"
        )
    place = {name: number for number, name in enumerate(names)}
    space = LabelSpace(f"the labels of {file!r}", dict(enumerate(names)))
    return [tuple(sorted({place[label] for label in found})) for found in labels], space


def numbers(file: str, rows: Sequence[Mapping[str, str | None]], column: str) -> tuple[list[float], LabelSpace]:
    """The number of each row, and a space that names it; raises DatasetError that names the row which has none."""
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(float(row[column] or ""))
        except ValueError as error:
            raise DatasetError(
                f"csv: {file!r} has {row[column]!r} in row {number}, column {column!r}, which is no number"
            ) from error
    return found, LabelSpace(f"the numbers of {file!r}", {0: column})


def _marked(file: str, number: int, row: Mapping[str, str | None], columns: Sequence[str]) -> tuple[int, ...]:
    for name in columns:
        if (row[name] or "").strip() not in ("0", "1", "0.0", "1.0"):
            raise DatasetError(f"csv: {file!r} has {row[name]!r} in row {number}, column {name!r}; a label is 0 or 1")
    return tuple(place for place, name in enumerate(columns) if float(row[name] or 0) == 1)
