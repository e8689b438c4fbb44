"""A backbone as an OpenVINO model: read from its SavedModel itself, or else frozen, cut and converted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13

from zoo import Backbone
from zoo.disk import check_saved_model
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.parts import Parts, Piece
from zoo.specs import SAVED_MODEL_LOADER, ImageInput
from zoo.split import converted_parts

DETECTION_KEYS = {
    "boxes": "detection_boxes",
    "scores": "detection_scores",
    "classes": "detection_classes",
    "count": "num_detections",
}
# Detectors that return a tuple (EfficientDet-Lite) have it in the order above.
TUPLE_KEYS = {name: f"output_{index}" for index, name in enumerate(DETECTION_KEYS)}


@dataclass(frozen=True)
class Network:
    """An OpenVINO model, and what TensorFlow must do before and after it, if anything.

    backbone: its name; inputs, outputs: the names of the model's tensors, in the model's order.
    """

    backbone: str
    model: ov.Model
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parts: Parts | None = None

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether the model takes batches of that shape as they are, and all its other axes are fixed."""
        port = self.model.inputs[0]
        if len(self.inputs) != 1 or (self.parts and self.parts.front) or 0 in shape:
            return False
        axes = port.partial_shape
        return (
            axes.rank.is_static and axes.compatible(ov.PartialShape(shape)) and not any(a.is_dynamic for a in axes[1:])
        )

    @property
    def by_row(self) -> bool:
        """Whether every output has a row for each row of the batch, so that batches may be cut."""
        batch = self.model.inputs[0].partial_shape
        if batch.rank.is_dynamic or batch[0].is_static:
            return False
        shapes = [port.partial_shape for port in self.model.outputs]
        return all(shape.rank.is_static and len(shape) and shape[0].is_dynamic for shape in shapes)

    def before(self, batch: Any) -> dict[str, Any]:
        """The tensors that are known before the model runs, by name."""
        return self.parts.before(batch) if self.parts else {"batch": batch}

    def after(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of `Backbone.forward`, from what `before` gave and the model's outputs."""
        return self.parts.after(tensors) if self.parts else {name: tensors[name] for name in self.outputs}


def read_network(core: ov.Core, backbone: Backbone) -> Network:
    """`backbone` as a network; TensorFlow is imported only where OpenVINO can't read the files by itself.

    Raises BackboneError for files that are broken or do not make what the spec says, RuntimeLoadError for operations
    in the midst of the graph that OpenVINO lacks.
    """
    network = _read_whole(core, backbone) or _read_parts(core, backbone)
    _replace_batched_gathers(network.model)
    return network


def _replace_batched_gathers(model: ov.Model) -> None:
    """Write each `Gather` with batch dimensions as a `GatherND`, which means the same.

    OpenVINO 2026.4.1 compiles the former, for a batch of 1 and AVX-512, to code that reads beyond its indices and
    often ends the process (openvinotoolkit/openvino#35422 has wrong values from the same kernel).
    """
    for op in model.get_ops():
        if op.get_type_name() != "Gather" or not (dims := op.get_attributes()["batch_dims"]):
            continue
        axis = op.input_value(2).get_node()
        if axis.get_type_name() == "Constant" and int(axis.data) == dims:  # the two mean the same
            indices = opset13.unsqueeze(op.input_value(1), opset13.constant(-1, dtype=np.int32))
            same = opset13.gather_nd(op.input_value(0), indices, dims)
            for target in op.output(0).get_target_inputs():
                target.replace_source_output(same.output(0))


def _read_whole(core: ov.Core, backbone: Backbone) -> Network | None:
    """The SavedModel in one piece, or None where it takes TensorFlow to understand it."""
    spec = backbone.spec
    own = spec.loader == SAVED_MODEL_LOADER and "saved_model" in backbone.reads
    if not own or not isinstance(spec.input, ImageInput):
        return None
    check_saved_model(backbone.files["weights"], spec.name)
    if backbone.facts.signature not in (None, "serving_default"):
        return None  # OpenVINO reads `serving_default` and no other
    try:
        model = core.read_model(backbone.files["weights"])
    except RuntimeError:  # an operation that it lacks; or a broken file, of which TensorFlow tells more
        return None
    keys = _keys(backbone, {name for port in model.outputs for name in port.get_names()})
    if keys is None or len(model.inputs) != 1:  # no signature at all, or several in one
        return None
    _shape_input(model, backbone)
    results = [_vector(model.output(key).get_node().input_value(0), backbone.output) for key in keys.values()]
    wanted = ov.Model(results, model.get_parameters())
    return Network(spec.name, wanted, ("batch",), tuple(keys))


def _keys(backbone: Backbone, names: set[str]) -> dict[str, str] | None:
    """The signature's names of the outputs of `Backbone.forward`; None where they can't be told from the names."""
    if backbone.output == "boxes":
        return next((keys for keys in (DETECTION_KEYS, TUPLE_KEYS) if names >= set(keys.values())), None)
    known = [key for key in (backbone.facts.key, backbone.output, "default") if key in names]
    if not known and len(names) == 1:
        known = list(names)
    return {backbone.output: known[0]} if known else None


def _vector(result: ov.Output, output: str) -> ov.Output:
    """Features of a picture as one vector: maps [n, h, w, d] are averaged over the picture."""
    if output != "features" or result.partial_shape.rank.is_dynamic or len(result.partial_shape) != 4:
        return result
    return opset13.reduce_mean(result, np.array([1, 2], np.int32)).output(0)


def _shape_input(model: ov.Model, backbone: Backbone) -> None:
    """Tell the model what is fixed in the spec's input; raises BackboneError where the two contradict each other."""
    spec = backbone.spec.input
    assert isinstance(spec, ImageInput)
    height, width = spec.size or (-1, -1)
    wanted = ov.PartialShape([spec.batch or -1, height, width, spec.depth])
    port = model.inputs[0]
    own, dtype = port.partial_shape, port.element_type.to_dtype()
    if not own.compatible(wanted) or dtype != spec.dtype:
        raise BackboneError(
            f"backbone {backbone.spec.name!r}: the module in {str(backbone.files['weights'])!r} does not take "
            f"{_form(spec.dtype, wanted)}, which the spec's input describes: it takes {_form(dtype.name, own)}; "
            "correct the input in its row, or give weights that fit"
        )
    if own.rank.is_static:
        wanted = ov.PartialShape([b if a.is_dynamic else a for a, b in zip(own, wanted, strict=True)])
    model.reshape(wanted)


def _form(dtype: str, shape: ov.PartialShape) -> str:
    """A tensor's dtype and shape: `float32 [n, 224, 224, 3]`."""
    if shape.rank.is_dynamic:
        return f"{dtype} of any shape"
    return f"{dtype} [{', '.join('n' if side.is_dynamic else str(side.get_length()) for side in shape)}]"


def _read_parts(core: ov.Core, backbone: Backbone) -> Network:
    """The part of the frozen graph that OpenVINO can take, converted once."""

    def convert(piece: Piece, folder: Path) -> set[str]:
        graph = folder / "middle.pb"
        graph.write_bytes(piece.graph_def.SerializeToString())
        try:
            ov.save_model(core.read_model(graph), folder / "middle.xml", compress_to_fp16=False)
        except RuntimeError as error:
            return _lacking(str(error), backbone)
        finally:
            graph.unlink()
        return set()

    parts, folder = converted_parts(backbone, f"openvino-{ov.__version__.split('-')[0]}", convert)
    model = core.read_model(folder / "middle.xml")
    ports = {name: port for port in (*model.inputs, *model.outputs) for name in port.get_names()}
    lost = [name for name in (*parts.middle.inputs, *parts.middle.outputs) if f"{name}:0" not in ports]
    if lost:  # folded away: what was cut out computes nothing, and gives its input back under that one's name alone
        raise RuntimeLoadError(
            f"backbone {backbone.spec.name!r} leaves nothing for runtime 'openvino' to compute: {lost[0]!r} is gone "
            "after conversion; use runtime='tf'"
        )
    ordered = ov.Model(
        [ports[f"{name}:0"].get_node().input_value(0) for name in parts.middle.outputs],
        [ports[f"{name}:0"].get_node() for name in parts.middle.inputs],
    )
    return Network(backbone.spec.name, ordered, parts.middle.inputs, parts.middle.outputs, parts)


def _lacking(told: str, backbone: Backbone) -> set[str]:
    """The operations that OpenVINO says it has no rule for; raises RuntimeLoadError if it says something else."""
    found = re.search(r"No conversion rule found for operations: (.+)", told)
    if found is None:
        raise RuntimeLoadError(
            f"backbone {backbone.spec.name!r} can't be converted for runtime 'openvino': "
            f"{' '.join(told.split())[:400]}; use runtime='tf'"
        )
    return set(found.group(1).strip().split(", "))
