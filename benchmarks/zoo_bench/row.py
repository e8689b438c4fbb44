"""The row: everything that was found about one pair, and its life as a line of JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import ZooError

FORMAT = 1


class RowsError(ZooError):
    """A file of rows that cannot be read or written."""


class Facts(BaseModel):
    """The common ground: frozen, and fields that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Facts):
    """A figure with its 95 % interval, None where unknown, and the number of observations behind it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int


class Latency(Facts):
    """Percentiles over `n` calls, in seconds, by the nearest rank; None where there are too few calls for one."""

    p50: float | None
    p90: float | None
    p99: float | None
    n: int


class Memory(Facts):
    """Peak memory in bytes from before loading to the end of the speed measurements.

    kind: "device", a GPU's memory as the framework counts it, or "resident", the process's own on a CPU, which holds
        the framework, the weights and the prepared inputs, but of shared libraries only the pages that were touched.
    before: the resident memory before loading, in bytes; None for a device.
    """

    peak: int
    kind: str
    before: int | None = None


class Measured(Facts):
    """The dataset behind the metrics. n: how many of its `size` examples count; unread: how many could not be read."""

    name: str
    split: str = ""
    fingerprint: str
    size: int
    n: int
    unread: int = 0


class PublishedFigure(Facts):
    """A published figure beside the measured one. difference: measured - published, None where not comparable.

    why: what stands in the way of a comparison; empty where nothing does.
    """

    metric: str
    dataset: str
    split: str
    value: float
    source: str
    difference: float | None = None
    why: str = ""


class Gpu(Facts):
    """A graphics processor; memory in bytes."""

    name: str
    driver: str
    memory: int


class Machine(Facts):
    """The machine; memory in bytes, cores those that this process may use."""

    processor: str
    cores: int
    memory: int
    gpus: tuple[Gpu, ...] = ()
    system: str


class Row(Facts):
    """One pair, measured or failed. Times are in seconds, memory and weights in bytes, rates in inputs per second.

    device: the hardware by name; device_id: the runtime's word for it. precision, device, batch_size: what ran; where
        nothing did, what was asked for, a device being None then unless one was named.
    throughput: the network alone on prepared real inputs; end_to_end: from the inputs as `inputs` says ("files",
        "bytes", "arrays", "texts") to predictions; both the median with the interval of the median.
    load: reading and compiling weights that the system has in its file cache; first_call: the first batch; warm_up: the
        calls after it that are not counted.
    weights: bytes of the files; digests: SHA-256 by role.
    error: what went wrong, None when nothing did; a row with an error has no figures.
    """

    format: int = FORMAT
    task: str
    backbone: str
    output: str
    runtime: str
    precision: str
    device: str | None = None
    device_id: str | None = None
    batch_size: int
    metrics: dict[str, Interval] = {}
    published: tuple[PublishedFigure, ...] = ()
    dataset: Measured | None = None
    inputs: str | None = None
    throughput: Interval | None = None
    end_to_end: Interval | None = None
    latency: Latency | None = None
    load: float | None = None
    first_call: float | None = None
    warm_up: float | None = None
    memory: Memory | None = None
    parameters: int | None = None
    weights: int | None = None
    digests: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    machine: Machine
    versions: dict[str, str]
    seed: int
    time: str
    duration: float
    command: str
    error: str | None = None

    @property
    def name(self) -> str:
        """`TASK/BACKBONE`."""
        return f"{self.task}/{self.backbone}"


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
