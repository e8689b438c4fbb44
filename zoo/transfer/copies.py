"""Copies of a model, of which one thing is another."""

from __future__ import annotations

import weakref
from typing import Any

from zoo.model import Model


def copied(model: Model, **changes: Any) -> Model:
    """A plain `zoo.Model` like `model`, without the head of one that was fitted; `changes` as `zoo.Model` takes them.

    The files of a network that was trained are there for as long as a copy of its model.
    """
    given = {"pair": model.pair, "task": model.task, "runtime": model.runtime, "device": model.device}
    given |= {"precision": model.precision, "weights": model.weights, "trust_code": model.trust_code}
    made = Model(**{**given, "named": model.named, **changes})
    weakref.finalize(made, _let_go, model)
    return made


def _let_go(model: Model) -> None:
    """What a finaliser refers to stays until it has run."""
