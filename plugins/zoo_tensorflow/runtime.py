"""The runtimes `tf` and `tf-xla`: TensorFlow's devices and precisions.

TensorFlow is imported when a device is asked for, not with this module: until then a model is facts, and what is wrong
with an option or a dataset is told at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from zoo import Backbone, Compiled, Runtime
from zoo.errors import RuntimeLoadError


class TensorFlowRuntime(Runtime):
    """TensorFlow on a CPU or a GPU. GPU memory grows as needed, so that others find some left."""

    def devices(self) -> Sequence[str]:
        """The devices that TensorFlow sees, GPUs first."""
        return (*self._gpus, "cpu")

    @cached_property
    def _gpus(self) -> Sequence[str]:
        from zoo.framework import tf

        found = tf.config.list_physical_devices("GPU")
        for gpu in found:
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except (RuntimeError, ValueError):  # the user's own code started the GPU, or cut it up: it chose for itself
                break
        return tuple(f"gpu:{index}" for index, _ in enumerate(found))

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` as a frozen graph on `device`."""
        from zoo.framework import tf

        device = self._device(device)
        has = self.spec.precisions if device != "cpu" else self._cpu_precisions()
        if precision not in has:
            raise RuntimeLoadError(
                f"runtime {self.spec.name!r} has no precision {precision!r} on {device!r}; it has {list(has)}"
            )
        with tf.device(device):
            backbone.load()
            return self._compiled(backbone, device, precision)

    def _compiled(self, backbone: Backbone, device: str, precision: str) -> Compiled:
        from zoo_tensorflow.compiled import Frozen

        return Frozen(backbone, device, precision)

    def _cpu_precisions(self) -> Sequence[str]:
        """What a CPU really computes in: its fp16 would be float32 with a detour."""
        from zoo.mixed_precision import cpu_has_bf16

        return ("fp32", "bf16") if cpu_has_bf16() else ("fp32",)

    def _device(self, device: str | None) -> str:
        at_hand = self.devices()
        wanted = {None: at_hand[0], "gpu": "gpu:0"}.get(device, device)
        if wanted not in at_hand:
            raise RuntimeLoadError(
                f"runtime {self.spec.name!r} sees no device {device!r}; it sees {', '.join(map(repr, at_hand))}"
            )
        return str(wanted)


class XlaRuntime(TensorFlowRuntime):
    """The same frozen graph, compiled by XLA: each batch size anew, which takes seconds to minutes on a CPU."""

    def _compiled(self, backbone: Backbone, device: str, precision: str) -> Compiled:
        if backbone.spec.input.kind == "text":
            raise RuntimeLoadError(
                f"backbone {backbone.spec.name!r} reads strings, which XLA does not know: runtime 'tf-xla' can't take "
                f"its tokeniser; use runtime='tf'"
            )
        from zoo_tensorflow.compiled import XlaCompiled

        return XlaCompiled(backbone, device, precision)

    def _cpu_precisions(self) -> Sequence[str]:
        return ("fp32",)  # XLA widens bf16 on a CPU
