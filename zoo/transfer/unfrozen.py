"""Strategies that train the backbone: what they need before the first epoch, and the model that comes out."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backbone import Backbone, load_backbone
from zoo.conversion import conversion_key
from zoo.errors import BackboneError, OptionError
from zoo.model import Model
from zoo.progress import busy
from zoo.transfer.augmentation import Augmentation
from zoo.transfer.checkpoints import Checkpoint, settings_key
from zoo.transfer.copies import copied
from zoo.transfer.feeding import Feed
from zoo.transfer.finetuning import Tuned, Tuning, tune
from zoo.transfer.heads import Head, KerasHead
from zoo.transfer.objective import Objective
from zoo.transfer.parts import Part
from zoo.transfer.stages import Stage, stages_of
from zoo.transfer.strategies import RATE, plan, require_settings

BATCH = 32
EPOCHS = 5


@dataclass(frozen=True)
class TuningSettings:
    """What `zoo.transfer.fit` takes for a strategy, in the same words."""

    strategy: str = "frozen"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    early_stopping: int | None = None
    unfreeze: int | Sequence[str] | None = None
    mixed: Mapping[str, str | float] | None = None
    batch_norm: str = "inference"
    mixed_precision: bool = False
    augment: Augmentation | None = None
    dropout: float = 0.2
    callbacks: Sequence[Any] = ()
    seed: int = 0

    def ready(self, model: Model) -> Unfrozen | None:
        """`model` made ready to be trained; None for "frozen".

        Raises OptionError with the reason where its backbone can't be trained, and for settings that mean nothing.
        """
        require_settings(self)
        if self.strategy == "frozen":
            return None
        backbone = load_backbone(model.spec, "features", model.files("features"))
        try:
            with busy(f"loading {model.spec.name}"):
                stages = stages_of(backbone)
        except BackboneError as error:
            raise OptionError(
                f"strategy={self.strategy!r} can't be had: {error}; strategy='frozen' works: it trains a head on the "
                "features"
            ) from error
        phases = plan(
            self.strategy,
            stages,
            epochs=EPOCHS if self.epochs is None else self.epochs,
            rate=RATE if self.learning_rate is None else self.learning_rate,
            unfreeze=self.unfreeze,
            mixed=self.mixed,
        )
        tuning = Tuning(
            phases=phases,
            schedule="cosine" if self.learning_rate is None else "constant",
            patience=self.early_stopping,
            callbacks=self.callbacks,
            train_norms=self.batch_norm == "train",
            mixed_precision=self.mixed_precision,
            dropout=self.dropout,
            seed=self.seed,
        )
        return Unfrozen(model, backbone, stages, tuning, self)


@dataclass(frozen=True)
class Unfrozen:
    """A model's network with its variables at hand, its stages, and how they are to be trained."""

    model: Model
    backbone: Backbone
    stages: tuple[Stage, ...]
    tuning: Tuning
    settings: TuningSettings

    def tune(
        self,
        head: Head,
        train: Part,
        test: Part,
        objective: Objective,
        class_weight: Mapping[int, float] | None,
        told: Mapping[str, Any],
    ) -> tuple[Model, Tuned]:
        """The network fine-tuned, with a copy of `head`, which was trained on the features of `train`, behind it.

        told: what else would make another training of it, for the checkpoint. Returns a model of the changed
        backbone, whose files lie in a folder that goes with it. Raises OptionError for a batch larger than `train`.
        """
        name, spec, count = self.model.spec.name, self.model.spec.input, len(train.targets)
        size = self.settings.batch_size or min(BATCH, count)
        if size > count:
            raise OptionError(f"batch_size={size!r} is larger than the {count} examples to train on; make it less")
        feeds = (
            Feed(train.examples(self.model), spec, size, self.tuning.seed, self.settings.augment, f"training {name}"),
            Feed(test.examples(self.model), spec, size),
        )
        facts = {
            "settings": {name: value for name, value in vars(self.settings).items() if name != "callbacks"},
            "augment": self.settings.augment and self.settings.augment.key,
            "data": [part.dataset.fingerprint() for part in (train, test)],
            "targets": [train.targets, test.targets],
            "places": [train.places, test.places],
            "class_weight": class_weight and sorted(class_weight.items()),
        }
        checkpoint = Checkpoint(settings_key(conversion_key(self.backbone, "training"), {**facts, **told}))
        # A user's own layers saw the features as they are.
        own = isinstance(head, KerasHead)
        scale = 1.0 if own else 1 / max(float(np.sqrt(np.mean(np.square(train.features)))), 1e-12)
        tuned = tune(self.backbone, self.stages, head, scale, *feeds, objective, self.tuning, class_weight, checkpoint)
        return self._model(), tuned

    def _model(self) -> Model:
        folder = tempfile.mkdtemp(prefix="zoo-tuned-")
        with busy(f"keeping the weights of {self.model.spec.name}"):
            path = self.backbone.save(Path(folder))
        model = copied(self.model, weights={**self.model.weights, "features": path})
        weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
        return model
