"""`zoo pull`: weights fetched ahead of their use; nothing here imports a framework."""

from __future__ import annotations

import fnmatch
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from zoo import pins
from zoo.cli import zoo
from zoo.errors import OptionError, UnknownNameError, ZooError
from zoo.pairs import require_pair
from zoo.plugins import installed
from zoo.specs import BackboneSpec, WeightsSpec


@dataclass(frozen=True)
class Pulled:
    """What became of one module. wanted_by: the backbones and outputs that need it; reason: why it failed."""

    state: Literal["fetched", "at hand", "failed"]
    handle: str
    wanted_by: str
    path: str | None
    bytes: int
    seconds: float
    digest: str | None = None
    reason: str = ""


@zoo.command("pull")
@click.argument("names", metavar="[TASK/BACKBONE|BACKBONE|HANDLE|GLOB]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every backbone that there is.")
@click.option("--lock", type=click.Path(dir_okay=False, path_type=Path), help="Pin what came in this lock file.")
@click.option("--update-lock", is_flag=True, help="Let what comes now take the place of what the lock file pins.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def pull_command(names: tuple[str, ...], everything: bool, lock: Path | None, update_lock: bool, as_json: bool) -> None:
    """Fetch weights into the cache, so that the first use need not; exit code 1 if some could not be had.

    A backbone brings all of its outputs, TASK/BACKBONE only what that task uses. What breaks off is kept, and goes on
    where it was when it is asked for again, by this command or by the first use.

    A lock file pins each handle to the digest of what came: zoo.lock of the current folder, or what ZOO_LOCK names,
    stops every later use of weights that have changed since.
    """
    if everything == bool(names):
        raise click.UsageError("name backbones, handles or globs, or ask for --all ('zoo list' shows them)")
    if update_lock:
        lock = lock or pins.lock_file() or Path(pins.USUAL)
    if lock and not lock.absolute().parent.is_dir():
        raise OptionError(f"the lock file {str(lock)!r} can't be written: there is no folder {str(lock.parent)!r}")
    results = []
    with _counting(lock):
        for weights, wanted_by in _wanted(names or ("*",)).items():
            results.append(_pull(weights, ", ".join(wanted_by), held=not update_lock))
            if not as_json:
                _say(results[-1])
    if lock:
        _pin(lock, results)
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=1))
    counts = {state: sum(result.state == state for result in results) for state in ("fetched", "at hand", "failed")}
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items() if count), err=True)
    if counts["failed"]:
        raise SystemExit(1)


@contextmanager
def _counting(lock: Path | None) -> Iterator[None]:
    """Let `lock`, where there is one by now, be the lock file that counts."""
    before = os.environ.get("ZOO_LOCK")
    try:
        if lock and lock.is_file():
            os.environ["ZOO_LOCK"] = str(lock.absolute())
        yield
    finally:
        os.environ.pop("ZOO_LOCK", None)
        if before is not None:
            os.environ["ZOO_LOCK"] = before


def _wanted(names: Iterable[str]) -> dict[WeightsSpec, list[str]]:
    """The modules that `names` mean, each once, with what needs them."""
    found: dict[WeightsSpec, list[str]] = {}
    for name in names:
        for weights, wanted_by in _modules(name):
            found.setdefault(weights, [])
            found[weights] += [wanted_by] if wanted_by not in found[weights] else []
    return found


def _modules(name: str) -> Iterator[tuple[WeightsSpec, str]]:
    plugins = installed()
    task, slash, backbone = name.partition("/")
    if name in plugins.backbones:
        yield from _modules_of(plugins.backbones.get(name))
    elif slash and task in plugins.tasks:
        pair = require_pair(plugins.tasks.get(task), plugins.backbones.get(backbone))
        yield from _modules_of(pair.backbone, pair.output)
    elif any(sign in name for sign in "*?["):
        fitting = [spec for spec in plugins.backbones if _fits(spec, name)]
        if not fitting:
            raise UnknownNameError(f"no backbone fits {name!r} ('zoo list' shows all {len(plugins.backbones)})")
        for spec in fitting:
            yield from _modules_of(spec)
    elif slash:
        from zoo.inspection import place_of

        yield place_of(name), name
    else:
        plugins.backbones.get(name)  # raises, with the nearest names


def _fits(spec: BackboneSpec, glob: str) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for name in (spec.name, *spec.aliases))


def _modules_of(spec: BackboneSpec, only: str | None = None) -> Iterator[tuple[WeightsSpec, str]]:
    if before := getattr(spec.input, "preprocessor", None):
        yield before, f"{spec.name} (preprocessor)"
    for output, facts in spec.outputs.items():
        if only in (None, output):
            yield facts.weights, f"{spec.name} ({output})"


def _pull(weights: WeightsSpec, wanted_by: str, held: bool) -> Pulled:
    from zoo.weights import at_hand, digest, fetch, size

    handle = (*weights.handles, weights.path or wanted_by)[0]
    start = time.monotonic()
    try:
        state: Literal["fetched", "at hand"] = "at hand" if at_hand(weights) else "fetched"
        path = fetch(weights, wanted_by=wanted_by, held=held)
        found = digest(path) if weights.handles else None
        return Pulled(state, handle, wanted_by, str(path), size(path), round(time.monotonic() - start, 3), found)
    except ZooError as error:
        return Pulled(
            "failed", handle, wanted_by, None, 0, round(time.monotonic() - start, 3), reason=str(error).rstrip()
        )


def _say(result: Pulled) -> None:
    size = f"{result.bytes / 1e6:,.1f} MB" if result.path else ""
    took = f"{result.seconds:.1f} s" if result.state == "fetched" else ""
    click.echo(f"{result.state:<8} {size:>12} {took:>8}  {result.wanted_by}")
    if result.state == "failed":
        click.echo(f"zoo: {result.reason}", err=True)


def _pin(lock: Path, results: list[Pulled]) -> None:
    before = pins.pinned(lock) if lock.is_file() else {}
    now = {result.handle: result.digest for result in results if result.digest}
    pins.write(lock, before | now)
    new, other = (
        len(now.keys() - before.keys()),
        sum(before.get(handle, found) != found for handle, found in now.items()),
    )
    click.echo(f"{lock}: {len(before | now)} pinned, {new} of them new, {other} changed", err=True)
