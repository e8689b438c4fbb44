"""Rows become tables, on screen and as Markdown; nothing is measured here and nothing comes from elsewhere.

Two tables for each task and dataset, for figures on different data rank nothing: what was found, ranked by the task's
first metric, and the details. What the rows of a table have in common stands in its title, what a reader must know of a
row in footnotes, and an absent figure is a dash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from zoo_bench.facts import Interval, Latency
from zoo_bench.row import Row

ABSENT = "-"
DETAIL_METRICS = 2  # more would not fit a screen; the rows have all

Cell = Callable[[Row], str]


@dataclass(frozen=True)
class Table:
    """Cells under a title, the conditions beside it; the first column is a name, the others are figures."""

    title: str
    conditions: str
    header: list[str]
    cells: list[list[str]]


@dataclass
class Section:
    """What was found on one machine with one set of versions. notes: footnotes, numbered from 1."""

    heading: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def screen(rows: Iterable[Row]) -> str:
    """The tables as aligned lines."""
    parts: list[str] = []
    for section in _sections(rows):
        parts += [section.heading, *map(aligned, section.tables)]
        parts += ["\n".join(f"[{number}] {note}" for number, note in enumerate(section.notes, start=1))]
        parts += ["\n".join(f"failed: {failure}" for failure in section.failures)]
    return "\n\n".join(part for part in parts if part)


def markdown(rows: Iterable[Row]) -> str:
    """The tables as Markdown."""
    parts: list[str] = []
    for section in _sections(rows):
        parts += [_escaped(section.heading), *map(_piped, section.tables)]
        parts += ["\n".join(f"{number}. {_escaped(note)}" for number, note in enumerate(section.notes, start=1))]
        parts += ["\n".join(f"- failed: {_escaped(failure)}" for failure in section.failures)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(rows: Iterable[Row]) -> list[Section]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_heading(row), []).append(row)
    return [_section(heading, group) for heading, group in groups.items()]


def _section(heading: str, rows: Sequence[Row]) -> Section:
    section = Section(heading, failures=[f"{_named(row)}: {row.error}" for row in rows if row.error is not None])
    right = [row for row in rows if row.error is None]
    tasks = list(dict.fromkeys(row.task for row in right))
    groups: dict[str, list[Row]] = {}
    for row in sorted(right, key=lambda row: (tasks.index(row.task), row.dataset is None)):
        groups.setdefault(_subject(row), []).append(row)
    for subject, group in groups.items():
        ranked = _ranked(group)
        names = [row.backbone + _marks(row, section.notes) for row in ranked]
        common, differing = _settings(ranked)
        metrics = list(dict.fromkeys(name for row in ranked for name in row.metrics))
        by = [f"ranked by {metrics[0]}"] if metrics else []
        conditions = ", ".join((*by, *common))
        columns = differing | (_learnt(metrics[:1]) if ranked[0].fit else _found(metrics[:1]))
        section.tables.append(_table(subject, conditions, columns, names, ranked))
        section.tables.append(_table(subject, "details", differing | _details(metrics, ranked), names, ranked))
    return section


def _subject(row: Row) -> str:
    """What is ranked together: one task on one dataset."""
    if row.dataset is None:
        return f"{row.task}, speed alone"
    some = f", {row.dataset.n:,} of {row.dataset.size:,} examples" if row.dataset.n < row.dataset.size else ""
    of = f", fitted to {row.fit.examples:,} examples and judged on {row.dataset.n:,} others" if row.fit else some
    return f"{row.task} on {row.dataset.name} {row.dataset.split}".rstrip() + of


def _named(row: Row) -> str:
    return row.name if row.strategy in (None, row.backbone) else f"{row.name}, {row.strategy}"


def _table(title: str, conditions: str, columns: dict[str, Cell], names: Sequence[str], rows: Sequence[Row]) -> Table:
    cells = [[name, *(cell(row) for cell in columns.values())] for name, row in zip(names, rows, strict=True)]
    return Table(title, conditions, ["backbone", *columns], cells)


def _settings(rows: Sequence[Row]) -> tuple[list[str], dict[str, Cell]]:
    """What all rows ran with, in words, and a column for each setting in which they differ."""
    settings: dict[str, Cell] = {
        "runtime": lambda row: row.runtime,
        "precision": lambda row: row.precision,
        "device": lambda row: row.device_id or ABSENT,
        "batch": lambda row: ABSENT if row.batch_size is None else str(row.batch_size),
    }
    values = {name: {cell(row) for row in rows} - {ABSENT} for name, cell in settings.items()}
    common = [f"{name} {next(iter(value))}" for name, value in values.items() if len(value) == 1]
    return common, {name: cell for name, cell in settings.items() if len(values[name]) > 1}


def _found(main: Sequence[str]) -> dict[str, Cell]:
    return {_score_header(name): _score_of(name) for name in main} | {
        "inputs/s [95 %]": lambda row: _rate(row.throughput),
        "end to end /s": lambda row: number(row.end_to_end.value if row.end_to_end else None),
        "p50 / p90 / p99 ms": lambda row: _latency(row.latency),
        "peak MB": lambda row: number(row.memory.peak / 1e6 if row.memory else None),
    }


def _learnt(main: Sequence[str]) -> dict[str, Cell]:
    """What a fitted backbone is chosen by."""
    return {
        "strategy": lambda row: "" if row.fit is None or row.fit.strategy == row.backbone else row.fit.strategy,
        **{_score_header(name): _score_of(name) for name in main},
        "training s": lambda row: number(row.fit.seconds if row.fit else None),
        "inputs/s [95 %]": lambda row: _rate(row.throughput),
        "p50 ms": lambda row: number(1e3 * row.latency.p50 if row.latency and row.latency.p50 else None),
        "size MB": lambda row: number(row.fit.saved / 1e6 if row.fit and row.fit.saved else None),
    }


def _details(metrics: Sequence[str], rows: Sequence[Row]) -> dict[str, Cell]:
    columns = {_score_header(name): _score_of(name) for name in metrics[1 : 1 + DETAIL_METRICS]}
    main = metrics[0] if metrics else ""
    if any(figure.metric == main for row in rows for figure in row.published):
        columns[f"published {main}"] = lambda row: _published(row, main)
    return columns | {
        "load s": lambda row: number(row.load),
        "first call s": lambda row: number(row.first_call),
        "parameters": lambda row: _count(row.parameters),
        "weights MB": lambda row: number(row.weights / 1e6 if row.weights is not None else None),
        "GFLOP": lambda row: number(row.compute.flops / 1e9 if row.compute else None),
        "of peak": _share,
    }


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Best first by the first metric that the task gives, of which more is better; rows without one last, by speed."""

    def key(row: Row) -> tuple[bool, float, float]:
        main = next((score.value for score in row.metrics.values()), None)
        speed = row.throughput.value if row.throughput else None
        return main is None, -(main or 0.0), -(speed or 0.0)

    return sorted(rows, key=key)


