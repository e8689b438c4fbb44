"""timm's throughput of one network on one card: one batch size, several precisions, a JSON line each.

    python timm_rate.py NAME SIDE BATCH PRECISION... --out timm.jsonl

Its best documented settings: `inference_mode`, channels-last, cuDNN's search for the fastest convolution, products in
TF32 for "tf32" and in float32 for "fp32"; half precision casts the network. Weights are random: speed does not depend
on them. Inputs are normal random numbers, another batch each time of several on the card; the device has finished when
a clock is read. A line that is there already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

DTYPES = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16"}
BATCHES = 4  # other inputs each time: caches shall not hold them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="timm's name of the network")
    parser.add_argument("side", type=int, help="of its pictures, in pixels")
    parser.add_argument("batch_size", type=int)
    parser.add_argument("precisions", nargs="+", choices=DTYPES)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--called", help="what the zoo calls it")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    network = asked.called or asked.name
    there = {_key(row) for row in _rows(asked.out)}
    for precision in asked.precisions:
        row: dict[str, Any] = {"network": network, "precision": precision, "batch_size": asked.batch_size}
        if _key(row) in there:
            continue
        try:
            row |= measured(asked, precision) | {"error": None}
        except Exception as error:  # noqa: BLE001 - out of memory, a precision that is not there, no timm: a line too
            row |= {
                "rate": None,
                "peak": None,
                "error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            }
        with asked.out.open("a+b") as file:
            if file.tell() and _last_byte(file) != b"\n":  # an earlier run was ended in the midst of a line
                file.write(b"\n")
            file.write(json.dumps(row).encode() + b"\n")


def measured(asked: Any, precision: str) -> dict[str, Any]:
    """Pictures per second: the median of the repeats; the peak of the card's memory in bytes; what ran."""
    sys.path.append(str(Path(__file__).parents[1] / "peers"))
    from sides import import_torch

    torch = import_torch()
    import timm

    cuda = asked.device.startswith("cuda")
    if cuda:  # the precision before has left memory behind, and its peak
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    dtype = getattr(torch, DTYPES[precision])
    more = {"aux_logits": False} if asked.name == "inception_v3" else {}
    network = timm.create_model(asked.name, **more).eval()
    network = network.to(asked.device, dtype, memory_format=torch.channels_last)
    shape = (asked.batch_size, 3, asked.side, asked.side)
    batches = [torch.randn(shape, device=asked.device, dtype=dtype) for _ in range(BATCHES)]
    batches = [batch.to(memory_format=torch.channels_last) for batch in batches]
    finish: Callable[[], Any] = torch.cuda.synchronize if cuda else lambda: None
    with torch.inference_mode():
        rates = _rates(network, batches, asked.seconds, finish)
    return {
        "rate": statistics.median(rates) * asked.batch_size,
        "repeats": len(rates),
        "peak": int(torch.cuda.max_memory_allocated()) if cuda else None,
        "ran": f"timm {timm.__version__}, torch {torch.__version__}, {precision}, channels-last",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
    }


def _rates(network: Any, batches: list[Any], seconds: float, finish: Callable[[], Any]) -> list[float]:
    """Batches per second of each repeat, after a warm-up; a repeat takes about a tenth of the time."""
    for batch in batches * 2:
        network(batch)
    finish()
    start = time.perf_counter()
    network(batches[0])
    finish()
    calls = max(1, int(seconds / 10 / (time.perf_counter() - start)))
    rates = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 5:
        start = time.perf_counter()
        for number in range(calls):
            network(batches[number % BATCHES])
        finish()
        rates.append(calls / (time.perf_counter() - start))
    return rates


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["network"], row["precision"], row["batch_size"]


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows that are there; a line that was cut is none."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ():
        with suppress(ValueError):
            yield json.loads(line)


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, 2)
    return file.read(1)


if __name__ == "__main__":
    main()
