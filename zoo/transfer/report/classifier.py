"""The report of a classifier: its headline figures, its sections, its pictures."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.metrics import Score
from zoo.transfer.report.class_drawing import confusion, reliability
from zoo.transfer.report.classes import ClassRow, Findings, findings, told
from zoo.transfer.report.drawing import Drawn
from zoo.transfer.report.judged import Judged
from zoo.transfer.report.kind import Report
from zoo.transfer.report.page import Section, figure, shown, table
from zoo.transfer.report.shown import Answer, Claim, answers, grid


def report(judged: Judged) -> Report:
    """What there is to say of a classifier on `judged`."""
    found = findings(judged)
    matrix, diagram = confusion(found), reliability(found)
    seen, mistakes = _claims(judged, found.shown), _claims(judged, found.mistakes)
    drawn = [matrix, diagram, *([grid(seen)] if judged.kind == "image" else [])]
    return Report(_cards(found), _sections(found, matrix, diagram, seen, mistakes), tuple(drawn), told(found))


def _cards(found: Findings) -> tuple[tuple[str, str, str], ...]:
    return (
        ("Accuracy", f"{found.accuracy.value:.1%}", within(found.accuracy)),
        ("Macro F1", f"{found.macro_f1.value:.3f}", within(found.macro_f1, "{:.3f}")),
        ("Log loss", f"{found.log_loss.value:.3f}", within(found.log_loss, "{:.3f}")),
        ("Calibration error", f"{found.ece:.3f}", "0 is perfect (ECE)"),
        ("Examples", f"{len(found.judged):,}", f"{len(found.judged.failed)} unreadable"),
    )


def within(score: Score, form: str = "{:.1%}") -> str:
    """The interval of a score in words."""
    if score.low is None or score.high is None:
        return "no interval"
    return f"95% interval {form.format(score.low)} to {form.format(score.high)}"


def _sections(
    found: Findings, matrix: Drawn, diagram: Drawn, seen: Sequence[Answer], mistakes: Sequence[Answer]
) -> tuple[Section, ...]:
    judged = found.judged
    what = "Pictures" if judged.kind == "image" else "Texts"
    wrong = int((~judged.right).sum())
    return (
        Section(
            "Confusion matrix",
            f"<div class=beside><div>{figure(matrix)}</div><div>{_pairs(found)}</div></div>",
            "A row for each true class, a column for each prediction; colour is the share of the row.",
        ),
        Section(
            f"{what} with their predictions",
            shown(judged.kind, what, seen),
            "Blue: right; red, with a cross: wrong; the true label in brackets. Class after class in turn.",
        ),
        Section(
            "Most confident mistakes",
            shown(judged.kind, "Mistakes", mistakes)
            if mistakes
            else "<p>There are none: every prediction is right.</p>",
            f"The {len(mistakes)} surest of {wrong} wrong predictions: look here for wrong labels." if mistakes else "",
        ),
        Section(
            "By class",
            by_class("class", found.rows),
            "With 95% intervals; macro F1 is the mean over classes. A heading sorts.",
        ),
        Section(
            "Calibration",
            figure(diagram),
            "Whether answers of 80% are right 8 times in 10. Above the line the model is too modest, below too sure.",
        ),
    )


def _pairs(found: Findings) -> str:
    labels = found.judged.labels
    rows = [(labels[true], labels[answer], count) for true, answer, count in found.confused]
    return table("Most confused", ("true", "taken for", "times"), rows) if rows else ""


def by_class(what: str, rows: Sequence[ClassRow]) -> str:
    """A table of classes, or of labels, with their shares."""

    def share(score: Score | None) -> tuple[str, float | None]:
        if score is None:
            return "–", None
        assert score.low is not None
        assert score.high is not None
        return f"{score.value:.3f} [{max(score.low, 0):.2f}, {score.high:.2f}]", score.value

    cells = [
        (row.label, share(row.precision), share(row.recall), share(row.f1), (f"{row.support:,}", row.support))
        for row in rows
    ]
    return table(f"By {what}", (what, "precision", "recall", "F1", "support"), cells, sortable=True)


def _claims(judged: Judged, places: Sequence[int]) -> list[Answer]:
    def claim(place: int) -> Claim:
        answer, true = judged.labels[judged.answers[place]], judged.labels[judged.targets[place]]
        return Claim(f"{answer} {judged.scores[place].max():.0%}", true, bool(judged.right[place]))

    return answers(judged, places, claim)
