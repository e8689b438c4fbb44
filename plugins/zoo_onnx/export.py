"""A model as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from zoo import BackboneSpec
from zoo.errors import ExportError
from zoo.export import Exporter
from zoo.export.scored import ScoredBackbone, one_piece
from zoo.inputs import prepare
from zoo.runtime import Array
from zoo_onnx.conversion import OPSET, convert, refuses, write

FILE = "model.onnx"


class OnnxExporter(Exporter):
    """Writes one ONNX file from prepared pixels to scores."""

    files = (FILE, f"{FILE}.json")
    facts = f"{FILE}.json"
    tolerance = {"model": 1e-3}  # noqa: RUF012

    def write(self, backbone: ScoredBackbone, folder: Path) -> None:
        """See `zoo.export.Exporter.write`."""
        piece = one_piece(backbone, refuses, "onnx")
        name = backbone.spec.name
        model, refused = convert(piece.graph_def, piece.inputs, piece.outputs, backbone=name)
        if refused:
            raise ExportError(f"{name!r} has ops that ONNX lacks, {', '.join(refused)}; use format='saved_model'")
        write(model, folder / FILE, backbone=name)

    def answers(self, folder: Path, sources: Sequence[Any], spec: BackboneSpec) -> dict[str, Array]:
        """See `zoo.export.Exporter.answers`."""
        session = onnxruntime.InferenceSession(os.fspath(folder / FILE), providers=["CPUExecutionProvider"])
        rows = [prepare(source, spec.input).value[None] for source in sources]
        return {"model": np.concatenate([session.run(["scores"], {"pixels": row})[0] for row in rows])}

    def how(self, spec: BackboneSpec) -> dict[str, str]:
        """See `zoo.export.Exporter.how`."""
        told = "takes 'pixels' [n, h, w, c], prepared as 'input' here says; gives 'scores' [n, width]"
        return {"model": f"{told}; opset {OPSET}"}
