"""A real TensorFlow dataset in tf_flowers' form, records and dataset_info, written from local pictures."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import zoo
from zoo.dataset import DatasetOptions, open_dataset
from zoo.plugins import installed

NAMES = ["dandelion", "daisy", "tulips", "sunflowers", "roses"]  # in tf_flowers' own order, which is not the alphabet's


def written(pictures, folder):
    """The data folder that holds `pictures`, class -> files, as TFDS' own writer makes it."""

    class Flowers(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = "tf_flowers"
        VERSION = tfds.core.Version("3.0.1")

        def _info(self):
            features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=NAMES)}
            features = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("image", "label"))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for label, files in pictures.items():
                for file in files:
                    yield f"{label}/{file.name}", {"image": str(file), "label": label}

    Flowers(data_dir=folder).download_and_prepare()
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pictures by class, each class with its own shape and every picture of its own size; and the data folder."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("flowers")
    pictures = {}
    for number, label in enumerate(NAMES):
        files = [root / "pictures" / label / f"{place}.jpg" for place in range(8)]
        files[0].parent.mkdir(parents=True)
        for place, file in enumerate(files):
            pixels = rng.integers(0, 25, (40 + place, 50, 3), dtype=np.uint8)
            pixels[5 : 12 + 6 * number] += np.uint8(220)  # a bright bar, as high as the class says
            Image.fromarray(pixels).save(file, quality=95)
        pictures[label] = files
    return pictures, written(pictures, root / "data")


@pytest.fixture(autouse=True)
def data_folder(made, monkeypatch, tmp_path):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(made[1]))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")


def test_tfds_load_reads_what_was_written(made):
    data, info = tfds.load("tf_flowers", split="train[10%:25%]", data_dir=made[1], with_info=True, as_supervised=True)
    assert (info.features["label"].names, info.splits["train"].num_examples) == (NAMES, 40)
    assert data.cardinality() == 6
    picture, label = next(iter(data))
    assert picture.dtype == "uint8"
    assert 0 <= int(label) < 5


def test_every_picture_comes_back_encoded_as_it_was(made):
    options = DatasetOptions(modality="image", targets="class", split="train")
    dataset = open_dataset("tfds:tf_flowers", options, installed())
    assert list(dataset.labels.names.values()) == NAMES
    there = {(file.read_bytes(), NAMES.index(label)) for label, files in made[0].items() for file in files}
    assert {(bytes(example.input), example.target) for example in dataset} == there
    assert all(Image.open(io.BytesIO(example.input)).format == "JPEG" for example in dataset)


def test_slices_train_validate_and_test():
    model = zoo.get("classification", "tiny_cnn_s")
    fitted = model.fit("tfds:tf_flowers", split="train[:60%]", validation="train[60%:80%]", test="train[80%:]")
    assert (fitted.training.examples, fitted.training.validation, fitted.test.n) == (24, 8, 8)
    assert fitted.evaluate("tfds:tf_flowers", split="train[80%:]")["top1"] == pytest.approx(fitted.test["accuracy"])


def test_a_tf_data_dataset_of_the_same_records_is_fitted_alike():
    model = zoo.get("classification", "tiny_cnn_s")
    data = [tfds.load("tf_flowers", split=part, as_supervised=True) for part in ("train[:75%]", "train[75%:]")]
    fitted = model.fit(data[0], validation=data[1])
    assert (fitted.training.examples, fitted.training.validation) == (30, 10)


def test_a_dataset_that_is_written_anew_is_another_one(made, tmp_path):
    swapped = {**made[0], NAMES[0]: made[0][NAMES[1]], NAMES[1]: made[0][NAMES[0]]}
    model = zoo.get("classification", "tiny_cnn_s")
    places = [made[1] / "tf_flowers" / "3.0.1", written(swapped, tmp_path / "anew") / "tf_flowers" / "3.0.1"]
    once, again, anew = (model.dataset(f"tfds:{place}").fingerprint() for place in (places[0], *places))
    assert once == again != anew


def test_its_description_recounts_the_records():
    part = zoo.describe("tfds:tf_flowers").parts[0]
    assert (part.name, part.classes) == ("train", dict.fromkeys(NAMES, 8))
    assert (part.spreads["height"].least, part.spreads["height"].most) == (40, 47)
