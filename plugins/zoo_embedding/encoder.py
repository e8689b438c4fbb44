"""Encoders: models of the task `embedding`, with vectors as the network gives them or shorter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import Compiled, Dataset, Model, Pair
from zoo.errors import OptionError, ZooWarning
from zoo.saved import saved_facts, write_saved
from zoo_embedding.reduction import Reduced, Reduction, principal_components, truncation


class Encoder(Model):
    """A model of the task `embedding`."""

    def encode(self, inputs: Any, *, dim: int | None = None, batch_size: int = 32) -> np.ndarray:
        """Vectors of texts or pictures, float32 [n, d]; one input gives [1, d]. Raises InputError.

        dim: so many numbers, the first ones: the most telling of an encoder that `reduced` fitted on data, and of
            those that were trained so; of others they are a part like any other, which a warning says once.
        """
        vectors = self.features(inputs, batch_size=batch_size)
        if dim is None:
            return vectors
        self._warn_of_truncation(vectors.shape[1], dim)
        return truncation(vectors.shape[1], dim)(vectors)

    def similarity(self, left: Any, right: Any, *, dim: int | None = None, batch_size: int = 32) -> np.ndarray:
        """The cosine of each of `left` [n] with each of `right` [m], float32 [n, m] in -1..1; dim: as in `encode`."""
        ours, theirs = (self.encode(inputs, dim=dim, batch_size=batch_size) for inputs in (left, right))
        return cosine(ours, theirs)

    def reduced(self, dim: int, data: Any = None, *, batch_size: int = 32) -> ReducedEncoder:
        """A new encoder of vectors of `dim` numbers; its `reduction` says how.

        data: inputs as `encode` takes them, or a dataset of pairs: principal components are fitted on their vectors.
            None: the first numbers, as they are.

        >>> small = zoo.get("embedding", "real_minilm").reduced(128, "sts:sts-train.csv")
        """
        if data is None:
            width = self.features(self._sample()).shape[1]
            return ReducedEncoder(self, truncation(width, dim))
        inputs = data
        if isinstance(data, str | Path | Dataset):
            inputs = [part for example in self.dataset(data) for part in self.task.inputs(example)]
        return ReducedEncoder(self, principal_components(self.features(inputs, batch_size=batch_size), dim))

    def _sample(self) -> Any:
        from zoo.inputs import sample_inputs

        return sample_inputs(self.spec.input.kind)[:1]

    def _warn_of_truncation(self, width: int, dim: int) -> None:
        if dim < width:
            warnings.warn(
                f"{self.name!r}: the first {dim} of {width} numbers; unless the encoder was trained to put the most "
                f"into them, compare with encoder.reduced({dim}, data), which fits principal components",
                ZooWarning,
                stacklevel=3,
            )


class ReducedEncoder(Encoder):
    """An encoder whose vectors were made shorter. source: the one as it was."""

    def __init__(self, source: Encoder, reduction: Reduction) -> None:
        features = source.spec.outputs["features"].model_copy(update={"width": reduction.dim})
        outputs = dict(source.spec.outputs) | {"features": features}
        spec = source.spec.model_copy(update={"outputs": outputs, "published": ()})
        pair = Pair(source.pair.task, spec, source.pair.output, source.pair.status)
        more: Mapping[str, Any] = {"device": source.device, "precision": source.precision, "weights": source.weights}
        super().__init__(pair, source.task, source.runtime, **more)
        self.source = source
        self._reduction = reduction

    @property
    def reduction(self) -> str:
        """How the vectors were made shorter, in words."""
        return self._reduction.told

    @property
    def name(self) -> str:
        """`TASK/BACKBONE` and how many numbers are left: no published figure is one of it."""
        return f"{self.pair.name} reduced to {self._reduction.dim}"

    def compiled(self, output: str) -> Compiled:
        """See `zoo.Model.compiled`."""
        if output == "features" and output not in self._compiled:
            self._compiled[output] = Reduced(self.source.compiled("features"), self._reduction)
        return super().compiled(output)

    def files(self, output: str) -> dict[str, Path]:
        """See `zoo.Model.files`; the reduction lies in memory."""
        return self.source.files(output)

    def save(self, path: Any) -> Path:
        """See `zoo.Model.save`; the reduction travels along."""

        def more(folder: Path) -> dict[str, Any]:
            return {"reduction": self._reduction.save(folder)}

        kept = {"features": self.files("features")}
        return write_saved(Path(path), self.task.spec.name, self.source.spec, kept, more)

    def reduced(self, dim: int, data: Any = None, *, batch_size: int = 32) -> ReducedEncoder:
        """An encoder is reduced once: raises OptionError."""
        raise OptionError(f"{self.name!r} is reduced already: {self.reduction}; reduce its source")

    def _warn_of_truncation(self, width: int, dim: int) -> None:
        if "principal" not in self.reduction:
            super()._warn_of_truncation(width, dim)


def restored(model: Encoder, folder: Path) -> Encoder:
    """`model` with the reduction that `ReducedEncoder.save` wrote into `folder`, if there is one."""
    told = saved_facts(folder).get("reduction")
    return model if told is None else ReducedEncoder(model, Reduction.read(folder, told))


def cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The cosine of each row of `left` [n, d] with each row of `right` [m, d], [n, m]; 0 beside a zero vector."""
    lengths = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)[None]
    return np.clip(left @ right.T / np.where(lengths == 0, 1, lengths), -1, 1)
