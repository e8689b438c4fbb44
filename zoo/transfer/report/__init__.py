"""Reports: how a fitted model was trained and how well it does, as one page, its pictures, and JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backbone import import_loader
from zoo.errors import DatasetError, OptionError
from zoo.progress import busy
from zoo.weights import digest

if TYPE_CHECKING:
    from zoo.dataset import Dataset
    from zoo.evaluation import Evaluation
    from zoo.runtime import Array
    from zoo.transfer.fitted import FittedModel
    from zoo.transfer.report.judged import Judged
    from zoo.transfer.report.kind import Report
    from zoo.transfer.report.predicted import Predicted
    from zoo.transfer.whole import WholeModel

FORMAT = 1  # of report.json
PAGE, FACTS = "report.html", "report.json"
# What a head answers -> the module's function `report(judged) -> Report` that knows what to say of it. Of a model that
# was trained whole its task knows (`zoo.Task.report`).
KINDS = {
    "class": "zoo.transfer.report.classifier:report",
    "classes": "zoo.transfer.report.tagger:report",
    "number": "zoo.transfer.report.regressor:report",
}


def write_report(
    fitted: FittedModel | WholeModel, out: str | os.PathLike[str], data: Any = None, **options: Any
) -> Path:
    """Write report.html, report.json and a PNG for each figure into the folder `out`; returns the page's path.

    data: a dataset's name or path, `(x, y)`, ..., as `Model.evaluate` takes it, with `options` beside it; by default
        what was held out when the model was fitted. Features come from the cache where they are there.
    Raises MissingPackageError without matplotlib, DatasetError, LabelError, OptionError where `out` can't be written.
    """
    from zoo.transfer.report import drawing, page

    drawing.require()
    folder = _folder(out)
    judged = _judged(fitted, data, options)
    with busy("drawing the report"):
        found = _found(fitted, judged)
        training = _training(fitted)
        curves = drawing.curves(fitted.history.history) if fitted.history.history else None
        drawn = [*([curves] if curves else []), *found.drawn]
        parts = [page.Section("Training", page.figure(curves), _how(fitted))] if curves else []
        parts += [*found.sections, _unreadable(judged), page.Section("How it was trained", page.facts(training))]
        whole = page.page(fitted.name, judged.source, found.cards, [part for part in parts if part is not None])
        facts = {
            "format": FORMAT,
            "model": fitted.name,
            "data": {"name": judged.dataset.name, "examples": len(judged), "which": judged.source},
            **found.told,
            "history": dict(fitted.history.history),
            "training": training,
            "test": fitted.test and fitted.test.to_json(),
            "unreadable": [failed.to_json() for failed in judged.failed],
        }
        files = {f"{one.name}.png": one.light for one in drawn}
    files |= {FACTS: _json(facts).encode(), PAGE: whole.encode()}
    for name, content in files.items():
        _put(folder / name, content)
    return folder / PAGE


def _json(facts: dict[str, Any]) -> str:
    """JSON to be read by people too: a list of numbers on one line."""
    text = json.dumps(facts, indent=1)
    return re.sub(r"\[[-+.e\d,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def _found(fitted: FittedModel | WholeModel, judged: Judged | Predicted) -> Report:
    from zoo.transfer.report.predicted import Predicted

    if isinstance(judged, Predicted):
        return fitted.task.report(judged)
    kind = import_loader(KINDS[judged.kind_of_targets], f"the report of {judged.kind_of_targets!r}")
    report: Report = kind(judged)
    return report


def _judged(fitted: FittedModel | WholeModel, data: Any, options: Mapping[str, Any]) -> Judged | Predicted:
    """The examples that the report is on: all of `data`, or what was held out."""
    from zoo.transfer.report.predicted import Predicted
    from zoo.transfer.whole import WholeModel

    if data is not None:
        dataset = fitted.dataset(data, **options)
        return _on(fitted, dataset, None, f"On all examples of {dataset.name}")
    if any(value is not None for value in options.values()):
        named = ", ".join(name for name, value in options.items() if value is not None)
        raise OptionError(f"{named} without data means nothing: the report is on what was held out; give data=...")
    if fitted.held is None:
        raise DatasetError(f"{fitted.name!r} does not say what was held out; name the data to report on (data=...)")
    dataset, places = fitted.held.dataset(fitted), fitted.held.places
    which = "held out for validation" if places is not None else "that are its validation data"
    count = f"{len(places):,} examples" if places is not None else "examples"
    judged = _on(fitted, dataset, places, f"On {count} of {dataset.name} {which}")
    # What could not be read of the training data belongs here too, where these are another dataset.
    failed = {failed.input: failed for failed in (*fitted.failed, *judged.failed)}
    judged = replace(judged, failed=tuple(failed.values()))
    if isinstance(judged, Predicted) and isinstance(fitted, WholeModel):
        return replace(judged, before=fitted.before.metrics if fitted.before else {})
    return judged


def _on(fitted: FittedModel | WholeModel, dataset: Dataset, places: Array | None, source: str) -> Judged | Predicted:
    from zoo.transfer.report.judged import judge
    from zoo.transfer.report.predicted import predict
    from zoo.transfer.whole import WholeModel

    if isinstance(fitted, WholeModel):
        return predict(fitted, dataset, places, source)
    return judge(fitted, dataset, places, source)


def _how(fitted: FittedModel | WholeModel) -> str:
    from zoo.transfer.head_training import SOLVED

    if max(map(len, fitted.history.history.values())) < 2:
        solved = fitted.training.strategy == "frozen" and fitted.training.head in SOLVED
        return "Solved to its optimum in one step: there are no epochs to draw." if solved else "After a single epoch."
    return "By epoch; the dashed line is on what was trained on, the other on what was held out."


def _unreadable(judged: Judged | Predicted) -> Any:
    from zoo.transfer.report import page

    if not judged.failed:
        return None
    rows = [(failed.input, str(failed.error)) for failed in judged.failed]
    told = f"{len(rows):,} examples could not be read, and are in no figure."
    return page.Section("Unreadable files", page.table("Unreadable files", ("file", "why"), rows), told)


def _training(fitted: FittedModel | WholeModel) -> dict[str, Any]:
    """How the model was trained and what ran, by what people call it."""
    from zoo.transfer.whole import WholeModel

    told = asdict(fitted.training)
    seconds = told.pop("seconds", {})
    if told["frozen"] is None:  # how many of its numbers were trained is not known
        told.pop("trained")
    takes = fitted.pair.output if isinstance(fitted, WholeModel) else fitted.head.takes
    run = fitted.compiled(takes) if fitted.loaded(takes) else None
    found = {
        "backbone": fitted.spec.name,
        "weights": f"sha256 {digest(fitted.files(takes)['weights'])}",
        **{name.replace("_", " "): value for name, value in told.items() if value not in (None, (), {}, [])},
        "test": f"on {fitted.test.dataset}, {fitted.test.n:,} examples: {_scores(fitted.test)}" if fitted.test else "",
        "seconds": ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()),
        "runtime": f"{fitted.runtime.spec.name}, {run.precision} on {run.device}" if run else fitted.runtime.spec.name,
        "versions": ", ".join(
            f"{name} {found}" for name in ("tf-model-zoo", "tensorflow") if (found := _version(name))
        ),
    }
    return {
        name: "; ".join(value) if isinstance(value, tuple) else value for name, value in found.items() if value != ""
    }


def _scores(test: Evaluation) -> str:
    return ", ".join(f"{name} {score}" for name, score in test.metrics.items())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"the folder {str(folder)!r} can't be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OptionError(f"the folder {str(folder)!r} can't be written")
    return folder


def _put(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all; one of an earlier report is replaced."""
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as error:
        raise OptionError(f"{str(file)!r} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
