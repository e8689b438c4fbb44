"""`zoo bench` measures pairs and prints the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_bench.files import FILE, writable, write
from zoo_bench.report import made

if TYPE_CHECKING:
    from zoo_bench.job import Job
    from zoo_bench.row import Row
    from zoo_bench.selection import Selection


@click.command("bench")
@click.option("--task", "tasks", multiple=True, help="Only pairs of this task; may be repeated.")
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    help="Only this backbone, or those that fit a glob; may be repeated. One named in full is fetched where needed.",
)
@click.option("--data", "dataset", help="Measure on this dataset, not on each pair's own samples.")
@click.option("--split", help="The dataset's split, in its own words: test, 'train[:10%]'.")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--runtime", default="tf", show_default=True, help="What computes ('zoo list --runtimes').")
@click.option("--precision", default="fp32", show_default=True, help="The precision of the numbers.")
@click.option("--device", help="Such as cpu or gpu:0; by default the best at hand.")
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.05),
    help="The time for each of the three speed measurements of a pair.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many examples for the metrics.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--timeout",
    default=3600.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which a pair is given up.",
)
@click.option("--out", type=FILE, help="Append each row to this file of JSON lines as soon as it is there.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the tables into this file as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, and nothing else.")
def bench(
    tasks: tuple[str, ...],
    backbones: tuple[str, ...],
    timeout: float,
    out: Path | None,
    markdown_file: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure ready pairs of task and backbone: accuracy, speed, memory; by default all whose weights are at hand.

    Each pair runs in a process of its own, on samples of its own labels unless --data names a dataset. One that fails
    is a row with its error, and the exit code is 1.
    """
    from zoo.plugins import installed
    from zoo_bench.job import Job
    from zoo_bench.selection import jobs

    plugins = installed()
    with _as_usage_errors():
        plugins.runtimes.get(settings["runtime"])
        selection = _selected(tasks, backbones)
    for path in (out, markdown_file):
        writable(path)
    if selection.absent and not as_json:
        _mention_absent(selection)
    wanted = jobs(plugins, selection.pairs, Job(task="", backbone="", output="", **settings))
    rows: list[Row] = []
    try:
        for row in _measured(wanted, timeout, out, quiet=as_json):
            rows.append(row)
    finally:  # an interrupted run keeps what it has found
        _print(rows, markdown_file, as_json)
    if any(row.error is not None for row in rows):
        raise SystemExit(1)


def _selected(tasks: Sequence[str], backbones: Sequence[str]) -> Selection:
    from zoo.plugins import installed
    from zoo_bench.selection import select

    selection = select(installed(), tasks, backbones)
    if not selection.pairs:
        count = len(selection.absent)
        raise click.UsageError(
            f"there is nothing to measure: none of the {count} ready pairs has its weights at hand; "
            f"name a backbone in full to fetch it"
            if count
            else "there is nothing to measure: no backbone is ready for that ('zoo list' shows which is for what)"
        )
    return selection


def _measured(jobs: Sequence[Job], timeout: float, out: Path | None, *, quiet: bool) -> Iterator[Row]:
    """Row after row, each on disk before it is yielded."""
    from zoo_bench.row import append_row
    from zoo_bench.runner import Runner

    runner = Runner(jobs[0].runtime, timeout)
    with _progress(len(jobs), quiet=quiet) as (begin, finish):
        for number, job in enumerate(jobs, start=1):
            begin(job)
            row = runner.run(job)
            if out:
                append_row(out, row)
            finish(number, row)
            yield row


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[tuple[Any, Any]]:
    """What to call before and after each pair: a bar where a person looks, else a line for each that is finished."""
    from zoo.progress import visible

    if quiet or not visible():
        echo = (
            (lambda number, row: None)
            if quiet
            else (lambda number, row: click.echo(_line(number, total, row), err=True))
        )
        yield lambda job: None, echo
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        handle = bar.add_task("", total=total)

        def finish(number: int, row: Row) -> None:
            bar.console.print(_line(number, total, row), highlight=False, markup=False)
            bar.advance(handle)

        yield lambda job: bar.update(handle, description=job.name), finish


def _line(number: int, total: int, row: Row) -> str:
    start = f"[{number}/{total}] {row.name}"
    return f"{start}: {row.error}" if row.error is not None else f"{start}: {row.duration:.1f} s"


def _print(rows: Sequence[Row], markdown_file: Path | None, as_json: bool) -> None:
    if markdown_file and rows:
        write(markdown_file, made("md", rows))
    if rows or as_json:
        click.echo(made("json" if as_json else "screen", rows))


def _mention_absent(selection: Selection) -> None:
    some = ", ".join(pair.name for pair in selection.absent[:3])
    more = f" and {len(selection.absent) - 3} more" if len(selection.absent) > 3 else ""
    click.echo(
        f"{len(selection.absent)} ready pairs are left out, their weights are not at hand: {some}{more} "
        f"(name a backbone in full to fetch it)",
        err=True,
    )


@contextmanager
def _as_usage_errors() -> Iterator[None]:
    """What the user named and is not there, or does not fit, is wrong usage: exit code 2."""
    from zoo.errors import ZooError

    try:
        yield
    except ZooError as error:
        raise click.UsageError(str(error)) from error
