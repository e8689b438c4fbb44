"""The `openvino` runtime: its devices and its precisions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import openvino as ov

from zoo import Backbone, Compiled, Runtime, RuntimeSpec
from zoo.errors import RuntimeLoadError
from zoo_openvino.compiled import OpenVinoCompiled
from zoo_openvino.network import read_network

# OpenVINO's names of the precisions, and of the property of a device that can compute in them.
PRECISIONS = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16")}


class OpenVinoRuntime(Runtime):
    """OpenVINO on a processor, or on an Intel GPU where its driver is there."""

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._core = ov.Core()

    def devices(self) -> Sequence[str]:
        """The devices that OpenVINO sees, GPUs first."""
        return tuple(self._devices)

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` read from its files and compiled; bf16 only where the processor computes in it."""
        device = self._device(device)
        capabilities = self._core.get_property(self._devices[device], "OPTIMIZATION_CAPABILITIES")
        has = [name for name in self.spec.precisions if PRECISIONS[name][1] in capabilities]
        if precision not in has:
            raise RuntimeLoadError(
                f"runtime 'openvino' has no precision {precision!r} on {device!r}; it has {', '.join(map(repr, has))}"
            )
        network = read_network(self._core, backbone)
        settings = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision][0]}
        return OpenVinoCompiled(self._core, network, device, self._devices[device], settings)

    @cached_property
    def _devices(self) -> dict[str, str]:
        """OpenVINO's names by the zoo's: a single GPU is called GPU, several GPU.0 and GPU.1."""
        found = self._core.available_devices
        gpus = {f"gpu:{name.partition('.')[2] or 0}": name for name in found if name.split(".")[0] == "GPU"}
        return gpus | ({"cpu": "CPU"} if "CPU" in found else {})

    def _device(self, device: str | None) -> str:
        at_hand = self.devices()
        wanted = {None: at_hand[0], "gpu": "gpu:0"}.get(device, device)
        if wanted not in at_hand:
            raise RuntimeLoadError(
                f"runtime 'openvino' sees no device {device!r}; it sees {', '.join(map(repr, at_hand))}"
            )
        return str(wanted)
