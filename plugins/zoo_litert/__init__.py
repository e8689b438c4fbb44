"""LiteRT: the `litert` runtime, and TFLite files as backbones."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_runtimes(register: Callable[[zoo.RuntimeSpec], None]) -> None:
    """The `litert` runtime: LiteRT on a model converted once."""
    register(
        zoo.RuntimeSpec(
            name="litert",
            help="LiteRT (TensorFlow Lite), converted once; int8: weights int8, dynamic range",
            precisions=("fp32", "int8"),
            requires=("ai_edge_litert",),
            install="pip install 'tf-model-zoo[litert]'",
            exports={"litert": "zoo_litert.export:LiteRtExporter"},
            loader="zoo_litert.runtime:LiteRtRuntime",
        )
    )


@zoo.hookimpl
def register_formats(register: Callable[[zoo.FormatSpec], None]) -> None:
    """TFLite files."""
    register(
        zoo.FormatSpec(
            name="tflite",
            help="a TFLite file",
            endings=(".tflite", ".lite"),
            starts=b"TFL3".hex(),
            offset=4,
            loader="zoo_litert.tflite:TfliteBackbone",
        )
    )
