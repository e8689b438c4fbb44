"""The contracts as tests, for plugin authors: subclass one, give its fixture, and pytest runs the rules.

>>> class TestMyBackbone(zoo.testing.BackboneContract):
...     @pytest.fixture
...     def spec(self):
...         return zoo.spec("my_backbone")
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo import weights
from zoo.backbone import Backbone, import_loader, load_backbone
from zoo.batches import stack
from zoo.compose import get_runtime
from zoo.dataset import Dataset, Objects
from zoo.inputs import prepare, sample_inputs
from zoo.labels import label_space
from zoo.pairs import find_pair
from zoo.plugins import installed
from zoo.runtime import Array, Compiled
from zoo.specs import BackboneSpec, TaskSpec, TextInput
from zoo.task import Task


class BackboneFactsContract:
    """What must hold of any registered backbone, its weights at hand or not. Fixture: `spec`."""

    def test_it_fits_a_task(self, spec: BackboneSpec) -> None:
        """A backbone that fits no task can't be used for anything."""
        assert spec.unread or [task.name for task in installed().tasks if find_pair(task, spec)]

    def test_its_logits_are_as_wide_as_their_label_space(self, spec: BackboneSpec) -> None:
        """1001 columns read with 1000 labels would shift every answer by one."""
        for name, facts in spec.outputs.items():
            labels = label_space(facts.labels, facts.width)
            if name == "logits" and facts.width is not None:
                assert labels is not None
                assert len(labels) == facts.width

    def test_every_output_says_where_its_weights_are(self, spec: BackboneSpec) -> None:
        """An output without weights can't be fetched."""
        for facts in spec.outputs.values():
            assert facts.weights.path or facts.weights.handles

    def test_its_loader_makes_a_backbone(self, spec: BackboneSpec) -> None:
        """The loader's string leads to a subclass of `zoo.Backbone`."""
        assert issubclass(import_loader(spec.loader, spec.name), Backbone)


class BackboneContract(BackboneFactsContract):
    """What must hold of a backbone whose weights are at hand. Fixture: `spec`."""

    def test_its_outputs_have_the_promised_form(self, spec: BackboneSpec) -> None:
        """Names, shapes and finite numbers, for a batch of real inputs."""
        batch = _batch(spec)
        for name in spec.outputs:
            outputs = _compiled(spec, name)(batch)
            expected = {"boxes", "scores", "classes", "count"} if name == "boxes" else {name}
            assert set(outputs) == expected
            for value in outputs.values():
                assert len(value) == len(batch)
                assert np.isfinite(value).all()
            width = spec.outputs[name].width
            if width is not None:
                assert (len(outputs[name]), outputs[name].shape[-1]) == (len(batch), width)
                assert outputs[name].ndim == (4 if name == "feature_maps" else 2)

    def test_an_input_alone_gives_what_it_gives_in_a_batch(self, spec: BackboneSpec) -> None:
        """Neighbours in a batch must not leak into each other."""
        batch = _batch(spec)
        for name in spec.outputs:
            run = _compiled(spec, name)
            together, alone = run(batch), run(batch[:1])
            for key in together:
                np.testing.assert_allclose(together[key][:1], alone[key], rtol=1e-3, atol=1e-3)

    def test_its_answers_differ_between_inputs(self, spec: BackboneSpec) -> None:
        """A network that answers everything alike has lost its weights or its input."""
        first, second = (_batch(spec, [source]) for source in sample_inputs(spec.input.kind)[:2])
        for name in spec.outputs:
            run = _compiled(spec, name)
            one, other = run(first), run(second)
            assert any(not np.array_equal(one[key], other[key]) for key in one)

    def test_it_counts_its_parameters(self, spec: BackboneSpec) -> None:
        """A network without parameters was not loaded."""
        assert (_compiled(spec, next(iter(spec.outputs))).parameters() or 0) > 0


class DatasetContract:
    """What must hold of a dataset. Fixture: `dataset`."""

    def test_it_is_as_long_as_it_says(self, dataset: Dataset) -> None:
        """Its length is the number of its examples, which is not zero."""
        assert len(dataset) == sum(1 for _ in dataset) > 0

    def test_its_examples_can_be_told_apart(self, dataset: Dataset) -> None:
        """A message names an example by its id."""
        ids = [example.id for example in dataset]
        assert len(set(ids)) == len(ids)

    def test_it_gives_the_same_twice(self, dataset: Dataset) -> None:
        """Order and targets are fixed, and so is the fingerprint."""
        assert [example.id for example in dataset] == [example.id for example in dataset]
        assert dataset.fingerprint() == dataset.fingerprint()

    def test_its_targets_are_in_its_label_space(self, dataset: Dataset) -> None:
        """An id that the dataset can't name is no target."""
        if dataset.labels is None:
            return
        for example in dataset:
            ids = example.target.ids if isinstance(example.target, Objects) else [example.target]
            assert set(ids) <= set(dataset.labels.names)


class TaskContract:
    """What must hold of any registered task. Fixture: `spec`, a `zoo.TaskSpec`."""

    def test_its_loader_makes_a_task(self, spec: TaskSpec) -> None:
        """The loader's string leads to a `zoo.Task` that knows its facts."""
        task = import_loader(spec.loader, spec.name)(spec)
        assert isinstance(task, Task)
        assert task.spec is spec

    def test_a_backbone_or_a_head_can_answer_it(self, spec: TaskSpec) -> None:
        """What a task needs, some backbone offers."""
        assert any(find_pair(spec, backbone) for backbone in installed().backbones)

    def test_its_evaluation_uses_options_that_it_has(self, spec: TaskSpec) -> None:
        """The metric's settings are options of the task."""
        task = import_loader(spec.loader, spec.name)(spec)
        assert set(task.evaluation_options()) <= {option.name for option in spec.options}


# Compiling costs seconds, and every rule wants it: once for each backbone and output.
_ready: dict[tuple[str, str], Compiled] = {}


def _compiled(spec: BackboneSpec, output: str) -> Compiled:
    if (spec.name, output) not in _ready:
        _ready[spec.name, output] = _compile(spec, output)
    return _ready[spec.name, output]


def _compile(spec: BackboneSpec, output: str) -> Compiled:
    files = {"weights": weights.fetch(spec.outputs[output].weights, wanted_by=spec.name)}
    if isinstance(spec.input, TextInput) and spec.input.preprocessor:
        files["preprocessor"] = weights.fetch(spec.input.preprocessor, wanted_by=spec.name)
    backbone = load_backbone(spec, output, files)
    runtime = next(iter(backbone.runtimes), "tf")
    return get_runtime(runtime).compile(backbone)


def _batch(spec: BackboneSpec, sources: list[Any] | None = None) -> Array:
    sources = sources or sample_inputs(spec.input.kind)[: spec.input.batch or 2]
    return stack([prepare(source, spec.input).value for source in sources], spec.input.kind)
