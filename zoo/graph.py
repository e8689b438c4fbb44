"""A backbone's forward pass as one frozen TensorFlow graph, which every runtime that converts starts from.

Importing this module imports TensorFlow: import it where a graph is made, never with a plugin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from zoo.backbone import Backbone
from zoo.errors import BackboneError, ZooError
from zoo.framework import tf
from zoo.specs import ImageInput


@dataclass(frozen=True)
class Graph:
    """A traced forward pass whose variables have become constants.

    function: the concrete function; its inputs are the batch and then `tables`, handles of look-up tables.
    names: the outputs of `Backbone.forward` in the order in which `function` returns them.
    backbone: kept, for a table lives as long as its module.
    """

    backbone: Backbone
    function: Any
    names: tuple[str, ...]
    tables: tuple[Any, ...]

    def __call__(self, batch: Any) -> dict[str, Any]:
        """The output tensors by name for a batch tensor."""
        return dict(zip(self.names, tf.nest.flatten(self.function(batch, *self.tables)), strict=True))

    @property
    def graph_def(self) -> Any:
        """The graph as a `GraphDef`."""
        return self.function.graph.as_graph_def()

    def at(self, precision: str) -> Graph:
        """The same pass with its products in "bf16" or "fp16"; see `zoo.mixed_precision`. Its outputs stay float32."""
        from zoo.mixed_precision import at_precision

        inputs, outputs = (
            [tensor.op.name for tensor in side] for side in (self.function.inputs, self.function.outputs)
        )
        graph_def = at_precision(self.graph_def, inputs, outputs, precision, backbone=self.backbone.spec.name)
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
        return replace(self, function=whole.prune([f"{name}:0" for name in inputs], [f"{name}:0" for name in outputs]))

    @property
    def input(self) -> str:
        """The name of the batch's tensor."""
        return str(self.function.inputs[0].name)

    @property
    def outputs(self) -> dict[str, str]:
        """The names of the output tensors by output."""
        return {name: tensor.name for name, tensor in zip(self.names, self.function.outputs, strict=True)}


def freeze(backbone: Backbone, *, batch: int | None = None) -> Graph:
    """`backbone`, loaded if need be, traced and frozen; `batch` fixes the first axis.

    Raises BackboneError where the module does not take what its spec's input describes.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    backbone.load()
    signature = input_signature(backbone, batch)
    try:
        # Without autograph, which puts the error of a module that does not fit into a page of its own words.
        concrete = tf.function(backbone.forward, autograph=False).get_concrete_function(signature)
        function = convert_variables_to_constants_v2(concrete)
    except ZooError:
        raise
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise BackboneError(
            f"backbone {backbone.spec.name!r}, output {backbone.output!r} does not take {signature}: "
            f"{' '.join(str(error).split())[:400]}"
        ) from error
    # Freezing turns variables into constants; a look-up table stays an input, and its handle must be given.
    handles = {inside.name: handle for handle, inside in concrete.graph.captures}
    tables = tuple(handles[tensor.name] for tensor in function.inputs if tensor.name in handles)
    return Graph(backbone, function, tuple(sorted(concrete.structured_outputs)), tables)


def input_signature(backbone: Backbone, batch: int | None = None) -> Any:
    """The shape and dtype of a batch as the backbone's spec describes it, as a `tf.TensorSpec`."""
    spec = backbone.spec.input
    batch = spec.batch or batch
    if not isinstance(spec, ImageInput):
        return tf.TensorSpec([batch], tf.string)
    height, width = spec.size or (None, None)
    return tf.TensorSpec([batch, height, width, spec.depth], spec.dtype)
