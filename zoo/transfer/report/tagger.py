"""The report of a model that gives every example any number of labels: each label is a yes or a no by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from zoo.metrics import proportion
from zoo.runtime import Array
from zoo.transfer.report.classes import MISTAKES, SHOWN, class_row, score, told_row
from zoo.transfer.report.classifier import by_class, within
from zoo.transfer.report.drawing import Drawn, Palette
from zoo.transfer.report.judged import Judged, evenly
from zoo.transfer.report.kind import Report
from zoo.transfer.report.page import Section, figure, shown
from zoo.transfer.report.shown import Answer, Claim, answers, grid, shortened

YES = 0.5  # the probability from which a label is given
DRAWN = 8  # labels with a curve of their own; more can't be told apart


def report(judged: Judged) -> Report:
    """What there is to say of `judged`, whose targets and logits are [n, labels]."""
    from scipy.special import expit

    scores, true = np.asarray(expit(judged.logits.astype(np.float64))), judged.targets.astype(bool)
    given = scores >= YES
    rows = tuple(
        class_row(label, int((given[:, id] & true[:, id]).sum()), int(true[:, id].sum()), int(given[:, id].sum()))
        for id, label in enumerate(judged.labels)
    )
    whole = class_row("", int((given & true).sum()), int(true.sum()), int(given.sum()))
    exact = proportion(int((given == true).all(-1).sum()), len(judged))
    # How sure it was of the surest label that it got wrong.
    error = np.where(given != true, np.abs(scores - YES), -1.0).max(-1)
    wrong = [int(place) for place in np.argsort(-error, kind="stable")[:MISTAKES] if error[place] >= 0]
    seen, mistakes = (_claims(judged, scores, true, places) for places in (evenly(len(judged), SHOWN), wrong))
    curves, precision = _curves(judged.labels, scores, true)
    macro = _mean([row.f1.value for row in rows if row.f1 is not None])
    cards = (
        ("Micro F1", _told(whole.f1.value if whole.f1 else None), within(whole.f1, "{:.3f}") if whole.f1 else ""),
        ("Macro F1", _told(macro), "mean over labels"),
        ("Mean average precision", _told(_mean(list(precision.values()))), "over labels"),
        ("All labels right", f"{exact.value:.1%}", within(exact)),
        ("Examples", f"{len(judged):,}", f"{len(judged.failed)} unreadable"),
    )
    what = "Pictures" if judged.kind == "image" else "Texts"
    sections = (
        Section(
            "By label", by_class("label", rows), f"A label is given from {YES:.0%}. 95 % intervals; headings sort."
        ),
        Section("Precision and recall", figure(curves), "Over all thresholds; the labels with the most examples."),
        Section(f"{what} with their predictions", shown(judged.kind, what, seen), "The true labels in brackets."),
        Section(
            "Most confident mistakes",
            shown(judged.kind, "Mistakes", mistakes) if mistakes else "<p>There are none: every label is right.</p>",
        ),
    )
    told: dict[str, Any] = {
        "metrics": {
            "micro_f1": score(whole.f1) or {"value": None},
            "macro_f1": {"value": macro, "n": len(judged)},
            "exact_match": score(exact),
        },
        "labels": [told_row(row) | {"average_precision": precision.get(row.label)} for row in rows],
        "mistakes": [{"id": one.id, **asdict(one.claim)} for one in mistakes],
    }
    drawn = (curves, *([grid(seen)] if judged.kind == "image" else []))
    return Report(cards, sections, drawn, told)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _claims(judged: Judged, scores: Array, true: Array, places: Sequence[int]) -> list[Answer]:
    def claim(place: int) -> Claim:
        given = [id for id in np.argsort(-scores[place]).tolist() if scores[place, id] >= YES]
        told = ", ".join(f"{judged.labels[id]} {scores[place, id]:.0%}" for id in given)
        wanted = [label for label, there in zip(judged.labels, true[place], strict=True) if there]
        right = bool(((scores[place] >= YES) == true[place]).all())
        return Claim(told or "none", ", ".join(wanted) or "none", right)

    return answers(judged, places, claim)


def _curves(labels: Sequence[str], scores: Array, true: Array) -> tuple[Drawn, dict[str, float]]:
    """The precision-recall curves, and the average precision of each label that has examples."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    there = [id for id in np.argsort(-true.sum(0), kind="stable").tolist() if true[:, id].any()]
    precision = {labels[id]: float(average_precision_score(true[:, id], scores[:, id])) for id in there}

    def draw(figure: Any, palette: Palette) -> None:
        from matplotlib import colormaps

        axes = figure.subplots()
        for number, id in enumerate(there[:DRAWN]):
            shares, recalls, _ = precision_recall_curve(true[:, id], scores[:, id])
            name = f"{shortened(labels[id])} (AP {precision[labels[id]]:.2f})"
            style = ("-", "--", "-.", ":")[number // 2 % 4]
            axes.step(recalls, shares, where="post", color=colormaps["tab10"](number), linestyle=style, label=name)
        axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        axes.grid()
        if there:
            axes.legend(loc="lower left", fontsize=8)

    told = "; ".join(f"{label} {value:.3f}" for label, value in list(precision.items())[:DRAWN])
    return Drawn("precision_recall", f"Precision and recall, average precision: {told}.", (6.2, 4.6), draw), precision
