"""Forward-only throughput of `real_mobilenet_v2`: the zoo beside `tf.saved_model.load` + `tf.function`.

Both take the same NumPy batch of real pictures and return NumPy, in one process, call about call, so that whatever else
the machine does meets both alike. The peer runs as TensorFlow's own guide has it: the loaded module traced once by a
`tf.function` with a fixed signature. Prints one JSON object; `ratio` is the median of zoo's rate over the peer's, call
pair by call pair, with its 95 % interval.

    ZOO_ASSETS=../shared/assets python benchmarks/peers/forward.py [--batch-size 32] [--pairs 40]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import zoo
from zoo.batches import stack
from zoo.inputs import Prepared, prepare_all
from zoo_bench.fold import rate
from zoo_bench.machine import machine, versions

ROOT = Path(__file__).parents[2]
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=40, help="how many times each side runs")
    arguments = parser.parse_args()
    assets = Path(os.environ.setdefault("ZOO_ASSETS", str(ROOT.parent / "shared" / "assets")))

    spec = next(row for row in zoo.read_catalog(ROOT / "tests" / "assets.toml") if row.name == "real_mobilenet_v2")
    model = zoo.get("classification", spec).load()
    ours = model.compiled("logits")
    theirs = tf_function(assets / "models" / "mobilenet_v2_100_224" / "classification", arguments.batch_size)
    batch = pictures(assets / "data" / "imagenet_500" / "images", spec.input, arguments.batch_size)

    difference = float(np.abs(ours(batch)["logits"] - theirs(batch)).max())
    for _ in range(WARM_UP):
        ours(batch), theirs(batch)
    seconds = alternating(lambda: ours(batch), lambda: theirs(batch), arguments.pairs)
    found = {
        "batch_size": len(batch),
        "zoo": rate([(len(batch), mine) for mine, _ in seconds]),
        "tf_function": rate([(len(batch), other) for _, other in seconds]),
        "ratio": rate([(1, mine / other) for mine, other in seconds]),
    }
    shown = {name: value.model_dump() if hasattr(value, "model_dump") else value for name, value in found.items()}
    facts = {"largest_difference": difference, "machine": machine().model_dump(), "versions": versions()}
    print(json.dumps(shown | facts, indent=1))


def tf_function(folder: Path, batch_size: int) -> Callable[[Any], Any]:
    """The peer: a loaded SavedModel behind a `tf.function`."""
    module = tf.saved_model.load(str(folder))
    function = tf.function(module, input_signature=[tf.TensorSpec([batch_size, 224, 224, 3], tf.float32)])
    return lambda batch: function(tf.convert_to_tensor(batch)).numpy()


def pictures(folder: Path, spec: zoo.ImageInput, count: int) -> Any:
    """A batch of real pictures, prepared once for both sides."""
    files = sorted(folder.iterdir())
    items = islice((item for item in prepare_all(files, spec) if isinstance(item, Prepared)), count)
    return stack([item.value for item in items], spec.kind)


def alternating(first: Callable[[], Any], second: Callable[[], Any], pairs: int) -> list[tuple[float, float]]:
    """Seconds of both sides, side by side; which of them goes first changes from pair to pair."""
    found = []
    for number in range(pairs):
        sides = (first, second) if number % 2 == 0 else (second, first)
        taken = [_timed(side) for side in sides]
        found.append((taken[0], taken[1]) if number % 2 == 0 else (taken[1], taken[0]))
    return found


def _timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
