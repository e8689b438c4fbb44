"""OpenVINO: the `openvino` runtime."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_runtimes(register: Callable[[zoo.RuntimeSpec], None]) -> None:
    """The `openvino` runtime: OpenVINO on Intel and AMD processors, read from the SavedModel itself."""
    register(
        zoo.RuntimeSpec(
            name="openvino",
            help="OpenVINO on Intel and AMD processors, read from the SavedModel itself",
            precisions=("fp32", "bf16"),
            reads=("saved_model",),
            requires=("openvino",),
            install="pip install 'tf-model-zoo[openvino]'",
            loader="zoo_openvino.runtime:OpenVinoRuntime",
        )
    )
