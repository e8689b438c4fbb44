"""A network at work: one batch at a time on all cores, or several batches under way, a stream for each core."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import openvino as ov

from zoo import Compiled
from zoo.errors import BackboneError
from zoo_openvino.network import Network

PIECE = 0.005  # seconds of all cores' work; handing a request over takes a fiftieth of that


class _Requests:
    """Requests of one compiled model for one caller: making one takes as long as a picture, so they are used again."""

    def __init__(self, model: ov.CompiledModel) -> None:
        self._model = model
        self._idle: list[ov.InferRequest] = []

    def take(self) -> ov.InferRequest:
        return self._idle.pop() if self._idle else self._model.create_infer_request()

    def give_back(self, requests: Iterable[ov.InferRequest]) -> None:
        self._idle.extend(requests)


class _Run(NamedTuple):
    """A batch under way, in one request or in several. arrays: what they read, which must live as long as they run."""

    idle: _Requests
    requests: list[ov.InferRequest]
    batch: Any
    tensors: dict[str, Any]
    arrays: list[Any]


class _Streams(NamedTuple):
    """The network in `count` streams. shape: the only one that a request takes, or None for any; most: batches;
    worth: whether so many rows are worth a request of their own, so that larger batches are cut into them.
    """

    model: ov.CompiledModel
    count: int
    shape: tuple[int, ...] | None
    most: int
    worth: bool

    def pieces(self, shape: tuple[int, ...]) -> int:
        """In how many requests a batch of that shape runs; 0 where these streams don't take it."""
        if self.shape is None:
            return 1
        whole, rest = divmod(shape[0], self.shape[0])
        fits = not rest and shape[1:] == self.shape[1:] and (whole == 1 or self.worth)
        return whole if fits else 0


class OpenVinoCompiled(Compiled):
    """A network compiled twice: all cores for one batch at a time, and, once `stream` is called, a stream for each."""

    def __init__(self, core: ov.Core, network: Network, device: str, ov_device: str, settings: dict[str, Any]) -> None:
        self.device = device
        self._network = network
        self._compile = lambda model, hint: core.compile_model(model, ov_device, settings | {"PERFORMANCE_HINT": hint})
        self._single = self._compile(network.model, "LATENCY")
        self._streams: _Streams | None = None
        self.precision = _precision(self._single)

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        return self._finish(self._start(_Requests(self._single), batch))

    def stream(self, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """See `zoo.Compiled`; every stream has work, and one batch waits for the first that is free.

        Batches of one size are the fastest; a first batch that stays the only one has all cores.
        """
        running = deque[_Run]()
        streams: _Streams | None = None
        single = cut = _Requests(self._single)
        try:
            for batch in batches:
                if streams is None and (running or self._filled_by(batch)):
                    streams = self._compile_streams(batch)
                    cut = _Requests(streams.model)
                if len(running) == (streams.most if streams else 1):
                    yield self._finish(running[0])
                    running.popleft()
                pieces = streams.pieces(np.shape(batch)) if streams else 0
                running.append(self._start(cut if pieces else single, batch, pieces or 1))
            while running:
                yield self._finish(running[0])
                running.popleft()
        finally:
            for request in [request for run in running for request in run.requests]:
                with suppress(RuntimeError):  # told already, or about a batch that nobody waits for any more
                    request.wait()

    def _compile_streams(self, first: Any) -> _Streams:
        """The network in several streams for batches like `first`: where that is known, its shape is fixed.

        A processor works faster on a few pictures, which its caches hold, than on a batch: on one with 1 MiB for each
        core MobileNetV2 takes 15 % less of its time in bf16, 27 % less in float32 (docs.openvino.ai, "High-level
        Performance Hints": a CPU's throughput comes from streams, not from batches). So a batch is cut into equal
        pieces where each is still worth its request.
        """
        if self._streams is None or not self._streams.pieces(np.shape(first)):
            model, pieces, shape, worth = self._network.model, 1, None, False
            if self._network.takes(np.shape(first)):
                shape, worth = self._piece(first)
                pieces = len(first) // shape[0]
                model = model.clone()
                model.reshape(list(shape))
            compiled = self._compile(model, "THROUGHPUT")
            count = int(compiled.get_property("NUM_STREAMS"))
            self._streams = _Streams(compiled, count, shape, -(-count // pieces) + 1, worth)
        return self._streams

    def _filled_by(self, batch: Any) -> bool:
        """Whether `batch` alone, cut in pieces, gives every stream work; one that does not may stay alone."""
        return self._streams is not None and self._streams.pieces(np.shape(batch)) >= self._streams.count

    def _piece(self, first: Any) -> tuple[tuple[int, ...], bool]:
        """The shape of the smallest equal piece of `first` that is worth a request of its own, or the whole, which
        may be worth none; and whether it is.
        """
        count, *rest = np.shape(first)
        if self.device != "cpu" or not self._network.by_row:
            return (count, *rest), False
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            self(first[:1])
            seconds.append(time.perf_counter() - start)
        fitting = [size for size in range(1, count + 1) if count % size == 0 and size * min(seconds) >= PIECE]
        return (min(fitting, default=count), *rest), bool(fitting)

    def parameters(self) -> None:
        """None: what OpenVINO reads has been folded, and counts otherwise than the variables."""
        return

    def _start(self, idle: _Requests, batch: Any, pieces: int = 1) -> _Run:
        if not len(batch):  # it would leave the compiled model in a state that refuses every later batch
            raise BackboneError(f"backbone {self._network.backbone!r} takes no empty batch")
        tensors = self._network.before(batch)
        # As OpenVINO shares memory: in one piece, and writeable, though it never writes.
        arrays = [np.require(tensors[name], requirements=["C", "W"]) for name in self._network.inputs]
        requests: list[ov.InferRequest] = []
        try:
            for number in range(pieces):
                request = idle.take()
                for index, array in enumerate(arrays):
                    size = len(array) // pieces if pieces > 1 else 0
                    part = array[number * size : (number + 1) * size] if size else array
                    request.set_input_tensor(index, ov.Tensor(part, shared_memory=True))
                request.start_async()
                requests.append(request)
        except RuntimeError as error:
            raise self._failed(batch, error) from error
        return _Run(idle, requests, batch, tensors, arrays)

    def _finish(self, run: _Run) -> dict[str, Any]:
        try:
            for request in run.requests:
                request.wait()
        except RuntimeError as error:
            raise self._failed(run.batch, error) from error
        results = {name: _output(run.requests, index) for index, name in enumerate(self._network.outputs)}
        run.idle.give_back(run.requests)
        return self._network.after(run.tensors | results)

    def _failed(self, batch: Any, error: Exception) -> BackboneError:
        lines = str(error).splitlines()
        told = [line for line in lines if line.strip() and not line.startswith(("Exception from", "Check '"))]
        return BackboneError(
            f"backbone {self._network.backbone!r} failed on a batch of {np.asarray(batch).dtype} {np.shape(batch)}: "
            f"{' '.join(' '.join(told).split())[:400]}"
        )


def _output(requests: list[ov.InferRequest], index: int) -> Any:
    """A copy: the tensors go with their requests."""
    parts = [request.get_output_tensor(index).data for request in requests]
    return parts[0].copy() if len(parts) == 1 else np.concatenate(parts)


def _precision(compiled: ov.CompiledModel) -> str:
    """What really runs: bf16 if any operation computes in it, as the compiled graph itself says."""
    used = {op.get_rt_info()["runtimePrecision"].astype(str) for op in compiled.get_runtime_model().get_ops()}
    return "bf16" if "BF16" in {str(one).upper() for one in used} else "fp32"
