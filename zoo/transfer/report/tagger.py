"""The report of a model that gives every example any number of labels: each label is a yes or a no by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from zoo.metrics import Score, average_precision, bootstrap, proportion
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
    exact = proportion(int((given == true).all(-1).sum()), len(judged))
    # How sure it was of the surest label that it got wrong.
    error = np.where(given != true, np.abs(scores - YES), -1.0)
    order = np.argsort(-error.max(-1), kind="stable")[:MISTAKES]
    wrong = [int(place) for place in order if error[place].max() >= 0]
    seen = _claims(judged, scores, true, evenly(len(judged), SHOWN))
    mistakes = _claims(judged, scores, true, wrong, error.argmax(-1))
    curves, precision = _curves(judged.labels, scores, true)
    micro, macro, mean_precision = _overall(scores, given, true)
    cards = (
        _card("Micro F1", micro),
        _card("Macro F1", macro),
        _card("Mean average precision", mean_precision),
        ("All labels right", f"{exact.value:.1%}", within(exact)),
        ("Examples", f"{len(judged):,}", f"{len(judged.failed)} unreadable"),
    )
    what = "Pictures" if judged.kind == "image" else "Texts"
    sections = (
        Section(
            "By label",
            by_class("label", rows),
            f"A label is given from {YES:.0%}. With 95% intervals; macro F1 is the mean over labels with examples. "
            "A heading sorts.",
        ),
        Section("Precision and recall", figure(curves), "Over all thresholds; the labels with the most examples."),
        Section(f"{what} with their predictions", shown(judged.kind, what, seen), _SEEN),
        Section(
            "Most confident mistakes",
            shown(judged.kind, "Mistakes", mistakes) if mistakes else "<p>There are none: every label is right.</p>",
            "Each with the label that it was surest of, and wrong: given and not there, or there and not given."
            if mistakes
            else "",
        ),
    )
    told: dict[str, Any] = {
        "metrics": {
            "micro_f1": score(micro) or {"value": None},
            "macro_f1": score(macro) or {"value": None},
            "map": score(mean_precision) or {"value": None},
            "exact_match": score(exact),
        },
        "labels": [told_row(row) | {"average_precision": precision.get(row.label)} for row in rows],
        "mistakes": [{"id": one.id, **asdict(one.claim)} for one in mistakes],
    }
    drawn = (curves, *([grid(seen)] if judged.kind == "image" else []))
    return Report(cards, sections, drawn, told)


_SEEN = "Blue: all labels are right; red, with a cross: one is wrong or is missing; the true labels in brackets."


def _overall(scores: Array, given: Array, true: Array) -> tuple[Score | None, Score | None, Score | None]:
    """Micro F1, and over the labels that have examples macro F1 and mean average precision; None without any.

    Intervals come from resampling examples: the labels of one are not independent of each other.
    """
    there = true.any(0)
    if not there.any():
        return None, None, None
    hits, told = (given & true).astype(np.float64), given.astype(np.float64) + true

    def micro(drawn: Array) -> Array:
        return np.asarray(2 * (drawn @ hits.sum(1)) / np.maximum(drawn @ told.sum(1), 1))

    def macro(drawn: Array) -> Array:
        return np.asarray((2 * (drawn @ hits[:, there]) / np.maximum(drawn @ told[:, there], 1)).mean(1))

    def precision(drawn: Array) -> Array:
        columns = zip(scores[:, there].T, true[:, there].T, strict=True)
        found = np.stack([average_precision(*column, drawn) for column in columns])
        known = ~np.isnan(found)
        return np.asarray(np.where(known, found, 0.0).sum(0) / np.maximum(known.sum(0), 1))

    n, once = len(true), np.ones((1, len(true)))
    micro_f1, macro_f1, mean = (
        bootstrap(figure, float(figure(once)[0]), n, least=0.0) for figure in (micro, macro, precision)
    )
    return micro_f1, macro_f1, mean


def _card(name: str, found: Score | None) -> tuple[str, str, str]:
    if found is None:
        return name, "–", "no label has an example"
    return name, f"{found.value:.3f}", within(found, "{:.3f}")


def _claims(
    judged: Judged, scores: Array, true: Array, places: Sequence[int], only: Array | None = None
) -> list[Answer]:
    """What was predicted at `places`: the labels that were given or, of each example, that which `only` [n] says."""

    def claim(place: int) -> Claim:
        given = [id for id in np.argsort(-scores[place]).tolist() if scores[place, id] >= YES]
        given = given if only is None else [int(only[place])]
        told = ", ".join(f"{judged.labels[id]} {scores[place, id]:.0%}" for id in given)
        wanted = [label for label, there in zip(judged.labels, true[place], strict=True) if there]
        right = bool(((scores[place] >= YES) == true[place]).all())
        return Claim(told or "none", ", ".join(wanted) or "none", right)

    return answers(judged, places, claim)


def _curves(labels: Sequence[str], scores: Array, true: Array) -> tuple[Drawn, dict[str, float]]:
    """The precision-recall curves, and the average precision of each label that has examples."""
    from sklearn.metrics import precision_recall_curve

    there = [id for id in np.argsort(-true.sum(0), kind="stable").tolist() if true[:, id].any()]
    precision = {
        labels[id]: float(average_precision(scores[:, id], true[:, id], np.ones((1, len(true))))[0]) for id in there
    }

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
            axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)

    told = "; ".join(f"{label} {value:.3f}" for label, value in list(precision.items())[:DRAWN])
    return Drawn(
        "precision_recall", f"Precision and recall, average precision: {told}.", (8.4, 4.4), draw, least=560
    ), precision
