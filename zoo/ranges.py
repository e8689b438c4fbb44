"""Input ranges that nobody states: probed on real photographs, remembered by digest, and said, never guessed silently.

A network answers alike for one picture in another light or cut, and unlike for another picture, if it gets what it
was trained on; in a wrong range less so. Of the candidates the one counts for which that holds best.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from zoo.cache import cache_folder
from zoo.errors import OptionError, ZooWarning
from zoo.inputs import prepare, sample_inputs
from zoo.pictures import picture
from zoo.runtime import Array
from zoo.specs import BackboneSpec, ImageInput
from zoo.weights import digest

Run = Callable[[Array], Mapping[str, Array]]
# What the publishers of TensorFlow's and Keras' networks use, as fields of `ImageInput`.
CANDIDATES: dict[str, dict[str, Any]] = {
    "0..1": {"range": (0.0, 1.0)},
    "-1..1": {"range": (-1.0, 1.0)},
    "0..255": {"range": (0.0, 255.0)},
    "0..1 less ImageNet's mean": {"range": (0.0, 1.0), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
}
# How much better than the next the best must be, and how wide the answers: of 48 probes of a MobileNetV2, made to want
# each candidate in turn, on a dozen pairs of photographs, 27 led by so much, none of them wrong; with 1.1 2 of 32 were.
# Networks of 2 and of 10 classes were read wrongly.
LEAD, CLASSES = 1.15, 100


@dataclass(frozen=True)
class Probe:
    """What was found. best: one of CANDIDATES, or None where none leads; scores: candidate -> 0..1."""

    best: str | None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        """The candidate with the highest score, whether or not it leads."""
        return max(self.scores, key=lambda name: self.scores[name]) if self.scores else None

    def __str__(self) -> str:
        ranked = sorted(self.scores.items(), key=lambda entry: -entry[1])
        return ", ".join(f"{name} {score:.2f}" for name, score in ranked)


def probe_range(
    run: Run, seen: ImageInput, output: str, *, logits: bool = True, sources: Sequence[Any] | None = None
) -> Probe:
    """The range in which `run` answers most steadily on real photographs.

    run: a batch [n, h, w, 3] -> outputs by name; seen: the input but for its range; output: "logits" or "features".
    logits: whether softmax must still be applied to them; sources: at least two pictures, or None for the samples.
    """
    if seen.dtype != "float32" or seen.channels != "rgb" or output not in ("logits", "features"):
        return Probe(None)
    views = [_views(source, seen) for source in sources or sample_inputs("image")]
    scores = {}
    for name, fields in CANDIDATES.items():
        sides = [[prepare(view, stated(seen, fields)).value for view in shown] for shown in views]
        answers = np.stack([_run(run, side, output, seen.batch) for side in sides])
        if answers.ndim != 3 or answers.shape[-1] < CLASSES:
            return Probe(None)
        scores[name] = round(_steadiness(_directions(answers, output, logits)), 4)
    first, second = sorted(scores.values(), reverse=True)[:2]
    return Probe(Probe(None, scores).first if first > LEAD * second else None, scores)


def stated(seen: ImageInput, fields: Mapping[str, Any]) -> ImageInput:
    """`seen` with the range, mean and std in `fields`."""
    return ImageInput.model_validate(seen.model_dump() | {"mean": None, "std": None} | dict(fields))


def with_range(spec: BackboneSpec, asked: tuple[float, float]) -> BackboneSpec:
    """`spec` with the user's own range for its pictures; raises OptionError for what is none."""
    if not isinstance(spec.input, ImageInput) or spec.input.dtype != "float32":
        takes = "whole numbers in 0..255" if isinstance(spec.input, ImageInput) else "texts"
        raise OptionError(f"input_range={asked!r} means nothing to backbone {spec.name!r}, which takes {takes}")
    try:
        low, high = map(float, asked)
        seen = ImageInput.model_validate(spec.input.model_dump() | {"range": (low, high)})
    except (TypeError, ValueError) as error:
        raise OptionError(f"input_range={asked!r} is no range: two numbers, black's and white's, as (0, 1)") from error
    unstated = tuple(fact for fact in spec.unstated if fact != "input.range")
    return spec.model_copy(update={"input": seen, "unstated": unstated})


