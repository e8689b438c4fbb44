"""Cross-validation: each example is held out once, and the features are computed once for all folds."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zoo.errors import DatasetError, OptionError
from zoo.model import Model
from zoo.runtime import Array
from zoo.transfer.augmentation import augmentation
from zoo.transfer.features import MAX_UNREADABLE, extract
from zoo.transfer.head_training import BATCH, HeadSettings, evaluation_of, train_head
from zoo.transfer.heads import output_of
from zoo.transfer.objective import objective_of
from zoo.transfer.sizes import enlargement, sized
from zoo.transfer.splits import open_data
from zoo.transfer.swiftest import swiftest
from zoo.transfer.views import require_views, view_features

MEANINGLESS = {"validation", "test", "unfreeze", "mixed", "mixed_precision", "batch_norm", "warm_start"}
MEANS = "which trains heads alone, each judged on the part that it has not seen"


@dataclass(frozen=True)
class CrossValidation:
    """What each fold scored. folds: in order, name -> score ("accuracy", "loss"); n: the examples of all of them;
    head: which kind; seconds: of the features and of all heads; failed: examples that could not be read; notes: what
    else a reader must know.
    """

    model: str
    dataset: str
    folds: tuple[Mapping[str, float], ...]
    n: int
    head: str
    seed: int
    seconds: Mapping[str, float]
    failed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the folds, by name."""
        return {name: math.fsum(fold[name] for fold in self.folds) / len(self.folds) for name in self.folds[0]}

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation over the folds (n - 1 in the denominator), by name.

        Folds share most of their training data: it is no standard error of the mean (Bengio and Grandvalet 2004).
        """
        return {name: float(np.std([fold[name] for fold in self.folds], ddof=1)) for name in self.folds[0]}

    def __getitem__(self, name: str) -> float:
        return self.mean[name]

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.dataset}: {len(self.folds)} folds of {self.n:,} examples, {self.head} head"]
        for name, mean in self.mean.items():
            each = ", ".join(f"{fold[name]:.4f}" for fold in self.folds)
            lines.append(f"  {name:<14} {mean:.4f} +- {self.spread[name]:.4f}  ({each})")
        lines += [f"  {self.failed} examples could not be read"] if self.failed else []
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """The folds in JSON's own types."""
        folds = [dict(fold) for fold in self.folds]
        return {**vars(self), "seconds": dict(self.seconds), "folds": folds, "mean": self.mean, "spread": self.spread}


