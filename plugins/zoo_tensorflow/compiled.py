"""What the runtimes `tf` and `tf-xla` compile: a forward pass traced once, its variables frozen into the graph."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo import Backbone, Compiled
from zoo.errors import BackboneError
from zoo.framework import tf
from zoo.graph import freeze
from zoo.mixed_precision import DTYPES


class Frozen(Compiled):
    """A frozen graph. It is frozen at the first call, for that costs more than loading does; other threads wait for it.

    At a lower precision it is frozen at once: only the graph tells whether it can be computed so.
    """

    def __init__(self, backbone: Backbone, device: str, precision: str) -> None:
        self.device = device
        self.precision = precision
        self._backbone = backbone
        self._is_text = backbone.spec.input.kind == "text"
        self._freezing = threading.Lock()
        self._run: Callable[[Any], dict[str, Any]] | None = self._made() if precision in DTYPES else None

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        # On a GPU TensorFlow multiplies float32 in TF32 unless told not to, and asks its switch, one for the process,
        # whenever it runs: fp32 shall mean fp32, whatever ran before.
        tf.config.experimental.enable_tensor_float_32_execution(self.precision == "tf32")
        try:
            with tf.device(self.device):
                outputs = self._frozen()(self._tensor(batch))
            return {name: output.numpy() for name, output in outputs.items()}
        except (tf.errors.OpError, TypeError, ValueError) as error:  # the last two for a shape that does not fit
            raise BackboneError(
                f"backbone {self._backbone.spec.name!r} failed on a batch of shape {np.shape(batch)}: "
                f"{' '.join(getattr(error, 'message', str(error)).split())[:400]}"
            ) from error

    def _tensor(self, batch: Any) -> Any:
        if not self._is_text:
            return tf.convert_to_tensor(batch)
        with tf.device("cpu"):  # where strings must lie, whatever computes (tensorflow/hub#562)
            return tf.constant(batch, tf.string)

    def _frozen(self) -> Callable[[Any], dict[str, Any]]:
        with self._freezing:
            if self._run is None:
                self._run = self._made()
            return self._run

    def _made(self) -> Callable[[Any], dict[str, Any]]:
        graph = freeze(self._backbone)
        return graph.at(self.precision) if self.precision in DTYPES else graph

    def parameters(self) -> int:
        """The number of weights of the network."""
        return self._backbone.parameters()

    def peak_memory(self) -> int | None:
        """The peak of the GPU's memory that TensorFlow had handed out, in bytes; None on a CPU."""
        if self.device == "cpu":
            return None
        return int(tf.config.experimental.get_memory_info(self.device.upper())["peak"])  # "gpu:0" it does not know


class XlaCompiled(Frozen):
    """A frozen graph under XLA. A batch smaller than one that was compiled is padded to it: compiling costs more."""

    def __init__(self, backbone: Backbone, device: str, precision: str) -> None:
        super().__init__(backbone, device, precision)
        self._seen: set[tuple[int, ...]] = set()

    def _made(self) -> Callable[[Any], dict[str, Any]]:
        run = super()._made()
        made: Callable[[Any], dict[str, Any]] = tf.function(lambda batch: run(batch), jit_compile=True, autograph=False)
        return made

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        shape, count = np.shape(batch), len(batch)
        fitting = [seen for seen in self._seen if seen[1:] == shape[1:] and seen[0] >= count]
        if count > 1 and fitting:
            missing = min(fitting)[0] - count
            batch = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        outputs = super().__call__(batch)
        self._seen.add(np.shape(batch))  # now that it ran: one too large for the memory shall be no other's measure
        return {name: output[:count] for name, output in outputs.items()}
