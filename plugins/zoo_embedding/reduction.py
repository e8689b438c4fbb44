"""Shorter vectors: principal components fitted on training data, or the first numbers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import Compiled
from zoo.errors import OptionError, WeightsError

FILE = "reduction.npz"


@dataclass(frozen=True, eq=False)
class Reduction:
    """Vectors of d numbers -> vectors of k. mean: float32 [d]; components: float32 [d, k]; told: how, in words."""

    mean: np.ndarray
    components: np.ndarray
    told: str

    @property
    def dim(self) -> int:
        """The numbers of a shorter vector."""
        return int(self.components.shape[1])

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [n, d] -> float32 [n, k]."""
        return (np.asarray(vectors, np.float32) - self.mean) @ self.components

    def save(self, folder: Path) -> dict[str, str]:
        """Write it into `folder`; returns the facts that `read` takes."""
        np.savez(folder / FILE, mean=self.mean, components=self.components)
        return {"told": self.told}

    @classmethod
    def read(cls, folder: Path, facts: Any) -> Reduction:
        """What `save` wrote; raises WeightsError for anything else."""
        try:
            with np.load(folder / FILE, allow_pickle=False) as stored:
                return cls(stored["mean"], stored["components"], str(facts["told"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"the reduction in {str(folder)!r} can't be read: {error}; save the model again"
            ) from error


def truncation(width: int, dim: int) -> Reduction:
    """The first `dim` of `width` numbers: for encoders that were trained to put the most into them."""
    _check(width, dim)
    kept = np.eye(width, dim, dtype=np.float32)
    return Reduction(np.zeros(width, np.float32), kept, f"the first {dim} of {width} numbers")


def principal_components(vectors: np.ndarray, dim: int) -> Reduction:
    """The `dim` directions in which `vectors` [n, d] vary most, by scikit-learn; n must be at least `dim`."""
    count, width = vectors.shape
    _check(width, dim)
    if count < dim:
        raise OptionError(f"{count} examples are too few for {dim} principal components; give at least {dim}")
    from sklearn.decomposition import PCA

    found = PCA(dim, svd_solver="full").fit(np.asarray(vectors, np.float64))
    share = found.explained_variance_ratio_.sum()
    told = f"{dim} principal components of {width} numbers, fitted on {count:,} examples, {share:.1%} of their variance"
    return Reduction(found.mean_.astype(np.float32), found.components_.T.astype(np.float32), told)


class Reduced(Compiled):
    """Features and a reduction behind them as one callable."""

    def __init__(self, features: Compiled, reduction: Reduction) -> None:
        self._features = features
        self._reduction = reduction
        self.device = features.device
        self.precision = features.precision
        self.choice = features.choice

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        return {"features": self._reduction(self._features(batch)["features"])}

    def stream(self, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """See `zoo.Compiled.stream`."""
        for outputs in self._features.stream(batches):
            yield {"features": self._reduction(outputs["features"])}

    def parameters(self) -> int | None:
        """The weights of the backbone: a reduction is counted with its data."""
        return self._features.parameters()

    def peak_memory(self) -> int | None:
        """See `zoo.Compiled.peak_memory`."""
        return self._features.peak_memory()


def _check(width: int, dim: int) -> None:
    if not 1 <= dim <= width:
        raise OptionError(f"dim={dim!r} is no length for vectors of {width} numbers; it is 1 to {width}")
