"""Fitting: data become features, features are split, a head is trained on them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.dataset import Dataset
from zoo.errors import DatasetError, OptionError, PairError
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.progress import busy
from zoo.runtime import Array
from zoo.transfer.features import Extracted, extract
from zoo.transfer.fitted import FittedModel, History, Training
from zoo.transfer.heads import Head, as_head, keras_head, solve_logistic

STRATEGIES = ("frozen",)
HEADS = ("auto", "logistic", "linear", "hidden")
EPOCHS = 30
AT_ONCE = 32  # inputs that the network takes; in batches of 367 the pictures of a MobileNetV2 take twice as long
JUDGED_AT_ONCE = 1024  # features that a head takes when it is judged
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
    training, held_out = _datasets(model, data, validation, options)
    labels = _labels(training)
    at_once = min(batch_size, AT_ONCE)
    found = extract(model, training, batch_size=at_once)
    if held_out is None:
        train, test = _split(found, float(validation), seed, labels)
    else:
        train, test = (found.features, found.targets), _held_out(model, held_out, labels, at_once)
    _require_classes(train[1], labels, training.name)
    extracted = time.perf_counter()
    kind = ("logistic" if epochs is None and len(train[1]) <= MANY else "linear") if head == "auto" else head
    weighted = _class_weights(class_weight, train[1])
    if kind == "logistic":
        with busy("solving the head"):
            trained: Head = solve_logistic(*train, c=c, class_weight=weighted, seed=seed)
        history = History(_scores(trained, train, "") | _scores(trained, test, "val_"), [0])
    else:
        settings = {"epochs": epochs or EPOCHS, "batch_size": batch_size, "callbacks": list(callbacks)}
        trained, history = _descend(
            kind, train, test, len(labels), dropout, learning_rate, seed, settings | {"class_weight": weighted}
        )
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
    return FittedModel(model, trained, labels, history, told, found.failed)


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


def _datasets(model: Model, data: Any, validation: Any, options: Mapping[str, Any]) -> tuple[Dataset, Dataset | None]:
    """The training data, and the validation data where these are no share of them."""
    training = model.dataset(data, **options)
    if isinstance(validation, int | float) and not isinstance(validation, bool):
        if not 0 < validation < 1:
            raise OptionError(f"validation={validation!r} is a share between 0 and 1, or a dataset")
        return training, None
    return training, model.dataset(validation, **{name: value for name, value in options.items() if name != "split"})


def _labels(dataset: Dataset) -> LabelSpace:
    """The classes of `dataset` as 0..n-1, in its own order; bare numbers are named by themselves."""
    if dataset.labels is not None:
        if set(dataset.labels.names) != set(range(len(dataset.labels))):
            raise DatasetError(f"the class numbers of {dataset.name!r} are not 0..{len(dataset.labels) - 1}")
        return dataset.labels
    numbers = {int(example.target) for example in dataset}
    if min(numbers) < 0:
        raise DatasetError(f"{dataset.name!r} has class {min(numbers)}; class numbers start at 0")
    return LabelSpace("own", {number: str(number) for number in range(max(numbers) + 1)})


def _split(
    found: Extracted, share: float, seed: int, labels: LabelSpace
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Training and validation examples, each class in the same proportion."""
    from sklearn.model_selection import train_test_split

    counts = Counter(found.targets.tolist())
    alone = [labels.label(target) for target, count in sorted(counts.items()) if count < 2]
    if alone:
        raise DatasetError(f"class {alone[0]!r} has one example: none is left to validate on; give validation=DATASET")
    places = np.arange(len(found.targets))
    size = max(round(share * len(places)), len(counts))
    if len(places) - size < len(counts):
        raise DatasetError(f"{len(places)} examples of {len(counts)} classes are too few to hold {share:.0%} out")
    train, test = train_test_split(places, test_size=size, stratify=found.targets, random_state=seed)
    return (found.features[train], found.targets[train]), (found.features[test], found.targets[test])


