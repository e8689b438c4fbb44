"""Throughput on a GPU: every runtime, precision and batch size, and timm's same network beside them on the same card.

    python benchmarks/gpu/sweep.py --out rows.jsonl --timm timm.jsonl

For each network and batch size `zoo bench` measures the runtimes at all precisions that they have, and then timm the
same network at the same batch size and precisions: whatever the card does meanwhile, it does to both. Keras
Applications come with random weights, which do for speed and for nothing else: their rows show no accuracy. Every other
name is a backbone at hand ('tiny_cnn_m', 'real_mobilenet_v2'), measured on samples of its labels or on --data.

A run that was cut goes on with the same command. `--table` prints what two files hold, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RUNTIMES = ("tf", "tf-xla", "openxla")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
# The class in keras.applications, the side of its pictures, and timm's name of the same network.
APPLICATIONS = {
    "mobilenet_v2": ("MobileNetV2", 224, "mobilenetv2_100"),
    "inception_v3": ("InceptionV3", 299, "inception_v3"),
    "resnet50": ("ResNet50", 224, "resnet50"),
    "efficientnet_b0": ("EfficientNetB0", 224, "efficientnet_b0"),
    "vgg16": ("VGG16", 224, "vgg16"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=[*APPLICATIONS, "tiny_cnn_s", "tiny_cnn_m"])
    parser.add_argument("--runtimes", nargs="*", default=RUNTIMES)
    parser.add_argument("--precisions", nargs="*", default=PRECISIONS)
    parser.add_argument("--batch-sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--device", default="gpu:0", help="cpu tries the sweep out where there is no GPU")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--data", help="a dataset for the accuracy of backbones at hand")
    parser.add_argument("--out", type=Path, required=True, help="the zoo's rows, as 'zoo bench --out' writes them")
    parser.add_argument("--timm", type=Path, help="timm's rates, a JSON line each; without it timm is left out")
    parser.add_argument("--folder", type=Path, default=Path(".gpu/networks"), help="where networks are kept")
    parser.add_argument("--table", action="store_true", help="print the table of --out and --timm, and measure nothing")
    arguments = parser.parse_args()
    failed = 0 if arguments.table else measure(arguments)
    print(table(_read(arguments.out), _read(arguments.timm) if arguments.timm else []))
    sys.exit(1 if failed else 0)


def measure(asked: Any) -> int:
    """Run all that is not there yet; the number of commands that failed."""
    random = [name for name in asked.networks if name in APPLICATIONS]
    catalogue = _export(random, asked.folder.absolute())
    known = os.environ.get("ZOO_CATALOG")
    places = [str(catalogue), *([known] if known else [])]
    # bf16 and fp16 are written by a pass of oneDNN's, which TensorFlow leaves off for processors that it does not know.
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1", **os.environ, "ZOO_CATALOG": os.pathsep.join(places)}
    failed = 0
    for name in asked.networks:
        for size in asked.batch_sizes:
            failed += subprocess.run(_bench(asked, name, size), env=environment).returncode != 0
            if asked.timm and name in APPLICATIONS:
                failed += subprocess.run(_timm(asked, name, size)).returncode != 0
    return failed


def _bench(asked: Any, name: str, size: int) -> list[str]:
    many = [("--runtime", asked.runtimes), ("--precision", asked.precisions)]
    options = [word for option, values in many for value in values for word in (option, value)]
    options += ["--device", asked.device, "--batch-size", str(size), "--seconds", str(asked.seconds)]
    options += ["--task", "classification", "--out", str(asked.out), "--resume"]
    if asked.data and name not in APPLICATIONS:
        options += ["--data", asked.data]
    wanted = f"random_{name}" if name in APPLICATIONS else name
    return [sys.executable, "-m", "zoo", "bench", "--backbone", wanted, *options]


def _timm(asked: Any, name: str, size: int) -> list[str]:
    _, side, other = APPLICATIONS[name]
    device = "cuda" if asked.device.startswith("gpu") else "cpu"
    options = ["--device", device, "--seconds", str(asked.seconds), "--out", str(asked.timm), "--called", name]
    own = HERE.parents[1] / ".venv-peers" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    return [python, str(HERE / "timm_rate.py"), other, str(side), str(size), *asked.precisions, *options]


def _export(names: Sequence[str], folder: Path) -> Path:
    """A catalogue of the SavedModels of `names`, made where they are not there: only that needs Keras."""
    for name in names:
        if not (folder / name / "saved_model.pb").is_file():
            code = (
                "import sys, keras; keras.utils.set_random_seed(0);"
                "model = getattr(keras.applications, sys.argv[1])(weights=None, classifier_activation=None);"
                "model.export(sys.argv[2], verbose=False)"
            )
            made = folder / f"{name}.draft"
            for cut in (made, folder / name):  # by an end of an earlier run
                shutil.rmtree(cut, ignore_errors=True)
            subprocess.run([sys.executable, "-c", code, APPLICATIONS[name][0], str(made)], check=True)
            made.rename(folder / name)
    rows = [
        f'[[backbone]]\nname = "random_{name}"\n'
        f'input = {{ kind = "image", size = [{side}, {side}], range = [-1, 1] }}\n'
        f'[backbone.outputs.logits]\nlabels = "imagenet-1000"\nwidth = 1000\n'
        f'weights = {{ path = "{folder / name}" }}\n'
        for name in names
        for side in [APPLICATIONS[name][1]]
    ]
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = folder / "catalogue.toml"
    catalogue.write_text("\n".join(rows), encoding="utf-8")
    return catalogue


def table(rows: Sequence[dict[str, Any]], timm: Sequence[dict[str, Any]]) -> str:
    """Pictures per second of each network, precision and batch size, and how many times timm's that is."""
    theirs = {(row["network"], row["precision"], row["batch_size"]): row["rate"] for row in timm if not row["error"]}
    lines = [
        "| network | precision | batch | runtime | inputs/s | times timm | timm | peak MB | timm's |",
        "| --- " * 9 + "|",
    ]
    for row in sorted(
        rows, key=lambda row: (row["backbone"], row["precision"], row["batch_size"] or 0, row["runtime"])
    ):
        name = row["backbone"].removeprefix("random_")
        peer = theirs.get((name, row["precision"], row["batch_size"]))
        rate = (row.get("throughput") or {}).get("value")
        told = f"{rate:,.0f}" if rate else f"error: {row['error']}"
        against = (f"{rate / peer:.2f}", f"{peer:,.0f}") if rate and peer else ("", "")
        cells = [name, row["precision"], row["batch_size"], row["runtime"], told, *against]
        memory = [_megabytes((row.get("memory") or {}).get("peak"))]
        memory += [_megabytes(next((one["peak"] for one in timm if _same(one, name, row)), None))]
        lines.append("| " + " | ".join(map(str, [*cells, *memory])) + " |")
    return "\n".join(lines)


def _same(one: dict[str, Any], name: str, row: dict[str, Any]) -> bool:
    return (one["network"], one["precision"], one["batch_size"]) == (name, row["precision"], row["batch_size"])


def _megabytes(count: int | None) -> str:
    return f"{count / 1e6:,.0f}" if count else ""


def _read(file: Path) -> list[dict[str, Any]]:
    """The rows of `file`, those apart that a run which was ended left cut."""
    if not file.is_file():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            if line.strip():
                print(f"left out of {file.name}: a line that was cut, {line[:60]!r}", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
