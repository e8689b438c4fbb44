"""Rows: what the table of pages says about a module becomes facts of its network; nothing is added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo_tfhub.catalogue.naming import TFHUB, network, plain

Row = Mapping[str, str]

OUTPUTS = {
    "classification": "logits",
    "image-feature-vector": "features",
    "text-embedding": "features",
    "detection": "boxes",
}
TEXT = "text-embedding"
PREPROCESSOR = "text-preprocessing"
DETECTOR = "boxes"
LABELS = {
    "1000": ("imagenet-1000", 1000),
    "1001": ("imagenet-1001", 1001),
    "21841": ("imagenet-21841", 21841),
    "21843": ("imagenet-21843", 21843),
    "38": ("plant-village", 38),
    "COCO category ids 1..90 (80 used)": ("coco-91", None),
    "CPPE-5, 5 classes": ("cppe-5", None),
}
IMAGENET = {"range": [0, 1], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RANGES: dict[str, dict[str, Any]] = {
    "[0,1]": {"range": [0, 1]},
    "[-1,1]": {"range": [-1, 1]},
    "[0,255]": {"range": [0, 255]},
    "uint8 [0,255]": {"dtype": "uint8", "range": [0, 255]},
    "ImageNet mean/std normalised": IMAGENET,
}
ASSUMED_LICENCE = "apache-2.0"


def usable(table: Iterable[Row]) -> list[Row]:
    """The rows of modules that TensorFlow 2 can load, each in its latest version."""
    return [row for row in table if row["format"] == "saved_model_2" and row["latest"] == "yes"]


def kaggle_handle(row: Row) -> str | None:
    """The Kaggle handle, where it was observed or follows a rule that fits all observed ones; never a guess."""
    if row["kaggle_confidence"] not in ("observed", "rule"):
        return None
    return row["kaggle_handle"].removeprefix("https://www.kaggle.com/models/").replace("/TensorFlow2/", "/tensorFlow2/")


def weights(row: Row) -> dict[str, str]:
    """Where the files of a module lie."""
    kaggle = kaggle_handle(row)
    return {"tfhub": row["handle"]} | ({"kaggle": kaggle} if kaggle else {})


def backbone(modules: Mapping[str, Row], preprocessors: Mapping[str, Row]) -> dict[str, Any]:
    """The facts of a network as its pages state them, from its modules by output.

    Two facts never come from a page: `notes` says where else one is from, `unstated` names those that have none.
    """
    first = next(iter(modules.values()))
    named = network(first["handle"])
    facts: dict[str, Any] = {
        "name": named.name,
        "aliases": [],
        "family": named.family,
        "architecture": _agreed(modules.values(), "architecture"),
        "trained_on": _agreed(modules.values(), "dataset"),
        "languages": _agreed(modules.values(), "language").split() if first["task"] == TEXT else [],
        "licence": ASSUMED_LICENCE,
        "source": first["handle"],
        "notes": {"licence": "assumed for every module of the Hub whose page states no other"},
        "unstated": [],
    }
    facts["input"] = _text(facts, first, preprocessors) if first["task"] == TEXT else _image(facts, modules)
    facts["outputs"] = {output: _output(facts, output, row) for output, row in modules.items()}
    if first["preprocessor"] or "needs tensorflow_text" in first["notes"]:
        facts["imports"] = ["tensorflow_text"]  # every preprocessor runs ops of TensorFlow Text
    return facts


def _image(facts: dict[str, Any], modules: Mapping[str, Row]) -> dict[str, Any]:
    seen: dict[str, Any] = {"kind": "image"}
    size = _agreed(modules.values(), "input_size")
    if "nominal" in size:
        facts["notes"]["input.size"] = f"{size.partition(' ')[0]} by design; any size is taken"
    elif size:
        seen["size"] = [int(side) for side in size.split("x")]
        facts["unstated"].append("input.resize")
    else:
        facts["unstated"].append("input.size")
    stated = {row["input_range"] for row in modules.values()} & set(RANGES)
    if len(stated) > 1:
        raise ValueError(f"the modules of {facts['name']!r} take different ranges: {sorted(stated)}")
    if stated:
        seen |= RANGES[stated.pop()]
        silent = [output for output, row in modules.items() if row["input_range"] not in RANGES]
        if silent:
            facts["notes"]["input.range"] = f"the page of its {silent[0]} does not say; that of its other module does"
    else:
        seen["range"] = None
        facts["unstated"].append("input.range")
    if any(row["batching"] == "1 only" for row in modules.values()):
        seen["batch"] = 1
    return seen


def _text(facts: dict[str, Any], row: Row, preprocessors: Mapping[str, Row]) -> dict[str, Any]:
    seen: dict[str, Any] = {"kind": "text"}
    if row["preprocessor"]:
        before = preprocessors[TFHUB + row["preprocessor"]]
        seen["preprocessor"] = weights(before)
        if before["input_size"]:
            seen["length"] = int(before["input_size"].removeprefix("seq_length "))
        else:
            facts["unstated"].append("input.length")
        _note_kaggle(facts, "input.preprocessor.kaggle", before)
    return seen


def _output(facts: dict[str, Any], output: str, row: Row) -> dict[str, Any]:
    labels, width = LABELS.get(row["labels"], (None, None))
    if "ImageNet-21k label space" in row["notes"]:
        labels = "imagenet-21k"
    if output == "features":
        labels = None
        width = int(row["feature_dim"]) if row["feature_dim"] else None
        if row["feature_dim_basis"].startswith("architecture"):
            basis = row["feature_dim_basis"].partition(" (")
            note = f"the architecture's; {basis[2][:-1] if basis[2] else 'the page does not say'}"
            facts["notes"]["outputs.features.width"] = note
    stated: dict[str, Any] = {"labels": labels, "width": width}
    wanted = {"logits": ("labels", "width"), "features": ("width",), "boxes": ("labels",)}[output]
    facts["unstated"] += [f"outputs.{output}.{name}" for name in wanted if stated[name] is None]
    found = {name: value for name, value in stated.items() if value is not None}
    if "TUPLE" in row["notes"]:
        facts["notes"]["outputs.boxes"] = row["notes"]
    if row["outputs"]:
        found["returns"] = row["outputs"].split()
    if row["preprocessor"]:
        found["key"] = "pooled_output"
    _note_kaggle(facts, f"outputs.{output}.weights.kaggle", row)
    return found | {
        "fine_tunable": row["fine_tunable"] == "true",
        "source": row["source"],
        "weights": weights(row),
    }


def _note_kaggle(facts: dict[str, Any], fact: str, row: Row) -> None:
    if not row["kaggle_handle"]:
        facts["unstated"].append(fact)
    elif kaggle_handle(row) is None:
        address = row["kaggle_handle"].removeprefix("https://www.kaggle.com/models/")
        facts["notes"][fact] = f"{address} is a guess, which the zoo does not follow"


def _agreed(rows: Iterable[Row], column: str) -> str:
    """What the modules of one network say; a silent one does not contradict. Raises ValueError where they differ."""
    said = {row[column] for row in rows} - {""}
    if len({plain(value).removesuffix("_bit") for value in said}) > 1:
        raise ValueError(f"modules of one network differ in {column!r}: {sorted(said)}")
    return min(said, default="")
