"""A frozen graph at half precision: products and convolutions in bf16 or fp16, what needs the range in float32.

Importing this module imports TensorFlow: import it where a graph is made, never with a plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import RuntimeLoadError
from zoo.framework import tf

DTYPES = {"bf16": tf.bfloat16, "fp16": tf.float16}
_PASS = "auto_mixed_precision_onednn_bfloat16"
# What processors say of themselves where their products of bf16 are no emulation.
_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies in bf16 by itself, as Linux tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(_BF16_FLAGS & set(flags.split()))


def at_precision(
    graph_def: Any, inputs: Sequence[str], outputs: Sequence[str], precision: str, *, backbone: str
) -> Any:
    """`graph_def` with its products and convolutions in `precision`, "bf16" or "fp16"; inputs and outputs stay float32.

    Which operations may go down with them is TensorFlow's own choice: Grappler's mixed precision, the lists of which
    keep sums, norms and exponentials in float32. It is run on the graph alone, for its switch in
    `tf.config.optimizer` would change every graph of the process. For fp16 the same lists hold: bf16 has float32's
    range, fp16 has not, and they spare what needs it.

    inputs, outputs: names of nodes. Raises RuntimeLoadError where nothing can go down, naming `backbone`.
    """
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
    from tensorflow.python.grappler import tf_optimizer

    placed = type(graph_def)()
    placed.CopyFrom(graph_def)
    for node in placed.node:  # the pass has bf16 for the CPU alone; what it writes runs anywhere
        node.device = "/device:CPU:0"
    config = tf.compat.v1.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.meta_optimizer_iterations = RewriterConfig.ONE
    rewrite.min_graph_nodes = -1  # small graphs too
    rewrite.optimizers.append(_PASS)
    lowered = tf_optimizer.OptimizeGraph(config, _as_meta_graph(placed, [*inputs, *outputs]))
    for node in lowered.node:
        node.device = ""
    if not _replace(lowered, DTYPES[precision]):
        if not _has_pass():
            raise RuntimeLoadError(
                f"TensorFlow lowers nothing to {precision!r} here: its oneDNN is off, by TF_ENABLE_ONEDNN_OPTS=0 or "
                "for this processor; start with TF_ENABLE_ONEDNN_OPTS=1 in the environment"
            )
        raise RuntimeLoadError(
            f"backbone {backbone!r} has nothing that TensorFlow would compute in {precision!r}: no product and no "
            "convolution; use precision='fp32'"
        )
    return _folded(lowered)


def _has_pass() -> bool:
    """Whether TensorFlow runs the pass at all: it belongs to oneDNN, though a GPU may compute what it writes."""
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def _as_meta_graph(graph_def: Any, kept: Sequence[str]) -> Any:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph_def, graph=graph)
    collection = meta_graph.collection_def["train_op"]  # where Grappler looks for what must stay
    collection.node_list.value.extend(f"{name}:0" for name in kept)
    return meta_graph


def _replace(graph_def: Any, dtype: Any) -> int:
    """Write `dtype` for bf16 in every node; the number of nodes that have it."""
    count = 0
    bf16, wanted = tf.bfloat16.as_datatype_enum, dtype.as_datatype_enum
    for node in graph_def.node:
        found = [value for value in node.attr.values() if value.type == bf16]
        for value in found:
            value.type = wanted
        count += bool(found)
    return count


def _folded(graph_def: Any) -> Any:
    """`graph_def` with its weights in the precision in which they are used, so that no call casts them again."""
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for node in graph_def.node:
        if node.op == "Cast" and (constant := constants.get(node.input[0])):
            dtype = tf.as_dtype(node.attr["DstT"].type)
            array = tf.make_ndarray(constant.attr["value"].tensor).astype(dtype.as_numpy_dtype)
            name = node.name
            node.Clear()
            node.name, node.op = name, "Const"
            node.attr["dtype"].type = dtype.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    used = {name.lstrip("^").partition(":")[0] for node in graph_def.node for name in node.input}
    kept = [node for node in graph_def.node if node.name in used or node.name not in constants]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    return graph_def
