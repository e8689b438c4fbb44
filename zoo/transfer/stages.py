"""Stages: a network's variables in the order of its graph, grouped into the blocks that its authors named.

`order` and `stages_of` import TensorFlow where they are called; names and groups need none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.backbone import Backbone
from zoo.errors import OptionError

# The blocks of known families as their variables' names show them, first match first. Everything up to the match's
# end is the stage's name, less what `_PREFIX` takes away.
_BLOCKS = tuple(
    re.compile(pattern)
    for pattern in (
        r"stage_\d+_block_\d+",  # ConvNeXt
        r"downsampling_block_\d+",
        r"block_?\d+/unit_?\d+",  # slim's ResNets, BiT
        r"conv\d+_block\d+",  # Keras' ResNets and DenseNets
        r"[Mm]ixed_?\d+[a-z]?(?![\d_])",  # Inception
        r"expanded_conv(?:_\d+)?",  # MobileNetV2 of the Hub, MobileNetV3
        r"Conv2d_\d+(?=_depthwise|_pointwise)",  # MobileNetV1 of the Hub
        r"blocks?_?\d+[a-z]?(?:_\d+(?=_conv|_mixed))?(?![a-z\d])",  # MobileNetV2, EfficientNet, VGG, Xception
        r"encoderblock_\d+",  # ViT
        r"layer_\d+",  # BERT
        r"(?<![a-z])stem(?![a-z])",
    )
)
_NASNET = re.compile(r"(?:^|_)(normal|reduction)_(?:.*_)?((?:stem_)?\d+)(?:/|$)")
_NORMS = {"gamma", "beta", "moving_mean", "moving_variance"}
_KERNELS = {"kernel", "weights", "w", "embeddings", "depthwise_kernel", "depthwise_weights"}


@dataclass(frozen=True)
class Variable:
    """A variable of a network. name: its path in the network; value: the `tf.Variable`; trained: whether by a gradient.

    What is not trained by a gradient, the statistics of a batch normalisation, moves with the data alone.
    """

    name: str
    value: Any
    trained: bool = True

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(int(side) for side in self.value.shape)


@dataclass(frozen=True)
class Stage:
    """A block of a network. variables: in graph order."""

    name: str
    variables: tuple[Variable, ...]

    @property
    def parameters(self) -> int:
        """The sizes of all its variables, added up."""
        return sum(variable.size for variable in self.variables)

    @property
    def trainable(self) -> int:
        """The sizes of those that a gradient can train, added up."""
        return sum(variable.size for variable in self.variables if variable.trained)


def stages_of(backbone: Backbone) -> tuple[Stage, ...]:
    """The stages of `backbone`, from its input to its output; loads it. Raises BackboneError where it can't train."""
    return grouped(order(backbone))


def order(backbone: Backbone) -> list[Variable]:
    """The variables that the forward pass of `backbone` reads, in the order in which it first does."""
    from zoo.framework import tf
    from zoo.graph import input_signature

    named = backbone.variables()
    pass_ = tf.function(lambda batch: backbone.forward(batch), autograph=False)
    concrete = pass_.get_concrete_function(input_signature(backbone))
    places = {id(handle): place for place, (handle, _) in enumerate(concrete.graph.captures)}
    read = [(name, value) for name, value in named.items() if id(value.handle) in places]
    read.sort(key=lambda pair: places[id(pair[1].handle)])
    return [Variable(name, value, bool(value.trainable)) for name, value in read]


def grouped(variables: Iterable[Variable]) -> tuple[Stage, ...]:
    """`variables` by the stages that their names tell, in the order in which each begins.

    A normalisation whose name tells no block belongs to what stands before it.
    """
    found: dict[str, list[Variable]] = {}
    before = ""
    bare = 0  # variables called `kernel` and no more begin a stage each
    for variable in variables:
        *path, leaf = variable.name.split("/")
        leaf = re.sub(r"_\d+$", "", leaf)
        if not path:
            bare += leaf in _KERNELS or not found
            name = f"layer_{bare}"
        else:
            block = stage_name("/".join(path))
            name = before if leaf in _NORMS and not block and before else block or _layer_name(path)
        found.setdefault(name, []).append(variable)
        before = name
    return tuple(Stage(name, tuple(held)) for name, held in found.items())


def stage_name(path: str) -> str:
    """The block that the path of a layer names; empty where it names none."""
    if found := _NASNET.search(path):
        return f"{found[1]}_{found[2]}"
    for pattern in _BLOCKS:
        if found := pattern.search(path):
            return found[0]
    return ""


def chosen(stages: Sequence[Stage], names: Iterable[str]) -> list[str]:
    """The names of the stages that `names` mean: a stage, or the beginning of several ("conv5" for "conv5_block1").

    Raises OptionError, with the stages that there are.
    """
    known = [stage.name for stage in stages]
    found: list[str] = []
    for name in names:
        meant = [own for own in known if own == name or re.match(rf"{re.escape(name)}[_/]", own)]
        if name in known:
            meant = [name]
        if not meant:
            raise OptionError(f"there is no stage {name!r}; there are {', '.join(map(repr, known))}, and 'head'")
        found += meant
    return list(dict.fromkeys(found))


def _layer_name(path: Sequence[str]) -> str:
    """A layer that belongs to no block: its own name, or its parent's where it is one of several convolutions there."""
    whole = [part for part in path if part]
    return re.sub(r"(?<=.)_(conv|bn|BN)$", "", whole[-1])
