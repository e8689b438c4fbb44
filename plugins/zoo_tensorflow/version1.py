"""SavedModels of TensorFlow 1: several graphs in one folder, each under its tags, none an object that can be called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import BackboneError
from zoo.protobuf import parsed

# Which graph is meant for inference: a server's, else that of TF1's Hub, which has no tags.
INFERENCE: tuple[frozenset[str], ...] = (frozenset({"serve"}), frozenset())

REFERENCES = {"Variable", "VariableV2"}
TABLES = {"HashTableV2", "MutableHashTableV2"}


def chosen_tags(folder: Path, wanted: list[str] | None, backbone: str) -> list[str] | None:
    """The tags of the graph to load, None where there is one graph; raises BackboneError that lists them."""
    graphs = [meta.one(1) for meta in parsed((folder / "saved_model.pb").read_bytes()).many(2)]
    at_hand = [frozenset(bytes(tag).decode("utf-8", "replace") for tag in info.raw(4)) for info in graphs]
    if wanted is None and len(at_hand) == 1:
        return None
    choices = INFERENCE if wanted is None else (frozenset(wanted),)
    for tags in choices:
        if tags in at_hand:
            return sorted(tags)
    asked = f"none with the tags {sorted(choices[0])}" if wanted is not None else "none of them for inference alone"
    raise BackboneError(
        f"backbone {backbone!r}: the SavedModel in {str(folder)!r} has {len(at_hand)} graphs, {asked}; name one in its "
        f"row, options.tags = {' or '.join(str(sorted(tags)) for tags in at_hand) or '[]'}"
    )


def is_version1(module: Any) -> bool:
    """Whether a loaded module is one of TensorFlow 1: it knows from which graph it was made."""
    return getattr(module, "graph", None) is not None and not callable(module)


def kept(module: Any) -> dict[str, Any]:
    """What a module of TensorFlow 1 keeps in its graph, by name: values of references, and handles of tables.

    References are variables in their first form, which no later API sees.
    """
    if not is_version1(module):
        return {}
    from zoo.framework import tf

    found = {op.name: op.outputs[0] for op in module.graph.get_operations() if op.type in REFERENCES | TABLES}
    with module.graph.as_default():
        reads = [tf.identity(tensor).name for tensor in found.values()]
    return dict(zip(found, module.prune([], reads)() if reads else [], strict=True))


def with_constants(function: Any, held: Mapping[str, Any]) -> Any:
    """The signature `function` with what `kept` gave: references become constants, tables are captured.

    Every runtime can then take it as it takes TensorFlow 2's.
    """
    if not held:
        return function
    from zoo.framework import tf

    graph = function.graph
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if node.op in REFERENCES:
            constant = tf.make_tensor_proto(held[node.name].numpy())
            node.op = "Const"
            node.ClearField("attr")
            node.attr["dtype"].type = constant.dtype
            node.attr["value"].tensor.CopyFrom(constant)
    tables = {f"{node.name}:0": held[node.name] for node in graph_def.node if node.op in TABLES}

    def rebuilt() -> None:
        captured = {name: tf.compat.v1.get_default_graph().capture(handle) for name, handle in tables.items()}
        tf.import_graph_def(graph_def, input_map=captured, name="")

    whole = tf.compat.v1.wrap_function(rebuilt, [])
    names = list(function.structured_input_signature[1])
    places = [graph.inputs[place].name for place, _ in enumerate(names)]
    run = whole.prune(places, {name: tensor.name for name, tensor in function.structured_outputs.items()})
    return lambda **given: run(*(given[name] for name in names))
