"""Transfer learning on one's own pictures: the zoo beside the usual recipe, each side a whole process (`recipes.py`).

From the start of the process to the accuracy on pictures that were held out, imports included, both sides on the same
machine in turns, in another order each round. The held-out pictures are those in val/, all others are trained on, for
every side. The sides and their settings:

    usual         frozen `hub.KerasLayer` in tf_keras, dropout 0.5, dense layer, Adam at 0.001, pictures decoded and
                  resized to 224 in each epoch by tf.data on all cores; 6 epochs, batches of 367
    usual_fair    the same with batches of 32 and 12 epochs
    zoo_equal     the zoo, `head="linear"` with the 6 epochs, batches of 367 and dropout 0.5 of `usual`, at the zoo's
                  own rate of 0.003
    zoo_defaults  the zoo with nothing said but the data: features come from the fastest runtime that is known to agree
    zoo_first     the same on a machine where it never ran: nothing is in its cache, and nothing is known
    zoo_tf        the same with features by TensorFlow
    zoo_again     a second `fit` on the same data with another head, in the process of the first
    zoo_folds     five-fold cross-validation on train/
    zoo_news      1,000 texts of AG News on MiniLM, 500 others held out, nothing said but the data
    zoo_last, zoo_full    the last two stages, or all, trained with the head (--slow)

But for `zoo_first`, what the zoo keeps beside features (digests, agreements, conversions) is there from before: from
`zoo_first`. Its features never are, but where a side makes them itself. A seed is the round's number.

    make peers && .venv/bin/python benchmarks/peers/transfer.py [--json] [--rounds 2] [--slow] [--data FOLDER]

Needs the folder of real models and data, ../shared/assets or ZOO_ASSETS; --data takes other pictures, train/ and val/
with a folder for each class. A side that fails is null with the reason, and the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from zoo_bench.machine import machine, versions

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
IN_TURNS = ("usual", "zoo_equal", "zoo_defaults", "zoo_tf")
ONCE = ("usual_fair", "zoo_again", "zoo_folds", "zoo_news")
SLOW = ("zoo_last", "zoo_full")
SLOW_SEEDS = 3
BUSY = 0.05  # the share of the processors that other work may take before figures are doubtful

# What must hold: name, whether more is better, the limit.
GOALS = {
    "speedup": (True, 4.0),
    "speedup_defaults": (True, 8.0),
    "speedup_tf": (True, 4.0),
    "speedup_first": (True, 4.0),
    "speedup_fair": (True, 8.0),
    "gain_equal": (True, 0.0),
    "gain_fair": (True, 0.0),
    "accuracy_defaults": (True, 0.85),
    "second_fit_seconds": (False, 3.0),
    "folds_over_plain": (False, 1.5),
    "accuracy_news": (True, 0.87),
    "margin_last": (True, 0.0),
    "margin_full": (True, 0.0),
}

Turn = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    parser.add_argument("--rounds", type=int, default=2, help="turns of the four main sides")
    parser.add_argument("--slow", action="store_true", help="train the backbone, too: tens of minutes")
    parser.add_argument("--only", nargs="*", help="these sides alone")
    parser.add_argument("--data", type=Path, help="pictures in train/CLASS/ and val/CLASS/")
    arguments = parser.parse_args()
    assets = Path(os.environ.get("ZOO_ASSETS") or ROOT.parent / "shared" / "assets").absolute()
    if not assets.is_dir():
        parser.error(f"no real model in {str(assets)!r}: set ZOO_ASSETS to its folder")
    data = (arguments.data or assets / "data" / "flowers_600").absolute()
    with tempfile.TemporaryDirectory(prefix="zoo-peers-") as folder:
        turns = measured(arguments, data, assets, Path(folder) / "cache", quiet=arguments.json)
    found = figures(turns) | {"sides": {side: summary(done) for side, done in turns.items()}}
    found |= {"data": data.name, "busy": statistics.median(turn["busy"] for done in turns.values() for turn in done)}
    if arguments.json:
        print(json.dumps(found | {"machine": machine().model_dump(), "versions": versions()}, indent=1))
    else:
        print(table(found))
    if any(about["error"] for about in found["sides"].values()):
        raise SystemExit(1)


def measured(arguments: argparse.Namespace, data: Path, assets: Path, cache: Path, *, quiet: bool) -> dict[str, Any]:
    """The turns of each side."""
    plan = [("zoo_first", 0)]
    for number in range(arguments.rounds):
        plan += [(side, number) for side in random.sample(IN_TURNS, len(IN_TURNS))]
    plan += [(side, 0) for side in ONCE]
    if arguments.slow:
        plan += [(side, seed) for seed in range(SLOW_SEEDS) for side in ("zoo_defaults", *SLOW)]
    turns: dict[str, list[Turn]] = {}
    for side, seed in plan:
        if not arguments.only or side in arguments.only:
            turn = process(side, data, assets, cache, seed)
            turns.setdefault(side, []).append(turn)
            if not quiet:
                print(f"{side:14}{turn['seconds']:8.1f} s  {turn['error'] or turn['accuracy']}", file=sys.stderr)
    return turns


def process(side: str, data: Path, assets: Path, cache: Path, seed: int) -> Turn:
    """One side, once, in a process of its own, on features that nobody has computed."""
    shutil.rmtree(cache / "features", ignore_errors=True)
    names = {"zoo_first": "zoo_defaults"}
    command = [sys.executable, str(HERE / "recipes.py"), names.get(side, side), str(data), str(assets), str(seed)]
    environment = {**os.environ, "ZOO_CACHE": str(cache), "PYTHONWARNINGS": "ignore", "BEGUN": str(time.time())}
    own, everyone, begun = children(), everybody(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.perf_counter() - begun
    others = everybody() - everyone - (children() - own)
    turn = {"seconds": round(seconds, 2), "busy": round(max(0.0, others / seconds / psutil.cpu_count()), 3)}
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()]
        return turn | {"accuracy": None, "error": told[-1][:300] if told else f"it ended with {done.returncode}"}
    return turn | {"error": None} | json.loads(done.stdout.splitlines()[-1])


def children() -> float:
    """Seconds that the processors have worked for our own sides, as far as these have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def everybody() -> float:
    """Seconds that all processors together have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def figures(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Any]:
    """What the sides mean together; what a missing side leaves open is None.

    speedup, speedup_defaults, speedup_tf: seconds of the usual recipe over ours, at equal epochs, with our defaults,
        and with these on TensorFlow; the median over rounds. speedup_first: over our first run on a machine.
        speedup_fair: its fair form over our defaults.
    gain, gain_equal, gain_fair: our validation accuracy less theirs: our defaults, equal epochs, and our defaults
        less their fair form; means over rounds.
    gain_last, gain_full: likewise of trained stages less the head alone, both over the same seeds; margin_last,
        margin_full: the same and the spread of the seeds, which is not below 0 unless training stages does harm.
    """
    seconds = {side: statistics.median(taken) for side, done in turns.items() if (taken := right(done, "seconds"))}
    scores = {side: statistics.mean(found) for side, done in turns.items() if (found := right(done, "accuracy"))}

    def ratio(above: str, below: str) -> float | None:
        rounds = list(zip(right(turns.get(above, ()), "seconds"), right(turns.get(below, ()), "seconds"), strict=False))
        return round(statistics.median(one / other for one, other in rounds), 2) if rounds else None

    def less(first: str, second: str) -> float | None:
        return round(scores[first] - scores[second], 4) if {first, second} <= scores.keys() else None

    def margin(side: str) -> float | None:
        found = right(turns.get(side, ()), "accuracy")
        gain = less(side, "zoo_defaults")
        return round(gain + statistics.stdev(found), 4) if gain is not None and len(found) > 1 else None

    again = next(iter(right(turns.get("zoo_again", ()), "parts")), None)
    folds = {"zoo_folds", "zoo_defaults"} <= seconds.keys()
    return {
        "speedup": ratio("usual", "zoo_equal"),
        "gain": less("zoo_defaults", "usual"),
        "speedup_defaults": ratio("usual", "zoo_defaults"),
        "speedup_tf": ratio("usual", "zoo_tf"),
        "speedup_first": ratio("usual", "zoo_first"),
        "speedup_fair": ratio("usual_fair", "zoo_defaults"),
        "gain_equal": less("zoo_equal", "usual"),
        "gain_fair": less("zoo_defaults", "usual_fair"),
        "accuracy_defaults": rounded(scores.get("zoo_defaults")),
        "second_fit_seconds": rounded(again["second"] - again["first"]) if again else None,
        "folds_over_plain": round(seconds["zoo_folds"] / seconds["zoo_defaults"], 2) if folds else None,
        "accuracy_news": rounded(scores.get("zoo_news")),
        "gain_last": less("zoo_last", "zoo_defaults"),
        "gain_full": less("zoo_full", "zoo_defaults"),
        "margin_last": margin("zoo_last"),
        "margin_full": margin("zoo_full"),
    }


def right(done: Sequence[Turn], name: str) -> list[Any]:
    """What the turns that did not fail say."""
    return [turn[name] for turn in done if not turn["error"]]


def rounded(value: float | None) -> float | None:
    """Four digits are more than 200 pictures can tell."""
    return None if value is None else round(value, 4)


def summary(done: Sequence[Turn]) -> dict[str, Any]:
    """All turns of a side in one."""
    seconds, scores = right(done, "seconds"), right(done, "accuracy")
    spread = statistics.stdev(scores) if len(scores) > 1 else None
    return {
        "seconds": seconds,
        "accuracies": scores,
        "accuracy": rounded(statistics.mean(scores)) if scores else None,
        "spread": rounded(spread),
        "parts": right(done, "parts"),
        "tensorflow": any(right(done, "tensorflow")),
        "error": next((turn["error"] for turn in done if turn["error"]), None),
    }


def table(found: Mapping[str, Any]) -> str:
    """The same for a person."""
    lines = [f"{found['data']}: whole processes, seconds and accuracy on pictures that were held out"]
    for side, about in found["sides"].items():
        seconds = " ".join(f"{value:.1f}" for value in about["seconds"])
        score = "-" if about["accuracy"] is None else f"{about['accuracy']:.3f}"
        lines.append(f"  {side:22}{score:>7}  {about['error'] or seconds + ' s'}")
    for name, value in found.items():
        if name.startswith(("speedup", "gain", "margin", "accuracy", "second", "folds")) and value is not None:
            lines.append(f"  {name:22}{value:7.3f}  {judged(name, value)}".rstrip())
    if found["busy"] > BUSY:
        lines.append(f"  other work took {found['busy']:.0%} of the processors meanwhile: figures are doubtful")
    return "\n".join(lines)


def judged(name: str, value: float) -> str:
    """Whether a figure reaches what it should."""
    if name not in GOALS:
        return ""
    more, limit = GOALS[name]
    met = value >= limit if more else value <= limit
    return f"{'at least' if more else 'at most'} {limit:g} wanted{'' if met else ': MISSED'}"


if __name__ == "__main__":
    main()
