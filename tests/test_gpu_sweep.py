"""The sweep for GPUs, on a CPU: what it writes, how it goes on, and its table beside timm."""

import json
import subprocess
import sys
from pathlib import Path

SWEEP = Path(__file__).parents[1] / "benchmarks" / "gpu" / "sweep.py"


def sweep(folder, *more):
    command = [sys.executable, str(SWEEP), "--out", str(folder / "rows.jsonl"), "--folder", str(folder / "networks")]
    return subprocess.run([*command, *more], capture_output=True, text=True)


def test_it_measures_each_setting_once_and_goes_on_where_it_was_cut(tmp_path):
    asked = ["--networks", "tiny_cnn_s", "--precisions", "fp32", "--batch-sizes", "2", "--seconds", "0.05"]
    for runtimes in (["tf"], ["tf", "openxla"]):
        done = sweep(tmp_path, *asked, "--device", "cpu", "--runtimes", *runtimes)
        assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["runtime"], row["precision"], row["batch_size"], row["device_id"]) for row in rows] == [
        (runtime, "fp32", 2, "cpu") for runtime in ("tf", "openxla")
    ]
    assert all(row["throughput"]["value"] > 0 for row in rows)


def test_its_table_divides_by_timms_rate_of_the_same_network_precision_and_batch(tmp_path):
    common = {"runtime": "tf", "precision": "bf16", "batch_size": 8, "error": None}
    rows = [
        common | {"backbone": "random_resnet50", "throughput": {"value": 300.0}, "memory": {"peak": 2_000_000}},
        common | {"backbone": "random_vgg16", "throughput": None, "memory": None, "error": "out of memory"},
    ]
    timm = {
        "network": "resnet50",
        "precision": "bf16",
        "batch_size": 8,
        "rate": 200.0,
        "peak": 1_000_000,
        "error": None,
    }
    others = [timm | {"precision": "fp16", "rate": 1.0}, timm | {"network": "vgg16", "rate": None, "error": "none"}]
    for name, lines in {"rows": rows, "timm": [timm, *others]}.items():
        whole = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(whole + '{"network": "vgg1', encoding="utf-8")  # killed in a line
    shown = sweep(tmp_path, "--table", "--timm", str(tmp_path / "timm.jsonl"))
    assert shown.returncode == 0, shown.stderr
    assert "| resnet50 | bf16 | 8 | tf | 300 | 1.50 | 200 | 2 | 1 |" in shown.stdout
    assert shown.stderr.count("a line that was cut") == 2
    assert "| vgg16 | bf16 | 8 | tf | error: out of memory |" in shown.stdout
