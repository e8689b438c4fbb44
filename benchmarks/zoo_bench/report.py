"""`zoo report` shows rows that were measured before: on screen, as Markdown, as CSV, or as a page for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo_bench.files import FILE, writable, write

if TYPE_CHECKING:
    from zoo_bench.row import Row

FORMATS = ("screen", "md", "csv", "html", "json")
ENDINGS = {".md": "md", ".markdown": "md", ".csv": "csv", ".html": "html", ".htm": "html", ".json": "json"}


@click.command("report")
@click.argument("files", metavar="ROWS...", nargs=-1, required=True, type=FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What to make; by default what the ending of --out says, else the tables for a screen.",
)
@click.option("--out", type=FILE, help="Write into this file, whole or not at all, in place of the screen.")
@click.option("--markdown", "markdown_file", type=FILE, hidden=True, help="The tables as Markdown into this file, too.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def report(
    files: tuple[Path, ...], form: str | None, out: Path | None, markdown_file: Path | None, as_json: bool
) -> None:
    """Show the rows that `zoo bench --out` wrote; nothing is measured again, and no figure comes from elsewhere.

    \b
    screen  two tables for each task and dataset, ranked by the task's first metric
    md      the same tables as Markdown
    csv     one line for each row with all its facts; an interval's ends are NAME_low and NAME_high
    html    one page without outside links: accuracy against speed with the Pareto front, tables to sort and
            filter, runtimes side by side, all facts of each row; works offline, with keys alone, on a phone
    json    the rows as a list

    \b
    zoo report rows.jsonl
    zoo report rows.jsonl more.jsonl --out report.html
    zoo report rows.jsonl --format csv > rows.csv

    A line of ROWS that was cut short, or is no row, is left out, and stderr says so. The exit code is 1 where a file
    holds no rows at all or is of a later version of the zoo, and 2 where --out can't be written.
    """
    from zoo_bench.row import read_rows

    form = "json" if as_json and form is None else form
    if out and form is None and out.suffix.lower() not in {"", ".txt", *ENDINGS}:
        endings = ", ".join(sorted(ENDINGS))
        raise click.UsageError(f"the ending of {str(out)!r} names no format; use one of {endings}, or --format")
    form = form or (ENDINGS.get(out.suffix.lower()) if out else None) or "screen"
    for path in (out, markdown_file):
        writable(path)
    rows, complaints = read_rows(files)
    for complaint in complaints:
        click.echo(complaint, err=True)
    if markdown_file:
        write(markdown_file, made("md", rows))
    text = made(form, rows)
    if out:
        write(out, text)
        click.echo(f"{len(rows)} row{'s' if len(rows) != 1 else ''} in {str(out)!r}", err=True)
    else:
        click.echo(text, nl=not text.endswith("\n"))


def made(form: str, rows: Sequence[Row]) -> str:
    """`rows` in one of FORMATS."""
    if form == "html":
        from zoo_bench.page import page

        return page(rows)
    if form == "csv":
        from zoo_bench.flat import comma_separated

        return comma_separated(rows)
    if form == "json":
        return "[" + ",\n".join(row.model_dump_json() for row in rows) + "]"
    from zoo_bench.table import markdown, screen

    return markdown(rows) if form == "md" else screen(rows)
