"""Fitting: data become features, features are split, a head is trained on them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.errors import OptionError, PairError
from zoo.model import Model
from zoo.pairs import find_pair
from zoo.plugins import installed
from zoo.runtime import Array
from zoo.transfer.augmentation import augmentation
from zoo.transfer.features import MAX_UNREADABLE, extract
from zoo.transfer.fitted import FittedModel, Training
from zoo.transfer.head_training import SOLVED, HeadSettings, evaluation_of, train_head
from zoo.transfer.heads import CONVOLUTIONAL, output_of
from zoo.transfer.held import HeldOut
from zoo.transfer.objective import OBJECTIVES, objective_of
from zoo.transfer.sizes import enlargement, sized
from zoo.transfer.splits import Opened, held_out, open_data
from zoo.transfer.strategies import STRATEGIES
from zoo.transfer.unfrozen import Part, TuningSettings
from zoo.transfer.views import view_features
from zoo.transfer.warming import start_of

HEADS = ("auto", *SOLVED, "linear", "hidden", CONVOLUTIONAL)
HEAD_RATE = 3e-3  # of Adam, for a head alone
AT_ONCE = 32  # inputs that the network takes; in batches of 367 the pictures of a MobileNetV2 take twice as long


def fit(
    model: Model,
    data: Any,
    *,
    validation: Any = None,
    test: Any = None,
    strategy: str = "frozen",
    head: Any = "auto",
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    dropout: float = 0.2,
    c: float = 1.0,
    class_weight: str | Mapping[int, float] | None = None,
    pos_weight: Any = None,
    loss: Any = None,
    size: Any = None,
    callbacks: Sequence[Any] = (),
    seed: int = 0,
    augment: Any = None,
    views: int = 4,
    early_stopping: int | None = None,
    warm_start: bool = False,
    unfreeze: int | Sequence[str] | None = None,
    mixed: Mapping[str, str | float] | None = None,
    batch_norm: str = "inference",
    mixed_precision: bool = False,
    max_unreadable: int | float = MAX_UNREADABLE,
    **options: Any,
) -> FittedModel:
    """A new model whose head is trained on `data`; `model` itself stays as it is.

    data: a dataset's name or path, `(x, y)`, or a `tf.data.Dataset`, as `Model.evaluate` takes it; `options` beside it
        (`split`, `input_column`, `label_column`, `labels`) likewise.
    validation: the share held out, class by class, or a dataset, or a part of `data` by its name ("train[80%:]"); by
        default the validation part that `data` have (`val/` in a folder), else 0.2 of them.
    test: likewise; judged once, at the end (`FittedModel.test`). By default the test part that `data` have, else none;
        0 for none.
    strategy: "frozen": the backbone stays as it is, each example passes it once, and its features are kept on disk.
        The others start from the head that "frozen" gives and train on: "last" the stages that `unfreeze` says, "full"
        all, "gradual" stage after stage from the top, each with a smaller rate, "mixed" those that `mixed` says.
    unfreeze: how many stages from the top (2 by default; 3 for "gradual"), or their names, which `zoo show NAME
        --stages` lists. mixed: "train", "freeze" or a learning rate by stage: `{"block_16": "train", "Conv_1": 1e-5}`.
    warm_start: a linear or hidden head begins with the rows of `model`'s own head where label names match.
    early_stopping: stop after so many epochs without a lower validation loss, with the weights of the best one.
    batch_norm: "inference", or with "full" also "train": each batch's statistics. mixed_precision: train a backbone in
        half precision. A backbone's training that is killed goes on after its last whole epoch when asked for again.
    head: "logistic" is solved to its optimum; "linear" (dropout, one layer) and "hidden" (a layer of 256, ReLU,
        dropout) are trained by Keras with Adam; or a Keras layer, or a callable of a Keras tensor. "auto" is
        "logistic" ("ridge" for numbers) for up to 20,000 examples, "linear" where there are more or `epochs` are given.
        "convolutional" stands on the backbone's last feature maps, which must fit into memory, and knows what is where.
    epochs, batch_size, learning_rate, dropout, callbacks: as Keras has them; batch_size is 32, or all examples where
        they are fewer; c: the inverse of logistic regression's penalty; class_weight: "balanced", or a weight by class
        number; seed: of split and training.
    pos_weight: how much the second of two classes, or each of several labels, counts against its absence: a number, one
        for each label, or "balanced", counted over all that trains.
    loss: a name ("binary_crossentropy", "focal", "huber"), a Keras loss or a callable, of targets and logits; it is
        descended to ("linear" where `head` is "auto").
    size: (height, width) of what the network is given, in place of its own; one that takes no other resizes to its own,
        and `FittedModel.training.notes` says so.
    augment: "light", "medium", "heavy", a dict of strengths by operation (`zoo.transfer.augmentation.OPERATIONS`), or
        Keras layers: so many `views` of each picture train beside itself, which pass the backbone once and are kept.
    max_unreadable: more examples than this, or a larger share of them, that can't be read are an error; fewer are left
        out and told (`FittedModel.failed`).
    Raises PairError, OptionError, DatasetError, LabelError.
    """
    check(model, strategy, head, epochs, batch_size)
    model, resized = sized(model, size)
    changed = augmentation(augment)
    begun = time.perf_counter()
    network = TuningSettings(
        strategy,
        epochs,
        batch_size,
        learning_rate,
        early_stopping,
        unfreeze,
        mixed,
        batch_norm,
        mixed_precision,
        changed,
        callbacks,
        seed,
    ).ready(model)
    opened = open_data(model, data, validation, test, options)
    training, objective = opened.training.dataset, objective_of(opened.training.dataset, loss, pos_weight)
    at_once = min(batch_size or AT_ONCE, AT_ONCE)
    output = output_of(head)
    found = extract(model, training, batch_size=at_once, max_unreadable=max_unreadable, output=output)
    places = held_out(found.targets, opened.shares, seed, objective.labels)
    train = found.features[places[0]], found.targets[places[0]]
    if changed and network is None:
        more = view_features(model, training, found, changed, views, seed, at_once, output)[places[0]]
        train = np.concatenate([train[0], *np.moveaxis(more, 1, 0)]), np.concatenate([train[1]] * (1 + views))
    objective.require(train[1], training.name)
    objective = objective.settled(train[1])
    judged: list[tuple[Array, Array]] = []
    validated = Part(training, found.ids, places[1], found.targets[places[1]])
    failed, held = list(found.failed), HeldOut.of(training, opened.training.options, places[1])
    for part, where in ((opened.validation, places[1]), (opened.test, places[2])):
        if isinstance(part, Opened):
            apart = extract(model, part.dataset, batch_size=at_once, max_unreadable=max_unreadable, output=output)
            failed += apart.failed
            judged.append((apart.features, objective.translated(apart.targets, part.dataset)))
        else:
            judged.append((found.features[where], found.targets[where]))
    if isinstance(opened.validation, Opened):
        held = HeldOut.of(opened.validation.dataset, opened.validation.options)
        again = extract(
            model, opened.validation.dataset, batch_size=at_once, max_unreadable=max_unreadable, output=output
        )
        validated = Part(opened.validation.dataset, again.ids, np.arange(len(again.ids)), judged[0][1])
    extracted = time.perf_counter()
    settings = HeadSettings(head, epochs, batch_size, learning_rate or HEAD_RATE, dropout, c, class_weight, callbacks)
    start = start_of(model, objective.labels) if warm_start else None
    settings = replace(settings, seed=seed, patience=early_stopping, start=start)
    if network:  # what was said of epochs is meant for the network
        settings = replace(settings, epochs=None, learning_rate=HEAD_RATE, callbacks=())
    trained, history, kind = train_head(settings, train, judged[0], objective)
    counts: tuple[int, int | None] = (0, None)
    source, notes = model, [f"{len(failed)} examples could not be read"] if failed else []
    notes += filter(None, [resized or enlargement(model, training)])
    seconds = {"features": extracted - begun, "head": time.perf_counter() - extracted}
    notes += [start.note] if start else []
    if network:
        begun = time.perf_counter()
        alone = objective.scores(trained(np.asarray(judged[0][0], np.float32)), judged[0][1])
        notes += [f"the head alone, before: val_{name} {value:.4f}" for name, value in alone.items()]
        fitting = Part(training, found.ids, places[0], train[1])
        weights = objective.class_weights(class_weight, train[1])
        facts = {"head": [kind, c, dropout], "loss": loss, "pos_weight": pos_weight}
        source, tuned = network.tune(trained, train[0], fitting, validated, objective, weights, facts)
        trained, history, counts = tuned.head, tuned.history, (tuned.trained, tuned.frozen)
        notes += tuned.notes
        seconds["tuning"] = time.perf_counter() - begun
    told = Training(
        strategy,
        kind if isinstance(kind, str) else type(kind).__name__,
        training.name,
        training.fingerprint(),
        len(places[0]),
        len(judged[0][1]),
        seed,
        {name: round(spent, 3) for name, spent in seconds.items()},
        tuple(notes),
        *counts,
    )
    fitted = FittedModel(source, trained, objective.labels, history, told, tuple(failed), held)
    if len(judged[1][1]):
        name = opened.test.dataset.name if isinstance(opened.test, Opened) else f"{opened.test:.0%} of {training.name}"
        if network is None:
            fitted.test = evaluation_of(fitted.name, name, objective, trained, judged[1])
        else:
            tests = opened.test.dataset if isinstance(opened.test, Opened) else training
            tested = extract(source, tests, batch_size=at_once, max_unreadable=max_unreadable)
            where = np.arange(len(judged[1][1])) if isinstance(opened.test, Opened) else places[2]
            fitted.test = evaluation_of(fitted.name, name, objective, trained, (tested.features[where], judged[1][1]))
    return fitted


def check(model: Model, strategy: str, head: Any, epochs: int | None, batch_size: int | None) -> None:
    if "features" not in model.task.spec.trainable or model.task.spec.targets not in OBJECTIVES:
        raise PairError(_unfitted(model))
    if strategy not in STRATEGIES:
        raise OptionError(f"there is no strategy {strategy!r}; there are {', '.join(map(repr, STRATEGIES))}")
    if isinstance(head, str) and head not in HEADS:
        raise OptionError(f"there is no head {head!r}; there are {', '.join(map(repr, HEADS))}, or a Keras layer")
    if output_of(head) not in model.spec.outputs:
        raise PairError(_unoffered(model, head))
    if head == CONVOLUTIONAL and strategy != "frozen":
        raise OptionError(
            f"head={head!r} is trained on feature maps that are kept: strategy='frozen'; stages of the backbone are "
            f"trained with head='linear' or 'hidden', not strategy={strategy!r}"
        )
    if epochs is not None and (epochs < 1 or (head in SOLVED and strategy == "frozen")):
        why = f"head {head!r} is solved, not descended to" if head in SOLVED else "it is at least 1"
        raise OptionError(f"epochs={epochs!r} means nothing: {why}")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch_size={batch_size!r} is too small; it is at least 1")


def _unoffered(model: Model, head: Any) -> str:
    """Why `head` can't be fitted on the backbone of `model`, and on which it can."""
    offers = ", ".join(map(repr, model.spec.outputs))
    if output_of(head) == "features":
        return f"backbone {model.spec.name!r} offers {offers}; a head is fitted on 'features'"
    able = sorted({spec.name for spec in installed().backbones if output_of(head) in spec.outputs})
    some = ", ".join(map(repr, able[:3])) or "none is installed"
    return (
        f"head={head!r} is fitted on 'feature_maps'; backbone {model.spec.name!r} offers {offers}: take head='hidden', "
        f"or a backbone that offers maps ({some}{f' and {len(able) - 3} more' if len(able) > 3 else ''}: "
        "zoo list --where 'outputs = feature_maps')"
    )


def _unfitted(model: Model) -> str:
    """Why `model` can't be fitted, whose task builds no head."""
    task = model.task.spec
    if "boxes" not in task.ready:
        return f"task {task.name!r} has no head that can be fitted; 'classification' has"
    able = [spec.name for spec in installed().backbones if spec.trainer and find_pair(task, spec)]
    return (
        f"{model.name!r} can't be fitted: the module was made to predict, and carries no loss to be trained by; "
        f"backbones that bring one: {', '.join(map(repr, able)) or 'none is installed'}"
    )
