"""The `openvino` runtime: its devices, its precisions, and a network at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import openvino as ov

from zoo import Backbone, Compiled, Runtime, RuntimeSpec
from zoo.errors import BackboneError, RuntimeLoadError
from zoo_openvino.network import Network, read_network

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


class OpenVinoCompiled(Compiled):
    """A network compiled twice: all cores for one batch at a time, and, once `stream` is called, a stream for each."""

    def __init__(self, core: ov.Core, network: Network, device: str, ov_device: str, settings: dict[str, Any]) -> None:
        self.device = device
        self._network = network
        self._compile = lambda hint: core.compile_model(network.model, ov_device, settings | {"PERFORMANCE_HINT": hint})
        single = self._compile("LATENCY")
        self.precision = _precision(single)
        self._request = single.create_infer_request()

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        tensors = self._network.before(batch)
        self._start(self._request, tensors, batch)
        return self._finish(self._request, tensors, batch)

    def stream(self, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """See `zoo.Compiled`; as many batches are under way as keep all streams busy."""
        idle, running = list(self._requests), deque[tuple[ov.InferRequest, dict[str, Any], Any]]()
        try:
            for batch in batches:
                if not idle:
                    first = running.popleft()
                    idle.append(first[0])
                    yield self._finish(*first)
                tensors = self._network.before(batch)
                self._start(idle[-1], tensors, batch)
                running.append((idle.pop(), tensors, batch))
            while running:
                yield self._finish(*running.popleft())
        finally:
            for request, _, _ in running:  # they read arrays that nobody else may hold
                with suppress(RuntimeError):
                    request.wait()

    def parameters(self) -> None:
        """None: what OpenVINO reads has been folded, and counts otherwise than the variables."""
        return

    @cached_property
    def _requests(self) -> list[ov.InferRequest]:
        """One request for each stream, and one whose batch waits for the first stream that is free."""
        streams = self._compile("THROUGHPUT")
        return [streams.create_infer_request() for _ in range(streams.get_property("NUM_STREAMS") + 1)]

    def _start(self, request: ov.InferRequest, tensors: dict[str, Any], batch: Any) -> None:
        try:
            request.start_async([np.asarray(tensors[name]) for name in self._network.inputs], share_inputs=True)
        except RuntimeError as error:
            raise self._failed(batch, error) from error

    def _finish(self, request: ov.InferRequest, tensors: dict[str, Any], batch: Any) -> dict[str, Any]:
        try:
            request.wait()
        except RuntimeError as error:
            raise self._failed(batch, error) from error
        results = [request.get_output_tensor(index).data.copy() for index in range(len(self._network.outputs))]
        return self._network.after(tensors | dict(zip(self._network.outputs, results, strict=True)))

    def _failed(self, batch: Any, error: Exception) -> BackboneError:
        return BackboneError(
            f"backbone {self._network.backbone!r} failed on a batch of shape {np.shape(batch)}: "
            f"{' '.join(str(error).split())[:400]}"
        )


def _precision(compiled: ov.CompiledModel) -> str:
    """What really runs: bf16 if any operation computes in it, as the compiled graph itself says."""
    used = {op.get_rt_info()["runtimePrecision"].astype(str) for op in compiled.get_runtime_model().get_ops()}
    return "bf16" if "BF16" in {str(one).upper() for one in used} else "fp32"
