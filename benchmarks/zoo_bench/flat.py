"""Rows as CSV: one line for each row, one column for each fact."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from zoo_bench.row import Row


def comma_separated(rows: Iterable[Row]) -> str:
    """A header and one line for each row, after RFC 4180 with line feeds alone, so that `diff` and `cut` serve.

    A column has its field's name, one inside another joined by `_`: `dataset_name`, `metrics_top1`. What has an
    interval stands as NAME, NAME_low, NAME_high and NAME_n. Absent is empty. Several texts are joined by "; ", lists
    of anything else are JSON. Numbers are not rounded; units are those of Row: seconds, bytes, inputs per second.
    """
    lines = [dict(_flat("", json.loads(row.model_dump_json()))) for row in rows]
    columns = _columns(lines)
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _columns(lines: Sequence[dict[str, Any]]) -> list[str]:
    """All columns; those of one field stay together, in the order of the fields of a row.

    A field that is absent in some rows and has parts in others needs no column for itself.
    """
    order = list(Row.model_fields)
    field = {
        name: max((known for known in order if name == known or name.startswith(f"{known}_")), key=len)
        for line in lines
        for name in line
    }
    filled = {name for line in lines for name, value in line.items() if value is not None}
    parted = {owner for name, owner in field.items() if name != owner}
    return sorted((name for name in field if name in filled or name not in parted), key=lambda n: order.index(field[n]))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # The figure itself has the name; what is said about it has a longer one.
            yield from _flat(name if key == "value" and "low" in value else f"{name}_{key}" if name else key, inner)
    elif isinstance(value, list):
        texts = all(isinstance(item, str) for item in value)
        yield name, "; ".join(value) if texts else json.dumps(value)
    else:
        yield name, value
