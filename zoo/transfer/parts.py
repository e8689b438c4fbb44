"""The parts of the data with their features: what trains, what it is validated on, and what tests the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.dataset import Dataset
from zoo.model import Model
from zoo.runtime import Array
from zoo.task import Failed
from zoo.transfer.augmentation import Augmentation
from zoo.transfer.features import MAX_UNREADABLE, Extracted, extract
from zoo.transfer.feeding import Examples, examples_of
from zoo.transfer.held import HeldOut
from zoo.transfer.objective import Objective
from zoo.transfer.splits import Data, Opened, held_out
from zoo.transfer.views import view_features

AT_ONCE = 32  # inputs that the network takes; in batches of 367 the pictures of a MobileNetV2 take twice as long


@dataclass(frozen=True)
class Extraction:
    """How inputs become features: which output of the network, how many at a time, how many may be unreadable."""

    output: str = "features"
    batch_size: int = AT_ONCE
    max_unreadable: int | float = MAX_UNREADABLE

    def __call__(self, model: Model, dataset: Dataset) -> Extracted:
        """See `zoo.transfer.features.extract`."""
        return extract(
            model, dataset, batch_size=self.batch_size, max_unreadable=self.max_unreadable, output=self.output
        )


@dataclass(frozen=True, eq=False)
class Part:
    """Some examples of a dataset. name: what messages call them.

    ids: of all that could be read; places: among these, None for all of them; features, targets: of those there.
    """

    name: str
    opened: Opened
    ids: Sequence[str]
    places: Array | None
    features: Array
    targets: Array

    @property
    def dataset(self) -> Dataset:
        """The dataset that they are of."""
        return self.opened.dataset

    @property
    def pairs(self) -> tuple[Array, Array]:
        """Features with targets."""
        return self.features, self.targets

    def examples(self, model: Model) -> Examples:
        """Their inputs, with the targets."""
        places = np.arange(len(self.ids)) if self.places is None else self.places
        return Examples(examples_of(model, self.dataset, self.ids, places), self.targets)

    def held(self) -> HeldOut:
        """Where they are."""
        return HeldOut.of(self.dataset, self.opened.options, self.places)

    def features_by(self, model: Model, extraction: Extraction) -> Array:
        """Their features by another network than the one that `features` are of."""
        found = extraction(model, self.dataset).features
        return found if self.places is None else found[self.places]


@dataclass(frozen=True, eq=False)
class Parts:
    """What trains, what validates and what tests, the last of which may be empty; failed: what could not be read."""

    training: Part
    validation: Part
    test: Part
    failed: tuple[Failed, ...]
    found: Extracted

    def with_views(
        self, model: Model, augment: Augmentation, views: int, seed: int, extraction: Extraction
    ) -> tuple[Array, Array]:
        """Features and targets that train, with those of so many augmented `views` of each example behind them."""
        part, size, output = self.training, extraction.batch_size, extraction.output
        made = view_features(model, part.dataset, self.found, augment, views, seed, size, output)[part.places]
        features = np.concatenate([part.features, *np.moveaxis(made, 1, 0)])
        return features, np.concatenate([part.targets] * (1 + views))


def parts_of(model: Model, data: Data, objective: Objective, extraction: Extraction, seed: int) -> Parts:
    """The parts of `data` as features and targets; validation and test in the numbers of `objective`.

    Raises DatasetError where the training part is too small to learn from, LabelError where labels don't meet.
    """
    found = extraction(model, data.training.dataset)
    failed = list(found.failed)
    train, *held = held_out(found.targets, data.shares, seed, objective.labels)

    def among(places: Array, name: str) -> Part:
        return Part(name, data.training, found.ids, places, found.features[places], found.targets[places])

    def apart(opened: Opened) -> Part:
        own = extraction(model, opened.dataset)
        failed.extend(own.failed)
        targets = objective.translated(own.targets, opened.dataset)
        return Part(opened.dataset.name, opened, own.ids, None, own.features, targets)

    training = among(train, data.training.dataset.name)
    objective.require(training.targets, training.name)
    validation, test = (
        apart(part) if isinstance(part, Opened) else among(places, f"{part:.0%} of {training.name}")
        for part, places in zip((data.validation, data.test), held, strict=True)
    )
    return Parts(training, validation, test, tuple(failed), found)
