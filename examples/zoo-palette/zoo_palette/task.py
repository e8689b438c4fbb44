"""The task: shares of colours become a palette, and palettes become scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from zoo import Dataset, Example, Metric, OutputSpec, Prediction, Score, Task
from zoo.errors import LabelError, OptionError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo.metrics import mean, proportion


@dataclass(frozen=True)
class Palette(Prediction):
    """Colours of a picture, the largest share first. shares: name -> share of the picture, 0..1."""

    shares: Mapping[str, float]
    drawable: ClassVar[bool] = True

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())

    def to_json(self) -> dict[str, Any]:
        """The colours with their shares."""
        return {"colours": [{"colour": name, "share": share} for name, share in self.shares.items()]}

    def save(self, path: str | Path) -> Path:
        """Draw the colours as stripes, each as wide as its share."""
        picture = Image.new("RGB", (400, 80), "white")
        left = 0.0
        for name, share in self.shares.items():
            right = left + share * picture.width
            picture.paste(name, (round(left), 0, round(right), picture.height))
            left = right
        picture.save(path)
        return Path(path)


class PaletteTask(Task):
    """The colours of a picture."""

    def postprocess(
        self,
        outputs: Mapping[str, np.ndarray],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> list[Palette]:
        """The `most` largest of `colours` [n, names], whose names are CSS's."""
        if labels is None:
            raise LabelError("the colours have no names; state them in 'labels'")
        if options["most"] < 1:
            raise OptionError(f"most={options['most']!r} is too small; it is at least 1")
        return [
            Palette({labels.label(index): float(row[index]) for index in np.argsort(-row)[: options["most"]]})
            for row in outputs["colours"]
        ]

    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> PaletteMetric:
        """What measures palettes."""
        return PaletteMetric(labels)

    def evaluation_options(self) -> dict[str, Any]:
        """All colours count, not only the largest."""
        return {"most": 1000}


class PaletteMetric(Metric):
    """overlap: the part of a picture whose colours are right, 0..1; top1: whether the largest colour is."""

    def __init__(self, labels: LabelSpace | None) -> None:
        self._names = set(labels.names.values()) if labels else set()
        self.n = self.right = 0
        self.total = self.squares = 0.0

    def update(self, example: Example, predictions: Sequence[Palette]) -> None:
        """Count one picture, whose target maps names to shares."""
        found, true = predictions[0].shares, example.target
        if unknown := set(true) - self._names:
            raise LabelError(f"{example.id}: the model knows no colours {sorted(unknown)}, only {sorted(self._names)}")
        overlap = sum(min(share, found.get(name, 0.0)) for name, share in true.items())
        self.n += 1
        self.right += max(found, key=found.get) == max(true, key=true.get)
        self.total += overlap
        self.squares += overlap * overlap

    def result(self) -> dict[str, Score]:
        """The scores of all pictures counted so far."""
        return {"overlap": mean(self.total, self.squares, self.n), "top1": proportion(self.right, self.n)}
