"""Loading a cached SavedModel: `zoo.get(...).load()` beside plain `tf.saved_model.load`, in turns, in one process.

    make peers && .venv/bin/python benchmarks/peers/load.py [--json] [--rounds 7]

TensorFlow is imported and each side has loaded once before the clock starts; then the sides take turns, in another
order each round, with the garbage collected before each; the ratio is the median of the rounds'. The zoo's side
includes looking the name up, the check of the cache's manifest, and the check of what the model may do; TensorFlow's
starts from the folder. Neither freezes: the zoo does so at the first call, whose time stands beside (and a second
call's, to compare).
The model is the real MobileNet V2 of ../shared/assets or ZOO_ASSETS (14 MB), put into an empty cache from a mirror.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parents[2]
PLACE = "google/imagenet/mobilenet_v2_100_224/classification/5"
GOAL = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    parser.add_argument("--rounds", type=int, default=7, help="turns of both sides")
    asked = parser.parse_args()
    assets = Path(os.environ.get("ZOO_ASSETS") or ROOT.parent / "shared" / "assets")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(
            cached(assets / "models" / "mobilenet_v2_100_224" / "classification", Path(folder)), asked.rounds
        )
    if asked.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<20} {value:.3f}" if isinstance(value, float) else f"{name:<20} {value}")
    sys.exit(0 if figures["ratio"] <= GOAL else 1)


def cached(model: Path, folder: Path) -> Path:
    """`model` as the only entry of a cache under `folder`; returns where it lies there."""
    if not (model / "saved_model.pb").is_file():
        sys.exit(f"there is no SavedModel in {str(model)!r}: set ZOO_ASSETS to the folder of real models")
    archive = folder / "mirror" / f"{PLACE}.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(model, arcname=".")
    os.environ |= {"ZOO_CACHE": str(folder / "cache"), "ZOO_MIRROR": str(folder / "mirror")}
    from zoo.specs import WeightsSpec
    from zoo.weights import fetch

    return fetch(WeightsSpec(tfhub=f"https://tfhub.dev/{PLACE}"), wanted_by="the benchmark")


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Seconds of both sides, and the ratio of the zoo's to TensorFlow's."""
    import tensorflow as tf

    import zoo

    sides: dict[str, Callable[[], Any]] = {
        "tf": lambda: tf.saved_model.load(str(path)),
        "zoo": lambda: zoo.get("classification", f"https://tfhub.dev/{PLACE}").load(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name in sorted(sides, reverse=turn % 2 == 1):
            taken, model = timed(sides[name])
            del model
            if turn:  # the first one warms up
                seconds[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    model = sides["zoo"]()
    run = model.compiled("logits")
    batch = tf.zeros([1, *model.spec.input.size, 3]).numpy()  # how long a call takes does not hang on the picture
    calls = [timed(lambda: run(batch))[0] for _ in range(2)]
    return {
        "ratio": statistics.median(ours / theirs for ours, theirs in zip(seconds["zoo"], seconds["tf"], strict=True)),
        "goal": GOAL,
        "tf_seconds": medians["tf"],
        "zoo_seconds": medians["zoo"],
        "first_call_seconds": calls[0],
        "second_call_seconds": calls[1],
        "rounds": rounds,
        "bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "tf_each": [round(one, 3) for one in seconds["tf"]],
        "zoo_each": [round(one, 3) for one in seconds["zoo"]],
    }


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
