"""Fitting before measuring: a head on one's own data, and the baselines that it must beat, each saved as a model.

Each function is work for a process of its own (`process.Processes`) and fills the folder of its job with a saved model,
which `measure` then loads as a user would.
"""

from __future__ import annotations

import importlib
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo import Dataset, DatasetOptions, weights
from zoo.errors import DatasetError, ZooError
from zoo.metrics import proportion
from zoo.plugins import installed
from zoo_bench.holdout import opened_split, parts
from zoo_bench.job import FROM_SCRATCH, MAJORITY, Job
from zoo_bench.material import SAVED, opened
from zoo_bench.measure import made_once

KERAS = ("zoo.framework", "keras")  # in this order: TensorFlow quietly


def fit(job: Job, folder: Path, tell: Callable[[Any], None]) -> None:
    """Fit the backbone of `job` with its strategy and the zoo's own defaults, and tell ("fitted", facts of a `Fitted`).

    Where loading made something for all later processes, ("prepared", the seconds) is all, as `measure` has it.
    """
    _seed(job)
    model = opened(replace(job, fit=None), folder)
    _import("sklearn.linear_model", "scipy.special", *model.spec.imports)
    if job.fit != "frozen":
        _import(*KERAS)
    # Features that were computed before would cost nothing, those of an earlier attempt of this job too.
    os.environ["ZOO_FEATURES"] = tempfile.mkdtemp(prefix="features-", dir=folder)
    learnt, judged = parts(lambda split: model.dataset(job.dataset, split=split), job.split, job.seed)
    made, begun = made_once(job), time.perf_counter()
    fitted = model.fit(learnt, validation=judged, strategy=job.fit, seed=job.seed)
    seconds = time.perf_counter() - begun
    if made_once(job) != made:
        tell(("prepared", seconds))
        return
    told = fitted.training
    saved = fitted.save(folder / SAVED)
    unread = len(learnt) - told.examples
    facts = {"head": told.head, "parts": dict(told.seconds), "examples": len(learnt), "unread": unread}
    tell(("fitted", facts | {"strategy": job.fit, "seconds": seconds, "saved": weights.size(saved)}))


def from_scratch(job: Job, folder: Path, tell: Callable[[Any], None]) -> None:
    """Train a small network from random weights (`zoo_bench.scratch`), and tell ("fitted", facts of a `Fitted`)."""
    from zoo_bench import scratch

    _seed(job)
    _import(*KERAS)
    learnt, _ = _parts(job)
    begun = time.perf_counter()
    head, read = scratch.train(learnt, job.task, folder / SAVED, seed=job.seed)
    seconds = time.perf_counter() - begun
    facts = {"strategy": FROM_SCRATCH, "head": head, "seconds": seconds, "examples": len(learnt)}
    facts |= {"unread": len(learnt) - read}
    tell(("fitted", facts | {"saved": weights.size(folder / SAVED)}))


def guess(job: Job, folder: Path, tell: Callable[[Any], None]) -> None:
    """Tell ("guessed", what `fold.guessed` takes): how often the class that is most common in training is right."""
    learnt, judged = _parts(job)
    counts = Counter(int(example.target) for example in learnt)
    best = max(sorted(counts), key=counts.__getitem__)
    right = sum(int(example.target) == best for example in judged)
    name = learnt.labels.label(best) if learnt.labels else str(best)
    dataset = {"name": judged.name, "split": judged.split, "fingerprint": judged.fingerprint()}
    facts = {
        "dataset": dataset | {"size": len(judged), "n": len(judged)},
        "metrics": {"top1": asdict(proportion(right, len(judged)))},
        "notes": [f"always {name!r}, the most common class"],
        "fit": {"strategy": MAJORITY, "examples": len(learnt)},
    }
    tell(("guessed", facts))


def _parts(job: Job) -> tuple[Dataset, Dataset]:
    """The parts of the dataset of a job that has no backbone to say whether it takes pictures or texts."""
    task = installed().tasks.get(job.task)
    refusals = []
    for modality in task.modalities:
        wanted = DatasetOptions(modality=modality, targets=task.targets)
        try:
            learnt, judged = parts(partial(opened_split, str(job.dataset), wanted), job.split, job.seed)
        except ZooError as error:
            refusals.append(error)
            continue
        if (learnt.modality, learnt.targets) == (modality, task.targets):
            return learnt, judged
    raise refusals[0] if refusals else DatasetError(f"{job.dataset!r} has no examples for task {task.name!r}")


def _import(*modules: str) -> None:
    """Import now what training needs, which is no part of it; what fails says so better there."""
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)


def _seed(job: Job) -> None:
    random.seed(job.seed)
    np.random.seed(job.seed)
