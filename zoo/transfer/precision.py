"""Mixed precision in training: TensorFlow's own rewrite of the graph, which reaches into SavedModels as well.

A Keras policy has no effect on a SavedModel, whose graph has its types already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from zoo.errors import OptionError

_PASSES = {"cpu": "auto_mixed_precision_onednn_bfloat16", "gpu": "auto_mixed_precision"}


@contextmanager
def lowered(wanted: bool) -> Iterator[Callable[[Any], Any]]:
    """While it lasts, what is traced multiplies in half precision: bf16 on a CPU that has it, fp16 on a GPU.

    Weights and their updates stay float32. Yields what wraps an optimiser: fp16 needs its loss scaled, lest small
    gradients vanish. Raises OptionError on a CPU without bf16, where it would be slower.
    """
    if not wanted:
        yield lambda optimizer: optimizer
        return
    from zoo.framework import keras, tf
    from zoo.mixed_precision import cpu_has_bf16

    device = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    if device == "cpu" and not cpu_has_bf16():
        raise OptionError("mixed_precision=True means nothing here: there is no GPU, and this CPU has no bf16")
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({_PASSES[device]: True})
    try:
        yield keras.optimizers.LossScaleOptimizer if device == "gpu" else lambda optimizer: optimizer
    finally:
        tf.config.optimizer.set_experimental_options({_PASSES[device]: before.get(_PASSES[device], False)})
