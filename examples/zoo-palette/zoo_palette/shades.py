"""The shades that the backbones know, and those kept from them to measure them on.

`python -m zoo_palette.shades` writes the weights again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import ImageColor

from zoo_palette import NAMES

# CSS calls its shades by a basic name that comes last: "lightskyblue" is a blue.
BASIC = {name: name for name in NAMES}
SHADES = {shade: name for shade in sorted(ImageColor.colormap) for name in NAMES if shade.endswith(name)}
OTHERS = [shade for shade in SHADES if shade not in BASIC]
LEARNT = BASIC | {shade: SHADES[shade] for shade in OTHERS[::2]}
HELD_OUT = {shade: SHADES[shade] for shade in OTHERS[1::2]}

WEIGHTS = {"css_basic.npz": BASIC, "css_shades.npz": LEARNT}


def weights(shades: Mapping[str, str]) -> dict[str, np.ndarray]:
    """srgb: float32 [shades, 3] in 0..1; names: int64 [shades], the index in NAMES that each goes by."""
    return {
        "srgb": np.asarray([ImageColor.getrgb(shade) for shade in shades], np.float32) / 255,
        "names": np.asarray([NAMES.index(name) for name in shades.values()], np.int64),
    }


if __name__ == "__main__":
    for file, known in WEIGHTS.items():
        np.savez(Path(__file__).with_name(file), **weights(known))
