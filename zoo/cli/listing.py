"""`zoo list`, `zoo plugins`: what there is; nothing here imports a framework."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import click

from zoo.cli import zoo
from zoo.pairs import find_pair
from zoo.plugins import Plugins, installed
from zoo.search import FACTS, Selection, fact_of, select
from zoo.specs import BackboneSpec, ImageInput


@zoo.command("list")
@click.argument("pattern", metavar="[GLOB]", required=False)
@click.option("--task", help="Only backbones that fit this task.")
@click.option(
    "--where", metavar="CONDITION", help='Only backbones whose facts fit, e.g. "top1 >= 75 and params < 1e7".'
)
@click.option("--sort", metavar="FACT,...", help="Order by facts; -FACT is from high to low.")
@click.option(
    "--unstated", is_flag=True, help="Only backbones of which a fact is unstated by its publisher, and which."
)
@click.option("--tasks", "what", flag_value="tasks", help="List the tasks.")
@click.option("--datasets", "what", flag_value="datasets", help="List the datasets and their schemes.")
@click.option("--runtimes", "what", flag_value="runtimes", help="List the runtimes.")
@click.option("--formats", "what", flag_value="formats", help="List the forms of weights that can be read.")
@click.option("--facts", "what", flag_value="facts", help="List the facts that --where and --sort know.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_command(
    pattern: str | None,
    task: str | None,
    where: str | None,
    sort: str | None,
    unstated: bool,
    what: str | None,
    as_json: bool,
) -> None:
    """List the backbones whose name or alias fits GLOB, and the tasks that each is ready for.

    A task in brackets needs a head that is fitted first. CONDITION compares facts (--facts lists them) with numbers
    and quoted text, joined by and, or, not; published scores are in percent, and a number up to 1 beside one is a
    fraction. A backbone of which a fact is not known does not fit, and is counted.
    """
    plugins = installed()
    if what == "facts":
        if as_json:
            click.echo(json.dumps(FACTS, indent=1))
        else:
            _print_table(("fact", "what"), list(FACTS.items()))
        return
    if what:
        _print_specs(getattr(plugins, what), as_json)
        return
    found = select(pattern, task=task, where=where, sort=sort)
    if unstated:
        found = replace(found, backbones=tuple(spec for spec in found.backbones if spec.unstated))
    if as_json:
        click.echo(json.dumps([spec.model_dump(mode="json") for spec in found.backbones], indent=1))
    elif unstated:
        _print_table(("backbone", "unstated"), [(spec.name, ", ".join(spec.unstated)) for spec in found.backbones])
    else:
        facts = [fact for fact in found.facts if fact not in ("name", "licence", "tasks")]
        rows = [
            (
                spec.name,
                tasks_of(plugins, spec),
                input_in_short(spec),
                spec.licence,
                *(_value(fact_of(spec, fact)) for fact in facts),
                called(spec),
            )
            for spec in found.backbones
        ]
        _print_table(("backbone", "tasks", "input", "licence", *facts, "also called"), rows)
    counted = _unstated(found.backbones) if unstated else ""
    click.echo(f"{len(found.backbones)} of {len(plugins.backbones)} backbones{_left_out(found)}{counted}", err=True)
    _mention_failures(plugins)


def _unstated(backbones: Iterable[BackboneSpec]) -> str:
    """How often each fact is unstated, whichever output it is of."""
    kinds = Counter(
        fact.removeprefix("outputs.").partition(".")[2] if fact.startswith("outputs.") else fact
        for spec in backbones
        for fact in spec.unstated
    )
    return "".join(f"\n{count:>5} without {fact}" for fact, count in kinds.most_common())


def _left_out(found: Selection) -> str:
    """What to say of those whose facts are not known."""
    if not found.left_out:
        return ""
    lacking = ", ".join(f"{count} without {fact}" for fact, count in sorted(found.lacking.items()))
    return f"; {found.left_out} left out for facts that nobody states ({lacking})"


def _value(value: Any) -> str:
    """A fact in a column; "-" where it is not known."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


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
    for kind in ("backbones", "tasks", "runtimes", "datasets", "formats", "commands"):
        registry = getattr(plugins, kind)
        count = sum(registry.owner(spec.name) == name for spec in registry)
        if count:
            counts.append(f"{count} {kind if count > 1 else kind[:-1]}")
    return ", ".join(counts) or "nothing"


def tasks_of(plugins: Plugins, spec: BackboneSpec) -> str:
    """The tasks that `spec` is ready for, in brackets those that need a head first."""
    pairs = [pair for task in plugins.tasks if (pair := find_pair(task, spec))]
    return ", ".join(pair.task.name if pair.ready else f"({pair.task.name})" for pair in pairs)


def input_in_short(spec: BackboneSpec) -> str:
    """What the network reads, in a word or two."""
    if not isinstance(spec.input, ImageInput):
        return "text"
    return f"image {spec.input.size[0]}x{spec.input.size[1]}" if spec.input.size else "image, any size"


def called(spec: BackboneSpec) -> str:
    """The aliases of `spec` that are no handles, each spelling once."""
    spelled: dict[str, str] = {}
    for alias in spec.aliases:
        if "/" not in alias:
            spelled.setdefault(alias.lower().replace("-", "_"), alias)
    return ", ".join(spelled.values())


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
