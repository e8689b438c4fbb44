"""The `onnx` runtime: ONNX Runtime on a model that tf2onnx made once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from zoo import Backbone, Compiled, Runtime
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.parts import Parts, Piece
from zoo.split import converted_parts
from zoo_onnx.conversion import OPSET, convert, refuses, write

# Not tf2onnx's version: a converted model runs where tf2onnx is not installed, so it can't be part of its name.
# Raise the number when `conversion` writes something else.
FORM = f"onnx-opset{OPSET}-1"
MODEL_FILE, FACTS_FILE = "model.onnx", "facts.json"
PROVIDERS = {"gpu:0": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
# On a processor ONNX Runtime computes float16 in float32 between two casts: it would be slower, not another precision.
PRECISIONS = {"gpu:0": ("fp32", "tf32", "fp16"), "cpu": ("fp32",)}


class OnnxRuntime(Runtime):
    """ONNX Runtime on a processor, or on the first NVIDIA GPU where its CUDA provider is installed.

    What tf2onnx can't translate, strings above all, stays in TensorFlow before and after (see `zoo.split`). Where
    nothing does, only the first process imports TensorFlow, which converts.
    """

    def devices(self) -> Sequence[str]:
        """The devices for which this build of ONNX Runtime has a provider, the GPU first."""
        at_hand = onnxruntime.get_available_providers()
        return tuple(device for device, provider in PROVIDERS.items() if provider in at_hand)

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` as a session on `device`, converted at the first call; "tf32" and "fp16" are a GPU's."""
        device = self._device(device)
        if precision not in PRECISIONS[device]:
            raise RuntimeLoadError(
                f"runtime 'onnx' has no precision {precision!r} on {device!r}; it has {list(PRECISIONS[device])}"
            )
        weights = "fp16" if precision == "fp16" else "fp32"

        def make(middle: Piece, folder: Path) -> Sequence[str]:
            name = backbone.spec.name
            model, refused = convert(middle.graph_def, middle.inputs, middle.outputs, backbone=name, precision=weights)
            if not refused:
                write(model, folder / MODEL_FILE, backbone=name)
                facts = {"parameters": backbone.parameters()}
                (folder / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")
            return refused

        parts, folder = converted_parts(backbone, f"{FORM}-{weights}", make, refuses)
        return Session(parts, folder, device, precision)

    def _device(self, device: str | None) -> str:
        at_hand = self.devices()
        wanted = {None: at_hand[0], "gpu": "gpu:0"}.get(device, device)
        if wanted not in at_hand:
            raise RuntimeLoadError(f"runtime 'onnx' sees no device {device!r}; it sees {', '.join(map(repr, at_hand))}")
        return str(wanted)


class Session(Compiled):
    """An ONNX Runtime session, with what stays in TensorFlow before and after it. May be called from several threads.

    One batch at a time takes all processors: two at once were no faster (MobileNetV2).
    """

    def __init__(self, parts: Parts, folder: Path, device: str, precision: str) -> None:
        self.device = device
        self.precision = precision
        self._parts = parts
        self._session = _open(folder / MODEL_FILE, device, precision)
        self._parameters = int(json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))["parameters"])

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        tensors, middle = self._parts.before(batch), self._parts.middle
        given = {name: np.asarray(tensors[name]) for name in middle.inputs}
        try:
            found = self._session.run(list(middle.outputs), given)
        except Exception as error:  # its exceptions have no common base
            raise BackboneError(
                f"backbone {self._parts.backbone.spec.name!r} failed on a batch of shape {np.shape(batch)}: "
                f"{' '.join(str(error).split())[:400]}"
            ) from error
        return self._parts.after({**tensors, **dict(zip(middle.outputs, found, strict=True))})

    def parameters(self) -> int:
        """The number of weights of the network, as the backbone counted them when it was converted."""
        return self._parameters


def _open(file: Path, device: str, precision: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _processors()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Threads that spin while they wait take processors from whoever decodes the next batch, and from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what it warns of is no concern of a user
    # ONNX Runtime multiplies float32 matrices in TF32 on a GPU unless told not to: fp32 shall mean fp32.
    settings = {} if device == "cpu" else {"use_tf32": int(precision == "tf32")}
    try:
        session = onnxruntime.InferenceSession(os.fspath(file), options, [(PROVIDERS[device], settings)])
    except Exception as error:  # its exceptions have no common base
        raise RuntimeLoadError(
            f"ONNX Runtime can't open {str(file)!r}: {' '.join(str(error).split())[:400]}; "
            f"delete the folder, and it is made anew"
        ) from error
    if session.get_providers()[0] != PROVIDERS[device]:  # it takes the processor, with a warning at most
        raise RuntimeLoadError(f"ONNX Runtime can't start on device {device!r}; its log says why")
    return session


def _processors() -> int:
    """How many processors this process may use, which in a container are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
