"""A model as a LiteRT file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from zoo import BackboneSpec
from zoo.errors import ExportError
from zoo.export import Exporter
from zoo.export.scored import ScoredBackbone, one_piece
from zoo.inputs import prepare
from zoo.runtime import Array
from zoo.split import tensorflow_only
from zoo_litert.conversion import convert
from zoo_litert.quiet import quiet

FILE = "model.tflite"


class LiteRtExporter(Exporter):
    """Writes one LiteRT file from prepared pixels to scores."""

    files = (FILE, f"{FILE}.json")
    facts = f"{FILE}.json"
    tolerance = {"model": 1e-3}  # noqa: RUF012

    def write(self, backbone: ScoredBackbone, folder: Path) -> None:
        """See `zoo.export.Exporter.write`."""
        piece = one_piece(backbone, tensorflow_only, "litert")
        name = backbone.spec.name
        model, refused = convert(piece.graph_def, piece.inputs, piece.outputs, backbone=name)
        if refused:
            raise ExportError(f"{name!r} has ops that LiteRT lacks, {', '.join(refused)}; use format='saved_model'")
        (folder / FILE).write_bytes(model)

    def answers(self, folder: Path, sources: Sequence[Any], spec: BackboneSpec) -> dict[str, Array]:
        """See `zoo.export.Exporter.answers`."""
        with quiet():
            interpreter = Interpreter(str(folder / FILE))
            given, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
            rows = []
            for source in sources:
                row = prepare(source, spec.input).value[None]
                if tuple(interpreter.get_tensor_details()[given]["shape"]) != row.shape:
                    interpreter.resize_tensor_input(given, row.shape)
                interpreter.allocate_tensors()
                interpreter.set_tensor(given, row)
                interpreter.invoke()
                rows.append(interpreter.get_tensor(result))
        return {"model": np.concatenate(rows)}

    def how(self, spec: BackboneSpec) -> dict[str, str]:
        """See `zoo.export.Exporter.how`."""
        told = "takes 'in0' [n, h, w, c], prepared as 'input' here says; gives 'out0' [n, width]"
        return {"model": f"{told}; batches of 1, or resize_tensor_input first"}
