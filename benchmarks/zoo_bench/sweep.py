"""A sweep: jobs in a shuffled order, several at a time if asked, each row on disk before it is shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from zoo.measured import keep
from zoo_bench.job import BASELINES, Job
from zoo_bench.row import Row, append_row
from zoo_bench.runner import Runner


def sweep(runner: Runner, jobs: Sequence[Job], seed: int, workers: int, out: Path | None, quiet: bool) -> Iterator[Row]:
    """Row after row, as they are finished; closing it ends what still runs.

    The order is shuffled by `seed`: what a machine does in the course of a sweep (it warms up, others come and go)
    shall not fall on one runtime or one size.
    """
    order = list(jobs)
    random.Random(seed).shuffle(order)
    with _progress(order, quiet=quiet) as (begin, finish):

        def run(place: int, job: Job) -> Row:
            begin(job)
            return runner.run(job, place)

        with closing(_side_by_side(run, order, workers, runner.stop)) as rows:
            for number, row in enumerate(rows, start=1):
                if out:
                    append_row(out, row)
                if row.error is None and not row.fit:
                    keep(row.backbone, *_in_words(row))
                finish(number, row)
                yield row


def _in_words(row: Row) -> tuple[str, str]:
    """Under which setting a row was measured, and its main figures."""
    data = f" on {row.dataset.name}" if row.dataset and row.metrics else ""
    setting = f"{row.task}{data}, {row.runtime} {row.precision} on {row.device_id}, batch {row.batch_size}"
    found = [f"{name} {value.value:.3f}" for name, value in row.metrics.items() if value.value is not None][:1]
    found += [f"{row.throughput.value:,.1f} inputs/s"] if row.throughput and row.throughput.value else []
    return setting, ", ".join(found)


def _side_by_side(
    run: Callable[[int, Job], Row], jobs: Sequence[Job], workers: int, stop: Callable[[], None]
) -> Generator[Row, None, None]:
    if workers == 1:  # in this thread, where Ctrl-C ends a download too
        yield from (run(place, job) for place, job in enumerate(jobs, start=1))
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run, place, job) for place, job in enumerate(jobs, start=1)]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()


@contextmanager
def _progress(jobs: Sequence[Job], *, quiet: bool) -> Iterator[tuple[Callable[[Job], Any], Callable[[int, Row], Any]]]:
    """What to call before and after each pair: a bar where a person looks, else a line for each that is finished."""
    from zoo.progress import visible

    total = len(jobs)
    several = len({(job.runtime, job.precision, job.batch_size) for job in jobs}) > 1
    fits = len({job.fit for job in jobs} - {*BASELINES}) > 1

    def line(number: int, row: Row) -> str:
        ran = f" {row.runtime} {row.precision} batch {row.batch_size}" if several else ""
        told = row.error if row.error is not None else f"{row.duration:.1f} s"
        fitted = f" {row.strategy}" if fits and row.strategy != row.backbone else ""
        return f"[{number}/{total}] {row.name}{fitted}{ran}: {told}"

    if quiet or not visible():
        yield lambda job: None, lambda number, row: None if quiet else click.echo(line(number, row), err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        handle = bar.add_task("", total=total)

        def finish(number: int, row: Row) -> None:
            bar.console.print(line(number, row), highlight=False, markup=False)
            bar.advance(handle)

        yield lambda job: bar.update(handle, description=job.name), finish
