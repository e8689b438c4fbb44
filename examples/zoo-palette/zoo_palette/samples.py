"""Samples: striped pictures whose colours are known because they were drawn so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import ImageColor

from zoo import Dataset, DatasetOptions, Example
from zoo_palette.shades import HELD_OUT


def open_samples(path: str, options: DatasetOptions) -> StripedPictures:
    """The loader of `palette_samples`."""
    return StripedPictures(100)


class StripedPictures(Dataset):
    """Pictures of two to four stripes in held-out shades, with uneven light and noise.

    A target maps names to shares of the picture, which add up to 1.
    """

    name = "palette_samples"
    modality = "image"
    targets = "shares"

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Example]:
        for number in range(self._count):
            yield self._draw(number)

    def _draw(self, number: int) -> Example:
        random = np.random.default_rng(number)
        shades = random.choice(list(HELD_OUT), size=random.integers(2, 5), replace=False)
        edges = np.sort(random.choice(np.arange(8, 120), size=len(shades) - 1, replace=False))
        widths = np.diff([0, *edges, 128])
        row = np.repeat([ImageColor.getrgb(shade) for shade in shades], widths, axis=0)
        light = np.linspace(1.0, random.uniform(0.8, 1.0), 96)[:, None, None]
        noisy = row[None] * light + random.normal(0, 8, (96, 128, 3))
        target: dict[str, float] = {}
        for shade, width in zip(shades, widths, strict=True):
            name = HELD_OUT[shade]
            target[name] = target.get(name, 0.0) + int(width) / 128
        return Example(f"picture {number}", noisy.clip(0, 255).astype(np.uint8), target)
