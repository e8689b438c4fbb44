"""Networks that carry a loss of their own: trained whole, by what their spec names, on data of their task."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backbone import import_loader
from zoo.dataset import Dataset, Objects
from zoo.errors import DatasetError, InputError, OptionError
from zoo.inputs import prepare_all
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.pairs import Pair
from zoo.progress import busy
from zoo.runtime import Array
from zoo.saved import saved_facts, write_saved
from zoo.specs import BackboneSpec, WeightsSpec
from zoo.task import Failed
from zoo.transfer.features import MAX_UNREADABLE, require_readable
from zoo.transfer.fitted import History, Training
from zoo.transfer.splits import Opened, held_out, open_data
from zoo.transfer.training import fit

Pictures = list[tuple[Array, Objects]]


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
    """A model whose network was trained whole. failed: the examples that could not be read."""

    def __init__(self, source: Model, history: History, training: Training, failed: tuple[Failed, ...] = ()) -> None:
        super().__init__(source.pair, source.task, source.runtime, device=source.device, precision=source.precision)
        self.history = history
        self.training = training
        self.failed = failed
        self.test = None

    @property
    def name(self) -> str:
        """`TASK/BACKBONE` and what it was fitted to: no figure of it is one of the published network."""
        return f"{self.pair.name} fitted to {self.training.dataset}"

    def report(self, out: Any, data: Any = None, **options: Any) -> Path:
        """Raises OptionError: the pages tell how a head answered with classes, labels or a number."""
        raise OptionError(
            f"{self.name!r} was trained whole, and there is no page about a {self.task.spec.name} model yet: 'zoo eval "
            "MODEL DATA' (evaluate) gives its figures, 'zoo predict MODEL PICTURE --out FOLDER' draws what it finds"
        )

    def save(self, path: Any) -> Path:
        """See `zoo.Model.save`; history and how it was trained travel along."""
        told = {"history": dict(self.history.history), "epoch": self.history.epoch, "training": asdict(self.training)}
        kept = {self.pair.output: self.files(self.pair.output)}
        return write_saved(Path(path), self.task.spec.name, self.spec, kept, lambda folder: {"whole": told})


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
    training = opened.training.dataset
    places = _classes(training)
    labels = LabelSpace(
        "own", {place: training.labels.label(id) for id, place in places.items()} if training.labels else {}
    )
    shown, failed = _shown(model, training, places, max_unreadable)
    if isinstance(opened.validation, Opened):
        judged, more = _shown(model, opened.validation.dataset, places, max_unreadable)
        failed += more
    else:
        rows = held_out(np.zeros((len(shown), 1), np.float32), (opened.validation, 0.0), seed, labels)
        shown, judged = ([shown[place] for place in part] for part in rows[:2])
    weights = model.files(model.pair.output)["weights"]
    folder = Path(tempfile.mkdtemp(prefix="zoo-trained-"))
    trainer: Trainer = import_loader(str(model.spec.trainer), f"backbone {model.spec.name!r}")
    with busy(f"training {model.spec.name}"):
        history = trainer(
            Lesson(model.spec, weights, shown, judged, labels, epochs, batch_size, learning_rate, seed),
            folder / model.pair.output,
        )
    told = Training(
        "full",
        "own",
        training.name,
        training.fingerprint(),
        len(shown),
        len(judged),
        seed,
        {"training": round(time.perf_counter() - begun, 3)},
        (f"{len(failed)} examples could not be read",) if failed else (),
    )
    count = len(next(iter(history.values())))
    found = _relabelled(model, labels, folder / model.pair.output)
    made = WholeModel(found, History(history, list(range(count))), told, tuple(failed))
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def load_whole(folder: Path, source: Model) -> WholeModel:
    """The model that `WholeModel.save` wrote into `folder`, on `source`; its training is told again."""
    told = saved_facts(folder)["whole"]
    training = Training(**told["training"] | {"notes": tuple(told["training"]["notes"])})
    return WholeModel(source, History(told["history"], told["epoch"]), training)


def _classes(dataset: Dataset) -> dict[int, int]:
    """The dataset's ids, in order, to 0..n-1; those that an object has."""
    ids = sorted({id for example in dataset for id in example.target.ids})
    if not ids:
        raise DatasetError(f"{dataset.name!r} has no object to learn from")
    if dataset.labels is None:
        raise DatasetError(f"{dataset.name!r} names no classes; give labels=")
    return {id: place for place, id in enumerate(ids)}


def _shown(
    model: Model, dataset: Dataset, places: Mapping[int, int], limit: int | float
) -> tuple[Pictures, list[Failed]]:
    """The readable inputs of `dataset` with their objects, in the numbers of `places`; others are left out."""
    found: Pictures = []
    failed = []
    examples = list(dataset)
    for example, item in zip(examples, prepare_all((row.input for row in examples), model.spec.input), strict=True):
        if isinstance(item, InputError):
            failed.append(Failed.of(item))
            continue
        known = [place for place, id in enumerate(example.target.ids) if id in places]
        crowd = example.target.crowd or (False,) * len(example.target.ids)
        objects = replace(
            example.target,
            boxes=tuple(example.target.boxes[place] for place in known),
            ids=tuple(places[example.target.ids[place]] for place in known),
            crowd=tuple(crowd[place] for place in known),
            areas=(),
        )
        found.append((np.asarray(item.value), objects))
    require_readable(failed, dataset, limit)
    return found, failed


def _relabelled(model: Model, labels: LabelSpace, weights: Path) -> Model:
    """`model` with the network at `weights`, which answers in `labels`; no published figure holds for it."""
    name = model.pair.output
    facts = {"labels": tuple(labels.names.values()), "weights": WeightsSpec(path=str(weights))}
    outputs = {name: model.spec.outputs[name].model_copy(update=facts)}
    spec = model.spec.model_copy(update={"outputs": outputs, "published": (), "aliases": ()})
    pair = Pair(model.pair.task, spec, name, "ready")
    return Model(pair, model.task, model.runtime, device=model.device, precision=model.precision)
