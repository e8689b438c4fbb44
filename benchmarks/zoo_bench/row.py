"""The row: everything that was found about one pair, and its life as a line of JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic import Field, ValidationError

from zoo.errors import ZooError
from zoo_bench.facts import (
    Check,
    Clocks,
    Compute,
    Facts,
    Fitted,
    Interval,
    Latency,
    Machine,
    Measured,
    Memory,
    PublishedFigure,
    Rate,
    Tried,
)

FORMAT = 2


class RowsError(ZooError):
    """A file of rows that cannot be read or written."""


class Row(Facts):
    """One pair, measured or failed. Times are in seconds, memory and weights in bytes, rates in inputs per second.

    Rows of format 1, of version 0.1.0, lack what came later: such fields have their defaults.

    run: the run that it is from; order: its place in that run's shuffled order, from 1; beside: how many other pairs
        may have run at the same time on the machine (`--jobs`).
    asked: the settings of the job as they were asked for, batch_size "auto" among them; a resumed run looks for them.
    runtime, precision, device_id, batch_size: what ran; where nothing did, what was asked for, a device being None then
        unless one was named, a batch size None where it was to be searched for.
    device: the hardware by name; device_id: the runtime's word for it.
    fit: how a head was trained on part of the dataset first; None where the pair was measured as it is.
    batch_search: the steps of a search for the batch size; empty where the size was given.
    throughput: offline, the network alone on prepared real inputs, as many batches under way as the runtime likes;
        end_to_end: offline, from the inputs as `inputs` says ("files", "bytes", "arrays", "texts") to predictions.
    latency: single stream, the network alone; latency_end_to_end: likewise from the inputs to a prediction.
    load: reading and compiling weights that the system has in its file cache; first_call: the first batch; warm_up: the
        calls after it that are not counted.
    weights: bytes of the files; digests: SHA-256 by role.
    environment: the variables that frameworks listen to, as they were set.
    error: what went wrong, None when nothing did; a row with an error has no figures.
    """

    format: int = FORMAT
    run: str | None = None
    order: int | None = None
    beside: int = 0
    task: str
    backbone: str
    output: str
    asked: dict[str, Any] = Field(default_factory=dict)
    runtime: str
    precision: str
    device: str | None = None
    device_id: str | None = None
    batch_size: int | None
    batch_search: tuple[Tried, ...] = ()
    fit: Fitted | None = None
    metrics: dict[str, Interval] = Field(default_factory=dict)
    published: tuple[PublishedFigure, ...] = ()
    dataset: Measured | None = None
    check: Check | None = None
    inputs: str | None = None
    throughput: Rate | None = None
    end_to_end: Rate | None = None
    latency: Latency | None = None
    latency_end_to_end: Latency | None = None
    load: float | None = None
    first_call: float | None = None
    warm_up: float | None = None
    memory: Memory | None = None
    parameters: int | None = None
    weights: int | None = None
    compute: Compute | None = None
    clocks: Clocks | None = None
    digests: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    machine: Machine
    versions: dict[str, str]
    environment: dict[str, str] = Field(default_factory=dict)
    seed: int
    time: str
    duration: float
    command: str
    error: str | None = None

    @property
    def name(self) -> str:
        """`TASK/BACKBONE`."""
        return f"{self.task}/{self.backbone}"

    @property
    def strategy(self) -> str | None:
        """The strategy by which it was to be fitted first, or the baseline's name; None where it was not to be."""
        return self.asked.get("fit")


def append_row(path: Path, row: Row) -> None:
    """Add `row` to the JSON lines in `path`, whole or not at all, on disk when this returns.

    Several processes may write to one file. A line that an earlier run left cut short stays a line of its own.
    Raises RowsError.
    """
    try:
        with path.open("ab+") as file, _locked(file):
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            cut = b"\n" if end and file.read(1) != b"\n" else b""
            file.write(cut + row.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RowsError(f"the rows cannot be written to {str(path)!r}: {error.strerror}") from error


def read_rows(paths: Iterable[Path]) -> tuple[list[Row], list[str]]:
    """The rows in files of JSON lines, and a complaint for each line that is none (cut short, or something else).

    Raises RowsError for a file that can't be read, is of a later format, or holds no row at all.
    """
    rows: list[Row] = []
    complaints: list[str] = []
    for path in paths:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise RowsError(f"the rows in {str(path)!r} cannot be read: {error.strerror}") from error
        found = [_row(path, number, line, complaints) for number, line in enumerate(lines, start=1) if line.strip()]
        if not any(found):
            raise RowsError(f"{str(path)!r} holds no rows; `zoo bench --out` writes such files")
        rows += [row for row in found if row]
    return rows, complaints


def _row(path: Path, number: int, line: bytes, complaints: list[str]) -> Row | None:
    try:
        row = Row.model_validate_json(line)
    except ValidationError as error:
        cut = error.errors()[0]["type"] == "json_invalid"
        what = "is cut short or no JSON" if cut else f"is no row: {_first(error)}"
        complaints.append(f"{str(path)!r}, line {number} {what}; left out")
        return None
    if row.format > FORMAT:
        raise RowsError(
            f"{str(path)!r}, line {number} has format {row.format}; this zoo reads up to {FORMAT}: update it"
        )
    return row


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


@contextmanager
def _locked(file: IO[Any]) -> Any:
    """Hold the file's lock where the system has one; elsewhere a single append has to do."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
