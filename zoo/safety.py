"""Safe by default: a SavedModel is a program, and what it could do beside computing is refused before it is loaded.

Every op of its functions and graph is held against `zoo/safe_ops.txt`: the ops of TensorFlow and tensorflow-text
that touch no file, network or Python (written by `python -m zoo.safety_ops`).
The saver's own functions may read and write checkpoints; a table may be filled from a file that the model brings as
its asset. Nothing is loaded, TensorFlow is not imported. `ZOO_TRUST_CODE=1` lets everything pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from zoo.errors import BackboneError, WeightsError
from zoo.protobuf import Fields, MalformedError, parsed

_SAVER = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}
_TABLES = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}  # which input is the file's name
_INITIALISERS = {b"saved_model_main_op", b"legacy_init_op"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def trusts_code() -> bool:
    """Whether the user lets models run code of their makers: `ZOO_TRUST_CODE=1`."""
    return os.environ.get("ZOO_TRUST_CODE", "").lower() not in ("", "0", "false", "no")


def refuse_code(folder: Path) -> None:
    """Raise WeightsError that names every op of the SavedModel in `folder` which does more than compute."""
    if trusts_code():
        return
    file = folder / "saved_model.pb"
    try:
        found = sorted({offence for graph in parsed(file.read_bytes()).many(2) for offence in _offences(_Graph(graph))})
    except (MalformedError, IndexError) as error:
        raise BackboneError(f"{str(file)!r} can't be loaded: it is cut or damaged ({error}); fetch it again") from error
    if found:
        raise WeightsError(
            f"{str(file)!r} does more than compute: {', '.join(found)}; it could read or write your files, call Python "
            "or reach the network. Use it only if you trust who made it: set ZOO_TRUST_CODE=1"
        )


@cache
def _safe() -> frozenset[str]:
    return frozenset(files("zoo").joinpath("safe_ops.txt").read_text(encoding="utf-8").split())


class _Node:
    """One node: what it computes, from what, and which functions it calls."""

    def __init__(self, fields: Fields) -> None:
        self.name, self.op = fields.text(1), fields.text(2)
        self.inputs = [bytes(value).decode("utf-8", "replace") for value in fields.raw(3)]
        self.calls = [self.op]  # a function may be called by its name, as if it were an op
        for attribute in fields.many(5):
            for value in attribute.many(2):
                named = [*value.many(10), *(one for values in value.many(1) for one in values.many(9))]
                self.calls += [one.text(1) for one in named]


class _Graph:
    """A MetaGraphDef: the graph, its functions, and who starts them."""

    def __init__(self, meta: Fields) -> None:
        graphs = meta.many(2)
        self.nodes = {node.name: node for graph in graphs for node in map(_Node, graph.many(1))}
        self.functions: dict[str, list[_Node]] = {}
        self.arguments: dict[str, list[str]] = {}
        for function in (one for graph in graphs for library in graph.many(2) for one in library.many(1)):
            signature = function.one(1)
            self.functions[signature.text(1)] = [_Node(node) for node in function.many(3)]
            self.arguments[signature.text(1)] = [argument.text(1) for argument in signature.many(2)]
        self.assets = [(asset.one(1).text(1), asset.text(2)) for asset in meta.many(6)]
        objects = meta.one(7)
        self.kinds = [bool(node.raw(5)) for node in objects.many(1)]  # whether the object is an asset
        self.bound = {entry.text(1): entry.one(2).numbers(2) for entry in objects.many(2)}
        signatures = [entry.one(2) for entry in meta.many(5)]
        started = [info.one(2).text(1) for one in signatures for info in one.many(2)]
        for entry in meta.many(4):
            if bytes(entry.raw(1)[0]) in _INITIALISERS:
                started += [bytes(name).decode() for names in entry.one(2).many(1) for name in names.raw(1)]
        saver = meta.one(3)
        self.saving = self.before([saver.text(2), saver.text(3)]) - self.before(started)
        everyday = self.reached(node for name, node in self.nodes.items() if name not in self.saving)
        everyday |= self.closure(self.bound)
        self.savers = self.reached(self.nodes[name] for name in self.saving) - everyday

    def before(self, names: Iterable[str]) -> set[str]:
        """The nodes from which those tensors are computed, with the nodes of those tensors."""
        waiting, found = [_node(name) for name in names], set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.nodes and name not in found:
                found.add(name)
                waiting += map(_node, self.nodes[name].inputs)
        return found

    def reached(self, nodes: Iterable[_Node]) -> set[str]:
        """The functions that those nodes call, nested ones included."""
        return self.closure(name for node in nodes for name in node.calls)

    def closure(self, names: Iterable[str]) -> set[str]:
        """Those functions and all that they call."""
        waiting, found = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.functions and name not in found:
                found.add(name)
                waiting += [call for node in self.functions[name] for call in node.calls]
        return found

    def from_asset(self, where: str | None, tensor: str, seen: frozenset[tuple[str | None, str]] = frozenset()) -> bool:
        """Whether `tensor` of function `where` (None: the graph) can only be the path of one of the model's assets."""
        name = _node(tensor)
        if (where, name) in seen:
            return False
        seen |= {(where, name)}
        nodes = self.nodes if where is None else {node.name: node for node in self.functions[where]}
        if where is None and name in {_node(asset) for asset, _ in self.assets}:
            return nodes[name].op in {"Const", "Placeholder"} if name in nodes else False
        if where is None and name in nodes and nodes[name].op == "ReadVariableOp":
            return self._variable_of_asset(_node(nodes[name].inputs[0]), seen)
        if name in nodes:
            return (
                nodes[name].op == "Identity"
                and bool(nodes[name].inputs)
                and self.from_asset(where, nodes[name].inputs[0], seen)
            )
        if where is None or name not in self.arguments[where]:
            return False
        place = self.arguments[where].index(name)
        answers = [self._bound_to_asset(where, place)] if where in self.bound else []
        for caller, node in self._all_nodes():
            if where in node.calls:
                given = node.op in _CALLS and place < len(node.inputs)
                answers.append(given and self.from_asset(caller, node.inputs[place], seen))
        return bool(answers) and all(answers)

    def _variable_of_asset(self, handle: str, seen: frozenset[tuple[str | None, str]]) -> bool:
        """Whether a variable of the graph is only ever set there, and only to the path of an asset."""
        users = [node for node in self.nodes.values() if handle in map(_node, node.inputs)]
        values = [node.inputs[1] for node in users if node.op == "AssignVariableOp" and len(node.inputs) > 1]
        known = all(node.op in {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"} for node in users)
        return known and bool(values) and all(self.from_asset(None, value, seen) for value in values)

    def _bound_to_asset(self, function: str, place: int) -> bool:
        bound = self.bound[function]
        index = place - (len(self.arguments[function]) - len(bound))
        return index >= 0 and bound[index] < len(self.kinds) and self.kinds[bound[index]]

    def _all_nodes(self) -> Iterator[tuple[str | None, _Node]]:
        yield from ((None, node) for node in self.nodes.values())
        yield from ((name, node) for name, nodes in self.functions.items() for node in nodes)


def _offences(graph: _Graph) -> Iterator[str]:
    for _, name in graph.assets:
        if PurePosixPath(name).is_absolute() or ".." in name.replace("\\", "/").split("/"):
            yield f"asset {name!r} outside its folder"
    for where, node in graph._all_nodes():
        if node.op in _safe() or node.op in graph.functions:
            continue
        saving = node.name in graph.saving if where is None else where in graph.savers
        if node.op in _SAVER and saving:
            continue
        if node.op in _TABLES and len(node.inputs) > 1 and graph.from_asset(where, node.inputs[_TABLES[node.op]]):
            continue
        yield f"op {node.op!r}"


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
