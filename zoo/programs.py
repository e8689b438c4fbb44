"""The program in a SavedModel or a frozen graph: its nodes, its functions, and which of them anything starts.

Read from the file as it is, without TensorFlow. Field numbers are those of tensorflow/core/protobuf/meta_graph.proto,
saved_object_graph.proto, and core/framework/{graph,function,node_def,attr_value}.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from zoo.protobuf import Fields

Step = tuple[str | None, str]  # a tensor's node and the function that it is in, None for the graph
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


class Node:
    """One node: what it computes, from what, and which functions it may call."""

    def __init__(self, fields: Fields) -> None:
        self.name, self.op = fields.text(1), fields.text(2)
        self.inputs = [bytes(value).decode("utf-8", "replace") for value in fields.raw(3)]
        self._attributes = fields.raw(5)  # read when asked for: most nodes are reached by nothing

    @cached_property
    def calls(self) -> list[str]:
        """The names of functions that it may call; one may be called by its name as if it were an op."""
        values = (value for entry in self._attributes for value in Fields(entry).many(2))
        return [self.op, *(name for value in values for name in _named(value))]

    def attribute(self, name: str) -> Fields:
        """The `AttrValue` of that name, empty where there is none."""
        found = (entry.one(2) for entry in map(Fields, self._attributes) if entry.text(1) == name)
        return next(found, Fields(memoryview(b"")))


class Program:
    """A MetaGraphDef, or a GraphDef by itself: the graph, its functions, and who starts them.

    nodes, functions: by name; arguments: the names of each function's arguments.
    bound: the functions that a loaded module can be asked for, each with the objects that it captures.
    assets: (node, file name) of files that the model brings; whole: whether nothing says what is started, so all is.
    """

    def __init__(self, meta: Fields, graphs: list[Fields] | None = None) -> None:
        graphs = meta.many(2) if graphs is None else graphs
        libraries = [library for graph in graphs for library in graph.many(2)]
        self.meta = meta
        self.nodes = {node.name: node for graph in graphs for node in map(Node, graph.many(1))}
        self.functions: dict[str, list[Node]] = {}
        self.arguments: dict[str, list[str]] = {}
        self._beside: dict[str, list[str]] = {}  # functions that a function's own attributes name
        for function in (one for library in libraries for one in library.many(1)):
            name = function.one(1).text(1)
            self.functions[name] = [Node(node) for node in function.many(3)]
            self.arguments[name] = [argument.text(1) for argument in function.one(1).many(2)]
            self._beside[name] = [one for entry in function.many(5) for one in _named(entry.one(2))]
        self.gradients = [gradient.text(2) for library in libraries for gradient in library.many(2)]
        self.gradients += [gradient.text(1) for library in libraries for gradient in library.many(3)]
        self.assets = [(asset.one(1).text(1), asset.text(2)) for asset in (*meta.many(6), *_first_assets(meta))]
        objects = meta.one(7)
        self._kinds = [bool(node.raw(5)) for node in objects.many(1)]  # whether the object is an asset
        self.bound = {entry.text(1): entry.one(2).numbers(2) for entry in objects.many(2)}
        self.filename = node_of(meta.one(3).text(1))
        started = [*self._signatures(meta), *_initialisers(meta)]
        self.whole = not started and not self.bound
        self.started = set(self.nodes) if self.whole else self.before([*started, meta.one(3).text(3)])
        called = [name for node in self.started for name in self.nodes[node].calls]
        self.reached = self.closure([*called, *self.bound, *self.gradients])
        if self.whole:
            self.reached = set(self.functions)

    @staticmethod
    def _signatures(meta: Fields) -> Iterator[str]:
        for entry in meta.many(5):
            for side in (1, 2):
                yield from (info.one(2).text(1) for info in entry.one(2).many(side))

    def before(self, names: Iterable[str]) -> set[str]:
        """The nodes from which those tensors are computed, with the nodes of those tensors."""
        waiting, found = [node_of(name) for name in names], set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.nodes and name not in found:
                found.add(name)
                waiting += map(node_of, self.nodes[name].inputs)
        return found

    def closure(self, names: Iterable[str]) -> set[str]:
        """Those functions and all that they call or name."""
        waiting, found = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.functions and name not in found:
                found.add(name)
                waiting += [*self._beside[name], *(call for node in self.functions[name] for call in node.calls)]
        return found

    def running(self) -> Iterator[tuple[str | None, Node]]:
        """Every node that loading or calling the model may run, with the function that it is in."""
        yield from ((None, self.nodes[name]) for name in self.started)
        yield from ((name, node) for name in self.reached for node in self.functions[name])

    def from_asset(self, where: str | None, tensor: str, seen: frozenset[Step] = frozenset()) -> bool:
        """Whether `tensor` of function `where` can only be the path of one of the model's own assets."""
        name = node_of(tensor)
        if (where, name) in seen:
            return False
        seen |= {(where, name)}
        nodes = self._nodes_of(where)
        if where is None and name in {node_of(asset) for asset, _ in self.assets}:
            return name in nodes and nodes[name].op in {"Const", "Placeholder"}
        if where is None and name in nodes and nodes[name].op == "ReadVariableOp":
            return self._variable_of_asset(node_of(nodes[name].inputs[0]), seen)
        if name in nodes:
            inputs = nodes[name].inputs
            return nodes[name].op == "Identity" and bool(inputs) and self.from_asset(where, inputs[0], seen)
        if where is None or name not in self.arguments[where]:
            return False
        place = self.arguments[where].index(name)
        answers = [self._bound_to_asset(where, place)] if where in self.bound else []
        answers += [given is not None and self.from_asset(*given, seen) for given in self._given(where, place)]
        return bool(answers) and all(answers)

    def from_saver(self, where: str | None, tensor: str, seen: frozenset[Step] = frozenset()) -> bool:
        """Whether `tensor` of function `where` can only be the file that whoever loads the model tells its saver."""
        name = node_of(tensor)
        if (where, name) in seen:
            return False
        seen |= {(where, name)}
        if where is None and name == self.filename:
            return True
        nodes = self._nodes_of(where)
        if name in nodes:
            inputs = nodes[name].inputs
            return nodes[name].op == "Identity" and bool(inputs) and self.from_saver(where, inputs[0], seen)
        if where is None or name not in self.arguments[where] or where in self.bound:
            return False
        answers = [
            given is not None and self.from_saver(*given, seen)
            for given in self._given(where, self.arguments[where].index(name))
        ]
        return bool(answers) and all(answers)

    def _nodes_of(self, where: str | None) -> dict[str, Node]:
        return self.nodes if where is None else {node.name: node for node in self.functions[where]}

    def _given(self, function: str, place: int) -> Iterator[Step | None]:
        """What each caller of `function` gives as its argument number `place`; None where that can't be told."""
        for caller, node in self.running():
            if function in node.calls:
                plain = node.op in _CALLS and place < len(node.inputs)
                yield (caller, node.inputs[place]) if plain else None

    def _variable_of_asset(self, handle: str, seen: frozenset[Step]) -> bool:
        """Whether a variable of the graph is only ever set there, and only to the path of an asset."""
        users = [node for node in self.nodes.values() if handle in map(node_of, node.inputs)]
        values = [node.inputs[1] for node in users if node.op == "AssignVariableOp" and len(node.inputs) > 1]
        known = all(node.op in {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"} for node in users)
        return known and bool(values) and all(self.from_asset(None, value, seen) for value in values)

    def _bound_to_asset(self, function: str, place: int) -> bool:
        bound = self.bound[function]
        index = place - (len(self.arguments[function]) - len(bound))
        return index >= 0 and bound[index] < len(self._kinds) and self._kinds[bound[index]]


def node_of(tensor: str) -> str:
    """The name of the node that gives a tensor: `dense/add` of `dense/add:0` and of `^dense/add`."""
    return tensor.removeprefix("^").partition(":")[0]


def _first_assets(meta: Fields) -> Iterator[Fields]:
    """The assets of TensorFlow 1, which kept them in a collection of messages of any kind."""
    for entry in meta.many(4):
        if entry.text(1) == "saved_model_assets":
            yield from (Fields(value) for message in entry.one(2).one(5).many(1) for value in message.raw(2))


def _named(value: Fields) -> Iterator[str]:
    """Whatever in an `AttrValue` may be the name of a function: functions, theirs in turn, and plain strings."""
    for one in (value, *value.many(1)):
        yield from (bytes(text).decode("utf-8", "replace") for text in one.raw(2) if len(text) < 1000)
    functions = [*value.many(10), *(one for values in value.many(1) for one in values.many(9))]
    for function in functions:
        yield function.text(1)
        for entry in function.many(2):
            yield from _named(entry.one(2))


def _initialisers(meta: Fields) -> Iterator[str]:
    """The nodes that collections name for the start: `saved_model_main_op`, `legacy_init_op`, tables."""
    for entry in meta.many(4):
        key = entry.text(1)
        if "init" in key or "main_op" in key:
            yield from (
                bytes(name).decode("utf-8", "replace") for names in entry.one(2).many(1) for name in names.raw(1)
            )
