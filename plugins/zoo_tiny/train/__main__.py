"""`python -m zoo_tiny.train`: train the tiny networks again, and measure them as `zoo eval` does."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

import zoo

SAMPLES = {"classification": "tiny_digits", "detection": "tiny_scenes", "embedding": "tiny_sentences"}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m zoo_tiny.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/zoo_tiny"), help="the folder to write (%(default)s)")
    parser.add_argument("--only", choices=SAMPLES, help="the networks of one task alone")
    arguments = parser.parse_args()
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        run([arguments.only] if arguments.only else list(SAMPLES), arguments.out)
    except (zoo.ZooError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def run(tasks: list[str], out: Path) -> None:
    """Train the networks of `tasks` into `out`, and print their figures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    importlib.import_module("zoo_tiny.train.learning").steady()
    for task in tasks:
        begin = time.perf_counter()
        importlib.import_module(f"zoo_tiny.train.{task}").train(out)
        print(f"{task}: trained in {time.perf_counter() - begin:.0f} s", flush=True)
        for name in zoo.list_backbones(f"tiny_*.{SAMPLES[task].removeprefix('tiny_')}"):
            report(task, zoo.spec(name), out)


def report(task: str, spec: zoo.BackboneSpec, out: Path) -> None:
    """Print the figures of the new weights of `spec` beside those that were shipped."""
    name = spec.aliases[0]
    weights = {output: out / name / output for output in spec.outputs}
    scores = zoo.get(task, spec, weights=weights).evaluate(SAMPLES[task]).metrics
    for figure in spec.published:
        new = scores[figure.metric].value
        print(f"  {name} {figure.metric} {new:.4f}, shipped {figure.value:.4f} ({new - figure.value:+.4f})", flush=True)


if __name__ == "__main__":
    main()
