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
            help="ONNX Runtime, converted once by tf2onnx; tf32 and fp16 on a GPU",
            precisions=("fp32", "tf32", "fp16"),
            requires=("onnxruntime",),
            install="pip install 'tf-model-zoo[onnx]'",
            exports={"onnx": "zoo_onnx.export:OnnxExporter"},
            loader="zoo_onnx.runtime:OnnxRuntime",
        )
    )
