"""A frozen graph as an ONNX model, by tf2onnx."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from zoo.errors import MissingPackageError, RuntimeLoadError
from zoo.split import tensorflow_only

OPSET = 18
INSTALL = "pip install 'tf-model-zoo[onnx]'"
# What tf2onnx takes beside the ops that it has a translation for: the first `portable` rewrites, the others it inlines.
_ALSO = {"Erfc", "PartitionedCall", "StatefulPartitionedCall"}


def refuses(op: str) -> bool:
    """Whether an op of TensorFlow, by type, can't be translated into ONNX's own ops.

    Raises MissingPackageError where the converter is not installed.
    """
    return tensorflow_only(op) or op not in _translated() | _ALSO


def convert(
    graph_def: Any, inputs: Sequence[str], outputs: Sequence[str], *, backbone: str, precision: str = "fp32"
) -> tuple[bytes, list[str]]:
    """The ONNX model of a `GraphDef` whose Placeholders are `inputs` and whose results are the nodes `outputs`.

    backbone: whose graph it is, for what goes wrong.
    precision: "fp16" turns weights and what is computed into float16; inputs and outputs stay as they are.
    Returns beside it the types of the ops which tf2onnx left as they are: with any, the model is none.
    Raises MissingPackageError where the converter is not installed, RuntimeLoadError where it fails.
    """
    tf2onnx = _converter()
    import onnx

    try:
        with _quiet():
            model, _ = tf2onnx.convert.from_graph_def(
                portable(graph_def),
                input_names=[f"{name}:0" for name in inputs],
                output_names=[f"{name}:0" for name in outputs],
                tensors_to_rename={f"{name}:0": name for name in (*inputs, *outputs)},
                opset=OPSET,
            )
            if precision == "fp16":
                from onnxruntime.transformers.float16 import convert_float_to_float16

                model = convert_float_to_float16(model, keep_io_types=True)
    except Exception as error:  # whatever a handler of an op ran into
        raise RuntimeLoadError(
            f"backbone {backbone!r} can't be converted for runtime 'onnx': {type(error).__name__}: "
            f"{' '.join(str(error).split())[:400]}; use runtime='tf'"
        ) from error
    left = {node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)}
    return bytes(model.SerializeToString()), sorted(left)


def portable(graph_def: Any) -> Any:
    """`graph_def` without two ops that tf2onnx 1.17 does not know or takes for others; it computes the same.

    `Erfc` becomes 1 - erf. `ResizeBilinear` of whole numbers, which gives float32, is translated as if it gave whole
    numbers: they become float32 before.
    """
    from zoo.framework import tf

    result = type(graph_def)(library=graph_def.library, versions=graph_def.versions)
    for node in graph_def.node:
        if node.op == "Erfc":
            _add_erfc(result, node)
        elif node.op == "ResizeBilinear" and tf.as_dtype(node.attr["T"].type).is_integer:
            _add_resize(result, node)
        else:
            result.node.add().CopyFrom(node)
    for node in result.node:  # Grappler, which tf2onnx calls, loses a first output that is not written as its node
        node.input[:] = [name.removesuffix(":0") for name in node.input]
    return result


def _add_erfc(graph_def: Any, node: Any) -> None:
    from zoo.framework import tf

    kind = node.attr["T"].type
    one = graph_def.node.add(name=f"{node.name}/one", op="Const")
    one.attr["dtype"].type = kind
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1, dtype=kind))
    erf = graph_def.node.add(name=f"{node.name}/erf", op="Erf", input=node.input[:1])
    difference = graph_def.node.add(name=node.name, op="Sub", input=[one.name, erf.name])
    for made in (erf, difference):
        made.attr["T"].type = kind


def _add_resize(graph_def: Any, node: Any) -> None:
    from zoo.framework import tf

    cast = graph_def.node.add(name=f"{node.name}/float", op="Cast", input=node.input[:1])
    cast.attr["SrcT"].type = node.attr["T"].type
    cast.attr["DstT"].type = tf.float32.as_datatype_enum
    resize = graph_def.node.add()
    resize.CopyFrom(node)
    resize.input[0] = cast.name
    resize.attr["T"].type = tf.float32.as_datatype_enum


def write(model: bytes, file: Path, *, backbone: str) -> None:
    """Put a model into a file, once ONNX Runtime has taken it; raises RuntimeLoadError with its reason."""
    import onnxruntime

    try:
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise RuntimeLoadError(
            f"backbone {backbone!r} can't be run by runtime 'onnx', which does not take what tf2onnx made: "
            f"{' '.join(str(error).split())[:400]}; use runtime='tf'"
        ) from error
    file.write_bytes(model)


def _converter() -> Any:
    try:
        import tf2onnx
        import tf2onnx.convert
    except ImportError as error:
        package = error.name or "tf2onnx"
        raise MissingPackageError(f"runtime 'onnx' needs the package {package!r} to convert ({INSTALL})") from error
    return tf2onnx


@cache
def _translated() -> frozenset[str]:
    """The ops for which tf2onnx has a translation into ONNX's own domain."""
    _converter()
    from tf2onnx.handler import tf_op

    return frozenset(op for version in tf_op.get_opsets()[""] for op in version)


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx, and TensorFlow for it, log what is no concern of a user: what fails is raised after all."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
