"""TensorFlow: any SavedModel and frozen graph as a backbone, and the `tf` runtimes."""

from __future__ import annotations

from collections.abc import Callable

import zoo


@zoo.hookimpl
def register_runtimes(register: Callable[[zoo.RuntimeSpec], None]) -> None:
    """The runtimes `tf`, TensorFlow on a frozen graph, and `tf-xla`, the same graph compiled by XLA."""
    register(
        zoo.RuntimeSpec(
            name="tf",
            help="TensorFlow, frozen graph",
            precisions=("fp32", "tf32", "bf16", "fp16"),
            requires=("tensorflow",),
            install="pip install tensorflow",
            exports={"saved_model": "zoo_tensorflow.export:SavedModelExporter"},
            loader="zoo_tensorflow.runtime:TensorFlowRuntime",
        )
    )
    register(
        zoo.RuntimeSpec(
            name="tf-xla",
            help="TensorFlow, the frozen graph compiled by XLA for each batch size; pictures only, meant for GPUs",
            precisions=("fp32", "tf32", "bf16", "fp16"),
            requires=("tensorflow",),
            install="pip install tensorflow",
            loader="zoo_tensorflow.runtime:XlaRuntime",
        )
    )


@zoo.hookimpl
def register_formats(register: Callable[[zoo.FormatSpec], None]) -> None:
    """SavedModels of TensorFlow 2 and 1, and frozen graphs."""
    register(
        zoo.FormatSpec(
            name="saved_model",
            help="a SavedModel",
            holds=("saved_model.pb",),
            loader="zoo_tensorflow.savedmodel:SavedModelBackbone",
        )
    )
    register(
        zoo.FormatSpec(
            name="frozen_graph",
            help="a frozen graph (.pb)",
            endings=(".pb",),
            loader="zoo_tensorflow.frozen:FrozenGraphBackbone",
        )
    )
