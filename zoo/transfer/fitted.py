"""A fitted model: a backbone's features and a head that was trained on them, composed; saved and loaded as one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.backbone import Backbone, load_backbone
from zoo.errors import WeightsError
from zoo.evaluation import Evaluation, read_evaluation
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.pairs import Pair
from zoo.runtime import Array, Compiled
from zoo.saved import saved_facts, write_saved
from zoo.specs import BackboneSpec, OutputSpec
from zoo.task import Failed
from zoo.transfer.headed import HeadedBackbone
from zoo.transfer.heads import Head, read_head
from zoo.transfer.held import HeldOut, read_held_out


@dataclass(frozen=True)
class History:
    """What training saw, in Keras' words. history: name -> a value an epoch ("loss", "accuracy", "val_loss", ...)."""

    history: Mapping[str, list[float]]
    epoch: list[int]

    def __getitem__(self, name: str) -> list[float]:
        return self.history[name]


@dataclass(frozen=True)
class Training:
    """How a model was fitted, so that it can be told and repeated; seconds: of each part.

    trained, frozen: how many numbers of the backbone's variables were trained, and how many were not; None: unknown.
    """

    strategy: str
    head: str
    dataset: str
    fingerprint: str
    examples: int
    validation: int
    seed: int
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()
    trained: int = 0
    frozen: int | None = None


class Headed(Compiled):
    """Features, or feature maps, and a head behind them as one callable that gives `logits`."""

    def __init__(self, features: Compiled, head: Head) -> None:
        self._features = features
        self._head = head
        self.device = features.device
        self.precision = features.precision
        self.choice = features.choice

    def __call__(self, batch: Array) -> dict[str, Array]:
        """See `zoo.Compiled`."""
        return {"logits": self._head(self._features(batch)[self._head.takes])}

    def stream(self, batches: Iterable[Array]) -> Iterator[dict[str, Array]]:
        """See `zoo.Compiled.stream`."""
        with closing(_generated(self._features.stream(batches))) as stream:
            for outputs in stream:
                yield {"logits": self._head(outputs[self._head.takes])}

    def parameters(self) -> int | None:
        """The weights of backbone and head."""
        below = self._features.parameters()
        return None if below is None else below + self._head.parameters()

    def peak_memory(self) -> int | None:
        """See `zoo.Compiled.peak_memory`."""
        return self._features.peak_memory()


class FittedModel(Model):
    """A model whose head `Model.fit` has trained. failed: the examples that could not be read; held: on what judged;
    test: what it scores on the examples set apart for a test, None where there were none; source: the model below.
    """

    def __init__(
        self,
        source: Model,
        head: Head,
        labels: LabelSpace,
        history: History,
        training: Training,
        failed: tuple[Failed, ...] = (),
        held: HeldOut | None = None,
        test: Evaluation | None = None,
    ) -> None:
        spec = _with_head(source.spec, labels, head.takes)
        super().__init__(
            Pair(source.pair.task, spec, "logits", "ready"),
            source.task,
            source.runtime,
            device=source.device,
            precision=source.precision,
            weights=source.weights,
            trust_code=source.trust_code,
            named=source.named,
        )
        self._compiled.update(source.loaded(head.takes))
        self.stated = source.stated
        self.source = source  # the files of a backbone that was trained go with it
        self.head = head
        self.history = history
        self.training = training
        self.failed = failed
        self.held = held
        self.test = test

    @property
    def name(self) -> str:
        """`TASK/BACKBONE` and what it was fitted to: no figure of it is one of the published network."""
        return f"{self.pair.name} fitted to {self.training.dataset}"

    def compiled(self, output: str) -> Compiled:
        """See `zoo.Model.compiled`; `logits` are the head's."""
        if output == "logits" and output not in self._compiled:
            self._compiled[output] = Headed(super().compiled(self.head.takes), self.head)
        return super().compiled(output)

    def files(self, output: str) -> dict[str, Path]:
        """See `zoo.Model.files`; the head lies in memory."""
        return super().files(self.head.takes if output == "logits" else output)

    def network(self) -> Backbone:
        """Backbone and head as one network with the output `logits`, not yet loaded."""
        below = load_backbone(self.spec, self.head.takes, self.files("logits"))
        return HeadedBackbone(below, self.head, self.spec)

    def export(self, out: str | os.PathLike[str], format: str = "saved_model", data: Any = None, **options: Any) -> Any:
        """Write the model into the folder `out` as "saved_model", "onnx" or "litert"; returns how it compares.

        data: real examples to check on, by default some of the dataset that judged it. See `zoo.export.export_model`.

        >>> print(flowers.export("out/", format="saved_model"))
        """
        from zoo.export import export_model

        return export_model(self, out, format=format, data=data, **options)

    def report(self, out: str | os.PathLike[str], data: Any = None, **options: Any) -> Path:
        """Write report.html, report.json and PNG files into the folder `out`; returns the page's path.

        data: what to report on, with `options` as `evaluate` takes them; by default what was held out in fitting.
        See `zoo.transfer.report.write_report`.
        """
        from zoo.transfer.report import write_report

        return write_report(self, out, data, **options)

    def save(self, path: Any) -> Path:
        """See `zoo.Model.save`; head, history and how it was trained travel along."""

        def more(folder: Path) -> dict[str, Any]:
            facts = {
                "history": dict(self.history.history),
                "epoch": self.history.epoch,
                "training": asdict(self.training),
                "held": self.held and self.held.save(folder),
                "test": self.test and self.test.to_json(),
            }
            return {"fitted": {"head": self.head.save(folder)} | facts}

        kept = {name: self.files(name) for name in self.spec.outputs}
        return write_saved(Path(path), self.task.spec.name, self.spec, kept, more)


def load_fitted(folder: Path, source: Model) -> FittedModel:
    """The fitted model that `FittedModel.save` wrote into `folder`, on the backbone `source`; raises WeightsError."""
    told = saved_facts(folder)["fitted"]
    try:
        head = read_head(folder / str(told["head"]))
        history = History(told["history"], told["epoch"])
        training = Training(**told["training"] | {"notes": tuple(told["training"]["notes"])})
        labels = source.spec.outputs["logits"].labels
        space = LabelSpace("own", dict(enumerate(labels if isinstance(labels, tuple) else ())))
        held = read_held_out(folder, told["held"]) if told.get("held") else None
        test = read_evaluation(told["test"]) if told.get("test") else None
    except (KeyError, TypeError, OSError, ValueError) as error:
        raise WeightsError(f"the fitted model in {str(folder)!r} lacks {error}; save it again") from error
    return FittedModel(source, head, space, history, training, held=held, test=test)


def _with_head(spec: BackboneSpec, labels: LabelSpace, takes: str) -> BackboneSpec:
    """`spec` offering what its head `takes`, features, and `logits` over the head's classes; no published figure holds
    for those.
    """
    below = {name: spec.outputs[name] for name in dict.fromkeys(("features", takes))}
    logits = OutputSpec(labels=tuple(labels.names.values()), width=len(labels), weights=below[takes].weights)
    return spec.model_copy(update={"outputs": {**below, "logits": logits}, "published": ()})


def _generated(outputs: Iterator[dict[str, Array]]) -> Generator[dict[str, Array], None, None]:
    yield from outputs  # an iterator, which need not have a `close`
