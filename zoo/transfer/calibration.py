"""Calibration: how sure a solved head may be, judged on examples that it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.runtime import Array

FOLDS = 3
ENOUGH = 200  # examples beside the commonest class, of which one fold tells a number well; of fewer each is held out


def sharpness(
    solve: Callable[[Array, Array], Callable[[Array], Array]], features: Array, targets: Array, seed: int
) -> float:
    """What logits are to be multiplied with for probabilities that hold: the inverse of a temperature.

    A penalty strong enough for few examples leaves the right class first, and its probability far too low. So the head
    is solved without some of the examples, and one number is fitted to their logits (Guo et al. 2017, "On Calibration
    of Modern Neural Networks"), against targets as soft as so many examples allow (Platt 1999): else a few that are all
    right would make it endless. It changes no answer.

    solve: from features [n, d] and targets int64 [n] to a head, which gives logits [n, classes]. 1 where a class has
    but one example.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(targets)
    folds = min(FOLDS, int(counts.min()))
    if folds < 2:
        return 1.0
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, targets))
    held = splits[:1] if len(targets) - counts.max() >= ENOUGH else splits
    logits = np.concatenate([solve(features[train], targets[train])(features[rest]) for train, rest in held])
    wanted = np.concatenate([targets[rest] for _, rest in held])
    n, classes = logits.shape
    soft = np.full((n, classes), 1 / (n + 2) / (classes - 1))
    soft[np.arange(n), wanted] = 1 - 1 / (n + 2)

    def loss(log_scale: float) -> float:
        return float(-(soft * log_softmax(logits * np.exp(log_scale), axis=1)).sum(axis=1).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 7.0), method="bounded").x))
