"""`zoo predict` and `zoo eval`: a model at work on a user's own data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from zoo.cli import trust_option, zoo
from zoo.cli.writing import make_folder, write_text


def parse_range(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """A callback of options: `0,1` as two numbers."""
    if value is None:
        return None
    try:
        low, high = map(float, value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no range; write LOW,HIGH, such as 0,1 or -1,1", ctx, param) from error
    return low, high


def parse_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> str | tuple[str, ...] | None:
    """A callback of options: `dog,cat` as two names, in the order of their numbers; one word is a space's name."""
    return tuple(name.strip() for name in value.split(",")) if value and "," in value else value


RUNTIME_OPTIONS = (
    click.option("--runtime", help="What computes: 'tf' where none is named, 'auto', ... ('zoo list --runtimes')."),
    click.option("--precision", default="fp32", show_default=True, help="The precision of the numbers."),
    click.option("--device", help="Such as cpu or gpu:0; by default the best at hand."),
    click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1)),
    click.option(
        "--input-range",
        metavar="LOW,HIGH",
        callback=parse_range,
        help="What black and white become, such as -1,1, where the publisher does not say.",
    ),
    trust_option,
    click.option("--json", "as_json", is_flag=True, help="Print JSON alone."),
)


def runtime_options(command: Any) -> Any:
    """The options of every command that runs a model."""
    for option in reversed(RUNTIME_OPTIONS):
        command = option(command)
    return command


@zoo.command("predict")
@click.argument("model", metavar="MODEL")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "--option", "-o", "settings", metavar="NAME=VALUE", multiple=True, help="A task's option, such as conf=0.5."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write predictions.json into this folder, and pictures where a task draws.",
)
@runtime_options
def predict_command(
    model: str,
    inputs: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path | None,
    runtime: str | None,
    precision: str,
    device: str | None,
    batch_size: int,
    input_range: tuple[float, float] | None,
    as_json: bool,
) -> None:
    """Predict with MODEL, TASK/BACKBONE or a saved model's path, on pictures, folders of pictures, or texts.

    Of a folder the pictures are taken, not those in folders inside it. Exit code 1 if an input can't be read; the
    others are answered all the same.
    """
    from zoo.compose import open_model

    opened = open_model(
        model, runtime=runtime, precision=precision, device=device, batch_size=batch_size, input_range=input_range
    )
    sources = _expand(inputs) if opened.spec.input.kind == "image" else _texts(inputs)
    if out:
        make_folder(out)  # before the model runs, not after
    options = _settings(settings)
    answers = _absent(opened, sources, options) or opened.predict(sources, batch_size=batch_size, **options)
    drawn = _draw_all(answers, sources, out) if out else [None] * len(answers)
    rows = [
        {**answer.to_json(), "input": source} | ({"drawn": str(path)} if path else {})
        for source, answer, path in zip(sources, answers, drawn, strict=True)
    ]
    if out:
        write_text(out / "predictions.json", _json(rows) + "\n")
    if as_json:
        click.echo(_json(rows))
    else:
        for source, answer, path in zip(sources, answers, drawn, strict=True):
            click.echo(f"{source}: {answer}" + (f" -> {path}" if path else ""), err=not answer)
    if not all(answers):
        raise SystemExit(1)


@zoo.command("eval")
@click.argument("model", metavar="MODEL")
@click.argument("dataset", metavar="DATASET")
@click.option("--split", help="The split, in the words of the dataset: test, 'train[:10%]'.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many examples, spread evenly.")
@click.option("--input-column", help="The column of a table that holds the inputs.")
@click.option("--label-column", help="The column of a table that holds the labels.")
@click.option("--columns", help="The names of all columns of a table without a header: label,title,...")
@click.option(
    "--labels",
    callback=parse_labels,
    help="The label space of the dataset's class numbers, such as imagenet-1000, or the names in order: dog,cat.",
)
@runtime_options
def eval_command(
    model: str,
    dataset: str,
    runtime: str | None,
    precision: str,
    device: str | None,
    input_range: tuple[float, float] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure MODEL on DATASET: SCHEME:PATH, the name of a set, or a plain path ('zoo list --datasets').

    A FILE.csv is a table of classes, or for embeddings a file of graded sentence pairs. Examples that can't be read
    are told and not counted.
    """
    from zoo.compose import open_model

    asked = {"runtime": runtime, "precision": precision, "device": device, "batch_size": options["batch_size"]}
    found = open_model(model, **asked, input_range=input_range).evaluate(dataset, **options)
    click.echo(json.dumps(found.to_json(), indent=1) if as_json else str(found))
    if found.failed:
        click.echo(f"{len(found.failed)} of {found.n + len(found.failed)} examples could not be read", err=True)


def _expand(inputs: tuple[str, ...]) -> list[str]:
    """Paths as they are, a folder as the pictures in it; what else it holds is told."""
    from zoo.pictures import ENDINGS

    sources: list[str] = []
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            sources.append(name)
            continue
        inside = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        pictures = [str(file) for file in inside if file.suffix.lower() in ENDINGS and not file.is_dir()]
        folders = sum(file.is_dir() for file in inside)
        others = len(inside) - len(pictures) - folders
        left_out = [f"{others} other files" if others else "", f"{folders} folders" if folders else ""]
        told = " and ".join(part for part in left_out if part)
        if not pictures:
            empty = f"the folder {name!r} holds no pictures" + (f" but {told}; name the folders inside" if told else "")
            if len(inputs) == 1:
                raise click.UsageError(empty)
            click.echo(empty, err=True)
        elif told:
            click.echo(f"left out of {name!r}: {told}", err=True)
        sources += pictures
    return sources


def _texts(inputs: tuple[str, ...]) -> list[str]:
    """Texts as they are; that one is empty is told, for an encoder answers it like any other."""
    for number, text in enumerate(inputs, start=1):
        if not text.strip():
            click.echo(f"input {number} is an empty text: its answer says nothing", err=True)
    return list(inputs)


def _absent(model: Any, sources: list[str], options: dict[str, str]) -> list[Any]:
    """What stands for pictures of which none is there, so that no network is loaded for them; [] where one is."""
    from zoo.errors import InputError
    from zoo.pictures import decode
    from zoo.task import Failed

    if model.spec.input.kind != "image" or any(os.path.exists(source) for source in sources):
        return []
    model.task.settings(options)
    answers = []
    for source in sources:
        try:
            decode(source)
        except InputError as error:
            answers.append(Failed(source, error))
    return answers


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair!r} is no option of a task; write NAME=VALUE, such as conf=0.5")
        settings[name] = value
    return settings


def _draw_all(answers: list[Any], sources: list[str], folder: Path) -> list[Path | None]:
    """Each drawable answer as a picture in `folder`, under its source's name; sources of one name get numbers."""
    taken: set[str] = set()
    drawn: list[Path | None] = []
    for answer, source in zip(answers, sources, strict=True):
        if not getattr(answer, "drawable", False):
            drawn.append(None)
            continue
        name, number = Path(source).stem, 1
        while name in taken:
            number += 1
            name = f"{Path(source).stem}-{number}"
        taken.add(name)
        drawn.append(Path(answer.save(folder / f"{name}.png")))
    return drawn


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, indent=1)  # ASCII: a file name need not be Unicode
