"""TensorFlow lowers a graph to StableHLO, its weights apart: they become arguments, not megabytes of constants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import RuntimeLoadError
from zoo.parts import Piece
from zoo_openxla.exported import Form, write

LARGE = 1024  # numbers from which a constant is a weight; shapes and axes must stay constants
_REFUSED = re.compile(r"(\w+) \(No registered '\w+' OpKernel for XLA")


def lower(middle: Piece, batch: Form, folder: Path, *, backbone: str, platform: str) -> list[str]:
    """Write `middle` for batches of one shape into `folder`, or return the types of the ops that XLA can't compile.

    Raises RuntimeLoadError with XLA's reason for anything else that it refuses.
    """
    from zoo.framework import tf

    graph_def, names, weights = hoisted(middle.graph_def)
    inputs = [*middle.inputs, *names]

    def run(*tensors: Any) -> Any:
        given = {f"{name}:0": tensor for name, tensor in zip(inputs, tensors, strict=True)}
        wanted = [f"{name}:0" for name in middle.outputs]
        return tuple(tf.graph_util.import_graph_def(graph_def, given, wanted, name=""))

    shape, dtype = batch
    tensors = [tf.zeros(shape, dtype), *(tf.constant(array) for array in weights)]  # zeros: only the shape matters here
    jitted = tf.function(run, jit_compile=True, autograph=False)
    try:
        module = jitted.experimental_get_compiler_ir(*tensors)(stage="stablehlo_serialized")
        found = jitted.get_concrete_function(*tensors).outputs
    except (tf.errors.OpError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        if refused := sorted(set(_REFUSED.findall(text))):
            return refused
        raise RuntimeLoadError(
            f"backbone {backbone!r} can't be run by runtime 'openxla': TensorFlow does not lower it for batches of "
            f"shape {tuple(shape)}: {text[:400]}; use runtime='tf'"
        ) from error
    outputs: list[Form] = []
    for tensor in found:
        if not tensor.shape.is_fully_defined():
            raise RuntimeLoadError(
                f"backbone {backbone!r} can't be run by runtime 'openxla': the shape of {tensor.name!r}, "
                f"{tensor.shape}, depends on its input; use runtime='tf'"
            )
        outputs.append((tuple(tensor.shape), tensor.dtype.name))
    write(folder, module, batch, weights, outputs, [platform])
    return []


def hoisted(graph_def: Any) -> tuple[Any, list[str], list[np.ndarray]]:
    """`graph_def` without its Placeholders and without its large constants; the names and values of these."""
    from zoo.framework import tf

    found = type(graph_def)(library=graph_def.library, versions=graph_def.versions)
    names: list[str] = []
    weights: list[np.ndarray] = []
    for node in graph_def.node:
        if node.op == "Const" and _size(node.attr["value"].tensor.tensor_shape) > LARGE:
            array = tf.make_ndarray(node.attr["value"].tensor)
            if array.dtype.kind == "f":
                names.append(node.name)
                weights.append(array)
                continue
        if node.op != "Placeholder":  # whoever imports the graph gives it its inputs; XLA refuses what is left over
            found.node.add().CopyFrom(node)
    return found, names, weights


def _size(shape: Any) -> int:
    return int(np.prod([side.size for side in shape.dim], dtype=np.int64))
