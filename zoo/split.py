"""Cuts a frozen graph: what a runtime can't take stays in TensorFlow, before and after what it takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backbone import Backbone
from zoo.conversion import converted
from zoo.errors import RuntimeLoadError
from zoo.parts import Parts, Piece, read_parts

if TYPE_CHECKING:
    from zoo.graph import Graph

# Switches and merges are right only with the control inputs that a middle does without.
_OLD_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
_TENSORS_OF_TENSORFLOW = {"string", "resource", "variant"}


def tensorflow_only(op: str) -> bool:
    """Whether an op is known to TensorFlow alone; those that take or give strings need no mention, see `split`."""
    return op.startswith("Ragged")


def converted_parts(
    backbone: Backbone,
    form: str,
    convert: Callable[[Piece, Path], Collection[str]],
    refuses: Callable[[str], bool] = tensorflow_only,
) -> tuple[Parts, Path]:
    """`backbone` frozen, cut and its middle converted, once for all processes; and the folder that `convert` filled.

    convert: writes a middle into a folder in the runtime's own form, or returns the types of the ops that it can't
        take: the graph is then cut anew without them.
    form: as in `zoo.conversion.converted`. Raises RuntimeLoadError as `split` does.
    """

    def make(folder: Path) -> None:
        from zoo.graph import freeze

        graph = freeze(backbone)
        refused: set[str] = set()
        parts = split(graph, refuses)
        while found := set(convert(parts.middle, folder)):
            if found <= refused:
                raise _uncut(graph, found, "cutting them out does not help")
            refused |= found
            parts = split(graph, _either(refuses, frozenset(refused)))
        parts.save(folder)

    folder = converted(backbone, form, make)
    return read_parts(folder, backbone), folder


def _either(refuses: Callable[[str], bool], refused: Collection[str]) -> Callable[[str], bool]:
    return lambda op: refuses(op) or op in refused


def split(graph: Graph, refuses: Callable[[str], bool] = tensorflow_only) -> Parts:
    """`graph` cut where the most of its weights come to lie in the middle.

    refuses: whether the runtime can't take an op, by type. Ops on strings, resources and variants, and control flow of
        TensorFlow 1, are refused in any case, and so is an op that calls a function with a refused op.
    Refused ops go to the front with all that leads to them, or to the back with all that follows; assertions are
    dropped from the middle. Raises RuntimeLoadError that names the ops which leave less than half of the weights.
    """
    wiring = _Wiring(graph, refuses)
    front, back = wiring.edges()
    inside = wiring.fed - front - back
    total = wiring.weight(wiring.fed)
    if 2 * wiring.weight(inside) < total:
        refused = {op.type for op in wiring.refused & wiring.fed}
        share = wiring.weight(inside) / total
        raise _uncut(graph, refused, f"what lies between them holds {share:.0%} of the weights")
    return _Cutter(graph, wiring, front, back).parts()


def _uncut(graph: Graph, ops: Iterable[str], why: str) -> RuntimeLoadError:
    spec = graph.backbone.spec
    return RuntimeLoadError(
        f"backbone {spec.name!r} can't be cut for this runtime, which does not take "
        f"{', '.join(map(repr, sorted(ops)))}: {why}; use runtime='tf'"
    )


class _Wiring:
    """Who feeds whom among the operations that lead from the batch to the outputs.

    live: operations that lead to an output; fed: those of them that depend on the batch; _bound: all operations
    that wait for one with an effect, such as an assertion, or for a switch: only those are worth a control input.
    """

    def __init__(self, graph: Graph, refuses: Callable[[str], bool]) -> None:
        inside = graph.function.graph
        self.batch = graph.function.inputs[0].op
        self.live = _closure([tensor.op for tensor in graph.function.outputs], _feeders)
        self._eaters = _turned(self.live, _feeders)
        self.fed = self.descendants([self.batch]) - {self.batch}
        followers = _turned(inside.get_operations(), lambda op: [*_feeders(op), *op.control_inputs])
        effects = [op for op in inside.get_operations() if op.type in _OLD_CONTROL_FLOW or op.op_def.is_stateful]
        self._bound = _closure(effects, lambda op: followers.get(op, ()))
        library = {function.signature.name: function for function in inside.as_graph_def().library.function}
        self.refused = {
            op for op in self.live if op is not self.batch and (_foreign(op) or any(map(refuses, _types(op, library))))
        }

    def descendants(self, ops: Iterable[Any]) -> set[Any]:
        return _closure(ops, lambda op: self._eaters.get(op, ()))

    def leaders(self, op: Any) -> list[Any]:
        """The operations that must run before `op`: those that feed it, then control inputs that matter."""
        return _feeders(op) + [leader for leader in op.control_inputs if leader in self._bound]

    def weight(self, ops: Collection[Any]) -> int:
        """The constants that `ops` take, counted in numbers; an operation without any still counts as one."""
        constants = (tensor for op in ops for tensor in op.inputs if tensor.op not in self.fed)
        return len(ops) + sum(tensor.shape.num_elements() or 0 for tensor in constants if tensor.dtype.is_floating)

    def edges(self) -> tuple[set[Any], set[Any]]:
        """What stays in front and behind: of all ways to give each refused op to one of them, the lightest."""
        before = {op: _closure([op], self.leaders) & self.fed for op in self.refused & self.fed}
        # Whatever leads to an op has less before it than the op itself: the first k of this order are a whole front.
        order = sorted(before, key=lambda op: (self.weight(before[op]), op.name))
        ways = []
        for k in range(len(order) + 1):
            front = set().union(*(before[op] for op in order[:k]))
            ways.append((front, self.descendants(order[k:])))
        return min(ways, key=lambda way: self.weight(way[0] | way[1]))


class _Cutter:
    """Makes the pieces from the last to the first: what one takes from outside the earlier ones must give."""

    def __init__(self, graph: Graph, wiring: _Wiring, front: set[Any], back: set[Any]) -> None:
        self._graph = graph
        self._wiring = wiring
        self._front, self._back = front, back
        self._frozen = graph.graph_def
        self._operations = {op.name: op for op in graph.function.graph.get_operations()}
        self._tables = {tensor.op for tensor in graph.function.inputs[1:]}

    def parts(self) -> Parts:
        named = zip(self._graph.names, self._graph.function.outputs, strict=True)
        results = {f"zoo/{name}": tensor for name, tensor in named}
        wanted = dict(results)
        pieces: dict[str, Any] = {}
        for home in ("back", "middle", "front"):
            own = {name: tensor for name, tensor in wanted.items() if self._home(tensor.op) == home}
            pieces[home], taken = self._piece(own, home) if own else (None, {})
            wanted |= taken
        handles = zip(self._graph.function.inputs[1:], self._graph.tables, strict=True)
        return Parts(
            **pieces,
            batch=_wire(self._wiring.batch.outputs[0]),
            outputs={name.removeprefix("zoo/"): name for name in results},
            tables={_wire(tensor): handle for tensor, handle in handles},
            backbone=self._graph.backbone,
        )

    def _home(self, op: Any) -> str:
        """Which piece gives what `op` makes. Constants belong to nobody: every piece has its own copy."""
        if op in self._front or (op in self._wiring.refused and op not in self._wiring.fed):
            return "front"
        return "back" if op in self._back else "middle"

    def _given(self, op: Any) -> bool:
        return op is self._wiring.batch or op in self._tables

    def _outside(self, op: Any, home: str) -> bool:
        """Whether the piece at `home` takes the tensors of `op` instead of making them."""
        if op in self._wiring.fed:
            return self._home(op) != home
        return self._given(op) or (home == "middle" and op in self._wiring.refused)

    def _piece(self, wanted: Mapping[str, Any], home: str) -> tuple[Piece, dict[str, Any]]:
        """The piece that gives the tensors `wanted`, and those that it takes from other pieces."""
        before = _feeders if home == "middle" else self._wiring.leaders
        ops = _closure(
            [tensor.op for tensor in wanted.values()],
            lambda op: () if self._outside(op, home) else before(op),
        )
        own = {op for op in ops if not self._outside(op, home)}
        taken = {
            _wire(tensor): tensor
            for tensors in ([tensor for op in own for tensor in op.inputs], wanted.values())
            for tensor in tensors
            if tensor.op not in own
        }
        graph_def = type(self._frozen)(library=self._frozen.library, versions=self._frozen.versions)
        for name, tensor in sorted(taken.items()):
            _placeholder(graph_def.node.add(), name, tensor)
        for node in self._frozen.node:  # in the order of the whole, which is the same in every process
            if (op := self._operations[node.name]) in own:
                copy = graph_def.node.add()
                copy.CopyFrom(node)
                copy.attr.pop("_class", None)  # "stand where that node stands", which may lie in another piece
                copy.input[:] = [_wire(tensor) if tensor.op not in own else tensor.name for tensor in op.inputs]
                copy.input.extend(f"^{leader.name}" for leader in before(op)[len(op.inputs) :] if leader in own)
        for name, tensor in wanted.items():
            given = graph_def.node.add(name=name, op="Identity")
            given.input.append(tensor.name if tensor.op in own else _wire(tensor))
            given.attr["T"].type = tensor.dtype.as_datatype_enum
        others = {name: tensor for name, tensor in taken.items() if not self._given(tensor.op)}
        return Piece(graph_def, tuple(sorted(taken)), tuple(wanted)), others


def _wire(tensor: Any) -> str:
    """The name of a tensor that goes from piece to piece: a node's own, for each piece."""
    return f"zoo/{tensor.name.replace(':', '/')}"


