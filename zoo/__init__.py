"""zoo: any pair of task and pre-trained backbone as a working model.

>>> import zoo
>>> model = zoo.get("classification", "mobilenet_v2_100_224")
>>> print(model.predict("cat.jpg"))
tabby (97.31%)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo.catalog import read_catalog
from zoo.errors import ZooError
from zoo.hookspecs import hookimpl
from zoo.specs import (
    BackboneSpec,
    DatasetSpec,
    FormatSpec,
    ImageInput,
    OptionSpec,
    OutputSpec,
    Published,
    RuntimeSpec,
    TaskSpec,
    TextInput,
    WeightsSpec,
)

if TYPE_CHECKING:
    from zoo.backbone import Backbone
    from zoo.compose import get, load
    from zoo.dataset import Dataset, DatasetOptions, Example, Objects
    from zoo.description import Description, describe
    from zoo.evaluation import Evaluation
    from zoo.metrics import Metric, Score
    from zoo.model import Model
    from zoo.pairs import Pair
    from zoo.runtime import Compiled, Runtime
    from zoo.search import list_backbones, list_pairs, list_tasks, spec
    from zoo.task import Failed, Prediction, Task

__version__ = "0.1.0"

# Imported on first use: a plugin that only states facts does not pay for NumPy, nor a listing for a task.
_LATER = {
    "Backbone": "zoo.backbone",
    "Compiled": "zoo.runtime",
    "Runtime": "zoo.runtime",
    "Dataset": "zoo.dataset",
    "DatasetOptions": "zoo.dataset",
    "Example": "zoo.dataset",
    "Objects": "zoo.dataset",
    "Metric": "zoo.metrics",
    "Score": "zoo.metrics",
    "Description": "zoo.description",
    "describe": "zoo.description",
    "Evaluation": "zoo.evaluation",
    "Model": "zoo.model",
    "get": "zoo.compose",
    "load": "zoo.compose",
    "Pair": "zoo.pairs",
    "list_backbones": "zoo.search",
    "list_pairs": "zoo.search",
    "list_tasks": "zoo.search",
    "spec": "zoo.search",
    "Failed": "zoo.task",
    "Prediction": "zoo.task",
    "Task": "zoo.task",
}

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Compiled",
    "Dataset",
    "DatasetOptions",
    "DatasetSpec",
    "Description",
    "Evaluation",
    "Example",
    "Failed",
    "FormatSpec",
    "ImageInput",
    "Metric",
    "Model",
    "Objects",
    "OptionSpec",
    "OutputSpec",
    "Pair",
    "Prediction",
    "Published",
    "Runtime",
    "RuntimeSpec",
    "Score",
    "Task",
    "TaskSpec",
    "TextInput",
    "WeightsSpec",
    "ZooError",
    "describe",
    "get",
    "hookimpl",
    "list_backbones",
    "list_pairs",
    "list_tasks",
    "load",
    "read_catalog",
    "spec",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
