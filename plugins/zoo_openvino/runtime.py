"""The `openvino` runtime: its devices, its precisions, and a network at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

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


class _Run(NamedTuple):
    """A batch under way. arrays: what the request reads, which must live as long as it runs."""

    request: ov.InferRequest
    batch: Any
    tensors: dict[str, Any]
    arrays: list[Any]


class OpenVinoCompiled(Compiled):
    """A network compiled twice: all cores for one batch at a time, and, once `stream` is called, a stream for each."""

    def __init__(self, core: ov.Core, network: Network, device: str, ov_device: str, settings: dict[str, Any]) -> None:
        self.device = device
        self._network = network
        self._compile = lambda model, hint: core.compile_model(model, ov_device, settings | {"PERFORMANCE_HINT": hint})
        self._single = self._compile(network.model, "LATENCY")
        self._streams: tuple[Any, ov.CompiledModel] | None = None
        self.precision = _precision(self._single)

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        return self._finish(self._start(self._single, batch))

    def stream(self, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """See `zoo.Compiled`; one batch for each stream is under way, and one waits for the first that is free.

        Batches of one size are the fastest; a first batch that stays the only one has all cores.
        """
        running = deque[_Run]()
        shape, streams, most = None, self._single, 1
        try:
            for batch in batches:
                if streams is self._single and (running or self._streams):
                    shape, streams = self._compile_streams(batch)
                    most = streams.get_property("NUM_STREAMS") + 1
                if len(running) == most:
                    yield self._finish(running[0])
                    running.popleft()
                running.append(self._start(streams if shape in (None, np.shape(batch)) else self._single, batch))
            while running:
                yield self._finish(running[0])
                running.popleft()
        finally:
            for run in running:
                with suppress(RuntimeError):  # told already, or about a batch that nobody waits for any more
                    run.request.wait()

    def _compile_streams(self, first: Any) -> tuple[Any, ov.CompiledModel]:
        """The network in several streams, and the only shape that it then takes, or None for any.

        With its batch size fixed a network of pictures takes 7 % less of the processor's time, at bf16 13 %.
        """
        shape = np.shape(first) if self._network.takes(np.shape(first)) else None
        if self._streams is None or self._streams[0] != shape:
            model = self._network.model
            if shape is not None:
                model = model.clone()
                model.reshape(list(shape))
            self._streams = shape, self._compile(model, "THROUGHPUT")
        return self._streams

    def parameters(self) -> None:
        """None: what OpenVINO reads has been folded, and counts otherwise than the variables."""
        return

    def _start(self, model: ov.CompiledModel, batch: Any) -> _Run:
        if not len(batch):  # it would leave the compiled model in a state that refuses every later batch
            raise BackboneError(f"backbone {self._network.backbone!r} takes no empty batch")
        request = model.create_infer_request()  # takes some 50 microseconds, and no two calls share one
        tensors = self._network.before(batch)
        # As OpenVINO shares memory: in one piece, and writeable, though it never writes.
        arrays = [np.require(tensors[name], requirements=["C", "W"]) for name in self._network.inputs]
        try:
            for index, array in enumerate(arrays):
                request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
            request.start_async()
        except RuntimeError as error:
            raise self._failed(batch, error) from error
        return _Run(request, batch, tensors, arrays)

    def _finish(self, run: _Run) -> dict[str, Any]:
        try:
            run.request.wait()
        except RuntimeError as error:
            raise self._failed(run.batch, error) from error
        names = self._network.outputs
        results = {name: run.request.get_output_tensor(index).data.copy() for index, name in enumerate(names)}
        return self._network.after(run.tensors | results)

    def _failed(self, batch: Any, error: Exception) -> BackboneError:
        lines = str(error).splitlines()
        told = [line for line in lines if line.strip() and not line.startswith(("Exception from", "Check '"))]
        return BackboneError(
            f"backbone {self._network.backbone!r} failed on a batch of {np.asarray(batch).dtype} {np.shape(batch)}: "
            f"{' '.join(' '.join(told).split())[:400]}"
        )


def _precision(compiled: ov.CompiledModel) -> str:
    """What really runs: bf16 if any operation computes in it, as the compiled graph itself says."""
    used = {op.get_rt_info()["runtimePrecision"].astype(str) for op in compiled.get_runtime_model().get_ops()}
    return "bf16" if "BF16" in {str(one).upper() for one in used} else "fp32"
