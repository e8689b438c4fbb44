"""Inspecting weights: what their files say, and the catalogue row that follows; `zoo.probing` adds what a run shows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.catalog import fault
from zoo.errors import BackboneError, OptionError, SpecError
from zoo.formats import format_of
from zoo.safety import ops_of, refuse_code, text_ops
from zoo.signatures import CALL, SavedModel, Signature, Tensor, read_signatures
from zoo.specs import BackboneSpec, WeightsSpec

DETECTIONS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
PREPROCESSED = "input_word_ids"
# Words under which classifiers give their answer; a width alone does not tell classes from features.
CLASSES = ("logits", "prob", "predictions", "classification", "softmax", "scores")
IMAGENET = {1000: "imagenet-1000", 1001: "imagenet-1001"}


@dataclass
class Inspected:
    """What was found, as lines to read and as a row to keep.

    facts: (fact, value, basis); basis says how it is known: "file", "probed", "assumed", "asked".
    row: the fields of a `BackboneSpec`, without a name; output: the one that its module offers.
    """

    path: Path
    facts: list[tuple[str, str, str]] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    output: str = ""

    def say(self, fact: str, value: Any, basis: str) -> None:
        """Add a line; it takes the place of one that says that nothing is known."""
        self.facts = [known for known in self.facts if known[0] != fact or known[2] != "unstated"]
        self.facts.append((fact, str(value), basis))

    def spec(self, name: str) -> BackboneSpec:
        """The row as a spec; raises SpecError where the user's answers contradict each other or the file."""
        try:
            return BackboneSpec.model_validate({"name": name, **self.row})
        except ValidationError as error:
            raise SpecError(f"{str(self.path)!r} can't have such a row: {fault(error)}") from error

    def bind(self, **changes: Any) -> None:
        """Change facts of the output."""
        self.row["outputs"][self.output].update(changes)


def place_of(text: str) -> WeightsSpec:
    """A path, an address of tfhub.dev or a Kaggle handle, as a place of weights; raises OptionError for others."""
    if os.path.lexists(os.path.expanduser(text)):
        return WeightsSpec(path=os.path.abspath(os.path.expanduser(text)))
    if tfhub := re.fullmatch(r"(?:https?://)?tfhub\.dev/(.+/.+?)/?", text):
        return WeightsSpec(tfhub=f"https://tfhub.dev/{tfhub[1]}")
    kaggle = re.fullmatch(r"(?:https?://(?:www\.)?kaggle\.com/models/)?((?:[\w.-]+/){4}\d+)/?", text)
    if kaggle and not text.startswith(("/", ".", "~")):
        return WeightsSpec(kaggle=kaggle[1].replace("/TensorFlow2/", "/tensorFlow2/"))
    raise OptionError(
        f"{text!r} is no file or folder, no https://tfhub.dev/PUBLISHER/.../VERSION and no Kaggle handle "
        "(OWNER/MODEL/FRAMEWORK/VARIATION/VERSION)"
    )


def inspect_saved_model(
    path: Path,
    weights: Mapping[str, str],
    *,
    output: str | None = None,
    labels: str | Sequence[str] | None = None,
    input_range: tuple[float, float] | None = None,
    preprocessor: Mapping[str, str] | None = None,
) -> Inspected:
    """What the file in the SavedModel folder `path` tells; nothing is loaded, TensorFlow is not imported.

    weights: where the row will say that it lies (`path`, `tfhub` or `kaggle`). The others are the user's answers to
    what files do not tell: whether it offers "logits" or "features", the label space, the range, the preprocessor.
    Raises BackboneError for a folder that is none, WeightsError for a model that does more than compute.
    """
    _refuse_others(path)
    told = read_signatures(path)
    refuse_code(path)
    found = Inspected(path)
    found.say("format", "SavedModel of TensorFlow " + (told.version or "unknown"), "file")
    for name, signature in told.signatures.items():
        found.say(name, signature, "file")
    if told.parameters:
        found.say("parameters", f"{told.parameters:,}", "file")
    signature = _main(told, path)
    found.row = {"params": told.parameters} if told.parameters else {}
    found.row |= {"outputs": {}, "input": {}}
    if text := sorted(ops_of(path) & text_ops()):
        found.row["imports"] = ["tensorflow_text"]
        found.say("needs", f"tensorflow_text, for {', '.join(text[:3])}", "file")
    _describe_input(found, signature, input_range, preprocessor)
    _describe_output(found, signature, dict(weights), output)
    if labels is not None:
        found.bind(labels=labels if isinstance(labels, str) else list(labels))
        found.say("labels", labels if isinstance(labels, str) else f"{len(labels)} of your own", "asked")
    elif found.output != "features" and "labels" not in found.row["outputs"][found.output]:
        known = "coco-91 (ids 1..90), coco-80 (0..79)" if found.output == "boxes" else "the name of a label space"
        found.say("labels", f"no file tells them: --labels {known}, or a file", "unstated")
    return found


def _refuse_others(path: Path) -> None:
    """Name what `path` is if not a SavedModel's folder."""
    if (path / "saved_model.pb").is_file():
        return
    form = format_of(path, "inspecting")
    what = f"is {form.help}, which tells too little of itself" if form else "is no form of weights that the zoo knows"
    raise OptionError(f"{str(path)!r} {what}: write its row by hand ('zoo show --json NAME' shows the fields)")


