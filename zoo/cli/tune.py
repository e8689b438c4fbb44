"""`zoo tune`: which runtime is the fastest right one for a model on this machine, and why the others are not."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from zoo.cli import finite, trust_option, zoo
from zoo.errors import OptionError

WIDTH = 118  # of a line of the table


@zoo.command("tune")
@click.argument("model", metavar="MODEL")
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1), help="What to choose for.")
@click.option("--precision", default="fp32", show_default=True, help="'auto' permits any, the lower ones too.")
@click.option("--runtime", default="auto", show_default=True, help="Choose among this one's precisions alone.")
@click.option("--output", help="Of the backbone, by default what the task needs; 'zoo fit' stands on 'features'.")
@click.option("--device", help="Such as cpu or gpu:0; by default each runtime's best.")
@click.option("--data", metavar="DATASET", help="Compare on these inputs, not on samples; chooses again.")
@click.option("--split", help="The split of --data, in the words of the dataset.")
@click.option(
    "--timeout",
    default=180.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    help="Seconds that a candidate may take to convert, load and run once.",
)
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    help="Seconds of each timing: longer is steadier.",
)
@trust_option
@click.option("--again", is_flag=True, help="Choose again, whatever is remembered.")
@click.option("--forget", is_flag=True, help="Forget what is remembered, and choose nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def tune_command(
    model: str,
    batch_size: int,
    precision: str,
    runtime: str,
    output: str | None,
    device: str | None,
    data: str | None,
    split: str | None,
    timeout: float,
    seconds: float,
    again: bool,
    forget: bool,
    as_json: bool,
) -> None:
    """Choose the runtime of MODEL for this machine and remember it: what `--runtime auto` takes from then on.

    Every installed runtime is tried in a process of its own on real inputs. Those whose answers are not the ones of
    'tf' at fp32 are out, however fast; of the others the fastest at this batch size is chosen. Without --again a
    choice that is remembered, and holds for what is installed, is shown.
    """
    from zoo.backbone import load_backbone, require_output
    from zoo.compose import get_runtime, open_model
    from zoo.tuning.auto import tell
    from zoo.tuning.contest import Limits

    if split and not data:
        raise click.UsageError("--split is one of --data's, which is not given")
    if runtime != "auto":
        get_runtime(runtime)
    if "auto" not in (runtime, precision):
        raise OptionError(f"runtime {runtime!r} at {precision!r} leaves nothing to choose; --precision auto does")
    opened = open_model(model, runtime=runtime, precision=precision, device=device, batch_size=batch_size)
    dataset = opened.dataset(data, split=split) if data else None
    # Of a fitted model the runtime computes what the head stands on.
    output = output or (opened.head.takes if hasattr(opened, "head") else opened.pair.output)
    backbone = load_backbone(opened.spec, require_output(opened.spec, output), opened.files(output))
    asked: dict[str, Any] = {"device": device, "precision": precision}
    if forget:
        forgotten = opened.runtime.forget(backbone, **asked)
        tell(
            f"forgotten: the choice for {opened.name!r}" if forgotten else f"nothing is remembered for {opened.name!r}"
        )
        return
    choice = opened.runtime.choose(
        backbone,
        **asked,
        data=dataset,
        again=again or data is not None,
        limits=Limits(load=timeout, stream=seconds),
        report=tell,
    )
    click.echo(choice.model_dump_json(indent=1) if as_json else _explained(choice))


def _explained(choice: Any) -> str:
    rows: list[tuple[str, ...]] = [
        ("runtime", "precision", "inputs/s", "times tf", "agreement", "wanted", "n", "verdict")
    ]
    rows += [_row(verdict) for verdict in choice.verdicts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for number, verdict in enumerate(choice.verdicts, start=1):
        reason = textwrap.wrap(verdict.reason, WIDTH - 4)
        lines[number] += "".join(f"\n    {line}" for line in reason)
    lines.append("\n'times tf' is from timings in turns with tf, so that a change of the machine's speed met both")
    lines.append(f"chosen: {choice}")
    lines.append(f"compared on {choice.examples} inputs, {choice.inputs}; remembered since {choice.date} for")
    lines.append(f"{choice.machine['processor']}, {choice.machine['cores']} cores{_with_gpus(choice.machine['gpus'])}")
    return "\n".join(lines)


def _row(verdict: Any) -> tuple[str, ...]:
    agreement = verdict.agreement
    return (
        verdict.runtime,
        verdict.precision,
        f"{verdict.rate:,.1f}" if verdict.rate else "",
        f"{verdict.ratio:.2f}" if verdict.ratio else "",
        agreement.shown if agreement else "",
        f"{agreement.threshold:g}" if agreement else "",
        str(agreement.n) if agreement else "",
        "slower than the chosen" if verdict.outcome == "slower" else verdict.outcome,
    )


def _with_gpus(gpus: str) -> str:
    return f", {gpus}" if gpus else ""