def cross_validate(
    model: Model,
    data: Any,
    *,
    folds: int = 5,
    loss: Any = None,
    pos_weight: Any = None,
    size: Any = None,
    early_stopping: int | None = None,
    max_unreadable: int | float = MAX_UNREADABLE,
    **settings: Any,
) -> CrossValidation:
    """Fit a head `folds` times on all examples but a part, each of which is held out once, class by class.

    Of several labels at once each is spread over the folds as evenly as goes (Sechidis, Tsoumakas and Vlahavas 2011).
    loss, pos_weight, size, early_stopping: as `zoo.transfer.fit` takes them; "balanced" is counted in each fold anew.
        early_stopping goes by the part that is held out, which then looks a little better than it is.
    settings: likewise `head`, `epochs`, `batch_size`, `learning_rate`, `dropout`, `c`, `class_weight`, `callbacks`,
        `seed`, `augment`, `views`; and the options that open `data`, of which, where it has parts, the training part is
        taken.
    Raises OptionError, DatasetError, PairError.

    >>> print(cross_validate(zoo.get("classification", "mobilenet_v2_100_224"), "folder:flowers/", folds=5))
    """
    from zoo.transfer.training import check, require_words

    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise OptionError(f"folds={folds!r} means nothing; it is 2 or more")
    if settings.pop("strategy", "frozen") != "frozen":
        raise OptionError("cross-validation trains heads alone: strategy='frozen'; fit with another one fold by fold")
    for name in MEANINGLESS & settings.keys():
        if (value := settings.pop(name)) not in (None, False, "inference"):
            raise OptionError(f"{name}={value!r} means nothing to cross-validation, {MEANS}")
    named = {name: settings.pop(name) for name in HeadSettings.__dataclass_fields__ if name in settings}
    head = HeadSettings(**{name: value for name, value in named.items() if value is not None})
    head = replace(head, patience=early_stopping)
    check(model, "frozen", head.head, head.epochs, head.batch_size)
    model, resized = sized(model, size)
    changed, views = augmentation(settings.pop("augment", None)), settings.pop("views", 4)
    require_words(settings)
    begun = time.perf_counter()
    dataset = open_data(model, data, None, 0, settings).training.dataset
    objective = objective_of(dataset, loss, pos_weight)
    at_once = min(head.batch_size or BATCH, BATCH)
    output = output_of(head.head)
    model, chosen = swiftest(model, dataset, output, at_once, require_views(views) if changed else 0)
    found = extract(model, dataset, batch_size=at_once, max_unreadable=max_unreadable, output=output)
    more = view_features(model, dataset, found, changed, views, head.seed, at_once, output) if changed else None
    objective.require(found.targets, dataset.name)
    extracted = time.perf_counter()
    features = np.asarray(found.features, np.float32)
    scores, kind = [], ""
    for train, held in parted(found.targets, folds, head.seed):
        examples = [(features[places], found.targets[places]) for places in (train, held)]
        objective.require(examples[0][1], f"a fold of {dataset.name}")
        settled = objective.settled(examples[0][1])
        if more is not None:
            made = np.concatenate([examples[0][0], *np.moveaxis(more[train], 1, 0)])
            examples[0] = made, np.concatenate([examples[0][1]] * (1 + views))
        trained, _, used = train_head(head, examples[0], examples[1], settled, len(examples[0][1]) // len(train))
        judged = evaluation_of(model.name, dataset.name, settled, trained, examples[1])
        scores.append({name: score.value for name, score in judged.metrics.items()})
        kind = used if isinstance(used, str) else type(used).__name__
    seconds = {"features": round(extracted - begun, 3), "heads": round(time.perf_counter() - extracted, 3)}
    name, n, failed = model.name, len(found.targets), len(found.failed)
    notes = tuple(filter(None, [resized or enlargement(model, dataset), chosen]))
    return CrossValidation(name, dataset.name, tuple(scores), n, kind, head.seed, seconds, failed, notes)


def parted(targets: Array, folds: int, seed: int) -> list[tuple[Array, Array]]:
    """The places in `targets` that train and that are held out, of each fold; classes [n] in the same proportion.

    Several labels [n, k] of 0 and 1 are spread as evenly as goes, numbers [n, 1] by chance.
    Raises DatasetError where a class has fewer examples than there are folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if targets.ndim == 1 and targets.dtype.kind in "iu":
        classes, counts = np.unique(targets, return_counts=True)
        if counts.min() < folds:
            rare = f"class {int(classes[counts.argmin()])} has {counts.min()} examples"
            raise DatasetError(f"{rare}: too few for {folds} folds; take {max(int(counts.min()), 2)} or fewer")
        cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    elif len(targets) < folds:
        raise DatasetError(f"{len(targets)} examples are too few for {folds} folds")
    elif targets.ndim == 2 and targets.shape[1] > 1:
        return _spread(targets, folds, seed)
    else:
        cut = KFold(folds, shuffle=True, random_state=seed)
    return [(train, held) for train, held in cut.split(np.zeros(len(targets)), targets)]


def _spread(targets: Array, folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Folds in which each label is about as frequent as in all: the rarest label's examples are dealt out first.

    targets: [n, k] of 0 and 1. An example goes where its label is wanted most, then where most room is left.
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    wanted = np.tile(targets.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, len(targets) / folds)
    fold = np.full(len(targets), -1)
    while (fold < 0).any():
        left = order[fold[order] < 0]
        counts = targets[left].sum(axis=0)
        rarest = int(np.where(counts > 0, counts, np.inf).argmin())
        some = left[targets[left, rarest] > 0] if counts[rarest] > 0 else left  # the last ones have no label
        for place in some:
            first = wanted[:, rarest] if counts[rarest] > 0 else room
            chosen = int(np.lexsort((-room, -first))[0])
            fold[place] = chosen
            wanted[chosen] -= targets[place]
            room[chosen] -= 1
    places = np.arange(len(targets))
    return [(places[fold != number], places[fold == number]) for number in range(folds)]
