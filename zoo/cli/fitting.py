"""`zoo fit`: a backbone fitted to a user's own data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zoo.cli import zoo
from zoo.cli.running import parse_labels, runtime_options
from zoo.cli.writing import SHEET, make_folder, make_parents
from zoo.metrics import Score, proportion


def _limit(ctx: click.Context, param: click.Parameter, value: str) -> int | float:
    """A callback of options: `3` is a number of examples, `0.1` a share of them."""
    try:
        return int(value) if value.isdigit() else float(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number of examples nor a share", ctx, param) from error


# Settings of how a head or a backbone is trained, which mean nothing where nobody gives them.
TUNING = ("learning_rate", "early_stopping", "mixed_precision", "loss", "pos_weight", "size")
BACKBONE = ("mixed_precision", "unfreeze", "mixed")  # of these, what trains a backbone


def _weight(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """A callback of options: a number, or `balanced`."""
    try:
        weight = value if value in (None, "balanced") else float(str(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor 'balanced'", ctx, param) from error
    if isinstance(weight, float) and not weight > 0:
        raise click.BadParameter(f"{value!r} is no weight; it is greater than 0", ctx, param)
    return weight


@zoo.command("fit")
@click.argument("model", metavar="MODEL")
@click.argument("data", metavar="DATA")
@click.option("--out", type=click.Path(path_type=Path), help="Save the fitted model here.")
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="Cross-validate instead: mean and spread of so many heads, each judged on a part that it has not seen.",
)
@click.option(
    "--validation",
    help="The share held out, a dataset, or a part of DATA such as val; by default the part that DATA has, else 0.2.",
)
@click.option("--test", help="Likewise, judged once at the end; by default the part that DATA has, else none.")
@click.option(
    "--max-unreadable",
    default="0.1",
    show_default=True,
    callback=_limit,
    help="How many examples, or which share of them, may be unreadable.",
)
@click.option(
    "--strategy",
    default="frozen",
    show_default=True,
    type=click.Choice(["frozen", "last", "full", "gradual", "mixed"]),
    help="frozen: a head alone; last, full, gradual, mixed: stages of the backbone too.",
)
@click.option("--unfreeze", help="For last and gradual: how many stages from the top, or their names with commas.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME=HOW",
    help="For mixed: block_16=train, Conv_1=1e-5, head=freeze; others are frozen.",
)
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Constant; else chosen and varied.")
@click.option("--early-stopping", type=click.IntRange(min=1), help="Stop after so many epochs without progress.")
@click.option("--mixed-precision", is_flag=True, help="Train the backbone in half precision.")
@click.option(
    "--head",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "logistic", "ridge", "linear", "hidden", "adapter", "convolutional"]),
    help="logistic (ridge for numbers) is solved; linear, hidden (256 units), adapter (64 units, beside the features) "
    "and convolutional (3x3, on the last maps) are trained in epochs; auto chooses.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of a head that is not solved, or of the backbone.")
@click.option("--class-weight", type=click.Choice(["balanced"]), help="Let rare classes count as much as common ones.")
@click.option(
    "--pos-weight",
    callback=_weight,
    help="Of two classes the second's weight, or of each label: a number, or balanced.",
)
@click.option("--loss", help="A loss other than the default, such as focal or huber.")
@click.option("--size", type=int, nargs=2, metavar="H W", help="Give the network inputs of this size, where it can.")
@click.option(
    "--augment", type=click.Choice(["none", "light", "medium", "heavy"]), help="Train on changed pictures too."
)
@click.option("--views", default=4, show_default=True, type=click.IntRange(min=1), help="So many of each picture.")
@click.option(
    "--preview",
    type=SHEET,
    help="Write a sheet of pictures and their changed views into this PNG file, before anything is trained.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--split", help="The split of DATA to train on, in the words of the dataset.")
@click.option("--input-column", help="The column of a table that holds the inputs.")
@click.option("--label-column", help="The column of a table that holds the labels.")
@click.option("--columns", help="The names of all columns of a table without a header: label,title,...")
@click.option(
    "--labels",
    callback=parse_labels,
    help="The label space of the dataset's class numbers, such as imagenet-1000, or the names in order: dog,cat.",
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a page about the fitted model, its figures and report.json into this folder.",
)
@runtime_options
def fit_command(
    model: str,
    data: str,
    out: Path | None,
    folds: int | None,
    report: Path | None,
    preview: Path | None,
    validation: str | None,
    test: str | None,
    runtime: str | None,
    precision: str,
    device: str | None,
    input_range: tuple[float, float] | None,
    as_json: bool,
    batch_size: int,
    **settings: Any,
) -> None:
    """Fit MODEL, TASK/BACKBONE, to the examples in DATA ('zoo list --datasets'), and save it, or cross-validate.

    Each example passes the backbone once; its features are kept in the cache, and a second run on the same data takes
    seconds. `zoo predict OUT picture.jpg` and `zoo eval OUT DATA` use what was saved.
    """
    from zoo.compose import open_model

    if (out is None) == (folds is None):
        raise click.UsageError("give either --out FILE, to save a fitted model, or --folds N, to cross-validate")
    if out is None and (report or validation or test):
        raise click.UsageError("--report, --validation and --test mean nothing beside --folds: nothing is saved")
    if out and out.exists():
        raise click.UsageError(f"{str(out)!r} exists already; remove it or choose another name")
    opened = open_model(model, runtime=runtime, precision=precision, device=device, input_range=input_range)
    settings["batch_size"] = batch_size if _given("batch_size") else None
    if not _given("strategy"):  # a network that is trained whole has another one
        settings.pop("strategy")
    tuning = _tuning(settings)
    if out is None and (meant := [name for name in BACKBONE if name in tuning]):
        option = "--stage" if meant[0] == "mixed" else f"--{meant[0].replace('_', '-')}"
        raise click.UsageError(f"--folds fits heads alone; {option} means nothing beside it")
    if out:
        make_parents(out)
    if report:
        make_folder(report)
    if _given("views") and settings["augment"] in (None, "none"):
        raise click.UsageError("--views counts what --augment makes; give one, such as --augment light")
    if preview:
        _preview(opened, data, preview, settings)
    if out is None:
        found = opened.cross_validate(data, folds=folds, **settings, **tuning)
        click.echo(json.dumps(found.to_json(), indent=1) if as_json else str(found))
        return
    settings |= {"validation": _part(validation), "test": _part(test), **tuning}
    fitted = opened.fit(data, **settings)
    saved = fitted.save(out)
    page = fitted.report(report) if report else None
    told = fitted.training
    last = {name: values[-1] for name, values in fitted.history.history.items()}
    scores = _scores(last, told.validation)
    if as_json:
        facts = {"model": fitted.name, "saved": str(saved), "head": told.head, "examples": told.examples}
        facts |= {"strategy": told.strategy, "trained": told.trained, "frozen": told.frozen, "notes": list(told.notes)}
        seconds = {"validation": told.validation, "seconds": dict(told.seconds), "failed": len(fitted.failed)}
        reported = {"report": str(page)} if page else {}
        found = {name: getattr(fitted, name, None) for name in ("before", "after", "test")}
        reported |= {name: evaluation.to_json() for name, evaluation in found.items() if evaluation}
        judged = {"last": last, "scores": {name: asdict(score) for name, score in scores.items()}}
        click.echo(json.dumps(facts | seconds | judged | reported, indent=1))
        return
    click.echo(f"{fitted.name}: {told.head} head on {told.examples} examples, {told.validation} held out")
    if told.frozen is not None:
        click.echo(f"  of the backbone {told.trained:,} parameters trained, {told.frozen:,} frozen")
    for note in told.notes:
        click.echo(f"  {note}")
    for name, value in last.items():
        plain = f"{value:.4f}" if value < 1e6 else f"{value:.3g}"
        click.echo(f"  {name:<14} " + (f"{scores[name]} (n = {scores[name].n})" if name in scores else plain))
    for line in _progress(fitted):
        click.echo(f"  {line}")
    if fitted.test:
        click.echo(f"test on {fitted.test.n} examples ({fitted.test.dataset})")
        for name, score in fitted.test.metrics.items():
            click.echo(f"  {name:<14} {score}")
    for failed in fitted.failed:
        click.echo(f"  not read and not counted: {failed.error}", err=True)
    click.echo(f"saved in {saved}")
    if page:
        click.echo(f"report in {page}")


def _scores(last: dict[str, float], n: int) -> dict[str, Score]:
    """The shares among the figures of `n` examples held out, with their intervals, which are wide where n is small."""
    return {name: proportion(round(value * n), n) for name, value in last.items() if name == "val_accuracy"}


def _given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT


def _progress(fitted: Any) -> Iterator[str]:
    """What a network that was trained whole scores on what was held out, and what it scored before."""
    before, after = (getattr(fitted, name, None) for name in ("before", "after"))
    if after and not before:
        yield "it began with other classes: there is no score of it from before"
    for name, score in after.metrics.items() if after else ():
        known = before.metrics.get(name) if before else None
        yield f"{name:<14} {score}" + (f", {known.value:.4f} before" if known else "")


def _tuning(settings: dict[str, Any]) -> dict[str, Any]:
    """What was said of how to train a backbone, in `fit`'s words, taken out of `settings`."""
    unfreeze, stages = settings.pop("unfreeze"), settings.pop("stages")
    given = {name: settings.pop(name) for name in TUNING}
    if unfreeze is not None:
        given["unfreeze"] = int(unfreeze) if unfreeze.isdigit() else unfreeze.split(",")
    if stages:
        given["mixed"] = dict(_stage(text) for text in stages)
    return {name: value for name, value in given.items() if value} | ({"unfreeze": 0} if unfreeze == "0" else {})


def _stage(text: str) -> tuple[str, str | float]:
    name, sign, how = text.rpartition("=")
    try:
        return name, float(how)
    except ValueError:
        if not sign or not name:
            raise click.UsageError(f"--stage {text!r} is no NAME=HOW, such as block_16=train or Conv_1=1e-5") from None
        return name, how


def _preview(model: Any, data: str, file: Path, settings: dict[str, Any]) -> None:
    from zoo.transfer.augmentation import augmentation
    from zoo.transfer.splits import open_data
    from zoo.transfer.views import preview

    changed = augmentation(settings["augment"])
    if changed is None:
        raise click.UsageError("--preview shows what --augment does; give one, such as --augment light")
    options = {name: settings[name] for name in ("split", "input_column", "label_column", "columns")}
    preview(open_data(model, data, None, 0, options).training.dataset, changed, file, seed=settings["seed"])
    click.echo(f"preview in {file}", err=True)


def _part(text: str | None) -> float | str | None:
    """A share, a dataset or a part's name; None for what the data themselves say."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
