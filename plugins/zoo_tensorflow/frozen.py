"""A frozen graph (`.pb`) as a backbone: one tensor goes in, one comes out, or the four of a detector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zoo import Backbone
from zoo.errors import BackboneError, ZooError
from zoo.safety import refuse_code
from zoo_tensorflow.detections import KEYS, detections

# What variables are read from: a graph that holds any was saved without its weights.
VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
UNUSED = {"Const", "NoOp", "Placeholder", "Assert"}


class FrozenGraphBackbone(Backbone):
    """A `GraphDef` whose variables are constants.

    The picture or text goes into `spec.options["input"]`, else into the only Placeholder; the answer is the tensor that
    `key` in the spec's output names, else the only node that no other one takes. A detector's are `detection_boxes` and
    its sisters.
    """

    reads = ("frozen_graph",)

    _run: Callable[..., Any] | None = None

    def load(self) -> None:
        """Read the graph; raises BackboneError that says what is wrong with it, WeightsError for code in it."""
        if self._run is not None:
            return
        from zoo.framework import tf

        graph_def = self._parsed()
        nodes = {node.name: node for node in graph_def.node}
        wanted = self._outputs(graph_def)
        names = {"input": self._input(graph_def), **wanted}
        for name in names.values():
            if name.partition(":")[0] not in nodes:
                raise self._error(f"has no tensor {name!r}; its last nodes are {self._listed(list(nodes)[-5:])}")
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
        tensors = {role: name if ":" in name else f"{name}:0" for role, name in names.items()}
        self._run = whole.prune(tensors["input"], {role: tensors[role] for role in wanted})
        shapes = [node.attr["value"].tensor for node in graph_def.node if node.op == "Const"]
        self._parameters = sum(
            math.prod(side.size for side in tensor.tensor_shape.dim)
            for tensor in shapes
            if tf.as_dtype(tensor.dtype).is_floating
        )

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`; raises BackboneError for training: what is frozen has no variables."""
        if training:
            raise self._error("can't be trained: its weights are constants; train the network that it was made from")
        self.load()
        assert self._run is not None
        from zoo.framework import tf

        result = self._run(tf.convert_to_tensor(batch))
        if self.output != "boxes":
            value = result[self.output]
            return {self.output: _vector(value) if self.output == "features" else value}
        found = detections({KEYS[role][0]: value for role, value in result.items()})
        assert isinstance(found, dict)
        return found

    def parameters(self) -> int:
        """The number of floating-point constants."""
        self.load()
        return self._parameters

    def _parsed(self) -> Any:
        from google.protobuf.message import DecodeError

        from zoo.framework import tf

        file = self.files["weights"]
        if file.name == "saved_model.pb":
            raise self._error(f"is a part of a SavedModel; give its folder, {str(file.parent)!r}")
        try:
            refuse_code(file)
            graph_def = tf.compat.v1.GraphDef.FromString(file.read_bytes())
        except DecodeError as error:
            raise self._error("is no GraphDef: it is cut or damaged; fetch it again") from error
        except ZooError as error:
            raise type(error)(f"backbone {self.spec.name!r}: {error}") from error
        if not graph_def.node:
            raise self._error("holds no node: it is empty, or something else than a GraphDef")
        if variables := [node.name for node in graph_def.node if node.op in VARIABLES]:
            raise self._error(f"is not frozen: {self._listed(variables)} are variables, whose values lie elsewhere")
        return graph_def

    def _input(self, graph_def: Any) -> str:
        given = self.spec.options.get("input")
        places = [node.name for node in graph_def.node if node.op == "Placeholder"]
        if given is None and len(places) != 1:
            raise self._error(f"has {len(places)} placeholders, {self._listed(places)}; name one in options.input")
        return str(given or places[0])

    def _outputs(self, graph_def: Any) -> dict[str, str]:
        nodes = {node.name for node in graph_def.node}
        if self.output == "boxes":
            found = {role: next((key for key in keys if key in nodes), "") for role, keys in KEYS.items()}
            if missing := [KEYS[role][0] for role, name in found.items() if not name and role != "count"]:
                raise self._error(f"has no nodes {self._listed(missing)}, which a detector has")
            return {role: name for role, name in found.items() if name}
        if self.facts.key:
            return {self.output: self.facts.key}
        taken = {name.removeprefix("^").partition(":")[0] for node in graph_def.node for name in node.input}
        last = [node.name for node in graph_def.node if node.name not in taken and node.op not in UNUSED]
        if len(last) != 1:
            raise self._error(f"ends in {len(last)} nodes, {self._listed(last)}; name one with 'key' in its output")
        return {self.output: last[0]}

    def _listed(self, names: list[str]) -> str:
        return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")

    def _error(self, what: str) -> BackboneError:
        return BackboneError(f"backbone {self.spec.name!r}: the frozen graph {str(self.files['weights'])!r} {what}")


def _vector(value: Any) -> Any:
    """Maps of features [n, h, w, d] are averaged over the picture."""
    from zoo.framework import tf

    return tf.reduce_mean(value, axis=[1, 2]) if value.shape.rank == 4 else value
