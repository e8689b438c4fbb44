"""Verifying a backbone: what its row says beside what its weights show, fact by fact.

`python -m zoo.verification NAME` verifies one and prints its report as JSON: `zoo verify` starts one for each, as a
module that crashes or leaks then costs no other.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo.backbone import Backbone, load_backbone
from zoo.compose import get, get_runtime
from zoo.errors import ZooError, ZooWarning
from zoo.inputs import prepare, sample_inputs
from zoo.labels import label_space
from zoo.pairs import find_pair
from zoo.plugins import installed
from zoo.ranges import CANDIDATES, probe_range, remember, stated
from zoo.runtime import Array, Compiled, text_batch
from zoo.safety import ops_of, text_ops
from zoo.signatures import read_signatures
from zoo.specs import BackboneSpec, ImageInput, OutputSpec
from zoo.weights import digest, fetch

Verdict = Literal["ok", "differs", "unstated", "seen"]
VERSIONS = ("tf-model-zoo", "tensorflow", "keras", "tensorflow-text", "numpy")


@dataclass(frozen=True)
class Fact:
    """One fact of an output. "seen": there is nothing to compare it with."""

    output: str
    name: str
    stated: str
    found: str
    verdict: Verdict


@dataclass
class Report:
    """What was found of one backbone. error: why it could not be verified, "" where it was."""

    name: str
    versions: dict[str, str]
    facts: list[Fact] = field(default_factory=list)
    error: str = ""

    @property
    def differs(self) -> bool:
        """Whether a stated fact is not what was found."""
        return any(fact.verdict == "differs" for fact in self.facts)


def verify(spec: BackboneSpec) -> Report:
    """Fetch, load and run every output of `spec` on samples, and compare what its row states; errors are reported."""
    report = Report(spec.name, versions())
    for output in spec.outputs:
        try:
            report.facts += _Verifying(spec, output).facts()
        except ZooError as error:
            lines = (line.strip() for line in str(error).splitlines())
            report.error = report.error or f"output {output!r}: {'; '.join(lines)}"
    return report


def versions() -> dict[str, str]:
    """What the figures of a report depend on."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def read_report(text: str) -> Report:
    """A report as `main` prints it."""
    told = json.loads(text)
    return Report(**told | {"facts": [Fact(**fact) for fact in told["facts"]]})


