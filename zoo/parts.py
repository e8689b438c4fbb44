"""A forward pass in three pieces: TensorFlow before, a runtime in the middle, TensorFlow after; run, saved and read."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backbone import Backbone
from zoo.errors import BackboneError, MissingPackageError, how_to_install
from zoo.runtime import Array

PARTS_FILE = "parts.json"


@dataclass(frozen=True)
class Piece:
    """A `GraphDef` from Placeholders to Identities; `inputs` and `outputs` are their nodes' names.

    graph_def: None for a middle that was read back: its runtime keeps a form of its own.
    """

    graph_def: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name, computed by TensorFlow on the CPU from `tensors`, arrays or tensors by name."""
        from zoo.framework import tf

        with tf.device("cpu:0"):
            given = [
                tf.convert_to_tensor(tensors[name], inside.dtype)
                for name, inside in zip(self.inputs, self._function.inputs, strict=True)
            ]
            return dict(zip(self.outputs, self._function(*given), strict=True))

    @cached_property
    def _function(self) -> Any:
        from zoo.framework import tf

        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(self.graph_def, name=""), [])
        inputs, outputs = ([f"{name}:0" for name in names] for names in (self.inputs, self.outputs))
        return whole.prune(inputs, outputs)


@dataclass(frozen=True)
class Parts:
    """The pieces of one forward pass. A tensor has one name in all of them; pieces take and give tensors by name.

    front, back: what stays in TensorFlow, or None; middle: what the runtime takes.
    batch: the name of the batch; outputs: the names of the results, by output of `Backbone.forward`.
    tables: handles of look-up tables by name. backbone: kept, for a table lives as long as its module.

    >>> tensors = parts.before(batch)
    >>> given = run([np.asarray(tensors[name]) for name in parts.middle.inputs])
    >>> parts.after(tensors | dict(zip(parts.middle.outputs, given)))
    """

    backbone: Backbone
    front: Piece | None
    middle: Piece
    back: Piece | None
    batch: str
    outputs: Mapping[str, str]
    tables: Mapping[str, Any]

    @property
    def whole(self) -> bool:
        """Whether the runtime takes all there is: nothing stays in TensorFlow."""
        return self.front is None and self.back is None

    def before(self, batch: Any) -> dict[str, Any]:
        """All tensors that are known before the middle runs, by name; raises BackboneError where a batch is refused."""
        tensors = {self.batch: batch, **self.tables}
        return tensors | self._run(self.front, tensors) if self.front else tensors

    def after(self, tensors: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs of `Backbone.forward` as arrays, from what `before` gave and the middle's outputs, by name."""
        found = {**tensors, **self._run(self.back, tensors)} if self.back else tensors
        return {name: _array(found[wire]) for name, wire in self.outputs.items()}

    def save(self, folder: Path) -> None:
        """Write all but the middle's graph into `folder`, which exists."""
        facts: dict[str, Any] = {"batch": self.batch, "outputs": dict(self.outputs), "tables": list(self.tables)}
        for name in ("front", "middle", "back"):
            piece = getattr(self, name)
            facts[name] = piece and {"inputs": piece.inputs, "outputs": piece.outputs}
            if piece and name != "middle":
                (folder / f"{name}.pb").write_bytes(piece.graph_def.SerializeToString(deterministic=True))
        (folder / PARTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    def _run(self, piece: Piece, tensors: Mapping[str, Any]) -> dict[str, Any]:
        from zoo.framework import tf

        try:
            return piece(tensors)
        except tf.errors.OpError as error:
            told = error.message.rsplit("\n\n", 1)[-1]  # after where in Python the operation was made
            raise BackboneError(
                f"backbone {self.backbone.spec.name!r} failed in what stays in TensorFlow: "
                f"{' '.join(told.split())[:400]}"
            ) from error


def read_parts(folder: Path, backbone: Backbone) -> Parts:
    """What `Parts.save` wrote. TensorFlow is imported only if something stays in it, `backbone` loaded only for tables.

    Raises MissingPackageError for a package that the spec's `imports` name.
    """
    facts = json.loads((folder / PARTS_FILE).read_text(encoding="utf-8"))
    if facts["front"] or facts["back"]:
        for module in backbone.spec.imports:  # they register ops
            _import(module, backbone)
    handles: tuple[Any, ...] = ()
    if facts["tables"]:
        from zoo.graph import freeze

        handles = freeze(backbone).tables
    return Parts(
        backbone,
        **{name: _read(facts[name], folder / f"{name}.pb") for name in ("front", "middle", "back")},
        batch=facts["batch"],
        outputs=facts["outputs"],
        tables=dict(zip(facts["tables"], handles, strict=True)),
    )


def _read(facts: Mapping[str, Any] | None, file: Path) -> Any:
    if facts is None:
        return None
    graph_def = None
    if file.is_file():
        from zoo.framework import tf

        graph_def = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    return Piece(graph_def, tuple(facts["inputs"]), tuple(facts["outputs"]))


def _import(module: str, backbone: Backbone) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"backbone {backbone.spec.name!r} needs the package {module!r} ({how_to_install(module)})"
        ) from error


def _array(tensor: Any) -> Array:
    array: Array = tensor if isinstance(tensor, np.ndarray) else tensor.numpy()
    return array
