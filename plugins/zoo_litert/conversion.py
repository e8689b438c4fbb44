"""A frozen graph as a LiteRT model, by TensorFlow's own converter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.errors import RuntimeLoadError
from zoo.framework import tf
from zoo_litert.quiet import quiet


def convert(
    graph_def: Any, inputs: Sequence[str], outputs: Sequence[str], *, backbone: str, precision: str = "fp32"
) -> tuple[bytes, list[str]]:
    """The LiteRT model of a `GraphDef` whose Placeholders are `inputs` and whose results are the nodes `outputs`.

    backbone: whose graph it is, for what goes wrong.
    precision: "int8" keeps weights as int8 ("dynamic range quantisation").
    Its signature takes "in0", "in1", ... and gives "out0", "out1", ... in their order. Returns beside it the types of
    the ops that LiteRT lacks: with any, the model is empty. Raises RuntimeLoadError where the converter fails.
    """
    module = _module(portable(graph_def), inputs, outputs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        with quiet():
            return bytes(converter.convert()), []
    except Exception as error:  # a ConverterError says which ops it lacks; others come from anywhere inside
        lacking = getattr(error, "errors", ())
        ops = sorted({data.operator.name.removeprefix("tf.") for data in lacking} - {""})
        if ops:
            return b"", ops
        raise RuntimeLoadError(
            f"backbone {backbone!r} can't be converted for runtime 'litert': {' '.join(str(error).split())[:400]}; "
            "use runtime='tf'"
        ) from error


def _module(graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A module whose function `serve` computes `graph_def`."""
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    run = imported.prune([f"{name}:0" for name in inputs], [f"{name}:0" for name in outputs])
    signature = [tf.TensorSpec(x.shape, x.dtype, name=f"in{k}") for k, x in enumerate(run.inputs)]

    @tf.function(input_signature=signature)
    def serve(*tensors: Any) -> dict[str, Any]:
        return {f"out{k}": y for k, y in enumerate(run(*tensors))}

    module = tf.Module()
    module.serve, module.run = serve, run
    return module


def portable(graph_def: Any) -> Any:
    """`graph_def` without two forms of ops that LiteRT lacks; it computes the same.

    `ResizeBilinear` takes no whole numbers: they become float32 before. A `StridedSlice` which only adds axes, as
    `x[:, :, None]` does, is refused where a size is not known before running: it becomes `ExpandDims`.
    """
    constants = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"}
    result = type(graph_def)(library=graph_def.library, versions=graph_def.versions)
    for node in graph_def.node:
        if node.op == "ResizeBilinear" and tf.as_dtype(node.attr["T"].type).is_integer:
            _add_resize(result, node)
        elif node.op == "StridedSlice" and (axes := _new_axes(node, constants)):
            _add_axes(result, node, axes)
        else:
            result.node.add().CopyFrom(node)
    return result


def _add_resize(graph_def: Any, node: Any) -> None:
    cast = graph_def.node.add(name=f"{node.name}/float", op="Cast", input=node.input[:1])
    cast.attr["SrcT"].type = node.attr["T"].type
    cast.attr["DstT"].type = tf.float32.as_datatype_enum
    resize = graph_def.node.add()
    resize.CopyFrom(node)
    resize.input[0] = cast.name
    resize.attr["T"].type = tf.float32.as_datatype_enum


def _new_axes(node: Any, constants: dict[str, Any]) -> list[int]:
    """The axes that a slice adds, in the order of adding; none where it does anything beside."""
    begin, strides = (constants.get(node.input[k].split(":")[0]) for k in (1, 3))
    if begin is None or strides is None or (strides != 1).any():
        return []
    begins, ends, ellipsis, new, shrinks = (
        node.attr[f"{name}_mask"].i for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    )
    size = len(begin)
    if shrinks or (begins & ends | new | ellipsis) != (1 << size) - 1:
        return []
    rest = ellipsis.bit_length() or size + 1  # what stands after an ellipsis counts from the end, where -1 is the last
    added = [k for k in range(size) if new >> k & 1]
    return [k for k in added if k < rest] + [k - size for k in reversed(added) if k >= rest]


def _add_axes(graph_def: Any, node: Any, axes: Sequence[int]) -> None:
    before = node.input[0]
    for number, axis in enumerate(axes, 1):
        where = graph_def.node.add(name=f"{node.name}/axis{number}", op="Const")
        where.attr["dtype"].type = tf.int32.as_datatype_enum
        where.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.int32(axis)))
        name = node.name if number == len(axes) else f"{node.name}/expanded{number}"
        expand = graph_def.node.add(name=name, op="ExpandDims", input=[before, where.name])
        expand.attr["T"].type = node.attr["T"].type
        expand.attr["Tdim"].type = tf.int32.as_datatype_enum
        before = name
