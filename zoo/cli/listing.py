"""`zoo list`, `zoo show`, `zoo plugins`: what there is; nothing here imports a framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click

from zoo.cli import zoo
from zoo.pairs import find_pair
from zoo.plugins import Plugins, installed
from zoo.search import matches
from zoo.specs import BackboneSpec, ImageInput


@zoo.command("list")
@click.argument("pattern", metavar="[GLOB]", required=False)
@click.option("--task", help="Only backbones that fit this task.")
@click.option("--tasks", "what", flag_value="tasks", help="List the tasks.")
@click.option("--datasets", "what", flag_value="datasets", help="List the datasets and their schemes.")
@click.option("--runtimes", "what", flag_value="runtimes", help="List the runtimes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_command(pattern: str | None, task: str | None, what: str | None, as_json: bool) -> None:
    """List the backbones whose name or alias fits GLOB, and the tasks that each is ready for.

    A task in brackets needs a head that is fitted first.
    """
    plugins = installed()
    if what:
        _print_specs(getattr(plugins, what), as_json)
        return
    wanted = plugins.tasks.get(task) if task else None
    specs = [
        spec
        for spec in plugins.backbones
        if (wanted is None or find_pair(wanted, spec)) and (pattern is None or matches(spec, pattern))
    ]
    if as_json:
        click.echo(json.dumps([spec.model_dump(mode="json") for spec in specs], indent=1))
        return
    rows = [(spec.name, _tasks(plugins, spec), _input(spec), spec.licence, _bare(spec)) for spec in specs]
    _print_table(("backbone", "tasks", "input", "licence", "also called"), rows)
    click.echo(f"{len(specs)} of {len(plugins.backbones)} backbones", err=True)
    _mention_failures(plugins)


@zoo.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def show_command(name: str, as_json: bool) -> None:
    """Show every fact about the backbone NAME (a name, alias or handle)."""
    from zoo import weights

    plugins = installed()
    spec = plugins.backbones.get(name)
    if as_json:
        click.echo(json.dumps(spec.model_dump(mode="json"), indent=1))
        return
    facts = [
        ("name", spec.name),
        ("also called", _bare(spec)),
        ("plugin", plugins.backbones.owner(spec.name)),
        ("family", spec.family),
        ("licence", spec.licence or "not stated"),
        ("source", spec.source),
        ("tasks", _tasks(plugins, spec)),
        ("input", _input_in_full(spec)),
        ("needs", ", ".join(spec.imports)),
    ]
    for output, offer in spec.outputs.items():
        labels = offer.labels if isinstance(offer.labels, str | None) else f"{len(offer.labels)} own labels"
        about = [f"width {offer.width}" if offer.width else "", f"labels {labels}" if labels else ""]
        about.append(f"boxes {offer.boxes}" if output == "boxes" else "")
        facts.append((output, ", ".join(part for part in about if part)))
        places = [place for place in (offer.weights.path, *offer.weights.handles) if place]
        facts += [("  weights", place) for place in places]
        facts.append(("  at hand", str(weights.at_hand(offer.weights) or "no")))
    facts += [
        ("published", f"{figure.metric} {figure.value:g} on {figure.dataset} {figure.split} ({figure.source})")
        for figure in spec.published
    ]
    for key, value in facts:
        if value:
            click.echo(f"{key:<12} {value}")


@zoo.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def plugins_command(as_json: bool) -> None:
    """List the plugins, what each brings, and those that failed, with the reason."""
    plugins = installed()
    failed = {failure.plugin: failure for failure in plugins.failures}
    rows = [
        {
            "plugin": name,
            "from": origin,
            "brings": _brings(plugins, name),
            "error": getattr(failed.get(name), "reason", None),
        }
        for name, origin in plugins.origins.items()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    _print_table(
        ("plugin", "from", "brings"),
        [(str(row["plugin"]), str(row["from"]), str((row["error"] and "FAILED") or row["brings"])) for row in rows],
    )
    for failure in plugins.failures:
        click.echo(f"\nplugin {failure.plugin!r} failed to load: {failure.reason}\n{failure.details}", err=True)


def _brings(plugins: Plugins, name: str) -> str:
    counts = []
    for kind in ("backbones", "tasks", "runtimes", "datasets", "commands"):
        registry = getattr(plugins, kind)
        count = sum(registry.owner(spec.name) == name for spec in registry)
        if count:
            counts.append(f"{count} {kind if count > 1 else kind[:-1]}")
    return ", ".join(counts) or "nothing"


def _tasks(plugins: Plugins, spec: BackboneSpec) -> str:
    pairs = [pair for task in plugins.tasks if (pair := find_pair(task, spec))]
    return ", ".join(pair.task.name if pair.ready else f"({pair.task.name})" for pair in pairs)


def _input(spec: BackboneSpec) -> str:
    if not isinstance(spec.input, ImageInput):
        return "text"
    return f"image {spec.input.size[0]}x{spec.input.size[1]}" if spec.input.size else "image, any size"


def _input_in_full(spec: BackboneSpec) -> str:
    if not isinstance(spec.input, ImageInput):
        return "text" + (" through a preprocessor" if spec.input.preprocessor else "")
    value = spec.input
    scale = f"range {value.range[0]:g}..{value.range[1]:g}" if value.range else "range unstated by its publisher"
    parts = [_input(spec), value.dtype, value.channels, scale]
    parts += [f"mean {list(value.mean)}"] if value.mean else []
    parts += [f"std {list(value.std)}"] if value.std else []
    if value.size:
        parts.append(
            f"resize {value.resize}"
            + (f" {value.crop:g}" if value.resize == "crop" else "")
            + f" {value.interpolation}"
        )
    parts += [f"batch {value.batch} only"] if value.batch else []
    return ", ".join(parts)


def _bare(spec: BackboneSpec) -> str:
    return ", ".join(alias for alias in spec.aliases if "/" not in alias)


def _print_specs(specs: Iterable[object], as_json: bool) -> None:
    rows = list(specs)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows], indent=1))  # type: ignore[attr-defined]
        return
    _print_table(("name", "what"), [(row.name, row.help) for row in rows])  # type: ignore[attr-defined]


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned plain lines: a rich table of hundreds of rows costs more than all the rest."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    click.echo("\n".join(lines))


def _mention_failures(plugins: Plugins) -> None:
    for failure in plugins.failures:
        click.echo(f"plugin {failure.plugin!r} failed to load: {failure.reason} ('zoo plugins' says more)", err=True)
