"""ONNX Runtime: the `onnx` runtime."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_runtimes(register: Callable[[zoo.RuntimeSpec], None]) -> None:
    """The `onnx` runtime: ONNX Runtime on a model converted once."""
    register(
        zoo.RuntimeSpec(
            name="onnx",
            help="ONNX Runtime on a model converted once",
            precisions=("fp32",),
            requires=("onnxruntime",),
            install="pip install 'tf-model-zoo[onnx]'",
            loader="zoo_onnx.runtime:OnnxRuntime",
        )
    )
