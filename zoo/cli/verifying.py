"""`zoo verify`: the catalogue against what the modules really are, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import trust_option, zoo

if TYPE_CHECKING:
    from zoo.verification import Report


@zoo.command("verify")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Verify every backbone of every catalogue.")
@click.option("--timeout", default=900.0, show_default=True, type=click.FloatRange(min=1), help="Seconds for each.")
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def verify_command(names: tuple[str, ...], every: bool, timeout: float, as_json: bool) -> None:
    """Fetch the backbones NAME (names, aliases, handles or globs), run them, and compare them with the catalogue.

    Of one backbone every fact is shown: stated, found, and whether they agree; of several those that differ, after a
    line for each. Exit code 1 if a fact differs or a backbone can't be verified. The report may be pasted as it is.
    """
    chosen = _chosen(names, every)
    reports = []
    for name in chosen:
        report = _verified(name, timeout)
        reports.append(report)
        if not as_json:
            _show(report, everything=len(chosen) == 1)
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports], indent=1))
    elif len(chosen) > 1:
        failed, differing = (sum(map(test, reports)) for test in (lambda r: bool(r.error), lambda r: r.differs))
        click.echo(f"{len(reports)} verified: {differing} differ, {failed} could not be", err=True)
    if any(report.differs or report.error for report in reports):
        raise SystemExit(1)


def _chosen(names: tuple[str, ...], every: bool) -> list[str]:
    from zoo.plugins import installed
    from zoo.search import list_backbones

    if every == bool(names):
        raise click.UsageError("name backbones, or give --all")
    if every:
        return list_backbones()
    known = installed().backbones
    found: list[str] = []
    for name in names:
        globbed = list_backbones(name) if any(mark in name for mark in "*?[") else []
        found += globbed or [known.get(name).name]
    return list(dict.fromkeys(found))


def _verified(name: str, timeout: float) -> Report:
    """The report of a process of its own, or one that says how that ended."""
    from zoo.verification import Report, read_report, versions

    try:
        done = subprocess.run(
            [sys.executable, "-m", "zoo.verification", name],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        return read_report(done.stdout)
    except subprocess.TimeoutExpired:
        why = f"not done after {timeout:g} seconds (--timeout)"
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        why = f"its process ended with {done.returncode}: {last[:300]}"
    return Report(name, versions(), error=why)


def _show(report: Report, everything: bool) -> None:
    counts = {
        verdict: sum(fact.verdict == verdict for fact in report.facts) for verdict in ("ok", "differs", "unstated")
    }
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    click.echo(f"{report.name}: {told or 'not verified'}")
    if everything:
        click.echo("  " + ", ".join(f"{name} {found}" for name, found in report.versions.items()))
    shown = [fact for fact in report.facts if everything or fact.verdict == "differs"]
    for fact in shown:
        click.echo(_line(fact))
    if report.error:
        click.echo(f"  failed: {report.error}")


def _line(fact: Any) -> str:
    said = f"stated {fact.stated}; found {fact.found}" if fact.stated else fact.found
    return f"  {fact.verdict:<8} {fact.output:<8} {fact.name:<15} {said}"
