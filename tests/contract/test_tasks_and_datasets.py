"""Every registered task and every sample dataset keeps its contract."""

import pytest

from zoo.dataset import DatasetOptions, open_dataset
from zoo.plugins import installed
from zoo.testing import DatasetContract, TaskContract

SAMPLES = [spec.name for spec in installed().datasets if spec.samples]


class TestTasks(TaskContract):
    @pytest.fixture(params=list(installed().tasks), ids=lambda spec: spec.name)
    def spec(self, request):
        return request.param


class TestSamples(DatasetContract):
    @pytest.fixture(params=SAMPLES)
    def dataset(self, request):
        return open_dataset(request.param, DatasetOptions(), installed())


def test_every_task_that_needs_no_fitting_has_samples():
    covered = {installed().datasets.get(name).targets for name in SAMPLES}
    assert covered == {task.targets for task in installed().tasks if task.ready}
