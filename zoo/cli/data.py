"""`zoo data`: what a dataset holds, before a model sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from zoo.cli import zoo
from zoo.cli.running import parse_labels
from zoo.cli.writing import SHEET


@zoo.command("data")
@click.argument("dataset", metavar="DATASET")
@click.option("--split", help="One part alone, in the words of the dataset; by default each that it has.")
@click.option(
    "--input-column", help="The column of a table that holds the inputs; of texts several: title,description."
)
@click.option("--label-column", help="The column of a table that holds the labels.")
@click.option("--columns", help="The names of all columns of a table without a header: label,title,...")
@click.option(
    "--labels",
    callback=parse_labels,
    help="The label space of the dataset's class numbers, such as imagenet-1000, or the names in order: dog,cat.",
)
@click.option(
    "--decode/--headers",
    default=None,
    help="Read pictures to their end, or their headers alone; by default the first for up to 10,000.",
)
@click.option(
    "--sheet",
    type=SHEET,
    help="Write some examples of each class into this PNG file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def data_command(dataset: str, sheet: Path | None, as_json: bool, **options: Any) -> None:
    """Recount DATASET: SCHEME:PATH, the name of a set, or a plain path ('zoo list --datasets').

    Examples by part and class, label names, sizes of pictures or lengths of texts, classes without an example, and
    each file that can't be read. Nothing that the dataset states about itself is believed.
    """
    from zoo.description import describe

    found = describe(dataset, **options)
    written = found.sheet(sheet) if sheet else None
    if as_json:
        click.echo(json.dumps(found.to_json() | ({"sheet": str(written)} if written else {}), indent=1))
        return
    click.echo(str(found))
    if written:
        click.echo(f"sheet in {written}")
