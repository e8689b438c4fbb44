"""Backbones that are Keras networks, and their variables by path, each under the block that it belongs to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import Backbone

if TYPE_CHECKING:
    from zoo.framework import keras

# The names that Keras gives to layers which have none; their numbers count all layers of the process.
AUTOMATIC = re.compile(
    r"(conv2d|separable_conv2d|depthwise_conv2d|dense|batch_normalization|layer_normalization|normalization"
    r"|concatenate|add|activation|lambda|custom_scale_layer|average_pooling2d|max_pooling2d)(?:_(\d+))?"
)


class KerasBackbone(Backbone):
    """A backbone whose `load` sets `_model`, a Keras network that can be trained and saved whole."""

    _model: keras.Model | None = None

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`."""
        self.load()
        assert self._model is not None
        return {self.output: self._model(batch, training=training)}

    def parameters(self) -> int:
        """The number of weights of the network, with its top for output `logits`."""
        self.load()
        assert self._model is not None
        return int(self._model.count_params())

    def variables(self) -> dict[str, Any]:
        """See `zoo.Backbone.variables`."""
        self.load()
        assert self._model is not None
        return variables_by_path(self._model)

    def save(self, folder: Path) -> Path:
        """See `zoo.Backbone.save`: a whole model in Keras' form."""
        self.load()
        assert self._model is not None
        self._model.save(folder / "model.keras")
        return folder / "model.keras"


def variables_by_path(model: keras.Model) -> dict[str, Any]:
    """The `tf.Variable`s of `model` by path.

    A layer whose author named it keeps its name. One that Keras named lies under its block, the layers between two
    places that everything passes, called after the last named one of these (`mixed3/conv2d_24/kernel`); its
    number counts from the network's own first.
    """
    blocks = _blocks(model)
    lowest: dict[str, int] = {}
    for layer in model.layers:
        if found := AUTOMATIC.fullmatch(layer.name):
            lowest[found[1]] = min(lowest.get(found[1], 10**9), int(found[2] or 0))
    named = {}
    for layer in model.layers:
        name = layer.name
        if found := AUTOMATIC.fullmatch(name):
            name = f"{found[1]}_{int(found[2] or 0) - lowest[found[1]]}"
            name = f"{blocks[layer.name]}/{name}" if blocks.get(layer.name) else name
        for variable in layer.variables:
            if "seed_generator" not in variable.path:
                inner = variable.path.removeprefix(f"{layer.name}/")
                named[f"{name}/{inner}"] = variable.value
    return named


def _blocks(model: keras.Model) -> dict[str, str]:
    """For each layer that Keras named the block it lies in; empty for a network that is no graph of layers."""
    if not hasattr(model, "operations") or not getattr(model, "inputs", None):
        return {}
    layers = list(model.operations)
    makers = {id(tensor): layer.name for layer in layers for node in layer._inbound_nodes for tensor in node.outputs}
    takers: dict[str, set[str]] = {layer.name: set() for layer in layers}
    for layer in layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                if id(tensor) in makers:
                    takers[makers[id(tensor)]].add(layer.name)
    found: dict[str, str] = {}
    waiting: set[str] = set()  # layers that were passed, with somebody yet to take what they gave
    left = {name: set(names) for name, names in takers.items()}
    segment: list[str] = []
    merged = False
    for layer in layers:
        for name in [name for name in waiting if layer.name in left[name]]:
            left[name].discard(layer.name)
            if not left[name]:
                waiting.discard(name)
        segment.append(layer.name)
        if waiting:  # something goes past this layer
            waiting.add(layer.name)
            continue
        merges = len(segment) > 1
        own = [name for name in reversed(segment) if not AUTOMATIC.fullmatch(name)]
        merged = merged or merges
        block = own[0] if own and merges else "" if merged else "stem"
        found |= dict.fromkeys(segment, block)
        segment, waiting = [], {layer.name}
    return found
