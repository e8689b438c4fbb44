"""Transfer learning: a backbone's features, computed once, and a head that is trained on them."""

from __future__ import annotations

from zoo.transfer.fitted import FittedModel, History
from zoo.transfer.folds import CrossValidation, cross_validate
from zoo.transfer.training import fit

__all__ = ["CrossValidation", "FittedModel", "History", "cross_validate", "fit"]
