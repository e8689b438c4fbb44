"""`zoo bench` measures pairs and prints the table."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_bench.files import FILE, writable, write
from zoo_bench.report import made
from zoo_bench.settings import BatchSizes, Seconds, Strategies

if TYPE_CHECKING:
    from zoo_bench.job import Job
    from zoo_bench.row import Row
    from zoo_bench.runner import Runner
    from zoo_bench.selection import Selection


def _trust(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from zoo.safety import trust

        trust()


@click.command("bench")
@click.option("--task", "tasks", multiple=True, help="Only pairs of this task; may be repeated.")
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    help="Only this backbone, or those that fit a glob; may be repeated. One named in full is fetched where needed.",
)
@click.option("--data", "dataset", help="Measure on this dataset, not on each pair's own samples.")
@click.option(
    "--fit",
    "strategies",
    type=Strategies(),
    help="Fit each backbone to a part of --data first, with this strategy ('zoo fit --help'), and measure on the rest; "
    "several with commas between, each a row.",
)
@click.option("--split", help="The dataset's split, in its own words: test, 'train[:10%]'.")
@click.option(
    "--batch-size",
    "batch_sizes",
    default="32",
    show_default=True,
    type=BatchSizes(),
    help="So many inputs at once; several with commas between, each a row; 'auto' doubles until the throughput stops "
    "rising or memory runs out, and takes the best.",
)
@click.option(
    "--runtime",
    "runtimes",
    default=("tf",),
    show_default=True,
    multiple=True,
    help="What computes ('zoo list --runtimes'); may be repeated, each is a row.",
)
@click.option(
    "--precision",
    "precisions",
    default=("fp32",),
    show_default=True,
    multiple=True,
    help="The precision of the numbers; may be repeated, each is a row of every runtime that has it.",
)
@click.option("--device", help="Such as cpu or gpu:0; by default the best at hand.")
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=Seconds(min=0.05),
    help="The budget of each of the four speed measurements; one whose interval is narrow before ends before, one that "
    "has too few repeats takes up to five times as long.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many examples for the metrics, spread evenly.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the order, and of plugins.")
@click.option(
    "--timeout",
    default=3600.0,
    show_default=True,
    type=Seconds(min=0, min_open=True),
    help="Seconds after which a pair is given up, fetching not counted.",
)
@click.option(
    "--jobs",
    "workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="So many pairs at a time. They share the machine, and their rows say so: for sweeps of accuracy.",
)
@click.option(
    "--trust-code",
    is_flag=True,
    expose_value=False,
    callback=_trust,
    help="Let models' files do more than compute; only for makers whom you trust.",
)
@click.option("--out", type=FILE, help="Append each row to this file of JSON lines as soon as it is there.")
@click.option("--resume", is_flag=True, help="Leave out the pairs that --out shows to be finished; see above.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the tables into this file as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, and nothing else.")
def bench(
    tasks: tuple[str, ...],
    backbones: tuple[str, ...],
    device: str | None,
    timeout: float,
    workers: int,
    out: Path | None,
    resume: bool,
    markdown_file: Path | None,
    as_json: bool,
    seed: int,
    **settings: Any,
) -> None:
    """Measure ready pairs of task and backbone: accuracy, speed, memory; by default all whose weights are at hand.

    Each pair runs in a process of its own, on samples of its own labels unless --data names a dataset. One that fails,
    crashes, hangs or runs out of memory is a row with the cause, and the exit code is 1.

    \b
    Timed, as MLPerf Inference names it, on real inputs and never on random ones:
      offline        inputs per second, the network alone and end to end from files
      single stream  latency percentiles, likewise; p90 needs 64 calls, p99 662
    A row is an error where the timed outputs are not those of the accuracy run.

    With --fit every backbone at hand is trained on one's own data with the zoo's defaults, and measured on what was
    held out, the same for all: a fifth of each class, or, where the data come in parts, test, or else validation.
    Beside them stand a small network trained from scratch and the majority class. Training seconds begin with reading
    the weights, and no features are known before.

    --resume goes on after any end of an earlier run, kill -9 included. With the same --out and settings, no pair is
    repeated that was finished by the same versions and weights on this machine; one that failed is finished, too, until
    its line is taken out of the file. Several runs may append to one file at a time; each row names its run.

    \b
    zoo bench --backbone 'tiny_*'
    zoo bench --task classification --runtime tf --runtime openvino --precision fp32 --precision bf16
    zoo bench --backbone inception_v3 --data csv:mine.csv --batch-size auto --out rows.jsonl --resume
    zoo bench --data folder:flowers/ --fit frozen
    """
    from zoo_bench.job import Run
    from zoo_bench.runner import Runner
    from zoo_bench.sweep import sweep

    if settings["strategies"] and settings["dataset"] is None:
        raise click.UsageError("--fit trains on your own data: name them with --data")
    if resume and out is None:
        raise click.UsageError("--resume goes on with a file of rows: name it with --out")
    with _as_usage_errors():
        jobs = _wanted(tasks, backbones, settings, seed, device, quiet=as_json)
        left, rows = _left(jobs, out, resume=resume)
        writable(markdown_file)
        names = list(dict.fromkeys(job.runtime for job in jobs))
        runner = Runner(names, timeout, Run(uuid.uuid4().hex[:12], min(workers, len(left) or 1) - 1))
        if device and left:
            left = _on_device(left, device, runner)
        _appendable(out)
    try:
        for row in sweep(runner, left, seed, workers, out, as_json):
            rows.append(row)
    finally:  # an interrupted run keeps what it has found
        runner.stop()
        _print(rows, markdown_file, as_json)
    if any(row.error is not None for row in rows):
        raise SystemExit(1)


def _wanted(
    tasks: Sequence[str],
    backbones: Sequence[str],
    settings: dict[str, Any],
    seed: int,
    device: str | None,
    *,
    quiet: bool,
) -> list[Job]:
    """Every pair with every combination of settings; what is left out of them is said on stderr."""
    from zoo.plugins import installed
    from zoo_bench.job import Job
    from zoo_bench.selection import jobs, to_fit, with_data
    from zoo_bench.settings import combinations

    plugins = installed()
    strategies = settings.pop("strategies") or ()
    lists = [settings.pop(name) for name in ("runtimes", "precisions", "batch_sizes")]
    common = Job(task="", backbone="", output="", seed=seed, device=device, **settings)
    combined, absent = combinations(plugins, *lists, common)
    selection = _selected(tasks, backbones, fit=bool(strategies))
    pairs: Sequence[Any] = selection.pairs
    if common.dataset is not None:
        pairs, reasons = with_data(plugins, pairs, common.dataset, common.split, fit=bool(strategies))
        absent += reasons
    if not quiet:
        if selection.absent:
            _mention_absent(selection)
        for reason in absent:
            click.echo(f"left out: {reason}", err=True)
    if strategies:
        return to_fit(jobs(plugins, pairs, combined), strategies)
    return jobs(plugins, pairs, combined)


def _selected(tasks: Sequence[str], backbones: Sequence[str], *, fit: bool) -> Selection:
    from zoo.plugins import installed
    from zoo_bench.selection import select

    selection = select(installed(), tasks, backbones, fit=fit)
    kind = "trainable" if fit else "ready"
    if not selection.pairs:
        count = len(selection.absent)
        raise click.UsageError(
            f"there is nothing to measure: none of the {count} {kind} pairs has its weights at hand; "
            f"name a backbone in full to fetch it"
            if count
            else "there is nothing to measure: no backbone is {kind} for that ('zoo list' shows which is for what)"
        )
    return selection


def _left(jobs: list[Job], out: Path | None, *, resume: bool) -> tuple[list[Job], list[Row]]:
    """The jobs that are still to be done, and the rows of those that are finished."""
    from zoo_bench.resume import earlier, remaining

    if out is None:
        return jobs, []
    rows, complaints = earlier(out)
    for complaint in complaints if resume else ():
        click.echo(complaint, err=True)
    if not resume:
        return jobs, []
    left, found = remaining(jobs, rows)
    click.echo(f"{len(found)} of {len(jobs)} are finished, {len(left)} are left", err=True)
    return left, found


def _on_device(jobs: list[Job], device: str, runner: Runner) -> list[Job]:
    from zoo_bench.settings import on_device

    seen = {name: runner.devices(name) for name in dict.fromkeys(job.runtime for job in jobs)}
    found, words = on_device(jobs, device, seen)
    for word in words:
        click.echo(f"left out: {word}", err=True)
    return found


def _print(rows: Sequence[Row], markdown_file: Path | None, as_json: bool) -> None:
    if markdown_file and rows:
        write(markdown_file, made("md", rows))
    if rows or as_json:
        click.echo(made("json" if as_json else "screen", rows))


def _mention_absent(selection: Selection) -> None:
    some = ", ".join(pair.name for pair in selection.absent[:3])
    more = f" and {len(selection.absent) - 3} more" if len(selection.absent) > 3 else ""
    click.echo(
        f"{len(selection.absent)} pairs are left out, their weights are not at hand: {some}{more} "
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


def _appendable(path: Path | None) -> None:
    """Say now, not after the first pair, that no row can be added to `path`: some places only an attempt tells."""
    writable(path)
    if path is None:
        return
    try:
        path.open("ab").close()
    except OSError as error:
        raise click.UsageError(f"{str(path)!r} cannot be written: {error.strerror}") from error
