"""Which rows of two files are of one pair with one setting, and what became of each such pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zoo_bench.changes import BETTER, INCOMPARABLE, UNCLEAR, WORSE, Change, Limits, changes
from zoo_bench.row import Row

FAILS_NOW, RUNS_NOW, FAILS_STILL = "fails now", "runs now", "fails in both"
ONLY_OLD, ONLY_NEW = "only in old", "only in new"
REGRESSIONS = (WORSE, FAILS_NOW)
SETTINGS = ("runtime", "precision", "batch_size")

Groups = dict[tuple[Any, ...], list[Row]]


@dataclass(frozen=True)
class Compared:
    """One pair with one setting. row: the latest that there is of it, of the new file if it is there at all.

    remarks: what else a reader should know: other machines, weights, settings that ran, the cause of a failure.
    """

    row: Row
    verdict: str
    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()


def compared(old: Sequence[Row], new: Sequence[Row], limits: Limits, *, across_machines: bool) -> list[Compared]:
    """What became of every pair in either file, in the order of the old one.

    Rows are of one pair where task, backbone, output, strategy of fitting, runtime, precision, batch size, device and
    the data's fingerprint are the same; a batch size or runtime that was asked for as "auto" counts as "auto". Of
    several such rows in a file those with the latest one's machine and versions are pooled, the others passed over. A
    failure counts where nothing later in its file succeeded. Pairs whose data alone differ are put side by side, and
    not compared.
    """
    before, after = _groups(old), _groups(new)
    failures = [_failures(old, before), _failures(new, after)]
    both = [key for key in before if key in after]
    found = [_compare(before.pop(key), after.pop(key), limits, across_machines) for key in both]
    for key in list(before):
        other = next((match for match in after if match[:-1] == key[:-1]), None)
        if other is not None:
            before.pop(key)
            found.append(Compared(after.pop(other)[-1], INCOMPARABLE, remarks=("measured on other data",)))
    found += [_alone(rows[-1], failures[1], FAILS_NOW, ONLY_OLD) for rows in before.values()]
    found += [_alone(rows[-1], failures[0], RUNS_NOW, ONLY_NEW) for rows in after.values()]
    for row in failures[1]:
        again = [other for other in failures[0] if _settings(other) == _settings(row)]
        failures[0] = [other for other in failures[0] if other not in again]
        found.append(Compared(row, FAILS_STILL if again else ONLY_NEW, remarks=(row.error or "",)))
    found += [Compared(row, ONLY_OLD, remarks=(row.error or "",)) for row in failures[0]]
    order = {row.name: number for number, row in reversed(list(enumerate([*old, *new])))}
    return sorted(found, key=lambda pair: order[pair.row.name])


def _groups(rows: Sequence[Row]) -> Groups:
    """Measured rows of one pair and setting, the latest last, without those of earlier machines or versions."""
    groups: Groups = {}
    for row in sorted(rows, key=lambda row: row.time):
        if row.error is None:
            data = row.dataset.fingerprint if row.dataset else None
            groups.setdefault((*_settings(row), row.device_id, data), []).append(row)
    return {
        key: [row for row in group if (row.machine, row.versions) == (group[-1].machine, group[-1].versions)]
        for key, group in groups.items()
    }


def _settings(row: Row) -> tuple[Any, ...]:
    ran = ("auto" if row.asked.get(name) == "auto" else getattr(row, name) for name in SETTINGS)
    return (row.task, row.backbone, row.output, row.strategy, *ran)


def _failures(rows: Sequence[Row], measured: Groups) -> list[Row]:
    """The last failure of each pair and setting, unless it was measured after that."""
    latest = {_settings(row): row for row in sorted(rows, key=lambda row: row.time) if row.error is not None}
    done = [group[-1] for group in measured.values()]
    return [row for row in latest.values() if not any(good.time >= row.time and _is_of(row, good) for good in done)]


def _is_of(failed: Row, measured: Row) -> bool:
    """Whether a failure may be of the same job: it says what was asked for, where a measured row says what ran."""
    if _settings(failed)[:4] != _settings(measured)[:4]:
        return False
    if failed.device_id not in (None, measured.device_id):
        return False
    return all(getattr(failed, name) in (None, getattr(measured, name), measured.asked.get(name)) for name in SETTINGS)


def _alone(row: Row, failures: list[Row], failed: str, absent: str) -> Compared:
    """A pair that was measured in one file only: in the other it failed, or is not there."""
    failure = _taken(failures, lambda other: _is_of(other, row))
    if failure is None:
        return Compared(row, absent)
    return Compared(failure if failed == FAILS_NOW else row, failed, remarks=(failure.error or "",))


def _taken(rows: list[Row], fits: Callable[[Row], bool]) -> Row | None:
    """Take out the first row that fits."""
    for number, row in enumerate(rows):
        if fits(row):
            return rows.pop(number)
    return None


def _compare(old: Sequence[Row], new: Sequence[Row], limits: Limits, across_machines: bool) -> Compared:
    machines = _other_machine(old[-1], new[-1])
    company = _other_company(old[-1], new[-1])
    obstacle = company or ("" if across_machines else machines)
    found = tuple(changes(old, new, limits, obstacle))
    verdicts = {change.verdict for change in found}
    verdict = next((one for one in (WORSE, BETTER, UNCLEAR, INCOMPARABLE) if one in verdicts), UNCLEAR)
    if obstacle and verdict == UNCLEAR:
        verdict = INCOMPARABLE  # the metrics alone are the same, which says nothing of the speed
    return Compared(new[-1], verdict, found, tuple(filter(None, (machines, company, *_differences(old[-1], new[-1])))))


def _other_machine(old: Row, new: Row) -> str:
    """What is other about the hardware; drivers and systems are software, whose effect is to be seen."""

    def hardware(row: Row) -> str:
        return ", ".join(
            dict.fromkeys([*(gpu.name for gpu in row.machine.gpus), row.machine.processor, f"{row.machine.cores} cores",
                           row.device or ""])
        ).rstrip(", ")  # fmt: skip

    before, after = hardware(old), hardware(new)
    return "" if before == after else f"another machine: {before} -> {after}"


def _other_company(old: Row, new: Row) -> str:
    """Whether one of them shared the machine with more pairs than the other (`zoo bench --jobs`)."""
    before, after = old.beside, new.beside
    return "" if before == after else f"measured beside up to {before} other pairs and beside up to {after}"


def _differences(old: Row, new: Row) -> list[str]:
    told = []
    if any(old.digests.get(role) not in (None, digest) for role, digest in new.digests.items()):
        told.append("other weights")
    for name in SETTINGS:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            told.append(f"{name.replace('_', ' ')} {before} -> {after}")
    return told
