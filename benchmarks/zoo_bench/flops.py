"""Floating-point operations of a network, counted in its frozen graph at the shapes that real inputs have in it.

Static analysis fails where a graph does not fix its shapes: detectors of any size, texts of any length. So the graph is
run once for each of a few real inputs, and the shapes that its products and convolutions saw are what is counted.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo import Model
from zoo.backbone import Backbone, load_backbone
from zoo.batches import stack
from zoo.conversion import converted
from zoo.runtime import Array

FORM = "flops-2"
FILE = "flops.json"
INPUTS = 8  # at most so many inputs where they differ in size or length

Shape = Sequence[int]


def _product(op: Any, left: Shape, right: Shape, out: Shape) -> int:
    inner = left[-2] if op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x") else left[-1]
    return math.prod(out) * inner


def _convolution(op: Any, left: Shape, right: Shape, out: Shape) -> int:
    return math.prod(out) * math.prod(right[:-1])


def _depthwise(op: Any, left: Shape, right: Shape, out: Shape) -> int:
    return math.prod(out) * math.prod(right[:2])


def _einsum(op: Any, left: Shape, right: Shape, out: Shape) -> int:
    operands, _, result = op.get_attr("equation").decode().replace(" ", "").partition("->")
    size: dict[str, int] = {}
    for labels, shape in zip(operands.split(","), (left, right), strict=True):
        before, _, after = labels.partition("...")
        size |= dict(zip(before, shape, strict=False))
        size |= dict(zip(reversed(after), reversed(shape), strict=False))
    return math.prod(out) * math.prod(extent for label, extent in size.items() if label not in result)


# The multiply-adds of an op from the shapes of its two operands and its result.
COUNTED: dict[str, Callable[[Any, Shape, Shape, Shape], int]] = {
    "MatMul": _product,
    "BatchMatMul": _product,
    "BatchMatMulV2": _product,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
}


def counted(model: Model, output: str, values: Sequence[Any]) -> dict[str, Any]:
    """{"flops": for one input, "method": how it was counted, "parameters": the number of weights}.

    Counted once for all processes and kept in the cache.
    values: prepared inputs; the mean over the first few is taken where the network does not fix their size.
    """
    backbone = load_backbone(model.spec, output, model.files(output))
    fixed = backbone.spec.input.kind == "image" and backbone.spec.input.size is not None
    chosen = values[: 1 if fixed else INPUTS]
    form = FORM if fixed else f"{FORM}-{_fingerprint(chosen)}"

    def make(folder: Path) -> None:
        found = _count(backbone, [stack([value], backbone.spec.input.kind) for value in chosen])
        (folder / FILE).write_text(json.dumps(found), encoding="utf-8")

    found: dict[str, Any] = json.loads((converted(backbone, form, make) / FILE).read_text(encoding="utf-8"))
    return found


def _count(backbone: Backbone, batches: Sequence[Array]) -> dict[str, Any]:
    from zoo.framework import tf
    from zoo.graph import freeze

    with tf.device("cpu:0"):
        graph = freeze(backbone)
        inside = graph.function.graph
        conditional = _conditional(inside)
        ops = [op for op in inside.get_operations() if op.type in COUNTED and op.name not in conditional]
        ops = [op for op in ops if len(op.inputs) == 2]
        seen = graph.function.prune(
            [tensor.name for tensor in graph.function.inputs],
            [tensor.name for op in ops for tensor in (*op.inputs, op.outputs[0])],
        )
        total = 0
        for batch in batches:
            shapes = [tuple(tensor.shape) for tensor in seen(_tensor(tf, batch), *graph.tables)]
            total += sum(COUNTED[op.type](op, *shapes[3 * place : 3 * place + 3]) for place, op in enumerate(ops))
    what = "one input" if len(batches) == 1 else f"the mean over {len(batches)} inputs, each alone"
    method = (
        f"two operations for each multiply-add of matrix products, einsums and convolutions in the frozen graph, at "
        f"the shapes of {what}; other operations, and those in loops and branches, are not counted"
    )
    return {"flops": 2 * total / len(batches), "method": method, "parameters": backbone.parameters()}


def _tensor(tf: Any, batch: Array) -> Any:
    return tf.constant(batch, tf.string) if batch.dtype == object else tf.convert_to_tensor(batch)


def _conditional(graph: Any) -> set[str]:
    """The ops inside of loops and branches: how often they run, no shape tells, and their tensors can't be fetched."""
    found: set[str] = set()
    for begins, ends in (("Enter", "Exit"), ("Switch", "Merge")):
        front = [op for op in graph.get_operations() if op.type == begins]
        while front:
            op = front.pop()
            if op.name in found and op.type != begins:
                continue
            found.add(op.name)
            users = (user for tensor in op.outputs for user in tensor.consumers())
            front += [user for user in users if user.type != ends and user.name not in found]
    return found


def _fingerprint(values: Sequence[Any]) -> str:
    described = [value if isinstance(value, str) else list(value.shape) for value in values]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:12]
