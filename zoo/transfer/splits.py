"""Which examples train, which are held out to validate on, and which to test on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, OptionError, SplitError
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.runtime import Array

VALIDATION = 0.2  # the share held out where the data have no such part of their own
# What the parts of a dataset are called, in the order in which they are looked for.
PARTS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test",),
}


@dataclass(frozen=True)
class Opened:
    """An open dataset, and the options that opened it again under its name."""

    dataset: Dataset
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """What is to be fitted. validation, test: datasets of their own, or shares of `training`, 0.0 for none."""

    training: Opened
    validation: Opened | float
    test: Opened | float

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of the training data that are held out to validate and to test on."""
        validation, test = (part if isinstance(part, float) else 0.0 for part in (self.validation, self.test))
        return validation, test


def open_data(model: Model, data: Any, validation: Any, test: Any, options: Mapping[str, Any]) -> Data:
    """The datasets that `data`, `validation` and `test` mean; see `zoo.transfer.fit`.

    Where `data` names parts of its own (train/, val/ and test/ in a folder, the splits of TFDS) and `options` no split,
    its training part trains; its validation and test parts judge where nothing else is asked for.
    Raises DatasetError, and OptionError for shares that leave nothing to train on.
    """
    training, splits = _training(model, data, options)
    own = {part: _named(part, splits) for part in PARTS} if options.get("split") is None else {}
    if validation is None:
        validation = own.get("validation") or VALIDATION
    if test is None:
        test = own.get("test") or 0
        test = 0 if test == validation else test
    if training.dataset.empty:
        raise DatasetError(
            f"{training.dataset.name!r} has no example of class {', '.join(map(repr, training.dataset.empty))}; "
            "add some, or remove the folder"
        )
    parts = [
        _held(model, data, part, what, splits, options, training.options.get("split"))
        for part, what in ((validation, "validation"), (test, "test"))
    ]
    if parts[0] == 0.0:
        raise OptionError(f"validation={validation!r} is a share between 0 and 1, or a dataset")
    if sum(part for part in parts if isinstance(part, float)) >= 1:
        raise OptionError(f"validation={validation!r} and test={test!r} leave nothing to train on")
    own_parts = [part.dataset.fingerprint() for part in parts if isinstance(part, Opened)]
    if len(own_parts) > len(set(own_parts)):
        raise OptionError(f"validation={validation!r} and test={test!r} are the same examples; give others, or test=0")
    return Data(training, *parts)


def _training(model: Model, data: Any, options: Mapping[str, Any]) -> tuple[Opened, tuple[str, ...]]:
    """The data to train on, and the names of all parts that the same name has."""
    try:
        found, splits = model.dataset(data, **options), None
    except SplitError as error:
        splits = error.splits
        if _named("training", splits) is None:
            raise
    splits = found.splits if splits is None else splits
    wanted = _named("training", splits)
    if wanted and options.get("split") is None:
        options = {**options, "split": wanted}
        found = model.dataset(data, **options)
    return Opened(found, options), splits


def _named(part: str, splits: Sequence[str]) -> str | None:
    return next((name for name in PARTS[part] if name in splits), None)


def _held(
    model: Model,
    data: Any,
    given: Any,
    what: str,
    splits: Sequence[str],
    options: Mapping[str, Any],
    training: str | None,
) -> Opened | float:
    """What `given` means: a share, a part of `data`, or a dataset. training: the part that trains."""
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        if not 0 <= given < 1:
            raise OptionError(f"{what}={given!r} is a share between 0 and 1, or a dataset")
        return float(given)
    part = given.partition("[")[0].partition("+")[0] if isinstance(given, str) else None
    if part in splits:  # whatever lies in the working directory under that name: ./test says the folder
        if part == training:
            raise OptionError(
                f"{what}={given!r} is a part of what trains, all of {training!r}; give a share such as 0.2, or the "
                "part that is to train with split=..."
            )
        name, told = data, {**options, "split": given}  # a part of the same data: val, or train[80%:]
    else:
        name, told = given, {name: value for name, value in options.items() if name != "split"}
    return Opened(model.dataset(name, **told), told)


def held_out(targets: Array, shares: tuple[float, float], seed: int, labels: LabelSpace) -> tuple[Array, Array, Array]:
    """The places in `targets` that train, validate and test, the last two in `shares` of all.

    Classes [n] are each in the same proportion everywhere; of other targets (several classes [n, k], numbers) the
    places are drawn at random. Raises DatasetError where a class has too few examples to be in every part.
    """
    places = np.arange(len(targets))
    validation, test = shares
    classes = targets.ndim == 1 and targets.dtype.kind in "iu"
    if classes and (validation or test):
        counts, parts = Counter(targets.tolist()), 1 + bool(validation) + bool(test)
        for target, count in sorted(counts.items()):
            if count < parts:
                ask = "give validation=DATASET" if parts == 2 else f"{parts} parts need {parts} or more"
                had = "has one example" if count == 1 else f"has {count} examples"
                raise DatasetError(f"class {labels.label(target)!r} {had}: none is left to validate on; {ask}")
    train, tested = _cut(places, targets, test, len(places), seed, classes)
    train, validated = _cut(train, targets, validation, len(places), seed, classes)
    return train, validated, tested


def _cut(places: Array, targets: Array, share: float, total: int, seed: int, classes: bool) -> tuple[Array, Array]:
    """`places` less a `share` of `total`, and those."""
    if not share:
        return places, places[:0]
    from sklearn.model_selection import train_test_split

    kinds = len(np.unique(targets)) if classes else 1
    size = max(round(share * total), kinds)
    if len(places) - size < kinds:
        told = f"{total} examples" + (f" of {kinds} classes" if classes else "")
        raise DatasetError(f"{told} are too few to hold {share:.0%} out")
    stratify = targets[places] if classes else None
    kept, cut = train_test_split(places, test_size=size, stratify=stratify, random_state=seed)
    return kept, cut
