"""Memory while the features of many pictures are made: flat, whatever their number.

Writes a CSV whose rows name a few real pictures over and over (each row is decoded and passes the network by itself),
extracts its features, and samples the process' resident memory all the while. Prints one JSON object: `growth` is the
median of the last tenth of the samples less that of the tenth after the first fifth (warm-up), in bytes; `flat` is
whether it is below a tenth of the latter. The table of features itself (n x width x 4 bytes) is mapped from disk: its
pages count as resident where the system keeps them, so anonymous memory is what is sampled.

    ZOO_ASSETS=../shared/assets python benchmarks/peers/extraction_memory.py [--pictures 50000] [--runtime openvino]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zoo
from zoo.transfer.features import extract
from zoo_bench.machine import machine, versions

EVERY = 0.2  # seconds between samples
FLAT = 0.1  # of what the process held after its warm-up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--backbone", default="tiny_cnn_s")
    parser.add_argument("--data", default="tiny_digits", help="where the pictures come from")
    parser.add_argument("--runtime", default="tf")
    parser.add_argument("--batch-size", type=int, default=32)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-extraction-") as folder:
        os.environ["ZOO_FEATURES"] = f"{folder}/features"
        print(json.dumps(measured(asked, Path(folder)), indent=1))


def measured(asked: argparse.Namespace, folder: Path) -> dict[str, object]:
    """One extraction, with what the process held while it ran."""
    model = zoo.get("classification", asked.backbone, runtime=asked.runtime)
    table = folder / "pictures.csv"
    source = list(islice(model.dataset(asked.data), 500))
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label"])
        writer.writerows(
            (Path(source[n % len(source)].input).absolute(), source[n % len(source)].target)
            for n in range(asked.pictures)
        )
    dataset = model.dataset(f"csv:{table}")
    model.compiled("features")
    samples, done = [anonymous()], threading.Event()

    def sample() -> None:
        while not done.wait(EVERY):
            samples.append(anonymous())

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    begun = time.perf_counter()
    found = extract(model, dataset, batch_size=asked.batch_size)
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    tenth = max(len(samples) // 10, 1)
    early, late = samples[2 * tenth : 3 * tenth] or samples, samples[-tenth:]
    warm, end = statistics.median(early), statistics.median(late)
    return {
        "pictures": len(found.targets),
        "width": int(found.features.shape[1]),
        "seconds": round(seconds, 1),
        "samples": len(samples),
        "before_bytes": samples[0],
        "warm_bytes": warm,
        "end_bytes": end,
        "most_bytes": max(samples),
        "growth": end - warm,
        "flat": end - warm < FLAT * warm,
        "backbone": model.spec.name,
        "runtime": model.runtime.spec.name,
        "machine": machine().model_dump(),
        "versions": versions(),
    }


def anonymous() -> int:
    """The process' resident memory that no file backs, in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no RssAnon in /proc/self/status: this benchmark needs Linux")


if __name__ == "__main__":
    main()
