"""The noise of the harness: one pair measured several times, `python -m zoo_bench.noise TASK/BACKBONE`.

The same pair in processes of its own, one after the other. The medians should lie within 5 % of each other; where the
machine was not quiet they may not, and then the intervals must say so by overlapping.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import click

from zoo.errors import ZooError
from zoo.plugins import installed
from zoo_bench.facts import Rate
from zoo_bench.job import Job, Run
from zoo_bench.runner import Runner
from zoo_bench.selection import jobs, select
from zoo_bench.settings import Seconds

WITHIN = 0.05


def verdict(rates: list[Rate]) -> dict[str, Any]:
    """The largest relative difference of two medians, and whether it is within 5 % or all intervals overlap."""
    medians = [rate.value for rate in rates if rate.value]
    apart = max(medians) / min(medians) - 1
    overlap = all(
        None not in (left.low, left.high, right.low, right.high) and left.low <= right.high and right.low <= left.high
        for left, right in itertools.combinations(rates, 2)
    )
    return {
        "apart": round(apart, 4),
        "within": apart <= WITHIN,
        "overlap": overlap,
        "holds": apart <= WITHIN or overlap,
    }


@click.command()
@click.argument("pair", metavar="TASK/BACKBONE")
@click.option("--data", "dataset", help="As for `zoo bench`.")
@click.option("--runtime", default="tf", show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=1.0, show_default=True, type=Seconds(min=0.05))
@click.option("--limit", default=64, show_default=True, type=click.IntRange(min=1))
@click.option("--times", default=2, show_default=True, type=click.IntRange(min=2))
def main(pair: str, times: int, **settings: Any) -> None:
    """Measure PAIR several times; print rates and verdict as JSON, exit code 1 where they contradict each other."""
    task, _, backbone = pair.partition("/")
    try:
        chosen = select(installed(), [task], [backbone]).pairs
    except ZooError as error:
        raise click.UsageError(str(error)) from error
    (job,) = jobs(installed(), chosen, [Job(task="", backbone="", output="", **settings)])
    runner = Runner([job.runtime], 3600.0, Run("noise"))
    rows = [runner.run(job) for _ in range(times)]
    for row in rows:
        if row.throughput is None:
            raise click.ClickException(f"{row.name}: {row.error}")
    found = {
        name: {"rates": [rate.model_dump() for rate in rates], **verdict(rates)}
        for name in ("throughput", "end_to_end")
        if (rates := [rate for row in rows if (rate := getattr(row, name)) is not None])
    }
    click.echo(json.dumps({"pair": pair, "load": [row.clocks.load if row.clocks else None for row in rows], **found}))
    if not all(part["holds"] for part in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