def _placeholder(node: Any, name: str, tensor: Any) -> None:
    node.name, node.op = name, "Placeholder"
    node.attr["dtype"].type = tensor.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())


def _closure(ops: Iterable[Any], following: Callable[[Any], Iterable[Any]]) -> set[Any]:
    found, todo = set(ops), list(ops)
    while todo:
        new = [op for op in following(todo.pop()) if op not in found]
        found.update(new)
        todo += new
    return found


def _feeders(op: Any) -> list[Any]:
    """The operations whose tensors `op` takes."""
    return [tensor.op for tensor in op.inputs]


def _turned(ops: Iterable[Any], leaders: Callable[[Any], Iterable[Any]]) -> dict[Any, list[Any]]:
    """For each operation those of `ops` that it leads to."""
    led: dict[Any, list[Any]] = {}
    for op in ops:
        for leader in leaders(op):
            led.setdefault(leader, []).append(op)
    return led


def _foreign(op: Any) -> bool:
    """Whether no runtime but TensorFlow has such tensors, or such control flow."""
    kinds = {tensor.dtype.name for tensor in (*op.inputs, *op.outputs)}
    return op.type in _OLD_CONTROL_FLOW or not kinds.isdisjoint(_TENSORS_OF_TENSORFLOW)


def _types(op: Any, library: Mapping[str, Any]) -> set[str]:
    """The type of `op`, and of all ops in the functions that it calls."""
    types: set[str] = set()
    seen: set[str] = set()
    nodes = [op.node_def]
    while nodes:
        node = nodes.pop()
        types.add(node.op)
        called = {value.func.name for value in node.attr.values()} & library.keys() - seen
        seen |= called
        nodes += [inner for name in called for inner in library[name].node_def]
    return types
