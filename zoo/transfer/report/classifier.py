"""The report of a classifier: its headline figures, its sections, its pictures."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from zoo.metrics import Score
from zoo.transfer.report.class_drawing import confusion, pictures, reliability, sources, thumbnail
from zoo.transfer.report.classes import Findings, findings, told
from zoo.transfer.report.drawing import Drawn
from zoo.transfer.report.judged import Judged
from zoo.transfer.report.kind import Report
from zoo.transfer.report.page import Answer, Section, figure, gallery, table, texts

LONGEST = 280  # characters of a text that are shown


def report(judged: Judged) -> Report:
    """What there is to say of a classifier on `judged`."""
    found = findings(judged)
    matrix, diagram = confusion(found), reliability(found)
    drawn: list[Drawn] = [matrix, diagram, *([pictures(found)] if judged.kind == "image" else [])]
    return Report(_cards(found), _sections(found, matrix, diagram), tuple(drawn), told(found))


def _cards(found: Findings) -> tuple[tuple[str, str, str], ...]:
    return (
        ("Accuracy", f"{found.accuracy.value:.1%}", _within(found.accuracy)),
        ("Macro F1", f"{found.macro_f1:.3f}", "mean over classes"),
        ("Log loss", f"{found.log_loss.value:.3f}", _within(found.log_loss, "{:.3f}")),
        ("Calibration error", f"{found.ece:.3f}", "0 is perfect (ECE)"),
        ("Examples", f"{len(found.judged):,}", f"{len(found.judged.failed)} unreadable"),
    )


def _within(score: Score, form: str = "{:.1%}") -> str:
    if score.low is None or score.high is None:
        return "no interval"
    return f"95 % interval {form.format(score.low)} to {form.format(score.high)}"


def _sections(found: Findings, matrix: Drawn, diagram: Drawn) -> tuple[Section, ...]:
    judged = found.judged
    what = "Pictures" if judged.kind == "image" else "Texts"
    mistakes = _answers(judged, found.mistakes)
    show = gallery if judged.kind == "image" else lambda answers: texts(what, answers)
    wrong = int((~judged.right).sum())
    return (
        Section(
            "Confusion matrix",
            f"<div class=beside><div>{figure(matrix)}</div><div>{_pairs(found)}</div></div>",
            "A row for each true class, a column for each prediction; colour is the share of the row.",
        ),
        Section(
            f"{what} with their predictions",
            show(_answers(judged, found.shown)),
            "Blue: right; red, with a cross: wrong; the true label in brackets. Class after class in turn.",
        ),
        Section(
            "Most confident mistakes",
            show(mistakes) if mistakes else "<p>There are none: every prediction is right.</p>",
            f"The {len(mistakes)} surest of {wrong} wrong predictions: look here for wrong labels." if mistakes else "",
        ),
        Section("By class", _by_class(found), "With 95 % intervals. A heading sorts."),
        Section(
            "Calibration",
            figure(diagram),
            "Whether answers of 80 % are right 8 times in 10. Above the line the model is too modest, below too sure.",
        ),
    )


def _pairs(found: Findings) -> str:
    labels = found.judged.labels
    rows = [(labels[true], labels[answer], count) for true, answer, count in found.confused]
    return table("Most confused", ("true", "taken for", "times"), rows) if rows else ""


def _by_class(found: Findings) -> str:
    def share(score: Score | None) -> tuple[str, float | None]:
        if score is None:
            return "–", None
        assert score.low is not None
        assert score.high is not None
        return f"{score.value:.3f} [{max(score.low, 0):.2f}, {score.high:.2f}]", score.value

    rows = [
        (row.label, share(row.precision), share(row.recall), share(row.f1), (f"{row.support:,}", row.support))
        for row in found.rows
    ]
    return table("By class", ("class", "precision", "recall", "F1", "support"), rows, sortable=True)


def _answers(judged: Judged, places: Sequence[int]) -> list[Answer]:
    inputs = sources(judged, places)
    return [
        Answer(
            judged.ids[place],
            judged.labels[judged.answers[place]],
            judged.labels[judged.targets[place]],
            float(judged.scores[place].max()),
            bool(judged.right[place]),
            _jpeg(source) if judged.kind == "image" else None,
            textwrap.shorten(str(source), LONGEST, placeholder=" …") if judged.kind == "text" else "",
        )
        for place, source in zip(places, inputs, strict=True)
    ]


def _jpeg(source: object) -> bytes | None:
    shown = thumbnail(source)
    if shown is None:
        return None
    stream = io.BytesIO()
    shown.save(stream, "JPEG", quality=85)
    return stream.getvalue()
