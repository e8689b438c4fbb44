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


def lower(middle: Piece, batch: Form, folder: Path, *, backbone: str, platform: str, precision: str) -> list[str]:
    """Write `middle` for batches of one shape into `folder`, or return the types of the ops that XLA can't compile.

    precision: "fp32", "tf32", "bf16" or "fp16", that of its products and convolutions.
    Raises RuntimeLoadError with XLA's reason for anything else that it refuses.
    """
    from zoo.framework import tf

    graph_def, names, weights = hoisted(_at(precision, middle, backbone))
    inputs = [*middle.inputs, *names]

    def run(*tensors: Any) -> Any:
        given = {f"{name}:0": tensor for name, tensor in zip(inputs, tensors, strict=True)}
        wanted = [f"{name}:0" for name in middle.outputs]
        return tuple(tf.graph_util.import_graph_def(graph_def, given, wanted, name=""))

    shape, dtype = batch
    with tf.device("cpu"):  # everywhere the same lowering, and no second copy of the weights on a GPU
        tensors = [tf.zeros(shape, dtype), *(tf.constant(array) for array in weights)]  # zeros: their shape matters
    jitted = tf.function(run, jit_compile=True, autograph=False)
    # Every product in StableHLO says how exactly it wants to be computed. TensorFlow writes there what its switch for
    # TF32 says, which is one for the process: HIGHEST where it is off, DEFAULT, for XLA on a GPU TF32, where it is on.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(precision != "fp32")
    try:
        with tf.device("cpu"):
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
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
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


def _at(precision: str, middle: Piece, backbone: str) -> Any:
    from zoo.mixed_precision import DTYPES, at_precision

    if precision not in DTYPES:
        return middle.graph_def
    return at_precision(middle.graph_def, middle.inputs, middle.outputs, precision, backbone=backbone)


def hoisted(graph_def: Any) -> tuple[Any, list[str], list[np.ndarray]]:
    """`graph_def` without its Placeholders and without its large constants; the names and values of these."""
    from zoo.framework import tf

    found = type(graph_def)(library=graph_def.library, versions=graph_def.versions)
    names: list[str] = []
    weights: list[np.ndarray] = []
    for node in graph_def.node:
        if _is_weight(node):
            names.append(node.name)
            weights.append(tf.make_ndarray(node.attr["value"].tensor))
        elif node.op != "Placeholder":  # whoever imports the graph gives it its inputs; XLA refuses what is left over
            found.node.add().CopyFrom(node)
    return found, names, weights


def _is_weight(node: Any) -> bool:
    from zoo.framework import tf

    if node.op != "Const":
        return False
    value = node.attr["value"].tensor
    return _size(value.tensor_shape) > LARGE and bool(tf.as_dtype(value.dtype).is_floating)


def _size(shape: Any) -> int:
    return int(np.prod([side.size for side in shape.dim], dtype=np.int64))
