"""Figures: the published table's metrics in the zoo's words, the page's own before others' of the same kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# metric of the table -> (dataset, split, metric, divisor); the first of a kind that is there
# counts. Times, transfers to other data and averages over tasks are no figures of the module as it is.
TOLD = {
    "imagenet_val_top1": ("imagenet-1k", "val", "top1", 100),
    "imagenet_val_top5": ("imagenet-1k", "val", "top5", 100),
    "imagenet_val_top1_timm_port": ("imagenet-1k", "val", "top1", 100),
    "imagenet_val_top5_timm_port": ("imagenet-1k", "val", "top5", 100),
    "imagenet_val_top1_original": ("imagenet-1k", "val", "top1", 100),
    "imagenet_real_labels_top1_timm_port": ("imagenet-real", "val", "top1", 100),
    "imagenet_v2_matched_frequency_top1_timm_port": ("imagenet-v2-matched-frequency", "test", "top1", 100),
    "imagenet_r_top1_timm_port": ("imagenet-r", "test", "top1", 100),
    "imagenet_a_top1_timm_port": ("imagenet-a", "test", "top1", 100),
    "imagenet_sketch_top1_timm_port": ("imagenet-sketch", "test", "top1", 100),
    "mAP_on_COCO_2017_test_set": ("coco-2017", "test", "ap", 100),
    "mAP_on_COCO_2017_eval_set": ("coco-2017", "val", "ap", 100),
    "coco17_val_box_mAP_float": ("coco-2017", "val", "ap", 100),
    "coco17_box_mAP_50_95": ("coco-2017", "unstated", "ap", 100),
    "coco17_keypoint_mAP": ("coco-2017", "unstated", "keypoint_ap", 100),
    "coco17_mask_mAP": ("coco-2017", "unstated", "mask_ap", 100),
    "STSbenchmark_dev_pearson": ("stsbenchmark", "dev", "pearson", 1),
    "STSbenchmark_test_pearson": ("stsbenchmark", "test", "pearson", 1),
    "STSb_spearman_x100": ("stsbenchmark", "test", "spearman", 100),
    "STSbenchmark_test_spearman_x100": ("stsbenchmark", "test", "spearman", 100),
    "MTEB_STSBenchmark_cosine_spearman": ("stsbenchmark", "test", "spearman", 1),
    **{f"STS{year}_spearman_x100": (f"sts{year}", "test", "spearman", 100) for year in range(12, 17)},
    **{f"MTEB_STS{year}_cosine_spearman": (f"sts{year}", "test", "spearman", 1) for year in range(12, 17)},
    "SICK-R_spearman_x100": ("sick-r", "test", "spearman", 100),
    "MTEB_SICK-R_cosine_spearman": ("sick-r", "test", "spearman", 1),
}
PORT = "same published weights ported to PyTorch"
_PARAMS = re.compile(r" params ([\d.]+)M$")


def published(rows: Iterable[Mapping[str, str]], handles: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The figures of the modules with these handles, one of each dataset, split and metric."""
    table: dict[str, Mapping[str, str]] = {}
    wanted = set(handles)
    for row in rows:
        if row["hub_handle"] in wanted:
            table.setdefault(row["metric"], row)
    seen = set()
    for metric, (dataset, split, ours, divisor) in TOLD.items():
        if metric in table and (dataset, split, ours) not in seen:
            seen.add((dataset, split, ours))
            row = table[metric]
            figure = {"dataset": dataset, "split": split, "metric": ours}
            yield figure | {"value": round(float(row["value"]) / divisor, 6)} | _told(row)


def params(rows: Iterable[Mapping[str, str]], handles: Iterable[str]) -> tuple[int, str] | None:
    """The number of parameters that timm counted in its port of the same weights, and where it says so."""
    wanted = set(handles)
    for row in rows:
        if row["hub_handle"] in wanted and (found := _PARAMS.search(row["note"])):
            return round(float(found[1]) * 1e6), f"{row['source_repo_or_url']}: {PORT}"
    return None


def _told(row: Mapping[str, str]) -> dict[str, str]:
    note = row["note"].partition("; openly downloadable")[0]
    if row["metric"].endswith("_original"):
        note = "of the network before it was ported"
    if "eval_set" in row["metric"]:
        note = "; ".join(part for part in (note, "it says 'eval set'") if part)
    return {"source": row["source_repo_or_url"]} | ({"note": note} if note else {})
