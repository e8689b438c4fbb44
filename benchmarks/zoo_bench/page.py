"""Rows become one page for the browser, with everything it needs inside; what it shows is written in `web/`.

Rows are grouped here: one section for each task, dataset and machine, since figures on different data or hardware rank
nothing. Drawing, sorting and filtering happen in the browser, on the rows as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from zoo_bench.changes import less_is_better
from zoo_bench.row import Row

SMALL = 1000  # examples; below, a metric's interval is wider than most differences between networks
SCRIPTS = ("format", "marks", "chart", "tables", "matrix", "panel", "main")


def page(rows: Sequence[Row]) -> str:
    """A whole HTML page of `rows`: no outside link, script, style or font, and a policy that forbids any request.

    Names, notes and errors come from whoever wrote a plugin or a catalogue: they reach the page as JSON in which no
    `<` stands, and the document as text only.
    """
    script = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    style = _read("page.css")
    parts = {
        "policy": f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:",
        "style": style,
        "script": script,
        "data": _embedded(_data(rows)),
    }
    # One pass: what is filled in may itself hold something that looks like a gap.
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: parts[gap[1]], _read("page.html"))


def _data(rows: Sequence[Row]) -> dict[str, Any]:
    subjects: dict[tuple[Any, ...], int] = {}
    machines = list(dict.fromkeys(_machine(row) for row in rows))
    entries: list[dict[str, Any]] = []
    names: dict[int, str] = {}
    sizes = Counter(map(_subject, rows))

    def place(row: Row) -> tuple[Any, ...]:
        """By task, what has metrics first, then what most rows share: a run is shuffled, the page is not."""
        return row.task, not row.metrics, -sizes[_subject(row)], row.dataset.name if row.dataset else ""

    for row in sorted(rows, key=place):
        number = None
        if row.error is None:
            number = subjects.setdefault(_subject(row), len(subjects))
            names.setdefault(number, row.dataset.name if row.dataset and row.metrics else "")
        name = row.backbone if row.strategy in (None, row.backbone) else f"{row.backbone}, {row.strategy}"
        shown = {"backbone": name, "subject": number, "hardware": _machine(row)}
        entries.append(json.loads(row.model_dump_json()) | shown)
    metrics = dict.fromkeys(name for row in rows for name in row.metrics)
    return {
        "rows": entries,
        "subjects": [_described(key) | {"dataset": names[number]} for key, number in subjects.items()],
        "machines": machines,
        "falling": [name for name in metrics if less_is_better(name)],
        "small": SMALL,
    }


def _subject(row: Row) -> tuple[Any, ...]:
    """What may be ranked together: a task, the very same examples by whatever path, one machine."""
    data = row.dataset
    examples = (data.split, data.fingerprint, data.n, data.size) if data and row.metrics else None
    return row.task, _machine(row), examples


def _described(key: tuple[Any, ...]) -> dict[str, Any]:
    task, machine, examples = key
    split, _, n, size = examples or ("", "", 0, 0)
    return {"task": task, "machine": machine, "split": split, "n": n, "size": size}


def _machine(row: Row) -> str:
    """The hardware in words; what runs on it may differ within a section, and stands with each row."""
    here = row.machine
    return "; ".join([*(gpu.name for gpu in here.gpus), f"{here.processor}, {here.cores} cores"])


def _embedded(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    """The content's hash as a page's security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (files("zoo_bench") / "web" / name).read_text(encoding="utf-8").rstrip("\n")
