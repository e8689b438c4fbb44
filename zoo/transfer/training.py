"""Fitting: data become features, features are split, a head is trained on them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import OptionError, PairError
from zoo.model import Model
from zoo.progress import busy
from zoo.runtime import Array
from zoo.transfer.descent import Settings, descend
from zoo.transfer.features import extract
from zoo.transfer.fitted import FittedModel, History, Training
from zoo.transfer.heads import Head, solve_logistic
from zoo.transfer.held import HeldOut
from zoo.transfer.objective import Objective, objective_of
from zoo.transfer.splits import held_out, open_datasets

STRATEGIES = ("frozen",)
HEADS = ("auto", "logistic", "linear", "hidden")
EPOCHS = 30
AT_ONCE = 32  # inputs that the network takes; in batches of 367 the pictures of a MobileNetV2 take twice as long
MANY = 20_000  # examples, from which solving for the optimum takes longer than descending towards it


def fit(
    model: Model,
    data: Any,
    *,
    validation: Any = 0.2,
    strategy: str = "frozen",
    head: Any = "auto",
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    dropout: float = 0.2,
    c: float = 1.0,
    class_weight: str | Mapping[int, float] | None = None,
    callbacks: Sequence[Any] = (),
    seed: int = 0,
    **options: Any,
) -> FittedModel:
    """A new model whose head is trained on `data`; `model` itself stays as it is.

    data: a dataset's name or path, `(x, y)`, or a `tf.data.Dataset`, as `Model.evaluate` takes it; `options` beside it
        (`split`, `input_column`, `label_column`, `labels`) likewise.
    validation: the share held out, class by class, or a dataset.
    strategy: "frozen": the backbone stays as it is, each example passes it once, and its features are kept on disk.
    head: "logistic" is solved to its optimum; "linear" (dropout, one layer) and "hidden" (a layer of 256, ReLU,
        dropout) are trained by Keras with Adam; or a Keras layer, or a callable of a Keras tensor. "auto" is
        "logistic" for up to 20,000 examples, "linear" where there are more or where `epochs` are given.
    epochs, batch_size, learning_rate, dropout, callbacks: as Keras has them; c: the inverse of logistic regression's
        penalty; class_weight: "balanced", or a weight by class number; seed: of split and training.
    Raises PairError, OptionError, DatasetError, LabelError.
    """
    _check(model, strategy, head, epochs, batch_size)
    begun = time.perf_counter()
    training, apart = open_datasets(model, data, validation, options)
    objective = objective_of(training)
    at_once = min(batch_size, AT_ONCE)
    found = extract(model, training, batch_size=at_once)
    if apart is None:
        places = held_out(found.targets, float(validation), seed, objective.labels)
        train, test = ((found.features[part], found.targets[part]) for part in places)
        held = HeldOut.of(training, options, places[1])
    else:
        train, test = (found.features, found.targets), _features(model, apart, objective, at_once)
        held = HeldOut.of(apart, {name: value for name, value in options.items() if name != "split"})
    objective.require(train[1], training.name)
    extracted = time.perf_counter()
    kind = ("logistic" if epochs is None and len(train[1]) <= MANY else "linear") if head == "auto" else head
    weighted = objective.class_weights(class_weight, train[1])
    if kind == "logistic":
        with busy("solving the head"):
            trained: Head = solve_logistic(*train, c=c, class_weight=weighted, seed=seed)
        history = History(_scores(objective, trained, train, "") | _scores(objective, trained, test, "val_"), [0])
    else:
        settings = Settings(epochs or EPOCHS, batch_size, learning_rate, callbacks, weighted, seed)
        trained, history = descend(kind, train, test, objective, dropout, settings)
    told = Training(
        strategy,
        kind if isinstance(kind, str) else type(kind).__name__,
        training.name,
        training.fingerprint(),
        len(train[1]),
        len(test[1]),
        seed,
        {"features": round(extracted - begun, 3), "head": round(time.perf_counter() - extracted, 3)},
        (f"{len(found.failed)} examples could not be read",) if found.failed else (),
    )
    return FittedModel(model, trained, objective.labels, history, told, found.failed, held)


def _check(model: Model, strategy: str, head: Any, epochs: int | None, batch_size: int) -> None:
    if model.task.spec.targets != "class":
        raise PairError(f"task {model.task.spec.name!r} has no head that can be fitted; 'classification' has")
    if "features" not in model.spec.outputs:
        offers = ", ".join(map(repr, model.spec.outputs))
        raise PairError(f"backbone {model.spec.name!r} offers {offers}; a head is fitted on 'features'")
    if strategy not in STRATEGIES:
        raise OptionError(f"there is no strategy {strategy!r}; there are {', '.join(map(repr, STRATEGIES))}")
    if isinstance(head, str) and head not in HEADS:
        raise OptionError(f"there is no head {head!r}; there are {', '.join(map(repr, HEADS))}, or a Keras layer")
    if epochs is not None and (epochs < 1 or head == "logistic"):
        why = "head 'logistic' is solved, not descended to" if head == "logistic" else "it is at least 1"
        raise OptionError(f"epochs={epochs!r} means nothing: {why}")
    if batch_size < 1:
        raise OptionError(f"batch_size={batch_size!r} is too small; it is at least 1")


def _features(model: Model, dataset: Dataset, objective: Objective, batch_size: int) -> tuple[Array, Array]:
    found = extract(model, dataset, batch_size=batch_size)
    return found.features, objective.translated(found.targets, dataset)


def _scores(objective: Objective, head: Head, examples: tuple[Array, Array], prefix: str) -> dict[str, list[float]]:
    found = objective.scores(head(np.asarray(examples[0], np.float32)), examples[1])
    return {f"{prefix}{name}": [value] for name, value in found.items()}
