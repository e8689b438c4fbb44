"""Forward-only throughput of the zoo beside what a user would pick instead, each side at its best (`sides.py`).

MobileNetV2 at 224 and InceptionV3 at 299 on real pictures in batches of 32, and MiniLM on the sentences of the STS
benchmark. Every side is a process of its own and works in turns, in another order each round, so that whatever else the
machine does meets all alike. A `vs_` figure is the median of the rounds of our inputs per second over theirs.

    make peers && .venv/bin/python benchmarks/peers/throughput.py [--json] [--seconds 2] [--rounds 7]

Where `.venv-peers` is, torch's sides run in it. A side that is not installed, or fails, is null with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from zoo_bench.facts import Rate
from zoo_bench.fold import rate
from zoo_bench.machine import machine, versions

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
IMAGE_SIDES = ("zoo", "zoo_fp32", "hub_load", "keras_predict", "onnxruntime", "openvino", "timm")
TEXT_SIDES = ("zoo", "zoo_fp32", "saved_model", "sentence_transformers")
SIDES = {"mobilenet_v2": IMAGE_SIDES, "inception_v3": IMAGE_SIDES, "minilm": TEXT_SIDES}
OURS = ("zoo", "zoo_fp32")
TORCH = ("timm", "sentence_transformers")
OWN_WEIGHTS = TORCH  # their outputs can't be compared
BUSY = 0.05  # the share of the processors that other work may take before figures are doubtful


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    parser.add_argument("--seconds", type=float, default=2, help="how long each side works in a turn")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side; an interval takes at least six")
    parser.add_argument("--only", nargs="*", choices=SIDES, default=list(SIDES), help="these networks alone")
    parser.add_argument("--runtime", default="auto", help="the runtime of our side")
    parser.add_argument("--precision", default="auto", help="the precision of our faster side")
    arguments = parser.parse_args()
    assets = Path(os.environ.get("ZOO_ASSETS") or ROOT.parent / "shared" / "assets").absolute()
    with tempfile.TemporaryDirectory(prefix="zoo-peers-") as folder:
        os.environ |= {"ZOO_RUNTIME": arguments.runtime, "ZOO_PRECISION": arguments.precision}
        os.environ.setdefault("ZOO_CACHE", f"{folder}/cache")
        found: dict[str, Any] = {}
        for name in arguments.only:
            if name == "minilm" and not assets.is_dir():
                found[name] = {"error": f"no real model in {str(assets)!r}: set ZOO_ASSETS to its folder"}
                continue
            found[name] = compared(name, Path(folder) / name, assets, arguments.seconds, arguments.rounds)
            if not arguments.json:
                print(table(name, found[name]))
    found |= {"machine": machine().model_dump(), "versions": versions()}
    if arguments.json:
        print(json.dumps(found, indent=1))


def compared(name: str, folder: Path, assets: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """All sides of one network, measured."""
    make = [sys.executable, str(HERE / "networks.py"), name, str(folder), str(assets)]
    subprocess.run(make, check=True, stdout=sys.stderr)
    with ExitStack() as stack:
        sides = {side: stack.enter_context(closing(Side(side, folder))) for side in SIDES[name]}
        able = {name: side for name, side in sides.items() if not side.error}
        turns: dict[str, list[tuple[int, float]]] = {side: [] for side in able}
        for _ in range(rounds):
            for side in random.sample(sorted(able), len(able)):
                if not able[side].error and (turn := able[side].work(seconds)):
                    turns[side].append(turn)
    whole = {side: done for side, done in turns.items() if len(done) == rounds}
    return {
        **ratios(whole),
        "rates": {side: shown(rate(whole.get(side, []))) for side in sides},
        "ran": {side: one.about for side, one in sides.items() if not one.error},
        "missing": {side: one.error for side, one in sides.items() if one.error},
        "similarity": similarity(folder, [side for side in whole if side not in OWN_WEIGHTS]),
        "busy": round(statistics.median(share for side in able.values() for share in side.others or [0.0]), 3),
    }


class Side:
    """A process of `sides.py`.

    about: what it runs; error: why it does not, or None; others: the share of the processors that other work took in
    each of its turns.
    """

    def __init__(self, name: str, folder: Path) -> None:
        own = ROOT / ".venv-peers" / "bin" / "python"
        python = str(own) if name in TORCH and own.exists() else sys.executable
        self.about = ""
        self.error: str | None = None
        self.others: list[float] = []
        self._log = (folder / f"{name}.log").open("w+", encoding="utf-8")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        self._process = subprocess.Popen([python, str(HERE / "sides.py"), name, str(folder)], text=True, **pipes)
        if answer := self._answer():
            self.about = answer["ready"]

    def work(self, seconds: float) -> tuple[int, float] | None:
        """How many inputs it took in how many seconds; None if it failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        own, all_of_it = self._spent(), _spent_by_all()
        found = self._answer()
        if not found:
            return None
        others = _spent_by_all() - all_of_it - (self._spent() - own)
        self.others.append(max(0.0, others / found[1] / psutil.cpu_count()))
        return found[0], found[1]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _spent(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._log.seek(0)
        told = [told for told in self._log.read().splitlines() if told.strip()]
        self.error = told[-1][:300] if told else f"it ended with code {self._process.wait()}"
        return None


def _spent_by_all() -> float:
    """Seconds that all processors together have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def ratios(turns: Mapping[str, Sequence[tuple[int, float]]]) -> dict[str, Any]:
    """`vs_PEER` of our faster side and `fp32_vs_PEER` of the other, with their intervals beside them."""
    found: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    for ours, prefix in zip(OURS, ("vs_", "fp32_vs_"), strict=True):
        for peer in turns:
            if peer in OURS or ours not in turns:
                continue
            rounds = zip(turns[ours], turns[peer], strict=True)
            ratio = rate([(1, (theirs[0] / theirs[1]) / (mine[0] / mine[1])) for mine, theirs in rounds])
            assert ratio is not None
            found[prefix + peer] = round(ratio.value, 3)
            intervals[prefix + peer] = shown(ratio)
    return found | {"intervals": intervals}


def similarity(folder: Path, sides: Sequence[str]) -> dict[str, float]:
    """The least cosine of each side's first outputs with those of TensorFlow: whether all compute the same."""
    reference = "hub_load" if "hub_load" in sides else "saved_model"
    if reference not in sides:
        return {}
    known = np.load(folder / f"{reference}.npy")
    return {side: round(float(_cosine(np.load(folder / f"{side}.npy"), known).min()), 6) for side in sides}


def _cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left, right = left.astype(np.float64), right.astype(np.float64)
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def shown(value: Rate | None) -> dict[str, float | None] | None:
    """A rate as its median with the 95 % interval."""
    if value is None:
        return None
    found = {"value": value.value, "low": value.low, "high": value.high}
    return {name: None if one is None else round(one, 3) for name, one in found.items()} | {"n": value.n}


def table(name: str, found: Mapping[str, Any]) -> str:
    """The same for a person."""
    lines = [f"{name}: inputs per second, and how many times that of each the zoo reaches"]
    for side, value in found["rates"].items():
        rated = f"{value['value']:8.1f}" if value else "       -"
        faster, full = (found.get(f"{prefix}{side}") for prefix in ("vs_", "fp32_vs_"))
        against = f"  {faster:5.2f}  fp32 {full:5.2f}" if faster and full else ""
        lines.append(f"  {side:22}{rated}{against}  {found['ran'].get(side) or found['missing'].get(side)}")
    if found["busy"] > BUSY:
        lines.append(f"  other work took {found['busy']:.0%} of the processors meanwhile: figures are doubtful")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
