"""What all recipes share: the layers that pictures go through, and how a network learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.framework import keras, tf
from zoo.progress import visible

SEED = 7
THREADS = 2


def convolution(x: keras.KerasTensor, filters: int, *, stride: int = 1, dilation: int = 1) -> keras.KerasTensor:
    """3x3 convolution, batch normalisation, ReLU."""
    x = keras.layers.Conv2D(filters, 3, strides=stride, dilation_rate=dilation, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))


def steady() -> None:
    """Make all runs on machines of one kind come out the same; call it before TensorFlow computes anything."""
    tf.config.experimental.enable_op_determinism()
    # Sums are split among the threads: another number of them changes the last digits, and by and by the first ones.
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)


def seed() -> None:
    """Begin a network's random numbers anew, so that it comes out the same whatever was trained before it."""
    keras.utils.set_random_seed(SEED)


def learn(
    network: keras.Model,
    inputs: Any,
    targets: np.ndarray,
    loss: str | Callable[..., Any] | keras.losses.Loss,
    *,
    epochs: int,
    batch_size: int,
    rate: float,
    validation: tuple[Any, np.ndarray] | None = None,
) -> dict[str, list[float]]:
    """Adam with decoupled weight decay, its rate falling from `rate` to nothing along a cosine; returns the history."""
    steps = math.ceil(len(targets) / batch_size) * epochs
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    # XLA makes these networks slower on a CPU, not faster.
    network.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3), loss, jit_compile=False)
    told = int(visible())
    found = network.fit(inputs, targets, batch_size=batch_size, epochs=epochs, validation_data=validation, verbose=told)
    return found.history
