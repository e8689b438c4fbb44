"""The `litert` runtime: LiteRT on a model that TensorFlow's converter made once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from zoo import Backbone, Compiled, Runtime
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.parts import Parts, Piece
from zoo.split import converted_parts
from zoo_litert.quiet import quiet
from zoo_litert.tflite import TfliteBackbone, processors

# Not the version of TensorFlow, which converts: a process that runs what is converted needs none of it.
# Raise the number when `conversion` writes something else.
FORM = "litert-1"
MODEL_FILE, FACTS_FILE = "model.tflite", "facts.json"


class LiteRtRuntime(Runtime):
    """LiteRT, the successor of TensorFlow Lite, on a processor, with as many threads as the process may use processors.

    A TFLite file runs as it is. Anything else is converted once.
    What it lacks, strings above all, stays in TensorFlow before and after (see `zoo.split`). Where nothing does, only
    the first process imports TensorFlow, which converts.
    """

    def devices(self) -> Sequence[str]:
        """The processor."""
        return ("cpu",)

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` as an interpreter, converted at the first call.

        precision: "fp32", or "int8": weights int8, a quarter of the file; activations float32 between the ops and
            int8 within those that have such a kernel, at a scale of the moment ("dynamic range quantisation").
        """
        if device not in (None, "cpu"):
            raise RuntimeLoadError(f"runtime 'litert' sees no device {device!r}; it sees 'cpu'")
        if precision not in self.spec.precisions:
            raise RuntimeLoadError(
                f"runtime 'litert' has no precision {precision!r} on 'cpu'; it has {list(self.spec.precisions)}"
            )
        if isinstance(backbone, TfliteBackbone):
            return Native(backbone, precision)

        def make(middle: Piece, folder: Path) -> Sequence[str]:
            from zoo_litert.conversion import convert

            model, refused = convert(
                middle.graph_def, middle.inputs, middle.outputs, backbone=backbone.spec.name, precision=precision
            )
            if not refused:
                (folder / MODEL_FILE).write_bytes(model)
                facts = {"parameters": backbone.parameters()}
                (folder / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")
            return refused

        parts, folder = converted_parts(backbone, f"{FORM}-{precision}", make)
        return Interpreted(parts, folder, precision)


class Interpreted(Compiled):
    """A LiteRT interpreter, with what stays in TensorFlow before and after it.

    Its tensors are laid out for the shape of the last batch: another shape costs milliseconds. Threads take turns. One
    batch at a time takes all processors: two interpreters of one thread each were no faster (MobileNetV2).
    """

    device = "cpu"

    def __init__(self, parts: Parts, folder: Path, precision: str) -> None:
        self.precision = precision
        self._parts = parts
        self._run = _open(folder / MODEL_FILE)
        self._shapes = [
            self._run.get_input_details()[f"in{k}"]["shape_signature"] for k in range(len(parts.middle.inputs))
        ]
        self._parameters = int(json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))["parameters"])
        self._turn = Lock()

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        tensors, middle = self._parts.before(batch), self._parts.middle
        given = [np.asarray(tensors[name]) for name in middle.inputs]
        try:
            self._check(given)
            with self._turn:
                found = self._run(**{f"in{k}": array for k, array in enumerate(given)})
        except (ValueError, RuntimeError) as error:
            raise BackboneError(
                f"backbone {self._parts.backbone.spec.name!r} failed on a batch of shape {np.shape(batch)}: "
                f"{' '.join(str(error).split())[:400]}"
            ) from error
        named = {name: found[f"out{k}"] for k, name in enumerate(middle.outputs)}
        return self._parts.after({**tensors, **named})

    def _check(self, given: Sequence[Any]) -> None:
        """Raise ValueError for a shape that is not the network's; the interpreter itself would take any."""
        for array, shape in zip(given, self._shapes, strict=True):
            if array.ndim != len(shape) or any(b not in (-1, a) for a, b in zip(array.shape, shape, strict=True)):
                wanted = ["any" if size == -1 else int(size) for size in shape]
                raise ValueError(f"the network takes [{', '.join(map(str, wanted))}]")

    def parameters(self) -> int:
        """The number of weights of the network, as the backbone counted them when it was converted."""
        return self._parameters


class Native(Compiled):
    """A TFLite file as its publisher made it. Threads take turns."""

    device = "cpu"

    def __init__(self, backbone: TfliteBackbone, precision: str) -> None:
        self._backbone = backbone
        self.precision = "int8" if backbone.quantised else "fp32"
        if precision not in ("fp32", self.precision):
            raise RuntimeLoadError(
                f"backbone {backbone.spec.name!r} is a TFLite file of {self.precision} already; leave the precision out"
            )
        self._turn = Lock()

    def __call__(self, batch: Any) -> dict[str, Any]:
        """See `zoo.Compiled`."""
        with self._turn:
            return self._backbone.forward(np.asarray(batch))

    def parameters(self) -> int:
        """The number of constants in the file."""
        return self._backbone.parameters()


def _open(file: Path) -> Any:
    try:
        interpreter = Interpreter(os.fspath(file), num_threads=processors())
        # Laid out now for the one line that it writes at the first time. Sizes that are not known are tried with 1,
        # which may be too small for a network; the next layout starts anew.
        with quiet(), suppress(RuntimeError):
            interpreter.allocate_tensors()
        return interpreter.get_signature_runner()
    except (ValueError, RuntimeError) as error:
        raise RuntimeLoadError(
            f"LiteRT can't open {str(file)!r}: {' '.join(str(error).split())[:400]}; "
            f"delete the folder, and it is made anew"
        ) from error
