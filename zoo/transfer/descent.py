"""Descent: a Keras model trained in epochs on an objective, and stopped with its cause where the loss is no number."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import OptionError, ZooWarning
from zoo.runtime import Array
from zoo.transfer.fitted import History
from zoo.transfer.heads import Head, as_head, keras_head
from zoo.transfer.objective import Objective
from zoo.transfer.warming import Start

JUDGED_AT_ONCE = 1024  # features that a head takes when it is judged
FAR = 10.0  # times the loss of zeros, above which a head has learnt worse than nothing


@dataclass(frozen=True)
class Settings:
    """How epochs go, in Keras' words; class_weight: by class number."""

    epochs: int
    batch_size: int
    learning_rate: float
    callbacks: Sequence[Any] = ()
    class_weight: dict[int, float] | None = None
    seed: int = 0
    patience: int | None = None  # epochs without a lower validation loss; then the best weights come back
    start: Start | None = None


def descend(
    kind: Any,
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    objective: Objective,
    dropout: float,
    settings: Settings,
) -> tuple[Head, History]:
    """A head trained with Adam on features.

    Raises OptionError where the loss is no number any more; one far above that of zeros is a ZooWarning.
    """
    from zoo.framework import keras, tf

    keras.utils.set_random_seed(settings.seed)
    model = keras_head(kind, train[0].shape[1:], objective.width, dropout, objective.rescaling(train[1]))
    # Our own heads see features of mean square 1, whatever the network: one learning rate then suits all of them.
    scale = 1 / max(float(np.sqrt(np.mean(np.square(train[0])))), 1e-12) if isinstance(kind, str) else 1.0
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=objective.keras_loss(),
        metrics=objective.keras_metrics(),
    )

    def examples(features: Array, targets: Array) -> Any:
        """Keras takes the batches of a tf.data.Dataset in half the time that it needs for those of an array."""
        return tf.data.Dataset.from_tensor_slices((np.float32(scale) * features, targets))

    if settings.start is not None:
        settings.start.give(model, kind, scale)
    stopping = []
    if settings.patience is not None:
        stopping = [keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)]
    found = model.fit(
        examples(*train).shuffle(len(train[1]), seed=settings.seed).batch(settings.batch_size),
        validation_data=examples(*test).batch(JUDGED_AT_ONCE),
        callbacks=[keras.callbacks.TerminateOnNaN(), *stopping, *settings.callbacks],
        epochs=settings.epochs,
        shuffle=False,  # done already; Keras warns that it can't
        class_weight=settings.class_weight,
        verbose=0,
    )
    losses = found.history["loss"]
    if not np.isfinite(losses).all():
        raise OptionError(
            f"the loss became {losses[-1]} in epoch {len(losses)} {_cause(objective, train[1], settings)}"
        )
    ignorance = float(np.mean(_untaught(objective, train[1])))
    weight = max((settings.class_weight or {0: 1.0}).values())
    if losses[-1] > FAR * ignorance * weight > 0:
        warnings.warn(
            ZooWarning(
                f"the loss is {losses[-1]:.3g} in the last epoch, {ignorance:.3g} where nothing is learnt: "
                f"learning_rate={settings.learning_rate!r} is too large; lower it"
            ),
            stacklevel=2,
        )
    history = {name: [float(value) for value in values] for name, values in found.history.items()}
    return as_head(model, kind, scale), History(history, list(found.epoch))


def _untaught(objective: Objective, targets: Array) -> Array:
    """The loss of zeros for some of `targets`."""
    some = targets[:JUDGED_AT_ONCE]
    return np.asarray(objective.keras_loss()(some, np.zeros((len(some), objective.width), np.float32)))


def _cause(objective: Objective, targets: Array, settings: Settings) -> str:
    """Why a loss is no number: it never was, whatever was learnt, or the steps were too large."""
    if np.isfinite(_untaught(objective, targets)).all():
        return f"at learning_rate={settings.learning_rate!r}; lower it"
    return f"for loss={objective.loss!r} is none from the start, whatever is learnt; look at what it computes"
