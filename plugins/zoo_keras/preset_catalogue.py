"""`python -m zoo_keras.preset_catalogue`: the catalogue of KerasHub presets, `presets.json`, from its own registry.

It states what the registry states: names, handles, the numbers of parameters, and what its descriptions say. Licences
and widths that no description names are unstated.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("presets.json")
SOURCE = "https://keras.io/keras_hub/presets/"
# Encoders that somebody trained for texts; the other families of text presets generate.
ENCODERS = {"albert", "bert", "deberta_v3", "distil_bert", "f_net", "roberta", "xlm_roberta"}
EMBEDDERS = re.compile(r"embedding|minilm|bge|e5|mxbai")
# Of other families' encoders, which no classifier was trained on: segmentation's, Gemma's.
NO_CLASSIFIERS = {"mit", "mobilenetv5"}
THOUSAND = re.compile(r"ImageNet[- ]?1k", re.IGNORECASE)
OTHER_CLASSES = re.compile(r"ImageNet[- ]?(12k|21k|22k)", re.IGNORECASE)
DIMENSIONS = re.compile(r"(\d+)-dimensional")
# Bare names that networks of TensorFlow Hub own.
HUB_NAMES = re.compile(r"swin_")
DETECTORS = {
    "retinanet": ("coco-91", "91 classes, numbered as COCO's ids: keras-hub's convert_retinanet_checkpoints.py"),
    "d_fine": ("coco-80", "80 classes, numbered from 0: the default of KerasHub's DFineObjectDetector"),
}


def rows() -> list[dict[str, Any]]:
    """The rows of the catalogue, sorted by name, as `zoo.BackboneSpec` takes them."""
    from keras_hub import models

    found = {row["name"]: row for row in _classifiers(models.ImageClassifier.presets)}
    found |= {row["name"]: row for row in _detectors(models.ObjectDetector.presets)}
    texts = {**models.TextClassifier.presets, **models.TextEmbedder.presets}
    found |= {row["name"]: row for row in _texts(texts)}
    return _unshared([found[name] for name in sorted(found)])


def _unshared(catalogue: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without aliases that two of them have: the registry gives one handle to two presets here and there."""
    times = Counter(alias for row in catalogue for alias in row["aliases"])
    return [row | {"aliases": [alias for alias in row["aliases"] if times[alias] == 1]} for row in catalogue]


def _classifiers(presets: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, preset in presets.items():
        about = preset["metadata"]["description"]
        if preset["metadata"]["path"] in NO_CLASSIFIERS:
            continue
        outputs: dict[str, Any] = {"features": {}}
        # "ImageNet 12k ... and fine-tuned on ImageNet-1k": the last one named is the one that it classifies.
        last = [match.group() for match in re.finditer(rf"{THOUSAND.pattern}|{OTHER_CLASSES.pattern}", about, re.I)]
        if last and THOUSAND.fullmatch(last[-1]):
            outputs = {"logits": {"labels": "imagenet-1000", "width": 1000}, **outputs}
        yield _row(name, preset, _picture(), outputs, ["outputs.features.width"])


def _detectors(presets: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, preset in presets.items():
        labels, note = DETECTORS[preset["metadata"]["path"]]
        if name.endswith("_obj365"):
            yield _row(name, preset, _picture(batch=1), {"boxes": {}}, ["outputs.boxes.labels"])
        else:
            row = _row(name, preset, _picture(batch=1), {"boxes": {"labels": labels}}, [])
            yield row | {"notes": row["notes"] | {"outputs.boxes.labels": note}}


def _texts(presets: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, preset in presets.items():
        embedder = EMBEDDERS.search(name)
        if not embedder and preset["metadata"]["path"] not in ENCODERS:
            continue
        width = DIMENSIONS.search(preset["metadata"]["description"])
        features: dict[str, Any] = {"width": int(width[1])} if width else {}
        outputs: dict[str, Any] = {"features": features}
        if name.endswith("_sst2"):
            outputs = {"logits": {"labels": ["negative", "positive"], "width": 2}, **outputs}
        row = _row(name, preset, {"kind": "text"}, outputs, [] if width else ["outputs.features.width"])
        if not embedder:
            note = "the pooled state of the first token, or the token's own: what KerasHub's classifiers of texts take"
            row = row | {"notes": row["notes"] | {"outputs.features": note}}
        yield row | {"imports": ["tensorflow_text"]}


def _picture(batch: int | None = None) -> dict[str, Any]:
    """Whole pictures of any size: the preset's own converter crops or pads, resizes and scales."""
    seen: dict[str, Any] = {"kind": "image", "dtype": "uint8", "range": [0, 255], "resize": "none"}
    return seen if batch is None else seen | {"batch": batch}


def _row(
    name: str, preset: dict[str, Any], seen: dict[str, Any], outputs: dict[str, Any], unstated: list[str]
) -> dict[str, Any]:
    facts, handle = preset["metadata"], preset["kaggle_handle"].removeprefix("kaggle://")
    bare = name.replace(".", "_")  # what follows a point in a name is its tag
    given = "the preset's own preprocessor, a part of the network, makes of it what the network takes"
    return {
        "name": f"{bare}.kerashub",
        "aliases": [
            *([] if HUB_NAMES.match(name) else dict.fromkeys((name, bare))),
            handle,
            handle.rpartition("/")[0],
            f"kaggle://{handle}",
        ],
        "family": facts["path"],
        "params": facts["params"],
        "source": SOURCE,
        "notes": {"params": "as KerasHub counts them, without a head", "input": given, "about": facts["description"]},
        "unstated": ["licence", *unstated],
        "input": seen,
        "outputs": {output: about | {"weights": {"kaggle": handle}} for output, about in outputs.items()},
    }


def written(catalogue: list[dict[str, Any]]) -> str:
    """The text of `presets.json`: a row a line."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in catalogue) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(written(rows()), encoding="utf-8")
