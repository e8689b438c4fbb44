"""TensorFlow Datasets: real prepared datasets, written by the tests and read through the scheme."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from zoo.dataset import DatasetOptions, open_dataset
from zoo.errors import DatasetError
from zoo.plugins import installed
from zoo.testing import DatasetContract


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Ten small pictures of two classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(names=["a", "b"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 10), "test": self._generate_examples(10, 14)}

    def _generate_examples(self, start, stop):
        rng = np.random.default_rng(start)
        for number in range(start, stop):
            yield number, {"image": rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), "label": number % 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of a prepared builder."""
    folder = tmp_path_factory.mktemp("tfds")
    builder = Shapes(data_dir=folder)
    builder.download_and_prepare()
    return builder.data_dir


def opened(path, split=None):
    options = DatasetOptions(split=split, modality="image", targets="class")
    return open_dataset(f"tfds:{path}", options, installed())


class TestContract(DatasetContract):
    @pytest.fixture
    def dataset(self, prepared):
        return opened(prepared)


def test_the_test_split_is_taken_where_none_is_named(prepared):
    dataset = opened(prepared)
    assert (dataset.split, len(dataset)) == ("test", 4)
    assert list(dataset.labels.names.values()) == ["a", "b"]


def test_slices_pass_through(prepared):
    assert len(opened(prepared, "train[:50%]")) == 5
    assert len(opened(prepared, "train[2:4]")) == 2


def test_a_name_is_found_in_the_data_folder(prepared, monkeypatch, tmp_path):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", prepared.rsplit("/shapes", 1)[0])
    options = DatasetOptions(modality="image", targets="class")
    assert len(open_dataset("tfds:shapes:1.0.0", options, installed())) == 4


@pytest.mark.parametrize(("path", "split"), [("no_such_dataset_at_all", None), (None, "validation"), (None, "train[")])
def test_what_tfds_refuses_is_a_dataset_error(prepared, path, split):
    with pytest.raises(DatasetError, match="can't be opened"):
        opened(path or prepared, split)


def test_without_a_network_an_unprepared_dataset_is_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(DatasetError, match=r"not prepared in .* ZOO_OFFLINE forbids"):
        opened("mnist")


def test_a_network_that_cannot_be_reached_is_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr("zoo_datasets.tfds.HOME", "no-such-host.invalid")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DatasetError, match=r"must be downloaded first, and the network can't be reached"):
        opened("mnist")
