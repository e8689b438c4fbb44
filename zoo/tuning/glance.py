"""A glance: whether a runtime that opens the weights by itself answers as TensorFlow does, and faster.

It is tried in a process of its own while this one imports TensorFlow, so that it costs next to nothing, and remembered.
A contest (`zoo.tuning.contest`) compares every runtime, those too for which a network must be converted first.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, takewhile
from pathlib import Path
from typing import Any

from zoo.backbone import Backbone
from zoo.dataset import Dataset, InMemory
from zoo.formats import format_of
from zoo.model import Model
from zoo.runtime import Array, Compiled, missing_modules
from zoo.specs import RuntimeSpec
from zoo.tuning.candidate import Candidate, Job, TrialError
from zoo.tuning.choice import Choice, Question, recall, remember
from zoo.tuning.contest import REFERENCE, WORTH, by_example, choice_of
from zoo.tuning.entrant import Entrant
from zoo.tuning.examples import real_examples
from zoo.tuning.machine import changes, runtimes, versions
from zoo.tuning.trial import write_batches

BATCHES = 2
LOAD, ANSWER, STREAM = 60.0, 2.0, 0.4  # seconds: to be ready, of the answers that are compared, of a timing
PATIENCE = 20.0  # seconds that may come to the last two


def rival(backbone: Backbone) -> RuntimeSpec | None:
    """The first installed runtime that opens the files of `backbone` by itself; None where there is none."""
    if backbone.spec.input.kind != "image" or backbone.runtimes:  # strings stay in TensorFlow
        return None
    form = format_of(backbone.files["weights"], f"backbone {backbone.spec.name!r}")
    able = (spec for spec in runtimes() if form and form.name in spec.reads)
    return next((spec for spec in able if not missing_modules(spec)), None)


def glance(model: Model, backbone: Backbone, dataset: Dataset, batch_size: int) -> Choice | None:
    """The faster right one of the model's own runtime, `tf`, and the rival's; None where there is no rival.

    dataset: examples to compare on. Raises what the model's own runtime raises where it fails.
    """
    against = rival(backbone)
    if against is None:
        return None
    question = Question(model.task.spec.name, batch_size, REFERENCE[1], model.device, against.name)
    key = question.key(backbone)
    found = recall(key)
    if found is None or changes(found.versions, versions()):
        found = _tried(question, model, backbone, dataset)
        remember(key, found)
    return found


def _tried(question: Question, model: Model, backbone: Backbone, dataset: Dataset) -> Choice:
    some = InMemory(list(dataset.some(BATCHES * question.batch_size)), dataset.modality, dataset.targets)
    some.name, some.labels = dataset.name, dataset.labels
    examples = real_examples(model.task, backbone.spec, backbone.output, question.batch_size, some)
    reference, entrant = Entrant(*REFERENCE), Entrant(question.only, question.precision)
    with tempfile.TemporaryDirectory(prefix="zoo-glance-") as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        (folder / "batches").mkdir()
        write_batches(folder / "batches", examples.batches)
        job = Job(backbone, entrant.runtime, entrant.precision, question.device, folder / "batches")
        with Candidate(job, folder / "candidate") as candidate:
            ready = pool.submit(_answers, candidate)
            run = model.compiled(backbone.output)
            ours = [run(batch) for batch in examples.batches]
            reference.device = run.device
            try:
                entrant.device, theirs = ready.result()
                rate = _rate(run, examples.batches)  # not before: both are timed with nothing else at work
                reference.single, reference.timings = rate, [(rate, rate)]
                left, right = by_example(ours, examples.count), by_example(theirs, examples.count)
                compared = min(len(left), len(right))
                entrant.agreement = model.task.agreement(left[:compared], right[:compared], backbone.facts)
                timed = candidate.ask("stream", STREAM + PATIENCE, seconds=STREAM)
                entrant.single = timed["inputs"] / timed["seconds"]
                entrant.timings.append((entrant.single, rate))
            except TrialError as failure:
                entrant.outcome, entrant.reason = "failed", str(failure)
    if entrant.agreement and not entrant.agreement.holds:
        entrant.outcome = "disagrees"
    faster = entrant.outcome is None and entrant.ratio(reference) >= WORTH
    return choice_of(
        question, backbone, examples, examples.count, (reference, entrant), entrant if faster else reference
    )


def _answers(candidate: Candidate) -> tuple[str, list[dict[str, Array]]]:
    loaded = candidate.ask("load", LOAD)
    candidate.ask("answer", ANSWER + PATIENCE, seconds=ANSWER)
    return loaded["device"], candidate.outputs()


def _rate(run: Compiled, batches: Sequence[Array]) -> float:
    """Inputs per second of a stream, as `zoo.tuning.trial` times one."""
    start = time.perf_counter()
    begun: Any = takewhile(lambda _: time.perf_counter() < start + STREAM, cycle(batches))
    inputs = sum(len(next(iter(outputs.values()))) for outputs in run.stream(begun))
    return inputs / (time.perf_counter() - start)
