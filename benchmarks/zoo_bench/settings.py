"""What the command line asks for: every combination of runtime, precision and batch size that there is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zoo.errors import MissingPackageError, OptionError
from zoo_bench.job import AUTO, Job

if TYPE_CHECKING:
    from zoo.plugins import Plugins
    from zoo.specs import RuntimeSpec


class Seconds(click.FloatRange):
    """A time that ends: no NaN, no infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See `click.ParamType`."""
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value!r} is no time in seconds", param, ctx)
        return found


class BatchSizes(click.ParamType):
    """`auto`, a number, or several with commas between."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | str, ...]:
        """See `click.ParamType`."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        for part in parts:
            if part != AUTO and not (part.isascii() and part.isdigit() and int(part) > 0):
                self.fail(
                    f"{part!r} is no batch size; it is a number from 1, several with commas, or 'auto'", param, ctx
                )
        return tuple(dict.fromkeys(part if part == AUTO else int(part) for part in parts))


class Strategies(click.ParamType):
    """The strategies of `Model.fit`, several with commas between; "mixed" is left out, it needs settings of its own."""

    name = "strategies"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """See `click.ParamType`."""
        from zoo.transfer.training import STRATEGIES

        if isinstance(value, tuple):
            return value
        known = [name for name in STRATEGIES if name != "mixed"]
        parts = [part.strip() for part in str(value).split(",")]
        for part in parts:
            if part not in known:
                self.fail(f"{part!r} is no strategy to compare by; there are {', '.join(map(repr, known))}", param, ctx)
        return tuple(dict.fromkeys(parts))


def combinations(
    plugins: Plugins,
    runtimes: Sequence[str],
    precisions: Sequence[str],
    batch_sizes: Sequence[int | str],
    settings: Job,
) -> tuple[list[Job], list[str]]:
    """`settings` with each runtime, precision and batch size, and in words the combinations that no runtime has.

    Raises UnknownNameError for a runtime that is not there, MissingPackageError for one that is not installed,
    OptionError for a precision that none of the runtimes has.
    """
    from zoo.runtime import missing_modules  # with NumPy, which a listing does without

    specs = [plugins.runtimes.get(name) for name in dict.fromkeys(runtimes)]
    for spec in specs:
        if missing := missing_modules(spec):
            raise MissingPackageError(f"runtime {spec.name!r} needs {', '.join(map(repr, missing))} ({spec.install})")
    wanted = list(dict.fromkeys(precisions))
    for precision in wanted:
        if not any(_has(spec, precision) for spec in specs):
            have = "; ".join(f"{spec.name!r} has {', '.join(spec.precisions)}" for spec in specs)
            raise OptionError(f"no runtime that is asked for has the precision {precision!r}: {have}")
    pairs = [(spec, precision) for spec in specs for precision in wanted]
    absent = [f"runtime {spec.name!r} has no {precision}" for spec, precision in pairs if not _has(spec, precision)]
    found = [(spec.name, precision) for spec, precision in pairs if _has(spec, precision)]
    return [
        replace(settings, runtime=runtime, precision=precision, batch_size=size)
        for (runtime, precision), size in itertools.product(found, batch_sizes)
    ], absent


def _has(spec: RuntimeSpec, precision: str) -> bool:
    """Whether a runtime has a precision; "auto" lets any choose among its own."""
    return precision == AUTO or precision in spec.precisions


def on_device(jobs: Sequence[Job], device: str, seen: dict[str, Sequence[str]]) -> tuple[list[Job], list[str]]:
    """The jobs whose runtime sees `device`, of the devices `seen` by each, and in words those that do not.

    Raises OptionError where none does.
    """
    named = "gpu:0" if device == "gpu" else device
    blind = {name: devices for name, devices in seen.items() if named not in devices}
    words = [
        f"runtime {name!r} sees {', '.join(map(repr, devices))}, not {device!r}" for name, devices in blind.items()
    ]
    if len(blind) == len(seen):
        raise OptionError(f"there is no device {device!r}: {'; '.join(words)}")
    return [job for job in jobs if job.runtime not in blind], words
