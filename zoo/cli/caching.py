"""`zoo cache`: what lies in the cache, whether it is what was fetched, and less of it; no framework is imported."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from zoo.cache import Entry, cache_folder
from zoo.cli import count_of, finite, zoo
from zoo.inventory import LARGE, Item, items
from zoo.progress import track

DAY = 86400.0


def _finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    return None if value is None else finite(ctx, param, value)


@zoo.group("cache")
def cache_group() -> None:
    """See, check, empty, and carry away what the zoo keeps: weights, conversions, features, choices.

    ZOO_CACHE moves it. One that can't be written serves what it holds.
    """


@cache_group.command("path")
def path_command() -> None:
    """Print the folder of the cache."""
    click.echo(str(cache_folder()))


@cache_group.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def ls_command(as_json: bool) -> None:
    """List what the cache holds: size, when it was last used, and what it is; for weights also from where, and when.

    Small notes (choices, verdicts, probed ranges) have a line for each kind.
    """
    found = items()
    if as_json:
        click.echo(json.dumps([{**asdict(item), "path": str(item.path)} for item in found], indent=1))
        return
    for item in found:
        if item.kind in (*LARGE, "part", "draft"):
            click.echo(f"{item.kind:<10} {_size(item.size):>12}  {_ago(item.used):<12}  {_about(item)}")
    notes = sorted({item.kind for item in found} - {*LARGE, "part", "draft"})
    for kind in notes:
        own = [item for item in found if item.kind == kind]
        size = sum(item.size for item in own)
        click.echo(
            f"{kind:<10} {_size(size):>12}  {_ago(max(item.used for item in own)):<12}  {count_of(len(own), 'note')}"
        )
    click.echo(f"{_size(sum(item.size for item in found))} in {cache_folder()}", err=True)


@cache_group.command("verify")
@click.argument("names", metavar="[BACKBONE|ADDRESS|GLOB]...", nargs=-1)
@click.option("--repair", is_flag=True, help="Fetch what is damaged again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def verify_command(names: tuple[str, ...], repair: bool, as_json: bool) -> None:
    """Read every byte of weights against their SHA-256; exit code 1 if something is damaged and stays so."""
    from zoo.inventory import chosen

    entries = chosen(names)
    found = [_verified(entry, repair) for entry in track(entries, len(entries), "reading weights")]
    # One whose manifest is gone is no entry by any address.
    nameless = [item for item in items() if item.kind == "weights" and item.name == item.path.name] if not names else []
    found += [{"address": item.name, "state": "damaged", "detail": item.damage} for item in nameless]
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        for row in found:
            click.echo(f"{row['state']:<9} {row['address']}" + (f": {row['detail']}" if row["detail"] else ""))
    damaged = sum(row["state"] == "damaged" for row in found)
    advice = "; --repair fetches them again, 'zoo cache prune' removes them" if damaged else ""
    click.echo(f"{len(found)} checked, {damaged} damaged{advice}", err=True)
    if damaged:
        raise SystemExit(1)


def _verified(entry: Entry, repair: bool) -> dict[str, str]:
    from zoo.errors import ZooError
    from zoo.weights import fetch_again

    damage = entry.full_damage()
    if damage and repair:
        try:
            fetch_again(entry)
            return {"address": entry.address, "state": "repaired", "detail": damage}
        except ZooError as error:
            damage = f"{damage}; {error}"
    return {"address": entry.address, "state": "damaged" if damage else "whole", "detail": damage}


@cache_group.command("prune")
@click.option(
    "--older-than", metavar="DAYS", type=click.FloatRange(min=0), callback=_finite, help="Unused for so long."
)
@click.option("--max-size", metavar="GB", type=click.FloatRange(min=0), callback=_finite, help="What may stay.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def prune_command(older_than: float | None, max_size: float | None, dry_run: bool, as_json: bool) -> None:
    """Remove what is dead: damaged weights, drafts of processes that died, downloads that nobody went on with.

    With --older-than also what was not used for so many days; with --max-size the longest unused weights, conversions,
    features and half downloads until the rest fits into so many gigabytes (10^9 bytes). What a process is writing now
    stays.
    """
    from zoo.inventory import prune

    gone = prune(
        None if older_than is None else older_than * DAY, None if max_size is None else max_size * 1e9, dry_run
    )
    if as_json:
        click.echo(json.dumps([{**asdict(item), "path": str(item.path)} for item in gone], indent=1))
    else:
        for item in gone:
            click.echo(f"{item.kind:<10} {_size(item.size):>12}  {item.name}: {item.dead}")
    verb = "would go" if dry_run else "went"
    click.echo(f"{len(gone)} {verb}, {_size(sum(item.size for item in gone))}", err=True)


@cache_group.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("names", metavar="[BACKBONE|ADDRESS|GLOB]...", nargs=-1)
def export_command(file: Path, names: tuple[str, ...]) -> None:
    """Write weights of the cache into FILE, one bundle for a machine without network; all of them without names."""
    from zoo.bundle import export_bundle
    from zoo.inventory import chosen

    entries = chosen(names)
    export_bundle(file, entries)
    held = f"{count_of(len(entries), 'module')}, {_size(file.stat().st_size)}"
    click.echo(f"{file}: {held}; take them in with 'zoo cache import'")


@cache_group.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_command(file: Path) -> None:
    """Take the weights of a bundle into the cache, after a check of every digest; all of them or none."""
    from zoo.bundle import import_bundle

    for entry, new in import_bundle(file):
        click.echo(f"{'taken in' if new else 'at hand':<9} {entry.address}")


def _about(item: Item) -> str:
    came = f" from {item.source}" if item.source and item.source != item.name else ""
    when = f", {item.date[:10]}" if item.date else ""
    wrong = item.damage or item.dead
    return f"{item.name}{came}{when}" + (f" [{wrong}]" if wrong else "")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _ago(used: float) -> str:
    days = (time.time() - used) / DAY
    return "today" if days < 1 else f"{days:.0f} days ago"
