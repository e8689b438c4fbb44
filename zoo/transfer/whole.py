"""Networks that carry a loss of their own: trained whole, by what their spec names, on data of their task."""

from __future__ import annotations

import inspect
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.backbone import import_loader
from zoo.dataset import Dataset
from zoo.errors import LabelError, OptionError, WeightsError
from zoo.evaluation import Evaluation, read_evaluation
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.pairs import Pair
from zoo.progress import busy
from zoo.saved import saved_facts, write_saved
from zoo.specs import BackboneSpec, WeightsSpec
from zoo.task import Failed
from zoo.transfer.features import MAX_UNREADABLE
from zoo.transfer.fitted import History, Training
from zoo.transfer.held import HeldOut, read_held_out
from zoo.transfer.objects import Pictures, divided
from zoo.transfer.splits import open_data
from zoo.transfer.training import fit


@dataclass(frozen=True)
class Lesson:
    """What a trainer learns from, and how. spec, weights: the network as it is now, and its file.

    train, validation: (what the spec's input describes, `Objects` whose ids are those of `labels`), in fixed order.
    labels: the classes, 0..n-1. epochs, batch_size, learning_rate: None for the trainer's own.
    """

    spec: BackboneSpec
    weights: Path
    train: Pictures
    validation: Pictures
    labels: LabelSpace
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    seed: int


# Trains on a lesson and writes weights, of the form that the spec's loader reads, into the folder, which it makes;
# returns the history in Keras' words.
Trainer = Callable[[Lesson, Path], Mapping[str, list[float]]]


class WholeModel(Model):
    """A model whose network was trained whole. failed: the examples that could not be read; held: on what judged.

    before, after: what the network scored on what was held out, as it began and as it is now; before is None where it
        began with other classes, so that its answers mean nothing there.
    """

    test = None  # it has no part for a test yet

    def __init__(
        self,
        source: Model,
        history: History,
        training: Training,
        failed: tuple[Failed, ...] = (),
        held: HeldOut | None = None,
        before: Evaluation | None = None,
        after: Evaluation | None = None,
    ) -> None:
        super().__init__(
            source.pair,
            source.task,
            source.runtime,
            device=source.device,
            precision=source.precision,
            weights=source.weights,
            trust_code=source.trust_code,
            named=source.named,
        )
        self.history = history
        self.training = training
        self.failed = failed
        self.held = held
        self.before = before
        self.after = after

    @property
    def name(self) -> str:
        """`TASK/BACKBONE` and what it was fitted to: no figure of it is one of the published network."""
        return f"{self.pair.name} fitted to {self.training.dataset}"

    def report(self, out: str | os.PathLike[str], data: Any = None, **options: Any) -> Path:
        """Write report.html, report.json and PNG files into the folder `out`; returns the page's path.

        data: what to report on, with `options` as `evaluate` takes them; by default what was held out in fitting.
        What the page shows is the task's (`zoo.Task.report`). See `zoo.transfer.report.write_report`.
        """
        from zoo.transfer.report import write_report

        return write_report(self, out, data, **options)

    def save(self, path: Any) -> Path:
        """See `zoo.Model.save`; history, scores and how it was trained travel along."""

        def more(folder: Path) -> dict[str, Any]:
            facts = {
                "history": dict(self.history.history),
                "epoch": self.history.epoch,
                "training": asdict(self.training),
                "held": self.held and self.held.save(folder),
                "before": self.before and self.before.to_json(),
                "after": self.after and self.after.to_json(),
            }
            return {"whole": facts}

        kept = {self.pair.output: self.files(self.pair.output)}
        return write_saved(Path(path), self.task.spec.name, self.spec, kept, more)


def fit_whole(
    model: Model,
    data: Any,
    *,
    validation: Any = None,
    strategy: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    max_unreadable: int | float = MAX_UNREADABLE,
    **options: Any,
) -> WholeModel:
    """A new model, trained on `data` by the trainer that the spec of its backbone names; `model` stays as it is.

    The arguments are those of `zoo.transfer.fit`; strategy is "full", there is no other.
    Raises OptionError, DatasetError, LabelError.
    """
    if strategy not in (None, "full"):
        raise OptionError(f"strategy={strategy!r} can't be had: {model.spec.name!r} is trained whole; strategy='full'")
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value is not None and value < 1:
            raise OptionError(f"{name}={value!r} is too small; it is at least 1")
    usual = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}
    silent = (None, "none", False)  # as is whatever `fit` has by default
    options = {name: value for name, value in options.items() if value not in (*silent, usual.get(name))}
    if unknown := sorted(set(options) - {"split", "labels", "limit"}):
        raise OptionError(f"{unknown[0]}={options[unknown[0]]!r} means nothing to a network that is trained whole")
    begun = time.perf_counter()
    opened = open_data(model, data, validation, 0, options)
    parts = divided(model, opened, seed, max_unreadable)
    weights = model.files(model.pair.output)["weights"]
    folder = Path(tempfile.mkdtemp(prefix="zoo-trained-"))
    trainer: Trainer = import_loader(str(model.spec.trainer), f"backbone {model.spec.name!r}")
    with busy(f"training {model.spec.name}"):
        history = trainer(
            Lesson(model.spec, weights, *parts.pictures, parts.labels, epochs, batch_size, learning_rate, seed),
            folder / model.pair.output,
        )
    training, failed = opened.training.dataset, parts.failed
    told = Training(
        "full",
        "own",
        training.name,
        training.fingerprint(),
        len(parts.pictures[0]),
        len(parts.pictures[1]),
        seed,
        {"training": round(time.perf_counter() - begun, 3)},
        (f"{len(failed)} examples could not be read",) if failed else (),
    )
    count = len(next(iter(history.values())))
    found = _relabelled(model, parts.labels, folder / model.pair.output)
    scores = (_scored(model, parts.judged), _scored(found, parts.judged))
    made = WholeModel(found, History(history, list(range(count))), told, failed, parts.held, *scores)
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def load_whole(folder: Path, source: Model) -> WholeModel:
    """The model that `WholeModel.save` wrote into `folder`, on `source`; its training is told again."""
    told = saved_facts(folder)["whole"]
    try:
        training = Training(**told["training"] | {"notes": tuple(told["training"]["notes"])})
        held = read_held_out(folder, told["held"]) if told.get("held") else None
        scores = (read_evaluation(told[name]) if told.get(name) else None for name in ("before", "after"))
        return WholeModel(source, History(told["history"], told["epoch"]), training, (), held, *scores)
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise WeightsError(f"the fitted model in {str(folder)!r} lacks {error}; save it again") from error


def _scored(model: Model, judged: Dataset) -> Evaluation | None:
    """What `model` scores; None where its classes and those of `judged` don't meet."""
    try:
        return model.evaluate(judged)
    except LabelError:
        return None


def _relabelled(model: Model, labels: LabelSpace, weights: Path) -> Model:
    """`model` with the network at `weights`, which answers in `labels`; no published figure holds for it."""
    name = model.pair.output
    facts = {"labels": tuple(labels.names.values()), "weights": WeightsSpec(path=str(weights))}
    outputs = {name: model.spec.outputs[name].model_copy(update=facts)}
    spec = model.spec.model_copy(update={"outputs": outputs, "published": (), "aliases": ()})
    pair = Pair(model.pair.task, spec, name, "ready")
    more: dict[str, Any] = {"device": model.device, "precision": model.precision, "named": model.named}
    return Model(pair, model.task, model.runtime, **more, trust_code=model.trust_code)