def settled(spec: BackboneSpec, output: str, run: Run, weights: Path) -> BackboneSpec:
    """`spec` with a range for its input: its own, one that was probed on these weights before, or one probed now.

    Warns once, where it is not the spec's own, with what it is and how to state it.
    """
    seen = spec.input
    if not isinstance(seen, ImageInput) or seen.range is not None:
        return spec
    found = recall(weights)
    if found is None:
        found = probe_range(run, seen, output, logits=spec.outputs[output].activation == "none")
        remember(weights, found)
    best = found.first or "0..1"
    how = f"probed on photographs ({found})" if found.best else "assumed, for a probe can't tell"
    if found.first and not found.best:
        how = f"assumed: a probe found it the likeliest, but not by much ({found})"
    _tell(f"backbone {spec.name!r}: its publisher does not state the range of its input; {best} is {how}. {_how(best)}")
    notes = dict(spec.notes) | {"input.range": how}
    unstated = tuple(fact for fact in spec.unstated if fact != "input.range")
    return spec.model_copy(
        update={"input": stated(seen, CANDIDATES[best]), "notes": notes, "unstated": unstated},
    )


def recall(path: Path) -> Probe | None:
    """What was found for the weights at `path`, in this process or another."""
    try:
        said = json.loads(_record(path).read_text(encoding="utf-8"))
        if said["best"] in (None, *CANDIDATES):
            return Probe(said["best"], said["scores"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def remember(path: Path, found: Probe) -> None:
    """Keep what was found for the weights at `path`; where the cache can't be written, the next load probes again."""
    record = _record(path)
    draft = record.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"best": found.best, "scores": dict(found.scores)}), encoding="utf-8")
        draft.replace(record)


def _how(best: str) -> str:
    """How to state a candidate, so that nothing is assumed any more."""
    row = ", ".join(f"{key} = {[float(f'{one:g}') for one in value]}" for key, value in CANDIDATES[best].items())
    if "mean" in CANDIDATES[best]:
        return f"To state it, write {row} into its row"
    low, high = CANDIDATES[best]["range"]
    return f"To state it: input_range=({low:g}, {high:g}), --input-range {low:g},{high:g}, or {row} in its row"


@cache
def _tell(message: str) -> None:
    warnings.warn(message, ZooWarning, stacklevel=3)


def _record(path: Path) -> Path:
    return cache_folder() / "probed" / f"{digest(path)}.json"


def _views(source: Any, seen: ImageInput) -> Sequence[Image.Image]:
    """A photograph as it is, mirrored, darker, lighter, paler, and its middle."""
    image = picture(source)
    width, height = image.size
    middle = image.crop((width // 8, height // 8, width - width // 8, height - height // 8))
    shown = [
        image,
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        ImageEnhance.Brightness(image).enhance(0.8),
        ImageEnhance.Brightness(image).enhance(1.2),
        ImageEnhance.Color(image).enhance(0.4),
        middle,
    ]
    # A network of any size sees all of them in one, so that they can be compared.
    return shown if seen.size else [view.resize((256, 256)) for view in shown]


def _run(run: Run, values: Sequence[Array], output: str, most: int | None) -> Array:
    size = most or len(values)
    parts = [run(np.stack(values[start : start + size]))[output] for start in range(0, len(values), size)]
    return np.concatenate(parts).astype(np.float64)


def _directions(answers: Array, output: str, logits: bool) -> Array:
    """Answers [photographs, views, width] as vectors of length one, whose products say how alike they are.

    Of probabilities the roots: their product is the Bhattacharyya coefficient.
    """
    if output == "logits":
        if logits:
            answers = np.exp(answers - answers.max(-1, keepdims=True))
        answers = np.sqrt(np.clip(answers, 0, None))
    length = np.linalg.norm(answers, axis=-1, keepdims=True)
    directions: Array = np.nan_to_num(answers / np.maximum(length, 1e-12))
    return directions


def _steadiness(directions: Array) -> float:
    """How alike the views of one photograph are, times how unlike those of different ones; 0..1."""
    alike = np.einsum("pvd,qwd->pqvw", directions, directions).mean((2, 3))
    count = len(alike)
    within = np.trace(alike) / count
    between = (alike.sum() - np.trace(alike)) / (count * (count - 1))
    return float(max(0.0, within * (1 - between)))
