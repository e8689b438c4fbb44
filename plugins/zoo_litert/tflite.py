"""A TFLite file as a backbone: LiteRT alone runs it, without TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from zoo import Backbone
from zoo.errors import BackboneError, MissingPackageError
from zoo.runtime import Array
from zoo_litert.quiet import quiet


class TfliteBackbone(Backbone):
    """A `.tflite` file with one input; its output is the only one, or the one that `key` in the spec names.

    Whole numbers are the file's own code for real ones, real = scale * (code - zero point): what comes out is turned
    into float32. A float32 input is turned into the code; a uint8 one, as pictures are, is the code already.
    """

    reads = ("tflite",)
    runtimes = ("litert",)

    _interpreter: Any = None

    def load(self) -> None:
        """Open the file; raises BackboneError that says what is wrong with it, MissingPackageError without LiteRT."""
        if self._interpreter is not None:
            return
        interpreter = self._open()
        given = interpreter.get_input_details()
        if len(given) != 1:
            names = [part["name"] for part in given]
            raise self._error(f"takes {len(names)} inputs, {names}; a backbone has one")
        self._input, self._result = given[0], self._bound(interpreter.get_output_details())
        self._check_input()
        self._interpreter = interpreter

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`; for arrays alone: a TFLite file is no part of a TensorFlow graph."""
        if training:
            raise self._error("can't be trained: TFLite keeps what inference needs; train the network it was made from")
        if not isinstance(batch, np.ndarray):
            raise self._error("is no part of a TensorFlow graph; run it with runtime='litert'")
        self.load()
        self._check_batch(batch)
        fixed = int(self._input["shape_signature"][0])
        step = fixed if fixed > 0 else max(len(batch), 1)
        if len(batch) % step:
            raise self._error(f"takes batches of {step}, not of {len(batch)}; set 'batch = {step}' in its row's input")
        return {self.output: np.concatenate([self._run(batch[at : at + step]) for at in range(0, len(batch), step)])}

    def parameters(self) -> int:
        """The number of constants: weights, and a few that describe shapes."""
        from ai_edge_litert.schema_py_generated import Model

        model = Model.GetRootAs(self.files["weights"].read_bytes())
        graphs = [model.Subgraphs(k) for k in range(model.SubgraphsLength())]
        tensors = [graph.Tensors(k) for graph in graphs for k in range(graph.TensorsLength())]
        stored = [tensor for tensor in tensors if model.Buffers(tensor.Buffer()).DataLength()]
        return sum(int(np.prod(tensor.ShapeAsNumpy())) for tensor in stored)

    @property
    def quantised(self) -> bool:
        """Whether the loaded file computes in whole numbers."""
        self.load()
        kinds = {np.dtype(part["dtype"]).kind for part in self._interpreter.get_tensor_details() if part["shape"].size}
        return "f" not in kinds or np.dtype(self._result["dtype"]).kind != "f"

    def _open(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingPackageError(
                f"backbone {self.spec.name!r} is a TFLite file, which needs the package 'ai_edge_litert' "
                "(pip install 'tf-model-zoo[litert]')"
            ) from error
        file = self.files["weights"]
        try:
            with quiet():
                interpreter = Interpreter(os.fspath(file), num_threads=processors())
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise self._error(
                f"can't be opened: it is cut or damaged, or has ops beyond LiteRT's own: {reason}"
            ) from error
        return interpreter

    def _bound(self, outputs: list[dict[str, Any]]) -> dict[str, Any]:
        names = [part["name"] for part in outputs]
        if self.output == "boxes":
            raise self._error("gives boxes in a form that is not known; use the detector's SavedModel")
        key = self.facts.key or (names[0] if len(names) == 1 else None)
        if key not in names:
            raise self._error(f"gives {names}; name one of them with 'key' in the spec's output {self.output!r}")
        return outputs[names.index(key)]

    def _check_input(self) -> None:
        seen, takes = self.spec.input, np.dtype(self._input["dtype"])
        given = np.dtype(seen.dtype) if seen.kind == "image" else np.dtype(object)
        coded = given == np.float32 and takes.kind in "iu" and self._input["quantization"][0] > 0
        if given != takes and not coded:
            code = ""
            if takes.kind in "iu" and (scale := self._input["quantization"][0]):
                low, high = np.iinfo(takes).min, np.iinfo(takes).max
                zero = self._input["quantization"][1]
                code = f", code for {scale * (low - zero):.3g}..{scale * (high - zero):.3g}"
            raise self._error(f"takes {takes}{code}, and the spec's input is {given}: correct its row")

    def _check_batch(self, batch: Array) -> None:
        sides = [int(side) for side in self._input["shape_signature"][1:]]
        if batch.ndim != len(sides) + 1 or any(b not in (-1, a) for a, b in zip(batch.shape[1:], sides, strict=True)):
            wanted = ", ".join("any" if side == -1 else str(side) for side in sides)
            raise self._error(f"takes [n, {wanted}], not a batch of shape {batch.shape}: correct the input in its row")

    def _run(self, batch: Array) -> Array:
        interpreter, place = self._interpreter, self._input["index"]
        if tuple(interpreter.get_input_details()[0]["shape"]) != batch.shape:
            interpreter.resize_tensor_input(place, batch.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(place, _coded(batch, self._input))
        interpreter.invoke()
        return _real(interpreter.get_tensor(self._result["index"]), self._result)

    def _error(self, what: str) -> BackboneError:
        return BackboneError(f"backbone {self.spec.name!r}: the TFLite file {str(self.files['weights'])!r} {what}")


def _coded(batch: Array, tensor: dict[str, Any]) -> Array:
    """`batch` in the code of `tensor`, if it is not already."""
    kind = np.dtype(tensor["dtype"])
    if batch.dtype == kind:
        return batch
    scale, zero = tensor["quantization"]
    limits = np.iinfo(kind)
    return np.clip(np.rint(batch / scale) + zero, limits.min, limits.max).astype(kind)


def _real(value: Array, tensor: dict[str, Any]) -> Array:
    """A copy of what came out, as real numbers."""
    scale, zero = tensor["quantization"]
    if value.dtype.kind == "f" or not scale:
        return value.astype(np.float32)
    return ((value.astype(np.float32) - zero) * scale).astype(np.float32)


def processors() -> int:
    """How many processors this process may use, which in a container are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