def _marks(row: Row, notes: list[str]) -> str:
    """` [1,2]` for the notes of the row; a note that rows share is listed once."""
    notes += [note for note in dict.fromkeys(row.notes) if note not in notes]
    numbers = sorted({notes.index(note) + 1 for note in row.notes})
    return f" [{','.join(map(str, numbers))}]" if numbers else ""


def _heading(row: Row) -> str:
    """Machine and versions in one line."""
    here = row.machine
    gpus = [f"{gpu.name} (driver {gpu.driver})" for gpu in here.gpus]
    processor = f"{here.processor}, {here.cores} cores, {here.memory / 2**30:.0f} GiB"
    versions = ", ".join(f"{name} {version}" for name, version in row.versions.items())
    return "; ".join([*gpus, processor, here.system, versions])


def _score_header(metric: str) -> str:
    return f"{metric} [95 %] (n)"


def _score_of(metric: str) -> Cell:
    def cell(row: Row) -> str:
        score = row.metrics.get(metric)
        if score is None or score.value is None:
            return ABSENT
        interval = "" if score.low is None or score.high is None else f" [{score.low:.3f}, {score.high:.3f}]"
        return f"{score.value:.3f}{interval} ({score.n:,})"

    return cell


def _published(row: Row, metric: str) -> str:
    """The figure that can be compared with ours, else the first one."""
    figures = [figure for figure in row.published if figure.metric == metric]
    for figure in figures:
        if figure.difference is not None:
            return f"{figure.value:.3f} ({figure.difference:+.3f})"
    return f"{figures[0].value:.3f} not comparable" if figures else ABSENT


def _rate(rate: Interval | None) -> str:
    if rate is None:
        return ABSENT
    interval = "" if rate.low is None or rate.high is None else f" [{number(rate.low)}, {number(rate.high)}]"
    return f"{number(rate.value)}{interval}"


def _share(row: Row) -> str:
    """The share of the machine's peak that the throughput reaches."""
    share = row.compute.share if row.compute else None
    return ABSENT if share is None else f"{100 * share:.1f} %"


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return ABSENT
    shares = (latency.p50, latency.p90, latency.p99)
    return " / ".join(number(None if share is None else 1e3 * share) for share in shares)


def number(value: float | None) -> str:
    """Three significant digits, more before the point."""
    if value is None:
        return ABSENT
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}" if abs(value) >= 0.0995 else f"{value:.3f}"


def _count(value: int | None) -> str:
    """Thousands and millions with three significant digits."""
    if value is None or value < 1000:
        return ABSENT if value is None else str(value)
    return f"{number(value / 1e6)} M" if value >= 999_500 else f"{number(value / 1e3)} K"


def aligned(table: Table) -> str:
    """A table as lines with columns of even width."""
    rows = [table.header, *table.cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        return "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([f"{table.title}\n{table.conditions}", line(table.header), rule, *map(line, table.cells)])


def _piped(table: Table) -> str:
    lines = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.cells]
    body = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
    return f"**{_escaped(table.title)}**: {_escaped(table.conditions)}\n\n{body}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