class _Verifying:
    """One output under examination."""

    def __init__(self, spec: BackboneSpec, output: str) -> None:
        self.spec, self.output = spec, output
        self.told: OutputSpec = spec.outputs[output]
        wanted_by = f"backbone {spec.name!r}"
        self.files = {"weights": fetch(self.told.weights, wanted_by=wanted_by)}
        if before := getattr(spec.input, "preprocessor", None):
            self.files["preprocessor"] = fetch(before, wanted_by=wanted_by)

    def facts(self) -> Iterator[Fact]:
        """What its files say, and then, loaded, what it does."""
        weights = self.files["weights"]
        yield self._fact("digest", None, f"sha256 {digest(weights)}")
        if (weights / "saved_model.pb").is_file():
            yield from self._of_file(weights)
        backbone = load_backbone(self.spec, self.output, self.files)
        runtime = (*backbone.runtimes, "tf")[0]
        run = get_runtime(runtime).compile(backbone)
        answers = run(_samples(self.spec))
        if self.output == "boxes":
            yield from self._of_boxes(answers)
        elif self.output in answers:
            yield from self._of_vectors(answers[self.output])
            yield from self._of_range(run)
        yield self._fact("parameters", None, _counted(backbone, run))
        yield from self._prediction(runtime)

    def _fact(self, name: str, said: Any, found: Any, *, same: bool | None = None) -> Fact:
        """`same` decides where equality of the two does not."""
        if said is None:
            known = name in ("digest", "parameters", "answer", "returns")
            return Fact(self.output, name, "", str(found), "seen" if known else "unstated")
        verdict: Verdict = "ok" if (said == found if same is None else same) else "differs"
        return Fact(self.output, name, str(said), str(found), verdict)

    def _of_file(self, folder: Path) -> Iterator[Fact]:
        told = read_signatures(folder)
        text = bool(ops_of(folder) & text_ops())
        if text or "tensorflow_text" in self.spec.imports:
            said = "tensorflow_text" in self.spec.imports
            before = "preprocessor" in self.files  # which may need what the encoder does not
            yield self._fact("needs text ops", said, text, same=said if text else before or not said)
        seen, signature = self.spec.input, next(iter(told.signatures.values()), None)
        if not isinstance(seen, ImageInput) or signature is None:
            return
        for tensor in signature.inputs:
            if tensor.shape and len(tensor.shape) == 4:
                size = tensor.shape[1:3]
                said_size = seen.size or ("any size" if "input.size" not in self.spec.unstated else None)
                takes = "any size" if None in size else size
                yield self._fact("input size", said_size, takes, same=takes in ("any size", said_size))
                yield self._fact("input dtype", seen.dtype, tensor.dtype)

    def _of_vectors(self, answer: Array) -> Iterator[Fact]:
        yield self._fact("finite", True, bool(np.isfinite(answer).all()))
        yield self._fact("width", self.told.width, int(answer.shape[-1]))
        if self.output != "logits":
            return
        space = label_space(self.told.labels, self.told.width)
        yield self._fact(
            "labels",
            space and f"{space.name}, {len(space)}",
            f"{answer.shape[-1]} classes",
            same=space is not None and len(space) == answer.shape[-1],
        )
        yield self._fact("softmax applied", self.told.activation == "softmax", _probabilities(answer))

    def _of_range(self, run: Compiled) -> Iterator[Fact]:
        seen = self.spec.input
        if not isinstance(seen, ImageInput) or seen.dtype != "float32":
            return
        found = probe_range(run, seen, self.output, logits=self.told.activation == "none")
        told = str(found) if found.scores else "a probe can't tell"
        if seen.range is None:
            remember(self.files["weights"], found)
            yield self._fact("range", None, told)
            return
        known = next((name for name, fields in CANDIDATES.items() if stated(seen, fields) == seen), None)
        name = known or "{:g}..{:g}".format(*seen.range) + (" less a mean" if seen.mean else "")
        # Only a clear lead of another range contradicts what a publisher says; without one there is nothing to say.
        if known and found.first == known:
            yield self._fact("range", name, told, same=True)
        elif known and found.best:
            yield self._fact("range", name, told, same=False)
        else:
            yield Fact(self.output, "range", name, told, "seen")

    def _of_boxes(self, answers: dict[str, Array]) -> Iterator[Fact]:
        count = int(answers["count"][0])
        boxes, ids = (np.asarray(answers[name][0][:count]) for name in ("boxes", "classes"))
        yield self._fact("finite", True, bool(np.isfinite(boxes).all()))
        if not count:
            return
        order = self.told.boxes.partition("_")[0]  # which no box tells
        reach = float(np.abs(boxes).max())
        found = f"{order}_{'unit' if reach <= 2 else 'pixel'}"
        yield self._fact("boxes", None if "outputs.boxes.boxes" in self.spec.unstated else self.told.boxes, found)
        space = label_space(self.told.labels)
        told = f"ids {ids.min():g}..{ids.max():g}"
        listed = bool(space and space.names)
        sure = ids[np.asarray(answers["scores"][0][:count]) >= 0.3]
        fits = all(round(float(id)) in space.names for id in sure) if space and listed else True
        yield self._fact("labels", space.name if space else None, told, same=fits)

    def _prediction(self, runtime: str) -> Iterator[Fact]:
        for task in installed().tasks:
            pair = find_pair(task, self.spec)
            if pair and pair.ready and pair.output == self.output:
                with warnings.catch_warnings():  # of a range that is assumed: the report has it
                    warnings.simplefilter("ignore", ZooWarning)
                    answer = get(task.name, self.spec, runtime=runtime).predict(sample_inputs(self.spec.input.kind)[0])
                yield self._fact("answer", None, f"{task.name}: {str(answer)[:100]}")
                return


def _samples(spec: BackboneSpec) -> Array:
    sources = sample_inputs(spec.input.kind)
    if not isinstance(spec.input, ImageInput):
        return text_batch(sources[:2])
    return np.stack([prepare(sources[0], spec.input).value])


def _probabilities(answer: Array) -> bool:
    """Whether each row adds up to 1; in 8 bits (256ths) roughly, as all classes below 1/512 have become 0."""
    eight_bits = bool((answer * 256 == np.round(answer * 256)).all())
    return bool(answer.min() >= 0 and np.allclose(answer.sum(-1), 1, atol=0.5 if eight_bits else 1e-3))


def _counted(backbone: Backbone, run: Compiled) -> str:
    count = run.parameters()
    return f"{count:,}" if count else "not told"


def main(name: str) -> None:
    """Print the report of the backbone `name` as one line of JSON, and nothing else on stdout."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        report = verify(installed().backbones.get(name))
    except ZooError as error:
        report = Report(name, versions(), error=str(error))
    answers.write(json.dumps(asdict(report)) + "\n")
    answers.close()


if __name__ == "__main__":
    main(sys.argv[1])
