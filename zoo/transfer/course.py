"""A course of training: a head on features, then the stages below it where that is wanted, and what is told of both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.evaluation import Evaluation
from zoo.model import Model
from zoo.runtime import Array
from zoo.transfer.finetuning import Tuned
from zoo.transfer.fitted import FittedModel, Training
from zoo.transfer.head_training import HeadSettings, evaluation_of, train_head
from zoo.transfer.heads import Head
from zoo.transfer.objective import Objective
from zoo.transfer.parts import Extraction, Parts
from zoo.transfer.unfrozen import Unfrozen


@dataclass(frozen=True)
class Course:
    """A training of which everything is settled, with its log.

    settings: the head's; network: the backbone, where stages of it train too; notes, seconds: what is told afterwards.
    """

    model: Model
    parts: Parts
    objective: Objective
    settings: HeadSettings
    extraction: Extraction
    network: Unfrozen | None
    notes: list[str]
    seconds: dict[str, float]

    def run(self, train: tuple[Array, Array]) -> FittedModel:
        """The fitted model. train: features and targets for the head alone."""
        validation, source = self.parts.validation, self.model
        counts: tuple[int, int | None] = (0, None)
        with timed(self.seconds, "head"):
            views = len(train[1]) // len(self.parts.training.targets)
            head, history, kind = train_head(self.settings, train, validation.pairs, self.objective, views)
        if self.network is not None:
            with timed(self.seconds, "tuning"):
                source, tuned = self._tuned(self.network, head, kind)
            head, history, counts = tuned.head, tuned.history, (tuned.trained, tuned.frozen)
        told = self._training(kind if isinstance(kind, str) else type(kind).__name__, counts)
        held, labels = validation.held(), self.objective.labels
        fitted = FittedModel(source, head, labels, history, told, self.parts.failed, held)
        fitted.test = self._tested(fitted)
        return fitted

    def _tuned(self, network: Unfrozen, head: Head, kind: Any) -> tuple[Model, Tuned]:
        parts, objective, settings = self.parts, self.objective, self.settings
        features, targets = parts.validation.pairs
        alone = objective.scores(head(np.asarray(features, np.float32)), targets)
        self.notes.extend(f"the head alone, before: val_{name} {value:.4f}" for name, value in alone.items())
        weights = objective.class_weights(settings.class_weight, parts.training.targets)
        told = {"head": [kind, settings.c], "loss": objective.loss, "pos_weight": objective.pos_weight}
        start = settings.start and settings.start.note
        source, tuned = network.tune(
            head, parts.training, parts.validation, objective, weights, {**told, "start": start}
        )
        self.notes.extend(tuned.notes)
        return source, tuned

    def _training(self, head: str, counts: tuple[int, int | None]) -> Training:
        data = self.parts.training
        return Training(
            self.network.settings.strategy if self.network else "frozen",
            head,
            data.name,
            data.dataset.fingerprint(),
            len(data.targets),
            len(self.parts.validation.targets),
            self.settings.seed,
            {name: round(spent, 3) for name, spent in self.seconds.items()},
            tuple(self.notes),
            *counts,
        )

    def _tested(self, fitted: FittedModel) -> Evaluation | None:
        """What `fitted` scores on the part for the test; a network that was trained gives other features of it."""
        test = self.parts.test
        if not len(test.targets):
            return None
        features = test.features_by(fitted.source, self.extraction) if self.network else test.features
        return evaluation_of(fitted.name, test.name, self.objective, fitted.head, (features, test.targets))


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how many seconds the block took."""
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun
