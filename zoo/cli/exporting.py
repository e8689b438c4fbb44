"""`zoo export`: a model as files that run without the zoo."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import click

from zoo.cli import trust_option, zoo
from zoo.cli.writing import make_parents


def _format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A callback of options: a format that an installed plugin writes; the nearest ones for another."""
    from zoo.export import formats

    known = sorted(formats())
    if value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    raise click.BadParameter(f"there is no format {value!r}; there are {', '.join(known)}.{guess}", ctx, param)


@zoo.command("export")
@click.argument("model", metavar="MODEL")
@click.option(
    "--format",
    "form",
    default="saved_model",
    show_default=True,
    callback=_format,
    help="saved_model: for TensorFlow Serving, preprocessing inside; onnx or litert: from prepared pixels.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Write into this folder.")
@click.option("--data", help="Check on examples of this dataset, not of the one that judged the fit.")
@click.option("--split", help="The split of that dataset, in its own words.")
@click.option("--input-column", help="The column of a table that holds the inputs.")
@click.option("--label-column", help="The column of a table that holds the labels.")
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def export_command(model: str, form: str, out: Path, data: str | None, as_json: bool, **options: Any) -> None:
    """Export MODEL, TASK/BACKBONE or a saved model's path, once it answers as the model does on real examples.

    The largest difference of any score is printed; with one that is too large nothing is kept. For TensorFlow Serving
    let the folder's name be a version: --out flowers/1.
    """
    from zoo.compose import open_model
    from zoo.export import export_model

    opened = open_model(model)
    make_parents(out)
    found = export_model(opened, out, format=form, data=data, **options)
    click.echo(json.dumps(found.to_json(), indent=1) if as_json else str(found))
