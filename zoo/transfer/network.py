"""The network in training: a backbone's variables and a head's as one Keras model, of which parts are frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.backbone import Backbone
from zoo.errors import OptionError
from zoo.runtime import Array
from zoo.transfer.heads import DenseHead, Head, KerasHead, dense_head, keras_dense, set_dense
from zoo.transfer.stages import Stage
from zoo.transfer.strategies import HEAD


class Network:
    """`backbone` and `head`, a `keras.Model` of features times `scale`, as the `keras.Model` `model`.

    train_norms: batch normalisation is run as in training, else as it is when the network predicts.
    """

    def __init__(self, backbone: Backbone, stages: Sequence[Stage], head: Any, scale: float, train_norms: bool) -> None:
        from zoo.framework import keras

        # A keras.Variable over a tf.Variable shares its storage; the bare one Keras would neither track nor train.
        self._wrapped = {
            stage.name: [
                keras.Variable(
                    variable.value,
                    shape=variable.value.shape,
                    dtype=variable.value.dtype.name,
                    trainable=False,
                    name=variable.name.replace("/", "."),
                )
                for variable in stage.variables
            ]
            for stage in stages
        }
        self._stages = {stage.name: stage for stage in stages}
        self._head = head
        self._scale = scale
        wrapped = [variable for held in self._wrapped.values() for variable in held]

        class Model(keras.Model):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(name="fine_tuned")
                self.shared = wrapped
                self.head = head

            def call(self, batch: Any, training: bool = False) -> Any:
                features = backbone.forward(batch, bool(training) and train_norms)["features"]
                return self.head(features * scale, training=training)

        self.model = Model()

    def open(self, rates: Mapping[str, float]) -> None:
        """Let the stages in `rates` train, and the head where it is among them; all else is frozen."""
        for name, held in self._wrapped.items():
            for variable, wrapped in zip(self._stages[name].variables, held, strict=True):
                wrapped.trainable = name in rates and variable.trained
        self._head.trainable = HEAD in rates

    def shares(self, rates: Mapping[str, float]) -> dict[int, float]:
        """The rate of each open variable as a share of the highest, by the identity of its `tf.Variable`."""
        highest = max(rates.values())
        shares = {id(variable.value): rates.get(HEAD, 0.0) / highest for variable in self._head.trainable_variables}
        for name, held in self._wrapped.items():
            shares |= {id(wrapped.value): rates[name] / highest for wrapped in held if name in rates}
        return shares

    def trained(self) -> int:
        """How many numbers of the backbone a gradient moves."""
        return sum(_size(wrapped) for held in self._wrapped.values() for wrapped in held if wrapped.trainable)

    def size(self) -> int:
        """How many numbers the backbone's variables hold."""
        return sum(_size(wrapped) for held in self._wrapped.values() for wrapped in held)

    def weights(self) -> list[Array]:
        """Copies of all that training may change: the stages' variables and the head's, the state of dropout too."""
        return [variable.numpy() for variable in self._all()]

    def restore(self, arrays: Sequence[Array]) -> None:
        """Set what `weights` gave."""
        for variable, array in zip(self._all(), arrays, strict=True):
            variable.assign(array)

    def optimizer_weights(self) -> list[Array]:
        """Copies of the optimiser's variables."""
        return [variable.numpy() for variable in self.model.optimizer.variables]

    def restore_optimizer(self, arrays: Sequence[Array]) -> None:
        """Set what `optimizer_weights` gave."""
        self.model.optimizer.build(self.model.trainable_variables)
        for variable, array in zip(self.model.optimizer.variables, arrays, strict=True):
            variable.assign(array)

    def fitted_head(self, before: Head) -> Head:
        """The head as it is now, in the form that it had `before`, for features that nobody scales."""
        if isinstance(before, KerasHead):
            return KerasHead(self._head)
        return dense_head(self._head, isinstance(before, DenseHead) and before.residual, self._scale)

    def _all(self) -> list[Any]:
        return [*(wrapped for held in self._wrapped.values() for wrapped in held), *self._head.variables]


def own_head(head: Head, scale: float, dropout: float) -> Any:
    """A copy of `head` as a `keras.Model` of features times `scale`; raises OptionError for one that is no such.

    dropout: before the last layer of a head of ours; a user's own layers stay as they are.
    """
    from zoo.framework import keras

    if isinstance(head, KerasHead):
        copy = keras.models.clone_model(head.model)
        copy.set_weights(head.model.get_weights())
        return copy
    if not isinstance(head, DenseHead):
        raise OptionError(
            f"a {type(head).__name__} is trained on features alone; strategy='frozen' takes it, or take head='linear'"
        )
    inputs = keras.Input((len(head.layers[0][0]),))
    units = [len(bias) for _, bias in head.layers]
    model = keras.Model(inputs, keras_dense(inputs, units, head.residual, dropout))
    set_dense(model, head, scale)
    return model


def rated_adam(rate: Any, shares: Mapping[int, float]) -> Any:
    """Adam with a rate of its own for each variable: `rate`, a number or a schedule, times its share."""
    from zoo.framework import keras

    class RatedAdam(keras.optimizers.Adam):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            share = shares[
                id(getattr(variable, "value", variable)) if isinstance(variable, keras.Variable) else id(variable)
            ]
            super().update_step(gradient, variable, learning_rate * share)

    return RatedAdam(rate)


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))
