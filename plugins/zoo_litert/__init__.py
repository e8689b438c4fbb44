"""LiteRT: the `litert` runtime."""

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
            loader="zoo_litert.runtime:LiteRtRuntime",
        )
    )
