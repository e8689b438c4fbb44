"""How far COCO's figures would move with other pictures of the same kind: the bootstrap over pictures.

Pictures are drawn with replacement, as many as there are, and the figures computed anew; their standard deviation over
200 such samples estimates the standard error (Efron and Tibshirani 1993, chapters 6 and 13: 50 to 200 samples do for a
standard error, a percentile interval would need thousands). Detections are matched to objects once; a sample is only a
weight for each picture, how often it was drawn, in the accumulation that COCOeval does with weight 1.

An interval says how much of a figure is the luck of these pictures. It does not say that AP of few pictures comes out
too high, because a short precision curve is raised to its maxima: when models are compared on the same pictures, both
are lifted.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.metrics import Z95, Score
from zoo_detection.figures import FIGURES, Found, Truth
from zoo_detection.matching import AREAS, IOUS, RIGHT, UNMATCHED, Matched, match

SAMPLES = 200
_AT_ONCE = 2**21  # samples times detections of a category that are computed in one go, to bound the memory
_RECALLS = np.linspace(0, 1, 101)
_LIMITS = (1, 10, 100)


def scores_with_intervals(figures: Mapping[str, float], truth: Truth, found: Found, pictures: int) -> dict[str, Score]:
    """Each figure with value +- 1.96 standard errors, within 0..1; no interval where no sample differs from another."""
    if pictures < 2:
        return {name: Score(value, None, None, pictures) for name, value in figures.items()}
    random = np.random.default_rng(0)
    weights = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=SAMPLES)
    samples = weighted_figures(truth, found, weights)
    scores = {}
    for name, value in figures.items():
        # A sample may hold no object of the kind at all, and then says nothing.
        sample = samples[name][~np.isnan(samples[name])]
        half = Z95 * float(sample.std(ddof=1)) if len(sample) > 1 else 0.0
        known = half > 1e-12
        low, high = (max(0.0, value - half), min(1.0, value + half)) if known else (None, None)
        scores[name] = Score(value, low, high, pictures)
    return scores


def weighted_figures(truth: Truth, found: Found, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The figures with picture p counted weights[s, p] times: by name, float64 [s], NaN where undefined.

    weights: int [s, pictures]. With weights of 1 they are COCOeval's own (a test compares them).
    """
    matched = match(truth, found)
    _, sizes = np.unique(matched.category, return_counts=True)
    goes = min(len(weights), -(-len(weights) * int(sizes.max(initial=1)) // _AT_ONCE))
    parts = [_accumulate(truth, matched, part.astype(np.int32)) for part in np.array_split(weights, goes)]
    return {name: np.concatenate([part[name] for part in parts]) for name in FIGURES}


def _accumulate(truth: Truth, matched: Matched, weights: np.ndarray) -> dict[str, np.ndarray]:
    categories = np.unique(truth.category)
    shape = (len(weights), len(AREAS), len(IOUS), len(categories))
    precision, recall = np.zeros(shape), np.zeros((len(_LIMITS), *shape))
    for column, category in enumerate(categories):
        objects = truth.category == category
        wanted = weights[:, truth.picture[objects]] @ matched.counted[:, objects].T.astype(np.int32)
        mine = np.flatnonzero(matched.category == category)
        mine = mine[np.argsort(-matched.scores[mine], kind="stable")]
        precision[..., column], recall[..., column] = _category(matched, mine, weights, wanted)
    return _means(precision, recall)


def _category(
    matched: Matched, mine: np.ndarray, weights: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average precision [s, 4, 10] and recall at each limit [3, s, 4, 10] of the detections `mine`, best first.

    wanted: how many objects there are to find, [s, 4]; NaN where none.
    """
    shape = (len(weights), len(AREAS), len(IOUS))
    precision, recall = np.zeros(shape), np.zeros((len(_LIMITS), *shape))
    # Most detections match nothing at any IoU: they only add to the misses that stand before the next that does.
    touching = (matched.outcome[:, :, mine] != UNMATCHED).any(axis=(0, 1))
    drawn = weights[:, matched.picture[mine]]
    drawn_touching = drawn[:, None, touching]
    for area in range(len(AREAS)):
        outcome, in_range = matched.outcome[area][:, mine[touching]], matched.in_range[area, mine]
        misses = np.cumsum(drawn * (in_range & ~touching), axis=1)[:, None, touching]
        misses = misses + np.cumsum(drawn_touching * ((outcome == UNMATCHED) & in_range[touching]), axis=2)
        right = drawn_touching * (outcome == RIGHT)
        hits = np.cumsum(right, axis=2)
        with np.errstate(invalid="ignore"):
            share = hits / wanted[:, area, None, None]
        # COCO reads the precision at 101 recalls, each at the first detection that reaches it, made non-increasing.
        best = np.maximum.accumulate((hits / np.maximum(hits + misses, 1))[:, :, ::-1], axis=2)[:, :, ::-1]
        reached = np.diff(np.searchsorted(_RECALLS, share, side="right"), prepend=0, axis=2)
        precision[:, area] = (best * reached).sum(axis=2) / len(_RECALLS)
        for number, limit in enumerate(_LIMITS):
            recall[number, :, area] = (right * (matched.rank[mine[touching]] < limit)).sum(axis=2)
    nothing = np.where(wanted == 0, np.nan, 1.0)[:, :, None]
    return precision * nothing, recall / wanted[:, :, None].clip(1) * nothing


def _means(precision: np.ndarray, recall: np.ndarray) -> dict[str, np.ndarray]:
    """The twelve figures [s] from precision [s, 4, 10, categories] and recall [3, s, 4, 10, categories]."""
    parts = (
        precision[:, 0],
        precision[:, 0, :1],
        precision[:, 0, 5:6],
        *(precision[:, area] for area in (1, 2, 3)),
        *recall[:, :, 0],
        *(recall[2, :, area] for area in (1, 2, 3)),
    )
    return {name: _mean(part) for name, part in zip(FIGURES, parts, strict=True)}


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over all axes but the first of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=(1, 2))
    total = np.where(known, values, 0.0).sum(axis=(1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
