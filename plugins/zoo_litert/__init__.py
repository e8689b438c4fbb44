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
            help="LiteRT on a model converted once",
            precisions=("fp32",),
            requires=("ai_edge_litert",),
            install="pip install 'tf-model-zoo[litert]'",
            loader="zoo_litert.runtime:LiteRtRuntime",
        )
    )
