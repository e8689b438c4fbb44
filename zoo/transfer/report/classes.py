"""The figures of a classifier: per class, confusion, calibration, mistakes; every share with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.metrics import Score, bootstrap, mean, proportion
from zoo.runtime import Array
from zoo.transfer.report.judged import Judged, spread

BINS = 10  # of the reliability diagram; 15, as in the paper, leave too few examples in each of a small set's
SHOWN = 20  # examples in the grid
MISTAKES = 12
CONFUSED = 10  # pairs of classes
LEAST = 1e-15  # below which no probability is taken for a logarithm


@dataclass(frozen=True)
class ClassRow:
    """One class. support: its true examples; predicted: how often it was answered; None where a share has no trials."""

    label: str
    support: int
    predicted: int
    precision: Score | None
    recall: Score | None
    f1: Score | None


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in [low, high): how many, how sure on average, how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Score


@dataclass(frozen=True, eq=False)
class Findings:
    """What the page, the pictures and report.json are made of.

    confusion: int64 [classes, classes], a row for each true class, a column for each answer.
    ece: expected calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks"), 0..1.
    shown, mistakes: places among the judged; mistakes run from the most confident down.
    confused: (true class, answer, how often), the most frequent first.
    """

    judged: Judged
    accuracy: Score
    log_loss: Score
    macro_f1: Score
    ece: float
    rows: tuple[ClassRow, ...]
    bins: tuple[Bin, ...]
    confusion: Array
    confused: tuple[tuple[int, int, int], ...]
    shown: tuple[int, ...]
    mistakes: tuple[int, ...]


def findings(judged: Judged) -> Findings:
    """The figures of a classifier on `judged`."""
    classes = len(judged.labels)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (judged.targets, judged.answers), 1)
    rows = class_rows(confusion, judged.labels)
    confidence, right = judged.scores.max(-1), judged.right
    losses = -np.log(np.maximum(judged.scores[np.arange(len(judged)), judged.targets], LEAST))
    bins = reliability(confidence, right)
    wrong = np.flatnonzero(~right)
    there = [row.f1.value for row in rows if row.f1 is not None]
    return Findings(
        judged,
        proportion(int(right.sum()), len(judged)),
        mean(float(losses.sum()), float(np.square(losses).sum()), len(judged), least=0.0),
        bootstrap(lambda drawn: _macro_f1(judged, drawn), float(np.mean(there)), len(judged), least=0.0),
        sum(bin.n * abs(bin.confidence - bin.accuracy.value) for bin in bins) / len(judged),
        rows,
        bins,
        confusion,
        most_confused(confusion),
        tuple(spread(judged.targets, SHOWN, classes)),
        tuple(wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES].tolist()),
    )


def _macro_f1(judged: Judged, drawn: Array) -> Array:
    """The mean over classes of F1 with each example counted as often as `drawn` [b, n] says: [b]."""
    from scipy.sparse import csr_array

    def counted(classes: Array, kept: Array) -> Array:
        """How often each class was drawn, [b, classes]."""
        shape = (len(judged.labels), len(judged))
        return np.asarray((csr_array((kept.astype(np.float64), (classes, np.arange(shape[1]))), shape) @ drawn.T).T)

    every = np.ones(len(judged))
    told = counted(judged.targets, every) + counted(judged.answers, every)
    f1 = 2 * counted(judged.targets, judged.right) / np.maximum(told, 1)
    return np.asarray(f1.sum(1) / np.maximum((told > 0).sum(1), 1))


def class_rows(confusion: Array, labels: Sequence[str]) -> tuple[ClassRow, ...]:
    """Precision, recall and F1 of each class, with Wilson's intervals.

    F1 is 2 j / (1 + j) of j = hits / (hits + false alarms + misses), which is a share: its interval is j's, so turned.
    """
    counts = zip(np.diag(confusion).tolist(), confusion.sum(1).tolist(), confusion.sum(0).tolist(), strict=True)
    return tuple(class_row(label, *count) for label, count in zip(labels, counts, strict=True))


def class_row(label: str, hits: int, support: int, predicted: int) -> ClassRow:
    """One class from its counts: right answers, true examples, answers."""
    either = support + predicted - hits
    return ClassRow(
        label,
        support,
        predicted,
        proportion(hits, predicted) if predicted else None,
        proportion(hits, support) if support else None,
        _dice(proportion(hits, either)) if either else None,
    )


def _dice(share: Score) -> Score:
    def turned(j: float) -> float:
        return 2 * j / (1 + j)

    assert share.low is not None
    assert share.high is not None
    return Score(turned(share.value), turned(max(share.low, 0.0)), turned(share.high), share.n)


def reliability(confidence: Array, right: Array) -> tuple[Bin, ...]:
    """The filled ones of `BINS` equal steps of probability."""
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return tuple(
        Bin(
            id / BINS,
            (id + 1) / BINS,
            int(inside.sum()),
            float(confidence[inside].mean()),
            proportion(int(right[inside].sum()), int(inside.sum())),
        )
        for id in range(BINS)
        if (inside := place == id).any()
    )


def most_confused(confusion: Array) -> tuple[tuple[int, int, int], ...]:
    """The pairs of different classes that were confused most often."""
    off = confusion - np.diag(np.diag(confusion))
    best = np.argsort(-off, axis=None, kind="stable")[:CONFUSED]
    pairs = [divmod(int(place), off.shape[1]) for place in best]
    return tuple((true, answer, int(off[true, answer])) for true, answer in pairs if off[true, answer])


def told(found: Findings) -> dict[str, Any]:
    """The findings in JSON's own types."""
    judged = found.judged

    def example(place: int) -> dict[str, Any]:
        scores = judged.scores[place]
        return {
            "id": judged.ids[place],
            "true": judged.labels[judged.targets[place]],
            "predicted": judged.labels[judged.answers[place]],
            "score": float(scores.max()),
            "score_of_true": float(scores[judged.targets[place]]),
        }

    return {
        "metrics": {
            "accuracy": score(found.accuracy),
            "log_loss": score(found.log_loss),
            "macro_f1": score(found.macro_f1),
            "ece": {"value": found.ece, "n": len(judged), "bins": BINS},
        },
        "classes": [told_row(row) for row in found.rows],
        "confusion": {"labels": list(judged.labels), "rows_true_columns_predicted": found.confusion.tolist()},
        "calibration": [
            {"low": bin.low, "high": bin.high, "n": bin.n, "confidence": bin.confidence, "accuracy": bin.accuracy.value}
            for bin in found.bins
        ],
        "mistakes": [example(place) for place in found.mistakes],
        "examples": [example(place) for place in found.shown],
    }


def told_row(row: ClassRow) -> dict[str, Any]:
    """A class's row in JSON's own types."""
    shares = {name: score(getattr(row, name)) for name in ("precision", "recall", "f1")}
    return {"label": row.label, "support": row.support, "predicted": row.predicted, **shares}


def score(found: Score | None) -> dict[str, Any] | None:
    """A score in JSON's own types; None stays None."""
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
