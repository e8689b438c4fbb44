"""Going on where an earlier run was ended: which pairs its file of rows shows to be finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo import weights
from zoo.errors import ZooError
from zoo.plugins import installed
from zoo_bench import machine
from zoo_bench.job import Job
from zoo_bench.row import Row, RowsError, read_rows
from zoo_bench.selection import sources


def earlier(path: Path) -> tuple[list[Row], list[str]]:
    """The rows that `path` holds already, none where it is absent or empty, and complaints about lines that are none.

    Raises RowsError for a file that can't be read or that holds something else: rows are never added to such a one.
    """
    if not path.exists() or path.stat().st_size == 0:
        return [], []
    with path.open("rb") as file:
        if file.read(1) != b"{":
            raise RowsError(f"{str(path)!r} is no file of rows: name another one")
    try:
        return read_rows([path])
    except RowsError as error:
        if "holds no rows" not in str(error):
            raise
        if _holds_json(path):
            raise RowsError(f"{str(path)!r} is no file of rows: name another one") from error
        return [], [f"{error}"]  # a run was ended while it wrote its first


def _holds_json(path: Path) -> bool:
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            json.loads(line)
            return True
    return False


def remaining(jobs: Iterable[Job], rows: Sequence[Row]) -> tuple[list[Job], list[Row]]:
    """The jobs that none of `rows` shows to be finished, and the latest rows of those that are.

    Finished means measured or failed, with the settings that are asked for now, on this machine, with these versions
    and these weights. A pair that failed is finished too: its row says why. Whoever wants it tried again takes its line
    out of the file.
    """
    known: dict[str, list[Row]] = {}
    for row in rows:
        known.setdefault(row.name, []).append(row)
    left, found = [], []
    for job in jobs:
        done = [row for row in known.get(job.name, ()) if _is_of(row, job)]
        if done:
            found.append(done[-1])
        else:
            left.append(job)
    return left, found


def _is_of(row: Row, job: Job) -> bool:
    here = machine.machine()
    return (
        row.asked == job.asked
        and (row.machine.processor, row.machine.gpus) == (here.processor, here.gpus)
        and _without_commit(row.versions) == _without_commit(machine.versions())
        and (not row.digests or row.digests == _digests(job))
    )


def _without_commit(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in versions.items() if name != "commit"}


def _digests(job: Job) -> dict[str, Any] | None:
    """The digests of the weights that lie on this machine now, by role; None where they don't."""
    spec = installed().backbones.get(job.backbone)
    try:
        places = {role: weights.at_hand(source) for role, source in sources(spec, job.output).items()}
        return {role: weights.digest(path) for role, path in places.items() if path}
    except (ZooError, OSError):
        return None
