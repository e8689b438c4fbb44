"""The report of a model that gives numbers: how far off they are, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.metrics import Score, bootstrap, mean
from zoo.runtime import Array
from zoo.transfer.report.classes import MISTAKES, SHOWN, score
from zoo.transfer.report.classifier import within
from zoo.transfer.report.drawing import Drawn, Palette
from zoo.transfer.report.judged import Judged, evenly
from zoo.transfer.report.kind import Report
from zoo.transfer.report.page import Section, figure, shown
from zoo.transfer.report.shown import Answer, Claim, answers, grid


def report(judged: Judged) -> Report:
    """What there is to say of `judged`, whose targets are numbers [n] or [n, k]; several are taken one by one."""
    true = judged.targets.reshape(len(judged), -1).astype(np.float64)
    given = judged.logits.reshape(true.shape).astype(np.float64)
    off = given - true
    absolute, squared = np.abs(off), np.square(off)
    mae = mean(float(absolute.mean(-1).sum()), float(np.square(absolute.mean(-1)).sum()), len(judged), least=0.0)
    rmse, r2 = _rmse(squared.mean(-1)), _r2(true, squared.sum(-1))
    near = absolute.mean(-1) <= mae.value
    worst = np.argsort(-absolute.mean(-1), kind="stable")[:MISTAKES].tolist()
    seen, mistakes = (_claims(judged, given, true, near, places) for places in (evenly(len(judged), SHOWN), worst))
    scatter, residuals = _scatter(given, true), _residuals(given, off)
    what = "Pictures" if judged.kind == "image" else "Texts"
    cards = (
        ("Mean absolute error", f"{mae.value:.4g}", within(mae, "{:.4g}")),
        ("Root mean square error", f"{rmse.value:.4g}", within(rmse, "{:.4g}")),
        ("R²", f"{r2.value:.3f}", within(r2, "{:.3f}")) if r2 else ("R²", "–", "all targets are the same"),
        ("Bias", f"{off.mean():+.3g}", "mean of predicted less true"),
        ("Examples", f"{len(judged):,}", f"{len(judged.failed)} unreadable"),
    )
    sections = (
        Section(
            "Predicted and true",
            figure(scatter),
            "On the dashed line a prediction is right. R² is 1 where all are, 0 where the mean would do as well.",
        ),
        Section("Residuals", figure(residuals), "Predicted less true; a slope or a bend is something yet to learn."),
        Section("Largest errors", shown(judged.kind, "Largest errors", mistakes), "Look here for wrong targets."),
        Section(
            f"{what} with their predictions",
            shown(judged.kind, what, seen),
            "The truth in brackets; blue: off by the mean absolute error or less; red, with a cross: by more.",
        ),
    )
    told = {
        "metrics": {
            "mae": score(mae),
            "rmse": score(rmse),
            "r2": score(r2) or {"value": None, "n": len(judged)},
            "bias": {"value": float(off.mean()), "n": len(judged)},
        },
        "mistakes": [
            {"id": judged.ids[place], "true": true[place].tolist(), "predicted": given[place].tolist()}
            for place in worst
        ],
    }
    drawn = (scatter, residuals, *([grid(seen)] if judged.kind == "image" else []))
    return Report(cards, sections, drawn, told)


def _rmse(squares: Array) -> Score:
    """The root of the mean of `squares` [n], and of the ends of its interval."""
    found = mean(float(squares.sum()), float(np.square(squares).sum()), len(squares), least=0.0)
    low, high = (None if end is None else float(np.sqrt(end)) for end in (found.low, found.high))
    return Score(float(np.sqrt(found.value)), low, high, found.n)


def _r2(true: Array, squares: Array) -> Score | None:
    """Which share of the spread of `true` [n, k] is explained; None without any. squares: of the errors, [n]."""
    centred = true - true.mean(0)

    def explained(drawn: Array) -> Array:
        around = np.square(drawn @ centred).sum(1) / len(true)
        spread = drawn @ np.square(centred).sum(1) - around
        return np.asarray(1 - drawn @ squares / np.where(spread > 0, spread, np.nan))

    if not centred.any():
        return None
    return bootstrap(explained, float(explained(np.ones((1, len(true))))[0]), len(true))


def _claims(judged: Judged, given: Array, true: Array, near: Array, places: Sequence[int]) -> list[Answer]:
    def told(numbers: Array) -> str:
        return ", ".join(f"{number:.4g}" for number in numbers.tolist())

    return answers(judged, places, lambda place: Claim(told(given[place]), told(true[place]), bool(near[place])))


def _scatter(given: Array, true: Array) -> Drawn:
    def draw(figure: Any, palette: Palette) -> None:
        axes = figure.subplots()
        ends = [float(min(given.min(), true.min())), float(max(given.max(), true.max()))]
        axes.plot(ends, ends, color=palette.faint, linestyle="--", linewidth=1)
        axes.scatter(true, given, s=14, color=palette.right, alpha=0.6, linewidths=0)
        axes.set(xlabel="true", ylabel="predicted", aspect="equal")
        axes.grid()

    alt = f"{len(true)} predictions against the truth, {true.min():.4g} to {true.max():.4g}."
    return Drawn("scatter", alt, (4.8, 4.6), draw)


def _residuals(given: Array, off: Array) -> Drawn:
    def draw(figure: Any, palette: Palette) -> None:
        axes, counts = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        axes.axhline(0, color=palette.faint, linestyle="--", linewidth=1)
        axes.scatter(given, off, s=14, color=palette.right, alpha=0.6, linewidths=0)
        axes.set(xlabel="predicted", ylabel="predicted less true")
        axes.grid()
        counts.hist(off.ravel(), bins="auto", orientation="horizontal", color=palette.faint)
        counts.set(xlabel="examples")

    alt = f"Residuals from {off.min():.4g} to {off.max():.4g}, mean {off.mean():.4g}."
    return Drawn("residuals", alt, (6.2, 3.8), draw, least=440)
