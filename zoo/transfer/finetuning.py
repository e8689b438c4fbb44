"""Fine-tuning: a backbone's own stages trained together with a head that was fitted to its features first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.backbone import Backbone
from zoo.errors import OptionError
from zoo.transfer.checkpoints import Checkpoint, State
from zoo.transfer.feeding import Feed
from zoo.transfer.fitted import History
from zoo.transfer.heads import Head
from zoo.transfer.network import Network, own_head, rated_adam
from zoo.transfer.objective import Objective
from zoo.transfer.precision import lowered
from zoo.transfer.stages import Stage
from zoo.transfer.strategies import RATE, Phase

WARM_UP = 0.1  # of the steps of a phase, over which the rate rises; it then falls along a cosine


@dataclass(frozen=True)
class Tuning:
    """How a network is fine-tuned.

    schedule: "cosine" lets each phase's rates rise and fall, "constant" leaves them as they are.
    patience: epochs without a lower validation loss after which it stops, with the weights of the best; None goes on.
    train_norms: batch normalisation sees the batch's statistics, and its own move. dropout: before the last layer.
    """

    phases: Sequence[Phase]
    schedule: str = "cosine"
    patience: int | None = None
    callbacks: Sequence[Any] = ()
    train_norms: bool = False
    mixed_precision: bool = False
    dropout: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning made. trained, frozen: how many numbers of the backbone a gradient moved, and did not."""

    head: Head
    history: History
    trained: int
    frozen: int
    notes: tuple[str, ...]


def tune(
    backbone: Backbone,
    stages: Sequence[Stage],
    head: Head,
    scale: float,
    train: Feed,
    test: Feed,
    objective: Objective,
    tuning: Tuning,
    class_weight: Mapping[int, float] | None,
    checkpoint: Checkpoint,
) -> Tuned:
    """Train the stages of `backbone`, whose variables change in place, and a copy of `head`, phase after phase.

    scale: what features are multiplied with before the head sees them, so that one learning rate suits all networks.
    A checkpoint of the same training is taken up. Raises OptionError where the loss is no number any more.
    """
    from zoo.framework import keras

    keras.utils.set_random_seed(tuning.seed)
    network = Network(backbone, stages, own_head(head, scale, tuning.dropout), scale, tuning.train_norms)
    state = checkpoint.read() or State()
    notes = (f"went on after epoch {state.epoch}, where an earlier run had stopped",) if state.epoch else ()
    epochs = Epochs(network, train, test, objective, tuning, class_weight, state, checkpoint)
    begin = 0
    for number, phase in enumerate(tuning.phases):
        network.open(phase.rates)
        epochs.run(number, phase, begin)
        begin += phase.epochs
    if kept := state.arrays.get("best", state.arrays.get("weights")):
        network.restore(kept)
    checkpoint.remove()
    count = len(next(iter(state.history.values()), ()))
    trained = network.trained()
    history = History(state.history, list(range(count)))
    return Tuned(network.fitted_head(head), history, trained, network.size() - trained, notes)


@dataclass
class Epochs:
    """The epochs of a training, of which `state` has some behind it."""

    network: Network
    train: Feed
    test: Feed
    objective: Objective
    tuning: Tuning
    class_weight: Mapping[int, float] | None
    state: State
    checkpoint: Checkpoint

    def run(self, number: int, phase: Phase, begin: int) -> None:
        """The phase of that `number`, whose first epoch is `begin`, less what `state` has behind it."""
        end, state = begin + phase.epochs, self.state
        if state.epoch >= end or _over(state, self.tuning.patience):
            return
        highest = max(phase.rates.values())
        schedule = _schedule(highest, self.tuning, self.train.steps * phase.epochs)
        with lowered(self.tuning.mixed_precision) as wrap:
            self.network.model.compile(
                optimizer=wrap(rated_adam(schedule, self.network.shares(phase.rates))),
                loss=self.objective.keras_loss(),
                metrics=self.objective.keras_metrics(),
                jit_compile=False,  # on a CPU it takes twenty times as long
            )
            if state.epoch:
                self.network.restore(state.arrays["weights"])
            if state.epoch > begin:
                self.network.restore_optimizer(state.arrays["optimizer"])
            keeper = _keeper(self, number)
            self._fit(max(begin, state.epoch), end, keeper)
        if keeper.broken:
            self.checkpoint.remove()
            raise OptionError(
                f"the loss became {keeper.broken} in epoch {state.epoch + 1} at learning_rate={highest!r}; lower it "
                f"({RATE:g} suits most networks), or look for inputs that are no numbers"
            )

    def _fit(self, first: int, end: int, keeper: Any) -> None:
        self.train.epoch = first
        try:
            self.network.model.fit(
                self.train.dataset(),
                validation_data=self.test.dataset(),
                initial_epoch=first,
                epochs=end,
                callbacks=[keeper, *self.tuning.callbacks],
                class_weight=dict(self.class_weight) if self.class_weight else None,
                shuffle=False,  # done already; Keras warns that it can't
                verbose=0,
            )
        except Exception:  # whatever TensorFlow made of what the feed raised: its own error tells more
            if error := self.train.error or self.test.error:
                raise error from None
            raise


def _schedule(highest: float, tuning: Tuning, steps: int) -> Any:
    from zoo.framework import keras

    if tuning.schedule == "constant" or steps < 10:
        return highest
    warm = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(0.0, steps - warm, warmup_target=highest, warmup_steps=warm)


def _over(state: State, patience: int | None) -> bool:
    """Whether the validation loss has not fallen for `patience` epochs."""
    losses = state.history.get("val_loss", [])
    return patience is not None and bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience


def _keeper(epochs: Epochs, phase: int) -> Any:
    """A callback that writes the checkpoint after every epoch, stops in time, and keeps the best weights."""
    from zoo.framework import keras

    state, network, patience = epochs.state, epochs.network, epochs.tuning.patience

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
        broken = ""

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            loss = float((logs or {}).get("loss", 0.0))
            if not np.isfinite(loss):
                self.broken = str(loss)
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if self.broken:
                return
            for name, value in (logs or {}).items():
                state.history.setdefault(name, []).append(float(value))
            state.phase, state.epoch = phase, epoch + 1
            state.arrays["weights"] = network.weights()
            state.arrays["optimizer"] = network.optimizer_weights()
            losses = state.history.get("val_loss", [])
            if patience is not None and losses and int(np.argmin(losses)) == len(losses) - 1:
                state.arrays["best"] = state.arrays["weights"]
            epochs.checkpoint.write(state)
            if _over(state, patience):
                self.model.stop_training = True

    return Keeper()
