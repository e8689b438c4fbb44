"""The `openxla` runtime: StableHLO that TensorFlow lowered once, run by JAX."""

from __future__ import annotations

import glob
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo import Backbone, Compiled, ImageInput, Runtime
from zoo.cache import cache_folder
from zoo.conversion import conversion_key
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.parts import Parts, Piece
from zoo.split import converted_parts, tensorflow_only
from zoo_openxla.exported import Form, read
from zoo_openxla.lowering import lower

FACTS = "facts.json"
FORM = "openxla-2"  # raise the number when what is written changes
PLATFORMS = {"cpu": "cpu", "gpu": "cuda", "cuda": "cuda"}
PRECISIONS = {"cpu": ["fp32"], "gpu": ["fp32", "tf32", "bf16", "fp16"]}  # XLA widens bf16 and fp16 on a CPU
UNDER_WAY = 2  # batches: JAX returns before the device has finished
# Else JAX takes three quarters of a GPU's memory at its first word with it, whoever needs some of it next.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


class OpenXlaRuntime(Runtime):
    """JAX on a CPU or a GPU. Shapes are fixed, so each batch size is lowered once and kept; smaller batches are padded.

    Only a process that meets a new shape imports TensorFlow. Networks that read strings stay with other runtimes.
    """

    def devices(self) -> Sequence[str]:
        """The devices that JAX sees, GPUs first."""
        gpus = [f"gpu:{number}" for number, device in enumerate(_gpus())]
        return (*gpus, "cpu")

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` for `device`; a network of one input size is lowered now for single inputs, others at a call."""
        at_hand = self.devices()
        wanted = {None: at_hand[0], "gpu": "gpu:0"}.get(device, device)
        if wanted not in at_hand:
            raise RuntimeLoadError(
                f"runtime 'openxla' sees no device {device!r}; it sees {', '.join(map(repr, at_hand))}"
            )
        kind = wanted.partition(":")[0]
        if precision not in PRECISIONS[kind]:
            raise RuntimeLoadError(
                f"runtime 'openxla' has no precision {precision!r} on {wanted!r}; it has {PRECISIONS[kind]}"
            )
        chosen = jax.devices("cpu")[0] if kind == "cpu" else _gpus()[int(wanted.partition(":")[2])]
        return Lowered(backbone, wanted, precision, chosen)


class Lowered(Compiled):
    """A network with a function for each shape of batch that it has met."""

    def __init__(self, backbone: Backbone, device: str, precision: str, chosen: Any) -> None:
        self.device = device
        self.precision = precision
        self._backbone = backbone
        self._chosen = chosen
        self._functions: dict[tuple[int, ...], Function] = {}
        facts = require_pictures(backbone)
        self._dtype = facts.dtype
        self._parameters: int | None = None
        if facts.size:
            self._function((facts.batch or 1, *facts.size, facts.depth))

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        return next(self.stream([batch]))

    def stream(self, batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """See `zoo.Compiled.stream`: the next batch is handed over before the last one's results are asked for."""
        under_way: deque[tuple[Function, Any, int]] = deque()
        for batch in batches:
            function = self._function(np.shape(batch))
            under_way.append((function, function.start(np.asarray(batch)), len(batch)))
            if len(under_way) == UNDER_WAY:
                yield _first(under_way)
        while under_way:
            yield _first(under_way)

    def parameters(self) -> int | None:
        """The number of weights of the network; None before the first batch of a network of any size."""
        return self._parameters

    def peak_memory(self) -> int | None:
        """The peak of the GPU's memory that JAX had in use, in bytes; None on a CPU."""
        stats = None if self.device == "cpu" else self._chosen.memory_stats()
        return int(stats["peak_bytes_in_use"]) if stats else None

    def _function(self, shape: tuple[int, ...]) -> Function:
        """For that shape: the smallest batch that holds it among those at hand, else one that is lowered now."""
        fitting = [size for size in self._functions if size[1:] == shape[1:] and size[0] >= shape[0]]
        if fitting:
            return self._functions[min(fitting)]
        platform = PLATFORMS[self._chosen.platform]
        known = kept_sizes(self._backbone, (shape, self._dtype), platform=platform, precision=self.precision)
        # Without TensorFlow any that holds it; with it none that is mostly padding.
        most = 2 * shape[0] if find_spec("tensorflow") else max(known, default=0)
        shape = (min((size for size in known if shape[0] <= size <= most), default=shape[0]), *shape[1:])
        found = Function(self._backbone, shape, self._dtype, self._chosen, self.precision)
        self._parameters = found.parameters
        self._functions[shape] = found
        return found


class Function:
    """A network lowered for one shape of batch, its weights on the device."""

    def __init__(self, backbone: Backbone, shape: tuple[int, ...], dtype: str, device: Any, precision: str) -> None:
        self.parts, folder = lowered(backbone, (shape, dtype), platform=PLATFORMS[device.platform], precision=precision)
        try:
            self._run, self._weights = read(folder, device)
            self.parameters = int(json.loads((folder / FACTS).read_text(encoding="utf-8"))["parameters"])
        except Exception as error:  # whatever a broken file makes of it
            raise RuntimeLoadError(
                f"runtime 'openxla' can't read {str(folder)!r}: {' '.join(str(error).split())[:300]}; "
                f"delete the folder, and it is made anew"
            ) from error
        self.shape = shape
        self._device = device

    def start(self, batch: Any) -> tuple[dict[str, Any], Any]:
        """Hand `batch`, padded, to the device; returns before it has finished."""
        tensors = self.parts.before(batch)
        given = np.asarray(tensors[self.parts.middle.inputs[0]])
        missing = self.shape[0] - len(given)
        padded = np.concatenate([given, np.repeat(given[-1:], missing, axis=0)]) if missing else given
        try:
            return tensors, self._run(jax.device_put(padded, self._device), *self._weights)
        except Exception as error:  # its exceptions have no common base
            raise self._failed(len(batch), error) from error

    def finished(self, started: tuple[dict[str, Any], Any], count: int) -> dict[str, Any]:
        """The outputs of what `start` returned for `count` inputs, once the device has them."""
        tensors, outputs = started
        try:
            arrays = [np.asarray(output)[:count] for output in outputs]
        except Exception as error:  # on a GPU a lack of memory may show only now
            raise self._failed(count, error) from error
        return self.parts.after({**tensors, **dict(zip(self.parts.middle.outputs, arrays, strict=True))})

    def _failed(self, count: int, error: Exception) -> BackboneError:
        return BackboneError(
            f"backbone {self.parts.backbone.spec.name!r} failed on a batch of {count}, run as {self.shape}: "
            f"{' '.join(str(error).split())[:400]}"
        )


def require_pictures(backbone: Backbone) -> ImageInput:
    """The input of a network of pictures; raises RuntimeLoadError for one that reads strings."""
    if not isinstance(backbone.spec.input, ImageInput):
        raise RuntimeLoadError(
            f"backbone {backbone.spec.name!r} reads strings, which XLA does not know: runtime 'openxla' can't take "
            f"its tokeniser; use runtime='tf' or 'openvino'"
        )
    return backbone.spec.input


def lowered(backbone: Backbone, batch: Form, *, platform: str, precision: str) -> tuple[Parts, Path]:
    """The pieces of `backbone` for batches of one shape and dtype, and the folder of the cache that has the middle.

    platform: "cpu" or "cuda"; the machine that lowers needs no GPU. TensorFlow is imported where it is not there yet.
    Raises RuntimeLoadError for a network that XLA can't take, with its reason.
    """
    name = backbone.spec.name

    def make(middle: Piece, folder: Path) -> Sequence[str]:
        if len(middle.inputs) != 1:
            raise RuntimeLoadError(
                f"backbone {name!r} can't be run by runtime 'openxla': what stays in TensorFlow before it gives "
                f"tensors of no fixed shape; use runtime='tf'"
            )
        refused = lower(middle, batch, folder, backbone=name, platform=platform, precision=precision)
        (folder / FACTS).write_text(json.dumps({"parameters": backbone.parameters()}), encoding="utf-8")
        return refused

    return converted_parts(backbone, _form(batch, platform, precision), make, tensorflow_only)


def kept_sizes(backbone: Backbone, batch: Form, *, platform: str, precision: str) -> list[int]:
    """The batch sizes, all else as in `batch`, for which the cache has what `lowered` makes."""
    (_, *axes), dtype = batch
    start = f"{backbone.spec.name}-{backbone.output}-{FORM}-{platform}-{precision}-"
    folders = {folder.name: folder for folder in (cache_folder() / "converted").glob(f"{glob.escape(start)}*")}
    sizes = {int(name.removeprefix(start).partition("x")[0]) for name in folders}
    same = {size: conversion_key(backbone, _form(((size, *axes), dtype), platform, precision)) for size in sizes}
    return sorted(size for size, key in same.items() if key in folders)


def _form(batch: Form, platform: str, precision: str) -> str:
    return f"{FORM}-{platform}-{precision}-{'x'.join(map(str, batch[0]))}"


def _first(under_way: deque[tuple[Function, Any, int]]) -> dict[str, Any]:
    function, started, count = under_way.popleft()
    return function.finished(started, count)


def _gpus() -> list[Any]:
    try:
        return list(jax.devices("gpu"))
    except RuntimeError:  # JAX's word for "there is none"
        return []
