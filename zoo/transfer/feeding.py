"""Feeding: examples become batches for a network in training, decoded in the background, in an order that is seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.batches import groups, stack
from zoo.dataset import Dataset
from zoo.inputs import Prepared, prepare_all
from zoo.model import Model
from zoo.progress import track
from zoo.runtime import Array
from zoo.specs import ImageInput, TextInput

# (pictures uint8 [n, h, w, c] in 0..255, seed) -> pictures of the same shape, uint8 or float in 0..255
Augment = Callable[[Array, int], Array]


@dataclass(frozen=True)
class Examples:
    """Inputs with their targets. sources: paths, bytes, arrays or texts, of which only a batch is decoded at a time."""

    sources: Sequence[Any]
    targets: Array

    def __len__(self) -> int:
        return len(self.sources)


@dataclass
class Feed:
    """`examples` in batches as the input `spec` describes them, epoch after epoch.

    seed: the order is another in each epoch, the same in every run; None leaves it as it is.
    error: what made an epoch end early: TensorFlow, which calls this from a thread of its own, would not pass it on.
    """

    examples: Examples
    spec: ImageInput | TextInput
    batch_size: int
    seed: int | None = None
    augment: Augment | None = None
    title: str = ""
    epoch: int = 0
    error: Exception | None = None

    @property
    def steps(self) -> int:
        """The number of batches in an epoch, where all inputs are of one size."""
        return -(-len(self.examples) // self.batch_size)

    def __call__(self) -> Iterator[tuple[Any, Array]]:
        """The batches of the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        try:
            title = f"{self.title}, epoch {epoch + 1}" if self.title else ""
            yield from track(self._batches(epoch), self.steps, title) if title else self._batches(epoch)
        except Exception as error:  # kept as it is, since TensorFlow makes another one of it
            self.error = error
            raise

    def _batches(self, epoch: int) -> Iterator[tuple[Any, Array]]:
        places = np.arange(len(self.examples))
        if self.seed is not None:
            np.random.default_rng((self.seed, epoch)).shuffle(places)
        spec, done = self.spec, 0
        if self.augment is not None and isinstance(spec, ImageInput):
            spec = spec.model_copy(update={"dtype": "uint8", "range": (0.0, 255.0), "mean": None, "std": None})
        sources = (self.examples.sources[int(place)] for place in places)
        with closing(prepare_all(sources, spec, batch=self.batch_size)) as prepared:
            for number, group in enumerate(groups(prepared, self.batch_size)):
                values = []
                for item in group:
                    if not isinstance(item, Prepared):
                        raise item  # it could be read when its features were made
                    values.append(item.value)
                batch = stack(values, spec.kind)
                if self.augment is not None and isinstance(self.spec, ImageInput):
                    seed = int(np.random.default_rng((self.seed or 0, epoch, number)).integers(2**31))
                    batch = _scaled(_augmented(batch, self.augment, seed), self.spec)
                yield batch, self.examples.targets[places[done : done + len(group)]]
                done += len(group)

    def dataset(self) -> Any:
        """The epochs as a `tf.data.Dataset`, a few batches ahead; `error` holds what ended one early."""
        from zoo.framework import tf

        if isinstance(self.spec, ImageInput):
            height, width = self.spec.size or (None, None)
            inputs = tf.TensorSpec([None, height, width, self.spec.depth], self.spec.dtype)
        else:
            inputs = tf.TensorSpec([None], tf.string)
        targets = tf.TensorSpec([None, *self.examples.targets.shape[1:]], self.examples.targets.dtype)
        found = tf.data.Dataset.from_generator(self, output_signature=(inputs, targets))
        if not isinstance(self.spec, ImageInput) or self.spec.size:  # else batches end where another size begins
            found = found.apply(tf.data.experimental.assert_cardinality(self.steps))
        return found.prefetch(2)


def examples_of(model: Model, dataset: Dataset, ids: Sequence[str], places: Array) -> list[Any]:
    """The inputs at `places` among the examples of `dataset` that are called `ids`, which keep the dataset's order."""
    wanted = {int(place): number for number, place in enumerate(places)}
    found: list[Any] = [None] * len(wanted)
    readable = 0
    for example in dataset:
        if readable < len(ids) and example.id == ids[readable]:
            if readable in wanted:
                found[wanted[readable]] = model.task.inputs(example)[0]
            readable += 1
    return found


def _augmented(batch: Array, augment: Augment, seed: int) -> Array:
    """Pictures [n, h, w, 1 or 3] changed; grey ones as the three equal colours that augmentations know."""
    if batch.shape[-1] == 3:
        return augment(batch, seed)
    return augment(np.repeat(batch, 3, axis=-1), seed)[..., :1]


def _scaled(batch: Array, spec: ImageInput) -> Array:
    """Pictures in 0..255 as `spec` wants its values; channels are in its order already."""
    if spec.dtype == "uint8":
        return np.clip(np.rint(batch), 0, 255).astype(np.uint8)
    low, high = spec.range or (0.0, 1.0)
    found: Array = np.asarray(batch, np.float32) * np.float32((high - low) / 255) + np.float32(low)
    if spec.mean is not None:
        found = found - np.asarray(spec.mean, np.float32)
    if spec.std is not None:
        found = found / np.asarray(spec.std, np.float32)
    return found
