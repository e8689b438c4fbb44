"""Lowers networks here for machines that have JAX and no TensorFlow.

    python -m zoo_openxla classification/inception_v3 --batch-size 1 --batch-size 32 --precision bf16 --platform cuda

fills the cache for runtime `openxla`; carried there as a bundle (`zoo cache export`) or as a folder (`ZOO_CACHE`), it
runs without TensorFlow. Batches of other sizes are padded to the next larger one. `--out` also leaves `network.jax` and
`weights.npz`, which need JAX and NumPy alone.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from zoo.backbone import load_backbone
from zoo.compose import open_model
from zoo.errors import OptionError, ZooError
from zoo_openxla.exported import NETWORK, WEIGHTS
from zoo_openxla.runtime import PLATFORMS, PRECISIONS, lowered, require_pictures


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--batch-size", "sizes", multiple=True, type=click.IntRange(min=1), help="Several, if need be.")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(PRECISIONS["gpu"]),
    default=("fp32",),
    show_default=True,
)
@click.option("--platform", type=click.Choice(sorted(set(PLATFORMS.values()))), default="cuda", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Also write a folder here for each of them.")
def main(
    models: tuple[str, ...], sizes: tuple[int, ...], precisions: tuple[str, ...], platform: str, out: Path | None
) -> None:
    """Lower each MODEL, TASK/BACKBONE, to StableHLO: one file for each batch size and precision.

    A batch of 1 is always among them: a model opens with it.
    """
    try:
        for name in models:
            for precision in dict.fromkeys(precisions):
                for size in sorted({1, *sizes}):
                    click.echo(_lower(name, size, precision, platform, out))
    except ZooError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def _lower(name: str, size: int, precision: str, platform: str, out: Path | None) -> str:
    if platform == "cpu" and precision not in PRECISIONS["cpu"]:
        raise OptionError(f"precision {precision!r} has no meaning on a CPU, where XLA has {PRECISIONS['cpu']}")
    model = open_model(name)
    output = model.pair.output
    backbone = load_backbone(model.spec, output, model.files(output))
    facts = require_pictures(backbone)
    if facts.size is None:
        raise OptionError(f"backbone {model.spec.name!r} takes pictures of any size, and a file takes one size alone")
    shape = (facts.batch or size, *facts.size, facts.depth)
    _, folder = lowered(backbone, (shape, facts.dtype), platform=platform, precision=precision)
    if out is not None:
        made = out / f"{model.spec.name}-{output}-{platform}-{precision}-b{shape[0]}"
        made.mkdir(parents=True, exist_ok=True)
        for file in (NETWORK, WEIGHTS):
            shutil.copyfile(folder / file, made / file)
        folder = made
    return str(folder)


if __name__ == "__main__":
    main(prog_name="python -m zoo_openxla")