def _main(told: SavedModel, path: Path) -> Signature:
    """The signature that a backbone uses: the call, `serving_default`, or the only one."""
    for name in (CALL, "serving_default"):
        if name in told.signatures:
            return told.signatures[name]
    if len(told.signatures) == 1:
        return next(iter(told.signatures.values()))
    names = ", ".join(map(repr, told.signatures)) or "none"
    raise BackboneError(
        f"{str(path)!r} can't be called and has no signature 'serving_default'; it has {names}: write its row by "
        "hand, with 'signature' in its output"
    )


def _describe_input(
    found: Inspected,
    signature: Signature,
    input_range: tuple[float, float] | None,
    preprocessor: Mapping[str, str] | None,
) -> None:
    tensors = {tensor.name: tensor for tensor in signature.inputs if tensor.dtype != "bool"}
    if PREPROCESSED in tensors or (len(tensors) > 1 and all(t.dtype in ("int32", "int64") for t in tensors.values())):
        if not preprocessor:
            raise OptionError(
                f"{str(found.path)!r} takes {', '.join(map(repr, tensors))}, which a text preprocessor makes; name the "
                "one that its page names: --preprocessor PATH|HANDLE"
            )
        found.row["input"] = {"kind": "text", "preprocessor": dict(preprocessor)}
        found.say("input", f"text through the preprocessor {next(iter(preprocessor.values()))}", "asked")
        return
    first = next(iter(tensors.values()), None)
    if first is not None and len(tensors) == 1 and first.dtype == "string":
        found.row["input"] = {"kind": "text"}
        found.say("input", "text", "file")
    elif first is not None and len(tensors) == 1 and (first.shape is None or len(first.shape) == 4):
        found.row["input"] = _picture(found, first, input_range)
    else:
        takes = "; ".join(map(str, signature.inputs)) or "nothing"
        raise OptionError(f"{str(found.path)!r} takes {takes}: neither pictures [n, h, w, c] nor texts [n]")


def _picture(found: Inspected, tensor: Tensor, asked: tuple[float, float] | None) -> dict[str, Any]:
    batch, height, width, depth = tensor.shape or (None, None, None, 3)
    if depth not in (1, 3, None) or tensor.dtype not in ("float32", "uint8"):
        raise OptionError(f"{str(found.path)!r} takes {tensor}: no picture in float32 or uint8 with 1 or 3 channels")
    facts: dict[str, Any] = {"kind": "image"}
    facts |= {"size": [height, width]} if height and width else {}
    facts |= {"batch": batch} if batch else {}
    facts |= {"channels": "grey"} if depth == 1 else {}
    found.say("input", f"picture {height or 'any'} x {width or 'any'}, {tensor.dtype}", "file")
    if tensor.dtype == "uint8":
        return facts | {"dtype": "uint8"}
    if asked:
        found.say("range", f"{asked[0]:g}..{asked[1]:g}", "asked")
        return facts | {"range": list(asked)}
    found.row["unstated"] = ["input.range"]
    found.say("range", "no file tells it: --probe, or --input-range LOW,HIGH", "unstated")
    return facts | {"range": None}


def _describe_output(found: Inspected, signature: Signature, weights: dict[str, str], asked: str | None) -> None:
    names = {tensor.name: tensor for tensor in signature.outputs}
    place = {"weights": weights} | (
        {} if signature.name in (CALL, "serving_default") else {"signature": signature.name}
    )
    if set(DETECTIONS) <= set(names) or (signature.returns in ("tuple", "list") and len(signature.outputs) == 4):
        found.output = "boxes"
        found.row["outputs"]["boxes"] = place
        basis, form = ("file", "yxyx_unit") if set(DETECTIONS) <= set(names) else ("assumed", "yxyx_pixel")
        found.bind(boxes=form)
        found.say("boxes", f"{form}, as {'TensorFlow' if basis == 'file' else 'EfficientDet-Lite'}'s detectors", basis)
        return
    tensor = _answer(found, signature, asked)
    width = tensor.shape[-1] if tensor.shape else None
    telling = [*names, str(found.path), *weights.values()]
    sure = width in IMAGENET or any(word in name.lower() for word in CLASSES for name in telling)
    found.output = asked or ("logits" if sure and "feature" not in tensor.name else "features")
    basis = "asked" if asked else "file" if sure else "assumed"
    found.say("offers", f"{found.output}" + ("" if sure or asked else " (--output logits, if they are classes)"), basis)
    key = {"key": tensor.name} if len(names) > 1 else {}
    found.row["outputs"][found.output] = place | ({"width": width} if width else {}) | key
    found.say("width", width or "no file tells it: --probe", "file" if width else "unstated")
    name_labels(found, "file")


def _answer(found: Inspected, signature: Signature, asked: str | None) -> Tensor:
    """The tensor that the output is read from."""
    fitting = [tensor for tensor in signature.outputs if tensor.name in (asked, "default", "pooled_output", "logits")]
    if len(signature.outputs) == 1 or fitting:
        return (fitting or list(signature.outputs))[0]
    names = ", ".join(repr(tensor.name) for tensor in signature.outputs) or "nothing"
    raise OptionError(f"{str(found.path)!r} gives {names}: write its row by hand, with 'key' in its output")


def name_labels(found: Inspected, basis: str) -> None:
    """Add the label space that the width of the logits means, where it means one and none is named."""
    facts = found.row["outputs"][found.output]
    known = IMAGENET.get(facts.get("width"))
    if found.output == "logits" and known and "labels" not in facts:
        found.bind(labels=known)
        background = ", background first" if known.endswith("1") else ""
        found.say("labels", f"{known}{background}", f"{basis}, by width")
