"""Held out: the examples that a model was validated on, by where they are, not by copies of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, ZooError
from zoo.model import Model
from zoo.runtime import Array

PLACES = "held_out.npy"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Some examples of a dataset.

    name, options: what opens the dataset again; fingerprint: of its content, so that nothing else passes for it, or ""
        while the dataset is open.
    places: int64, of the examples among the readable ones (of a `WholeModel` among all); None for all of them.
    """

    name: str
    options: Mapping[str, Any]
    fingerprint: str
    places: Array | None
    opened: Dataset | None = field(default=None, repr=False)

    @classmethod
    def of(cls, dataset: Dataset, options: Mapping[str, Any], places: Array | None = None) -> HeldOut:
        """The examples at `places` of `dataset`, which `options` beside its name opened."""
        given = {name: value for name, value in options.items() if value is not None}
        return cls(dataset.name, given, "", places, dataset)

    def dataset(self, model: Model) -> Dataset:
        """The dataset, opened again where this is another process than the one that fitted.

        Raises DatasetError where it is not there any more, or is another one by now.
        """
        if self.opened is not None:
            return self.opened
        ask = "name the data to report on (data=..., on the command line DATA)"
        try:
            found = model.dataset(self.name, **self.options)
        except ZooError as error:
            raise DatasetError(f"the validation data {self.name!r} can't be opened: {error}; {ask}") from error
        if found.fingerprint() != self.fingerprint:
            raise DatasetError(f"the validation data {self.name!r} have changed since the model was fitted; {ask}")
        return found

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the places into `folder`; returns the rest in JSON's own types."""
        if self.places is not None:
            np.save(folder / PLACES, np.asarray(self.places, np.int64))
        options = {name: value if isinstance(value, str) else list(value) for name, value in self.options.items()}
        content = self.opened.fingerprint() if self.opened is not None else self.fingerprint
        return {"name": self.name, "options": options, "fingerprint": content, "all": self.places is None}


def read_held_out(folder: Path, facts: Mapping[str, Any]) -> HeldOut:
    """What `HeldOut.save` wrote; raises KeyError, OSError, ValueError for anything else."""
    places = None if facts["all"] else np.load(folder / PLACES, allow_pickle=False)
    return HeldOut(facts["name"], facts["options"], facts["fingerprint"], places)
