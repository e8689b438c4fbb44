"""The command line: `zoo`, and `python -m zoo`. One file per command group; heavy imports happen inside commands."""

from __future__ import annotations

import importlib
import math
import os
import sys
import traceback
import warnings
from typing import Any

import click

from zoo.errors import OptionError, ZooError, ZooWarning

_shown_by_python = warnings.showwarning


class Commands(click.Group):
    """The core's commands, and those that plugins register; the core's own names can't be taken."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, sorted."""
        return sorted({*super().list_commands(ctx), *(command.name or "" for command in _plugins().commands)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The core's command of that name, else a plugin's."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        return _plugins().commands.get(cmd_name) if cmd_name in _plugins().commands else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click's, with the nearest names in the message for one that is not there."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with the first sentence of each, whole: click's own would end in the middle of it."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, _first_sentence(command.short_help or command.help or ""))
            for name, command in commands
            if command and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _plugins() -> Any:
    from zoo.plugins import installed

    return installed()


def count_of(number: int, thing: str) -> str:
    """`1 module`, `2 modules`."""
    return f"{number:,} {thing}" + ("s" if number != 1 else "")


def finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """A callback of options: NaN and infinity pass click's own ranges."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value!r} is no finite number", ctx, param)
    return value


def _trust(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from zoo.safety import trust

        trust()


trust_option = click.option(
    "--trust-code",
    is_flag=True,
    expose_value=False,
    callback=_trust,
    help="Let a model's files do more than compute; only for makers whom you trust.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="tf-model-zoo", prog_name="zoo")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def zoo(ctx: click.Context, debug: bool) -> None:
    """Any pair of task and pre-trained backbone as a working model."""
    ctx.ensure_object(dict)["debug"] = debug


def main(argv: list[str] | None = None) -> None:
    """Run the command line; an error of the zoo is one line on stderr and exit code 1.

    Wrong usage is 2: what click refuses, and every OptionError, an argument or option that means nothing.
    """
    # TensorFlow's start-up chatter would stand between a person and the answer; TF's own variable still decides.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _show
    arguments = sys.argv[1:] if argv is None else argv
    try:
        sys.exit(zoo.main(arguments, prog_name="zoo", standalone_mode=False) or 0)
    except ZooError as error:
        _fail(error, arguments, 2 if isinstance(error, OptionError) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SystemExit as ended:
        # Click turns a closed pipe into exit code 1: `zoo show NAME | head` asked for no more, and nothing is wrong.
        sys.exit(0 if type(sys.stdout).__name__ == "_PacifyFlushWrapper" else ended.code)
    except (click.Abort, KeyboardInterrupt):
        begun = "\n" if sys.stderr.isatty() else ""  # by a bar, or by the ^C itself
        click.echo(f"{begun}zoo: interrupted", err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a user never sees a bare traceback
        _fail(error, arguments)


def _show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """A warning of the zoo's as a line for people, without the place in the code; others as Python shows them."""
    if issubclass(category, ZooWarning):
        click.echo(f"zoo: {message}", err=True)
    else:
        _shown_by_python(message, category, *where, **more)


def _fail(error: Exception, arguments: list[str], code: int = 1) -> None:
    if "--debug" in arguments:
        traceback.print_exception(error)
    expected = isinstance(error, ZooError)
    click.echo(f"zoo: {error}" if expected else f"zoo: {type(error).__name__}: {error} (--debug shows where)", err=True)
    sys.exit(code)


# They add their commands to the group above.
for _file in (
    "caching",
    "data",
    "doctor",
    "exporting",
    "fitting",
    "inspecting",
    "listing",
    "pulling",
    "reporting",
    "running",
    "showing",
    "tune",
    "verifying",
):
    importlib.import_module(f"zoo.cli.{_file}")