def _held_out(model: Model, dataset: Dataset, labels: LabelSpace, batch_size: int) -> tuple[Array, Array]:
    from zoo.labels import translate

    found = extract(model, dataset, batch_size=batch_size)
    if dataset.labels is None:
        return found.features, found.targets
    places = translate(dataset.labels, labels)
    return found.features, np.array([places[int(target)] for target in found.targets], np.int64)


def _require_classes(targets: Array, labels: LabelSpace, name: str) -> None:
    there = set(targets.tolist())
    if len(there) < 2:
        raise DatasetError(f"{name!r} has examples of one class alone; a classifier needs two or more")
    absent = [labels.label(id) for id in labels.names if id not in there]
    if absent:
        more = f", nor of {len(absent) - 1} more" if len(absent) > 1 else ""
        bare = all(name == str(id) for id, name in labels.names.items())
        how = f" (its class numbers are read as 0..{max(labels.names)}; count from 0, or write names)" if bare else ""
        raise DatasetError(f"{name!r} has no example of class {absent[0]!r} to train on{more}{how}")


def _class_weights(class_weight: Any, targets: Array) -> dict[int, float] | None:
    if class_weight is None or isinstance(class_weight, Mapping):
        return dict(class_weight) if class_weight else None
    if class_weight != "balanced":
        raise OptionError(
            f"class_weight={class_weight!r} means nothing; it is 'balanced' or a dict of weights by class"
        )
    counts = np.bincount(targets)
    return {id: len(targets) / (len(counts) * count) for id, count in enumerate(counts.tolist())}


def _scores(head: Head, examples: tuple[Array, Array], prefix: str) -> dict[str, list[float]]:
    from scipy.special import log_softmax

    logits = head(np.asarray(examples[0], np.float32))
    loss = -log_softmax(logits, axis=-1)[np.arange(len(logits)), examples[1]].mean()
    return {f"{prefix}accuracy": [float((logits.argmax(-1) == examples[1]).mean())], f"{prefix}loss": [float(loss)]}


def _descend(
    kind: Any,
    train: tuple[Array, Array],
    test: tuple[Array, Array],
    classes: int,
    dropout: float,
    learning_rate: float,
    seed: int,
    settings: Mapping[str, Any],
) -> tuple[Head, History]:
    """A head trained by Keras with Adam on the cross-entropy; stopped with its cause where the loss is no number."""
    import keras

    from zoo.framework import tf  # quietly, before Keras imports it loudly

    keras.utils.set_random_seed(seed)
    model = keras_head(kind, train[0].shape[1], classes, dropout)
    # Our own heads see features of mean square 1, whatever the network: one learning rate then suits all of them.
    scale = 1 / max(float(np.sqrt(np.mean(np.square(train[0])))), 1e-12) if isinstance(kind, str) else 1.0
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
    callbacks = [keras.callbacks.TerminateOnNaN(), *settings["callbacks"]]

    def examples(features: Array, targets: Array) -> Any:
        """Keras takes the batches of a tf.data.Dataset in half the time that it needs for those of an array."""
        return tf.data.Dataset.from_tensor_slices((np.float32(scale) * features, targets))

    found = model.fit(
        examples(*train).shuffle(len(train[1]), seed=seed).batch(settings["batch_size"]),
        validation_data=examples(*test).batch(JUDGED_AT_ONCE),
        callbacks=callbacks,
        epochs=settings["epochs"],
        shuffle=False,  # done already; Keras warns that it can't
        class_weight=settings["class_weight"],
        verbose=0,
    )
    losses = found.history["loss"]
    if not np.isfinite(losses).all():
        raise OptionError(
            f"the loss became {losses[-1]} in epoch {len(losses)} at learning_rate={learning_rate!r}; lower it"
        )
    history = {name: [float(value) for value in values] for name, values in found.history.items()}
    return as_head(model, kind, scale), History(history, list(found.epoch))
