"""Probing weights that were inspected: loaded and run on real inputs, they show what no file tells."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backbone import load_backbone
from zoo.errors import ZooWarning
from zoo.inputs import prepare, sample_inputs
from zoo.inspection import Inspected, name_labels
from zoo.ranges import CANDIDATES, Probe, probe_range, stated
from zoo.runtime import Array, text_batch
from zoo.specs import BackboneSpec, ImageInput


def probe(found: Inspected, sources: Sequence[Any] | None = None) -> Probe:
    """Load the module and run it on real inputs: its width, range, and form of boxes are added to what was found.

    sources: at least two pictures, or some texts; None for the samples. Raises BackboneError where it does not run.
    """
    spec = found.spec("inspected")
    backbone = load_backbone(spec, found.output, {"weights": found.path, **_preprocessor(spec)})

    def run(batch: Array) -> dict[str, Array]:
        return {name: np.asarray(value) for name, value in backbone.forward(batch).items()}

    chosen = list(sources or sample_inputs(spec.input.kind))
    if spec.input.kind == "text":
        answers = run(text_batch(chosen))
    else:
        answers = run(np.stack([prepare(chosen[0], spec.input).value]))
    if found.output == "boxes":
        _probe_boxes(found, answers)
        return Probe(None)
    width = int(answers[found.output].shape[-1])
    if spec.outputs[found.output].width != width:
        found.bind(width=width)
        found.say("width", width, "probed")
    name_labels(found, "probed")
    if not isinstance(spec.input, ImageInput):
        return Probe(None)
    logits = found.output == "logits" and not _activation(found, answers["logits"])
    ranged = probe_range(run, spec.input, found.output, logits=logits, sources=sources)
    if spec.input.range is None and ranged.best:
        _take_range(found, ranged)
    elif ranged.scores:
        leads = f"{ranged.best} leads" if ranged.best else "none leads; more photographs tell more: --pictures FOLDER"
        found.say("range", f"{leads} (steadiness {ranged})", "probed")
        _guard_range(spec.input, ranged)
    return ranged


def _guard_range(seen: ImageInput, ranged: Probe) -> None:
    """Warn where another range than the one that was given comes out clearly ahead."""
    if seen.range and ranged.best and stated(seen, CANDIDATES[ranged.best]) != seen:
        given = "{:g}..{:g}".format(*seen.range)
        warnings.warn(
            f"the range {given} was given, but the network answers most steadily at {ranged.best} ({ranged}): what "
            f"feeds {given} to a network of {ranged.best} gets wrong answers without a word",
            ZooWarning,
            stacklevel=3,
        )


def _activation(found: Inspected, logits: Array) -> bool:
    """Whether `logits` are probabilities already; then it is noted."""
    if logits.min() < 0 or not np.allclose(logits.sum(-1), 1, atol=1e-3):
        return False
    found.bind(activation="softmax")
    found.say("activation", "softmax: each row sums to 1", "probed")
    return True


def _take_range(found: Inspected, ranged: Probe) -> None:
    assert ranged.best is not None
    found.row["input"] |= {key: list(value) for key, value in CANDIDATES[ranged.best].items()}
    found.row.pop("unstated", None)
    found.row["notes"] = {"input.range": f"probed on photographs ({ranged})"}
    found.say("range", f"{ranged.best} (steadiness {ranged})", "probed")


def _probe_boxes(found: Inspected, answers: Mapping[str, Array]) -> None:
    count = int(answers["count"][0])
    boxes, ids = (np.asarray(answers[name][0][:count]) for name in ("boxes", "classes"))
    facts = found.row["outputs"]["boxes"]
    if count and (unit := "unit" if np.abs(boxes).max() <= 2 else "pixel") not in facts["boxes"]:
        found.bind(boxes=facts["boxes"].replace("unit", unit).replace("pixel", unit))
        found.say("boxes", f"{facts['boxes']}: coordinates reach {np.abs(boxes).max():g}", "probed")
    if count:
        low, high = int(ids.min()), int(ids.max())
        base = "from 0" if low == 0 else "from 1, it seems"
        found.say("classes", f"ids {low}..{high} on the samples, counted {base}", "probed")


def _preprocessor(spec: BackboneSpec) -> dict[str, Path]:
    from zoo.weights import fetch

    before = getattr(spec.input, "preprocessor", None)
    return {"preprocessor": fetch(before, wanted_by="the preprocessor")} if before else {}
