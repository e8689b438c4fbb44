"""`zoo explain`: how a fitted model was trained, and where it is right and wrong, as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from zoo.cli import zoo
from zoo.cli.running import parse_labels, runtime_options
from zoo.cli.writing import make_folder
from zoo.errors import OptionError


@zoo.command("explain")
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="[DATA]", required=False)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.html, report.json and the figures as PNG into this folder.",
)
@click.option("--split", help="The split of DATA, in the words of the dataset.")
@click.option("--input-column", help="The column of a table that holds the inputs.")
@click.option("--label-column", help="The column of a table that holds the labels.")
@click.option("--columns", help="The names of all columns of a table without a header: label,title,...")
@click.option(
    "--labels",
    callback=parse_labels,
    help="The label space of the dataset's class numbers, such as imagenet-1000, or the names in order: dog,cat.",
)
@runtime_options
def explain_command(
    model: str,
    data: str | None,
    out: Path,
    runtime: str | None,
    precision: str,
    device: str | None,
    batch_size: int,
    input_range: tuple[float, float] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Report on MODEL, which 'zoo fit' saved: on DATA, or on what was held out when it was fitted.

    Curves, confusion matrix, predictions, figures by class, calibration, the most confident mistakes, how it was
    trained; of a detector AP before and after, and its boxes, right, wrong and missed. One page without outside links,
    which opens in any browser.
    """
    from zoo.compose import open_model
    from zoo.transfer import FittedModel, WholeModel

    opened = open_model(
        model, runtime=runtime, precision=precision, device=device, batch_size=batch_size, input_range=input_range
    )
    if not isinstance(opened, FittedModel | WholeModel):
        raise OptionError(f"{model!r} was not fitted, so there is no training to explain; 'zoo eval' measures it")
    make_folder(out)  # before the model runs, not after
    page = opened.report(out, data, **options)
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    if as_json:
        click.echo(json.dumps({"page": str(page), "metrics": told["metrics"], "data": told["data"]}, indent=1))
        return
    click.echo(f"{told['model']}: {told['data']['examples']:,} examples")
    for name, score in told["metrics"].items():
        if score["value"] is not None:
            click.echo(f"  {name:<14} {score['value']:.4f}")
    click.echo(f"report in {page}")
