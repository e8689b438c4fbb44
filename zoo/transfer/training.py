"""Fitting: data become features, features are split, a head is trained on them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from zoo.dataset import DatasetOptions
from zoo.errors import OptionError, PairError
from zoo.model import Model
from zoo.pairs import find_pair
from zoo.plugins import installed
from zoo.transfer.augmentation import augmentation
from zoo.transfer.course import Course, timed
from zoo.transfer.features import MAX_UNREADABLE
from zoo.transfer.fitted import FittedModel
from zoo.transfer.head_training import SOLVED, HeadSettings
from zoo.transfer.heads import CONVOLUTIONAL, DENSE, output_of
from zoo.transfer.objective import OBJECTIVES, objective_of
from zoo.transfer.parts import AT_ONCE, Extraction, parts_of
from zoo.transfer.sizes import enlargement, sized
from zoo.transfer.splits import open_data
from zoo.transfer.strategies import STRATEGIES
from zoo.transfer.swiftest import swiftest
from zoo.transfer.unfrozen import TuningSettings
from zoo.transfer.views import require_views
from zoo.transfer.warming import start_of

HEADS = ("auto", *SOLVED, *DENSE, CONVOLUTIONAL)
HEAD_RATE = 3e-3  # of Adam, for a head alone


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
    strategy: "frozen": the backbone stays as it is, each example passes it once, and its features are kept on disk;
        where no runtime was named they come from the fastest that is known to agree (`zoo.transfer.swiftest`).
        The others start from the head that "frozen" gives and train on: "last" the stages that `unfreeze` says, "full"
        all, the lower ones at smaller rates, "gradual" stage after stage from the top, each with a smaller rate,
        "mixed" those that `mixed` says.
    unfreeze: how many stages from the top (2 by default; 3 for "gradual"), or their names, which `zoo show NAME
        --stages` lists. mixed: "train", "freeze" or a learning rate by stage: `{"block_16": "train", "Conv_1": 1e-5}`.
    warm_start: a linear, hidden or adapter head begins with the rows of `model`'s own head where label names match; an
        adapter also with those of a linear or logistic head.
    early_stopping: stop after so many epochs without a lower validation loss, with the weights of the best one.
    batch_norm: "inference", or with "full" also "train": each batch's statistics. mixed_precision: train a backbone in
        half precision. A backbone's training that is killed goes on after its last whole epoch when asked for again.
    head: "logistic" is solved to its optimum; "linear" (dropout, one layer), "hidden" (a layer of 256, ReLU, dropout)
        and "adapter" (a residual adapter of 64 units below a linear head, which begins as nothing; Houlsby et al. 2019)
        are trained by Keras with Adam; or a Keras layer, or a callable of a Keras tensor. "auto" is
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
    require_words(options)
    check(model, strategy, head, epochs, batch_size)
    before, (model, resized) = model, sized(model, size)
    changed, start, chosen, seconds = augmentation(augment), None, "", dict[str, float]()
    tuning = TuningSettings(strategy, epochs, batch_size, learning_rate, early_stopping, unfreeze, mixed, batch_norm)
    tuning = replace(tuning, mixed_precision=mixed_precision, augment=changed, callbacks=callbacks, seed=seed)
    settings = HeadSettings(head, epochs, batch_size, learning_rate or HEAD_RATE, dropout, c, class_weight, callbacks)
    with timed(seconds, "features"):
        network = replace(tuning, dropout=dropout).ready(model)
        opened = open_data(model, data, validation, test, options)
        objective = objective_of(opened.training.dataset, loss, pos_weight)
        extraction = Extraction(output_of(head), min(batch_size or AT_ONCE, AT_ONCE), max_unreadable)
        if network is None:
            more = require_views(views) if changed else 0
            model, chosen = swiftest(model, opened.training.dataset, extraction.output, extraction.batch_size, more)
        parts = parts_of(model, opened, objective, extraction, seed)
        objective, train = objective.settled(parts.training.targets), parts.training.pairs
        if changed and network is None:
            train = parts.with_views(model, changed, views, seed, extraction)
    if warm_start:
        start = start_of(before, objective.labels)
    settings = replace(settings, seed=seed, patience=early_stopping, start=start)
    if network:  # what was said of epochs is meant for the network
        settings = replace(settings, epochs=None, learning_rate=HEAD_RATE, callbacks=())
    unread = f"{len(parts.failed)} examples could not be read" if parts.failed else ""
    said = (unread, resized or enlargement(model, parts.training.dataset), start.note if start else "", chosen)
    notes = [note for note in said if note]
    return Course(model, parts, objective, settings, extraction, network, notes, seconds).run(train)


def require_words(options: Mapping[str, Any]) -> None:
    """Raise OptionError, with the nearest that there is, for a setting that neither `fit` nor a dataset has."""
    known = [*{field.name for field in fields(DatasetOptions)} - {"modality", "targets"}, "limit"]
    for name in options.keys() - set(known):
        near = difflib.get_close_matches(name, [*inspect.signature(fit).parameters, *known], n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise OptionError(f"there is no setting {name!r}{guess}")


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
            f"trained with head='linear', 'hidden' or 'adapter', not strategy={strategy!r}"
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
        "zoo list --where \"'feature_maps' in outputs\")"
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
