"""Which examples train and which are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.runtime import Array


def open_datasets(
    model: Model, data: Any, validation: Any, options: Mapping[str, Any]
) -> tuple[Dataset, Dataset | None]:
    """The training data, and the validation data where these are no share of them."""
    training = model.dataset(data, **options)
    if isinstance(validation, int | float) and not isinstance(validation, bool):
        if not 0 < validation < 1:
            raise OptionError(f"validation={validation!r} is a share between 0 and 1, or a dataset")
        return training, None
    return training, model.dataset(validation, **{name: value for name, value in options.items() if name != "split"})


def held_out(targets: Array, share: float, seed: int, labels: LabelSpace) -> tuple[Array, Array]:
    """The places in `targets` that train, and those that are held out: each class in the same proportion."""
    from sklearn.model_selection import train_test_split

    counts = Counter(targets.tolist())
    alone = [labels.label(target) for target, count in sorted(counts.items()) if count < 2]
    if alone:
        raise DatasetError(f"class {alone[0]!r} has one example: none is left to validate on; give validation=DATASET")
    places = np.arange(len(targets))
    size = max(round(share * len(places)), len(counts))
    if len(places) - size < len(counts):
        raise DatasetError(f"{len(places)} examples of {len(counts)} classes are too few to hold {share:.0%} out")
    train, test = train_test_split(places, test_size=size, stratify=targets, random_state=seed)
    return train, test
