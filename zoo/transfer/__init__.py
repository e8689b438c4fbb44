"""Transfer learning: a backbone's features, computed once, and a head that is trained on them."""

from __future__ import annotations

from collections.abc import Callable

from zoo.model import Model
from zoo.transfer.fitted import FittedModel, History
from zoo.transfer.folds import CrossValidation, cross_validate
from zoo.transfer.training import fit
from zoo.transfer.whole import Lesson, WholeModel, fit_whole

__all__ = [
    "CrossValidation",
    "FittedModel",
    "History",
    "Lesson",
    "WholeModel",
    "cross_validate",
    "fit",
    "fit_whole",
    "fitting",
]


def fitting(model: Model) -> Callable[..., FittedModel | WholeModel]:
    """What fits `model`: the trainer of its own backbone, where that names one and the task builds no head."""
    return fit_whole if model.spec.trainer and not model.task.spec.trainable else fit
