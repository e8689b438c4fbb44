"""`zoo compare` says what changed between two files of rows, and fails on a regression: for a user's own CI."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import finite
from zoo_bench.files import FILE

if TYPE_CHECKING:
    from zoo_bench.changes import Change
    from zoo_bench.pairing import Compared
    from zoo_bench.row import Row

COLUMNS = ("throughput", "latency_p50", "memory")
SCALES = {"latency": (1e3, "ms"), "memory": (1e-6, "MB"), "throughput": (1, "/s"), "end": (1, "/s")}


class Share(click.ParamType):
    """A share, as `5%` or `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number of 0 or more."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).removesuffix("%")) / (100 if str(value).endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share < float("inf"):
            self.fail(f"{value!r} is no share; write 5% or 0.05", param, ctx)
        return share


@click.command("compare")
@click.argument("old", metavar="OLD", type=FILE)
@click.argument("new", metavar="NEW", type=FILE)
@click.option(
    "--threshold",
    default="5%",
    show_default=True,
    type=Share(),
    help="The least change of speed or memory that counts.",
)
@click.option(
    "--metric-threshold",
    default=0.01,
    show_default=True,
    type=click.FloatRange(min=0),
    callback=finite,
    help="The least change of a metric that counts, in its own unit: 0.01 is one point of accuracy.",
)
@click.option("--across-machines", is_flag=True, help="Judge speed and memory also where the machines differ.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object, and nothing else.")
def compare(
    old: Path, new: Path, threshold: float, metric_threshold: float, across_machines: bool, as_json: bool
) -> None:
    """Compare two files of rows that `zoo bench --out` wrote, pair by pair.

    A change counts as worse or better only if it is beyond the threshold AND its 95 % interval excludes no change. The
    exit code is 1 if any pair became worse or fails now, or a file holds no rows; 2 for wrong usage; else 0.

    \b
    zoo bench --backbone mine --seconds 5 --out new.jsonl
    zoo compare main.jsonl new.jsonl || echo "slower, larger or less accurate"

    Compared are throughput, end to end, latency, peak memory and the metrics of rows with the same task, backbone,
    runtime, precision, batch size, device and data. Of repeated rows in a file those with the machine and the versions
    of the latest are taken together, and the difference between them widens the interval: measure a few times where a
    false alarm costs much. Rows of different machines are said, and are no regression unless --across-machines is
    given; their metrics are compared all the same. A pair that is in one file only is said, and is none either.

    \b
    Intervals of a ratio or difference come from those of the two figures (MOVER; Zou and Donner 2008). Those of
    metrics are wider than need be, for both are found on the same examples. Memory is counted, so that the
    threshold alone decides. Latency in rows of format 1 has no interval, and is shown without a verdict.
    """
    from zoo_bench.changes import Limits
    from zoo_bench.pairing import REGRESSIONS, compared
    from zoo_bench.row import read_rows

    sides = []
    for path in (old, new):
        rows, complaints = read_rows([path])
        for complaint in complaints:
            click.echo(complaint, err=True)
        sides.append(rows)
    limits = Limits(threshold, metric_threshold)
    pairs = compared(sides[0], sides[1], limits, across_machines=across_machines)
    if as_json:
        click.echo(json.dumps(_facts(pairs, sides, threshold, metric_threshold), indent=1))
    else:
        click.echo(_shown(pairs, sides, (old, new)))
    if any(pair.verdict in REGRESSIONS for pair in pairs):
        raise SystemExit(1)


def _facts(pairs: Sequence[Compared], sides: Sequence[Sequence[Row]], speed: float, metric: float) -> dict[str, Any]:
    from dataclasses import asdict

    from zoo_bench.pairing import REGRESSIONS

    about = ("task", "backbone", "output", "runtime", "precision", "batch_size", "device_id")
    return {
        "threshold": speed,
        "metric_threshold": metric,
        "versions": _versions(*sides),
        "regressions": sum(pair.verdict in REGRESSIONS for pair in pairs),
        "pairs": [
            {name: getattr(pair.row, name) for name in about}
            | {"dataset": pair.row.dataset.name if pair.row.dataset else None}
            | {"verdict": pair.verdict, "remarks": pair.remarks, "changes": [asdict(one) for one in pair.changes]}
            for pair in pairs
        ],
    }


def _versions(old: Sequence[Row], new: Sequence[Row]) -> dict[str, list[str | None]]:
    """Versions that differ between the latest rows: name to [old, new]."""
    before, after = (max(rows, key=lambda row: row.time).versions for rows in (old, new))
    names = [*before, *(name for name in after if name not in before)]
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _shown(pairs: Sequence[Compared], sides: Sequence[Sequence[Row]], files: Sequence[Path]) -> str:
    from zoo_bench.table import Table, aligned

    heads = [
        f"{side}  {path}: {len(rows)} rows, the latest of {max(row.time for row in rows)}"
        for side, path, rows in zip(("old", "new"), files, sides, strict=True)
    ]
    versions = ", ".join(f"{name} {old or 'none'} -> {new or 'none'}" for name, (old, new) in _versions(*sides).items())
    header = ["pair", "setting", "throughput", "latency p50", "peak memory", "metric", "verdict"]
    table = Table(
        "\n".join([*heads, *([f"now  {versions}"] if versions else [])]), "", header, list(map(_cells, pairs))
    )
    lines = [line for pair in pairs for line in _reasons(pair)] + _unjudged(pairs)
    counts = Counter(pair.verdict for pair in pairs)
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return "\n\n".join(
        part
        for part in (aligned(table), "\n".join(lines), f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}: {total}")
        if part
    )


def _cells(pair: Compared) -> list[str]:
    by = {change.figure: change for change in pair.changes}
    metric = next((change for change in pair.changes if not change.relative), None)
    shown = [_change(by.get(name)) for name in COLUMNS]
    return [
        pair.row.name,
        _setting(pair.row),
        *shown,
        f"{metric.figure} {_change(metric)}" if metric else "-",
        pair.verdict,
    ]


def _setting(row: Row) -> str:
    batch = "" if row.batch_size is None else f" batch {row.batch_size}"
    return f"{row.runtime} {row.precision} {row.device_id or '-'}{batch}"


def _reasons(pair: Compared) -> list[str]:
    """A line for each figure that became worse or better, and for each remark."""
    start = f"{pair.row.name}, {_setting(pair.row)}:"
    clear = [change for change in pair.changes if change.verdict in ("worse", "better")]
    lines = [f"{change.verdict}: {start} {_in_full(change)}" for change in clear]
    label = pair.verdict if pair.verdict.startswith(("fails", "runs", "not")) else "note"
    return lines + [f"{label}: {start} {remark}" for remark in pair.remarks if remark]


def _unjudged(pairs: Sequence[Compared]) -> list[str]:
    """A line for each figure that is shown and not judged for a reason of its own."""
    from zoo_bench.changes import INCOMPARABLE

    found = Counter(
        (change.figure, change.why)
        for pair in pairs
        for change in pair.changes
        if change.verdict == INCOMPARABLE and change.why not in pair.remarks
    )
    return [
        f"not judged: {figure} of {count} pair{'' if count == 1 else 's'}: {why}"
        for (figure, why), count in found.items()
    ]


def _in_full(change: Change) -> str:
    from zoo_bench.table import number

    scale, unit = SCALES.get(change.figure.partition("_")[0], (1, "")) if change.relative else (1, "")
    if change.relative:
        figures = f"{number(scale * change.old)} -> {number(scale * change.new)} {unit}"
    else:
        figures = f"{change.old:.4f} -> {change.new:.4f}"
    return f"{change.figure.replace('_', ' ')} {figures}, {_change(change)}"


def _change(change: Change | None) -> str:
    if change is None or change.change is None:
        return "-"
    if not change.relative:
        interval = "" if change.low is None else f" [{change.low:+.3f}, {change.high:+.3f}]"
        return f"{change.change:+.3f}{interval}"
    exact = change.low is not None and change.low == change.high
    interval = "" if change.low is None or exact else f" [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"  # type: ignore[operator]
    return f"{round(100 * change.change, 1) + 0.0:+.1f} %{interval}"  # + 0.0: no figure is "-0.0"
