"""OpenXLA: the `openxla` runtime."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_runtimes(register: Callable[[zoo.RuntimeSpec], None]) -> None:
    """The `openxla` runtime: StableHLO lowered by TensorFlow once, run by JAX."""
    register(
        zoo.RuntimeSpec(
            name="openxla",
            help="StableHLO lowered by TensorFlow once, run by JAX",
            precisions=("fp32", "tf32", "bf16", "fp16"),
            requires=("jax",),
            install="pip install 'tf-model-zoo[openxla]'",
            loader="zoo_openxla.runtime:OpenXlaRuntime",
        )
    )
