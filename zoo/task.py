"""The contract of a task: outputs become typed predictions, and predictions become scores."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zoo.agreement import Agreement, Outputs, vectors_agree
from zoo.errors import InputError, OptionError
from zoo.inputs import Prepared
from zoo.labels import LabelSpace
from zoo.metrics import Metric
from zoo.pictures import described
from zoo.runtime import Array
from zoo.specs import OutputSpec, TaskSpec

if TYPE_CHECKING:
    from zoo.dataset import Dataset, Example
    from zoo.model import Model
    from zoo.transfer.report.kind import Report
    from zoo.transfer.report.predicted import Predicted


class Prediction(ABC):
    """What a task answers for one input. `str()` is one line for a person; subclasses are frozen dataclasses.

    drawable: whether `save` draws it.
    """

    drawable: ClassVar[bool] = False

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The answer in JSON's own types, as `zoo predict --json` prints it."""

    def save(self, path: str | Path) -> Path:
        """Draw the answer into a picture file; raises OptionError where there is nothing to draw."""
        raise OptionError(f"a {type(self).__name__} has nothing to draw; use to_json()")


@dataclass(frozen=True)
class Failed:
    """Stands in a list of predictions where an input could not be read; false in a condition.

    input: the path of a picture, a text, or in a few words what it was.
    """

    input: str
    error: Exception

    @classmethod
    def of(cls, error: InputError) -> Failed:
        """What stands for the input that `error` is about."""
        source = error.source
        return cls(os.fspath(source) if isinstance(source, str | os.PathLike) else described(source), error)

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"failed: {self.error}"

    def to_json(self) -> dict[str, Any]:
        """The reason in JSON's own types."""
        return {"input": self.input, "error": str(self.error)}


class Task(ABC):
    """What somebody wants done; it knows outputs and what they mean, not which backbone they came from."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec

    @abstractmethod
    def postprocess(
        self,
        outputs: Mapping[str, Array],
        inputs: Sequence[Prepared],
        facts: OutputSpec,
        labels: LabelSpace | None,
        options: Mapping[str, Any],
    ) -> Sequence[Prediction]:
        """One prediction for each of `inputs`.

        outputs: arrays whose first axis runs over `inputs` (see `Backbone.forward`).
        facts: what the spec says of them; labels: their label space, where they have one.
        options: a value for each option of the task's spec.
        """

    @abstractmethod
    def metric(self, dataset: Dataset, labels: LabelSpace | None) -> Metric:
        """What measures predictions with label space `labels` on `dataset`; raises LabelError if they can't meet."""

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for each option of the spec: the one given, as the option's type, or its default.

        Raises OptionError for an option that is not there or a value that means nothing.
        """
        settings = {option.name: option.default for option in self.spec.options}
        for name, value in given.items():
            if name not in settings:
                known = ", ".join(map(repr, settings)) or "none"
                raise OptionError(f"task {self.spec.name!r} has no option {name!r}; its options: {known}")
            try:
                settings[name] = type(settings[name])(value)
            except (TypeError, ValueError) as error:
                kind = type(settings[name]).__name__
                raise OptionError(f"option {name!r} is a {kind}; {value!r} is none") from error
        self.check(settings)
        return settings

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise OptionError for an option whose value means nothing; asked before anything is loaded."""
        return

    def evaluation_options(self) -> dict[str, Any]:
        """The options under which the metric wants its predictions, where not the defaults."""
        return {}

    def agreement(self, reference: Sequence[Outputs], candidate: Sequence[Outputs], facts: OutputSpec) -> Agreement:
        """Whether a runtime's answers may stand for the reference's (`tf` at fp32), example by example.

        reference, candidate: for each example the arrays of `Backbone.forward`, without the batch's axis; facts: what
            the spec says of them. At least one example.
        This one compares arrays as vectors; a task that reads more into an output of its own overrides it for that
        output, and writes its tolerances down. What can't be compared is no agreement, and no error.
        """
        return vectors_agree(reference, candidate)

    def inputs(self, example: Example) -> tuple[Any, ...]:
        """The inputs of an example, each of which gets a prediction; a pair of sentences has two."""
        return (example.input,)

    def report(self, predicted: Predicted) -> Report:
        """What a page about a model that was trained whole shows of its predictions; see `zoo.transfer.report`.

        A model with a head that `Model.fit` trained has a page of its own, by what its targets are.
        Raises OptionError where the task has none: this one.
        """
        raise OptionError(
            f"there is no page about a {self.spec.name} model that was trained whole yet: 'zoo eval MODEL DATA' "
            "(evaluate) gives its figures"
        )

    def model_class(self) -> type[Model]:
        """The class of models for this task; a task with verbs of its own (`encode`) gives a subclass."""
        from zoo.model import Model

        return Model

    def restored(self, model: Model, folder: Path) -> Model:
        """`model`, read from `folder`, with what the task's own kind of model has saved there beside the backbone."""
        return model
