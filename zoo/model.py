"""The model: a task, a backbone and a runtime composed; it holds no logic of its own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo import weights as weights_store
from zoo.backbone import load_backbone, require_output
from zoo.batches import Answered, groups, is_many, run_by_length, run_groups
from zoo.dataset import Dataset, DatasetOptions, Example, as_dataset, open_dataset
from zoo.errors import DatasetError, InputError, NotFittedError, OptionError
from zoo.evaluation import Evaluation
from zoo.inputs import Prepared, prepare_all
from zoo.labels import LabelSpace, label_space, named_space
from zoo.pairs import Pair
from zoo.plugins import installed
from zoo.progress import busy, track
from zoo.ranges import settled
from zoo.runtime import Array, Compiled, Runtime, able_runtime
from zoo.safety import trust
from zoo.saved import write_saved
from zoo.specs import BackboneSpec, OutputSpec, WeightsSpec
from zoo.task import Failed, Prediction, Task


class Model:
    """A pair of task and backbone on a runtime. Facts now, weights on first use, or with `load()`.

    device, precision: as asked for; weights: the user's own files by output; trust_code: whether these may run code;
    named: whether the runtime was asked for, so that `fit` must not take features from a faster one.
    stated: the facts as they were before anything was compiled, which settles what no page states.
    """

    def __init__(
        self,
        pair: Pair,
        task: Task,
        runtime: Runtime,
        *,
        device: str | None = None,
        precision: str = "fp32",
        weights: Mapping[str, str | os.PathLike[str]] | None = None,
        trust_code: bool = False,
        named: bool = True,
    ) -> None:
        self.pair, self.task, self.runtime = pair, task, runtime
        self.device, self.precision = device, precision
        self.weights = dict(weights or {})
        self.trust_code = trust_code
        self.named, self.stated = named, pair.backbone
        self._compiled: dict[str, Compiled] = {}

    @property
    def name(self) -> str:
        """`TASK/BACKBONE`."""
        return self.pair.name

    @property
    def spec(self) -> BackboneSpec:
        """The facts of the backbone."""
        return self.pair.backbone

    def loaded(self, output: str) -> dict[str, Compiled]:
        """The callable behind `output` by its name, if it is compiled already; else nothing."""
        return {output: self._compiled[output]} if output in self._compiled else {}

    @property
    def facts(self) -> OutputSpec:
        """What the spec says of the output that the task uses."""
        return self.spec.outputs[self.pair.output]

    @property
    def labels(self) -> LabelSpace | None:
        """The label space of the output that the task uses."""
        return label_space(self.facts.labels, self.facts.width)

    def __repr__(self) -> str:
        state = "loaded" if self._compiled else "not loaded"
        return f"<zoo.Model {self.name} ({self.pair.status}, {self.runtime.spec.name}, {state})>"

    def load(self) -> Self:
        """Fetch and compile now what the task needs; returns the model itself."""
        self.compiled(self.pair.output)
        return self

    def files(self, output: str) -> dict[str, Path]:
        """Local paths of an output's files by role, fetched where needed."""
        wanted_by = f"backbone {self.spec.name!r}, output {output!r}"
        files = {"weights": weights_store.fetch(self._source(output), wanted_by=wanted_by)}
        if before := getattr(self.spec.input, "preprocessor", None):
            files["preprocessor"] = weights_store.fetch(before, wanted_by=f"the preprocessor of {wanted_by}")
        for path in files.values() if self.trust_code else ():
            trust(path)
        return files

    def compiled(self, output: str) -> Compiled:
        """The callable behind `output`, compiled at the first call; raises PairError where it is not offered."""
        if output not in self._compiled:
            backbone = load_backbone(self.spec, require_output(self.spec, output), self.files(output))
            self.runtime = able_runtime(backbone, self.runtime, named=self.named)
            with busy(f"loading {self.spec.name}"):
                run = self.runtime.compile(backbone, device=self.device, precision=self.precision)
            self.pair = replace(self.pair, backbone=settled(self.spec, output, run, backbone.files["weights"]))
            self._compiled[output] = run
        return self._compiled[output]

    def predict(self, inputs: Any, *, batch_size: int = 32, errors: str = "keep", **options: Any) -> Any:
        """What the task answers: a `Prediction` for one input, a list of them for several.

        inputs: for pictures a path, encoded bytes, a PIL image or an array [h, w, c] (uint8 0..255 or float 0..1); for
            texts a str; or a list, or an array with one more axis in front.
        errors: "keep" leaves a `Failed` in a list in place of what can't be read, "raise" stops; one input raises.
        options: the task's own, such as detection's `conf` and `max_det`.
        Raises NotFittedError for a pair that is trainable only.
        """
        self._require_ready()
        if errors not in ("keep", "raise"):
            raise OptionError(f"errors={errors!r} means nothing; it is 'keep' or 'raise'")
        settings = self.task.settings(options)
        many = is_many(inputs, self.spec.input.kind)
        sources, answers = inputs if many else [inputs], []
        count = len(sources) if isinstance(sources, Sized) else None
        for answer in track(self._predictions(sources, settings, batch_size), count, "predicting"):
            if isinstance(answer, Failed) and (errors == "raise" or not many):
                raise answer.error
            answers.append(answer)
        return answers if many else answers[0]

    def features(self, inputs: Any, *, batch_size: int = 32) -> Array:
        """The backbone's features, float32 [n, d]; one input gives [1, d]. Raises InputError for what can't be read."""
        sources = inputs if is_many(inputs, self.spec.input.kind) else [inputs]
        rows = []
        for prepared, outputs in track(self.outputs(sources, "features", batch_size), None, "computing features"):
            for item in prepared:
                if isinstance(item, InputError):
                    raise item
            rows.append(outputs["features"])
        width = self.spec.outputs["features"].width or 0
        return np.concatenate(rows).astype(np.float32, copy=False) if rows else np.zeros((0, width), np.float32)

    def evaluate(
        self,
        data: Any,
        *,
        batch_size: int = 32,
        limit: int | None = None,
        labels: str | Sequence[str] | None = None,
        **options: str | None,
    ) -> Evaluation:
        """Scores with n and 95 % intervals on `data`: a dataset's name or path, `(x, y)`, or a `tf.data.Dataset`.

        limit: only so many examples; labels: the label space of the dataset's class numbers: a name, or names in order;
        options: `split`, `input_column`, `label_column`, `columns`; see `DatasetOptions`.
        Raises LabelError where the label spaces can't meet, DatasetError where nothing could be read.
        """
        self._require_ready()
        if limit is not None and limit < 1:
            raise OptionError(f"limit={limit!r} leaves nothing to measure; it is at least 1, or None for all")
        dataset = self.dataset(data, limit, labels=labels, **options)
        metric = self.task.metric(dataset, self.labels)
        settings = self.task.settings(self.task.evaluation_options())
        examples = iter(dataset) if limit is None else dataset.some(limit)
        failed, n = list[Failed](), 0
        total = len(dataset) if limit is None else min(limit, len(dataset))
        answers = self._answers(examples, settings, batch_size)
        for example, predictions in track(answers, total, f"evaluating {self.name}"):
            broken = next((answer for answer in predictions if isinstance(answer, Failed)), None)
            if broken is not None:  # a Failed is false
                failed.append(broken)
                continue
            metric.update(example, predictions)
            n += 1
        if n == 0:
            why = f"; the first: {failed[0].error}" if failed else ""
            raise DatasetError(f"no example of {dataset.name!r} could be read ({len(failed)} failed){why}")
        scores = metric.result()
        part = f"{total:,} of {len(dataset):,} examples, {dataset.choice}" if total < len(dataset) else ""
        notes = tuple(note for note in (part, dataset.note, getattr(metric, "note", "")) if note)
        return Evaluation(self.name, dataset.name, n, scores, tuple(failed), notes)

    def fit(self, data: Any, **settings: Any) -> Any:
        """A new model trained on `data`, which `settings` say how: see `zoo.transfer.fit`; this one stays as it is.

        >>> flowers = zoo.get("classification", "mobilenet_v2_100_224").fit("folder:flowers/")
        >>> flowers.history["val_accuracy"], str(flowers.predict("rose.jpg"))
        """
        from zoo.transfer import fitting

        return fitting(self)(self, data, **settings)

    def cross_validate(self, data: Any, **settings: Any) -> Any:
        """Scores of heads, each judged on a part that it has not seen: see `zoo.transfer.folds.cross_validate`."""
        from zoo.transfer import cross_validate

        return cross_validate(self, data, **settings)

    def dataset(
        self, data: Any, limit: int | None = None, labels: str | Sequence[str] | None = None, **options: str | None
    ) -> Dataset:
        """`data` as a dataset that this model's task can be measured on; the other arguments as `evaluate` takes them.

        Raises DatasetError, and LabelError where no label space is named `labels`.
        """
        space = named_space(labels, self.labels) if labels is not None else None
        wanted = DatasetOptions(modality=self.spec.input.kind, targets=self.task.spec.targets, labels=space, **options)
        if isinstance(data, Dataset):
            dataset = data
        elif isinstance(data, str | os.PathLike):
            dataset = open_dataset(os.fspath(data), wanted, installed())
        else:
            dataset = as_dataset(data, wanted, limit)
        if dataset.targets != wanted.targets or dataset.modality != wanted.modality:
            raise DatasetError(
                f"{self.name!r} is measured on {wanted.modality} examples with targets {wanted.targets!r}; "
                f"{dataset.name!r} has {dataset.modality} examples with {dataset.targets!r}"
            )
        return dataset

    def outputs(self, sources: Iterable[Any], output: str, batch_size: int) -> Generator[Answered, None, None]:
        """Batches of prepared sources, the unreadable ones exceptions, with the outputs for the readable ones.

        Batches are prepared while others run, several of which a runtime may have under way; what comes out is in the
        order of `sources`, which may be endless. Closing it ends all that.
        """
        if batch_size < 1:
            raise OptionError(f"batch_size={batch_size!r} is too small; it is at least 1")
        run = self.compiled(output)
        spec = self.spec.input
        most = spec.batch or batch_size
        # An output of a stated width is a row for each text; only then may texts run in another order.
        by_length = spec.kind == "text" and self.spec.outputs[output].width is not None
        with closing(prepare_all(sources, spec, batch=most)) as prepared:
            if by_length:
                yield from run_by_length(run, prepared, most)
            else:
                yield from run_groups(run, groups(prepared, most), spec.kind)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write facts and weights into a folder that `zoo.load` reads, here or on another machine; atomic.

        Raises OptionError where `path` exists already.
        """
        kept = {
            name: self.files(name)
            for name in self.spec.outputs
            if name == self.pair.output or weights_store.at_hand(self._source(name))
        }
        return write_saved(Path(path), self.task.spec.name, self.spec, kept)

    def _source(self, output: str) -> WeightsSpec:
        return weights_store.chosen(self.spec, output, self.weights)

    def _require_ready(self) -> None:
        if not self.pair.ready:
            raise NotFittedError(
                f"{self.name!r} has no trained head yet: backbone {self.spec.name!r} offers {self.pair.output!r}, "
                f"on which task {self.task.spec.name!r} must first be fitted to your data; fit it first"
            )

    def _predictions(
        self, sources: Iterable[Any], settings: Mapping[str, Any], batch_size: int
    ) -> Iterator[Prediction | Failed]:
        for group, outputs in self.outputs(sources, self.pair.output, batch_size):
            readable = [item for item in group if isinstance(item, Prepared)]
            answers = iter(
                self.task.postprocess(outputs, readable, self.facts, self.labels, settings) if readable else []
            )
            for item in group:
                yield next(answers) if isinstance(item, Prepared) else Failed.of(item)

    def _answers(
        self, examples: Iterable[Example], settings: Mapping[str, Any], batch_size: int
    ) -> Iterator[tuple[Example, list[Prediction | Failed]]]:
        """Each example with one answer for each of its inputs, streamed."""
        pending: list[tuple[Example, int]] = []

        def sources() -> Iterator[Any]:
            for example in examples:
                inputs = self.task.inputs(example)
                pending.append((example, len(inputs)))
                yield from inputs

        answers = self._predictions(sources(), settings, batch_size)
        collected: list[Prediction | Failed] = []
        for answer in answers:
            collected.append(answer)
            if len(collected) == pending[0][1]:
                example, _ = pending.pop(0)
                yield example, collected
                collected = []
