"""The backbone: how much of a picture has which of the named colours."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from zoo import Backbone
from zoo.errors import BackboneError

if TYPE_CHECKING:
    import numpy as np


class ColourHistogram(Backbone):
    """Every pixel counts for the name of the shade that is nearest to it in CIELAB.

    `colours` [n, names] are shares of the whole picture and add up to 1. `features` [n, cells * cells * names] are the
    same for each cell of a grid, row by row, so that they also tell where a colour is.
    """

    _srgb: np.ndarray | None = None

    def load(self) -> None:
        """Read the shades, float32 [shades, 3] in sRGB 0..1, and the index of each one's name, int64 [shades]."""
        if self._srgb is not None:
            return
        import numpy as np

        file = self.files["weights"]
        try:
            with np.load(file, allow_pickle=False) as weights:
                self._names, self._srgb = weights["names"], weights["srgb"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BackboneError(
                f"backbone {self.spec.name!r}: {str(file)!r} does not hold the arrays 'names' and 'srgb' ({error}); "
                f"install the plugin again, or name the right file with weights="
            ) from error

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`; batch: float32 [n, h, w, 3], sRGB in 0..1."""
        import tensorflow as tf

        self.load()
        to_each = _lab(batch)[..., None, :] - _lab(tf.constant(self._srgb))  # [n, h, w, shades, 3]
        nearest = tf.argmin(tf.reduce_sum(to_each**2, axis=-1), axis=-1)
        shares = tf.one_hot(tf.gather(self._names, nearest), self.spec.outputs["colours"].width)
        if self.output == "colours":
            return {"colours": tf.reduce_mean(shares, axis=(1, 2))}
        cell = self.spec.input.size[0] // self.spec.options["cells"]
        return {"features": tf.reshape(tf.nn.avg_pool2d(shares, cell, cell, "VALID"), (-1, self.facts.width))}

    def parameters(self) -> int:
        """The numbers that say where the shades lie."""
        self.load()
        return self._srgb.size


def _lab(srgb: Any) -> Any:
    """CIELAB under D65 of sRGB in 0..1, both on the last axis (IEC 61966-2-1; CIE 15:2004)."""
    import tensorflow as tf

    linear = tf.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    xyz = tf.tensordot(linear, to_xyz, 1) / [0.9505, 1.0, 1.089]
    cubic = tf.where(xyz > (6 / 29) ** 3, xyz ** (1 / 3), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return tf.tensordot(cubic, [[0.0, 500.0, 0.0], [116.0, -500.0, 200.0], [0.0, 0.0, -200.0]], 1) - [16.0, 0.0, 0.0]
