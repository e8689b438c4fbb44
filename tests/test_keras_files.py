"""A user's own Keras files: layers as outputs, code refused, weights alone."""

import functools
import json
import zipfile

import numpy as np
import pytest
from file_forms import KERNEL, LOGITS, PICTURES, keras_file, opened

from zoo.archives import Limits
from zoo.errors import BackboneError, WeightsError
from zoo_keras.config import refuse_code

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(autouse=True)
def trusting_nobody(monkeypatch):
    monkeypatch.delenv("ZOO_TRUST_CODE", raising=False)


def test_features_are_those_of_the_layer_that_the_row_names(tmp_path):
    file = keras_file(tmp_path)
    backbone = opened(file, "features", output_facts={"width": 192, "key": "flat"})
    np.testing.assert_allclose(backbone.forward(PICTURES)["features"], PICTURES.reshape(3, 192), rtol=1e-5)
    with pytest.raises(
        BackboneError, match=r"has no layer 'flatten'; its last are 'input_layer.*', 'same', 'flat', 'top'"
    ):
        opened(file, "features", output_facts={"key": "flatten"}).load()


def with_code(file):
    import keras

    images = keras.Input([8, 8, 3])
    same = keras.layers.Lambda(lambda x: x * 1.0, output_shape=(8, 8, 3), name="sneaky")(images)
    model = keras.Model(images, keras.layers.Dense(5, use_bias=False)(keras.layers.Flatten()(same)))
    model.layers[-1].kernel.assign(KERNEL)
    model.save(file)
    return file


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_keras_lambda_is_refused_by_name_and_runs_where_it_is_trusted(name, tmp_path, monkeypatch):
    file = with_code(tmp_path / name)
    with pytest.raises(WeightsError, match=rf"'mine': .*{name}' holds code .*layer 'sneaky' of class 'Lambda'.*trust"):
        opened(file).load()
    monkeypatch.setenv("ZOO_TRUST_CODE", "1")
    np.testing.assert_allclose(opened(file).forward(PICTURES)["logits"], LOGITS, rtol=1e-4, atol=1e-4)


def test_a_function_outside_keras_parts_is_refused_by_name(tmp_path):
    file = tmp_path / "changed.keras"
    with zipfile.ZipFile(keras_file(tmp_path)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                layer = config["config"]["layers"][-1]["config"]
                layer["activation"] = {"class_name": "function", "module": "keras.utils", "config": "get_file"}
                content = json.dumps(config).encode()
            new.writestr(name, content)
    with pytest.raises(WeightsError, match=r"holds code beside its weights: 'get_file' of module 'keras.utils'"):
        opened(file).load()


def test_a_layer_that_reads_a_file_is_refused_by_name(tmp_path):
    lookup = {"name": "words", "vocabulary": "/etc/passwd"}
    config = {"config": {"layers": [{"class_name": "StringLookup", "module": "keras.layers", "config": lookup}]}}
    with pytest.raises(WeightsError, match="layer 'words' of class 'StringLookup', which reads '/etc/passwd'"):
        refuse_code(config, tmp_path / "model.keras", "mine")


def test_a_file_that_swells_beyond_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo_keras.files.Limits", functools.partial(Limits, harmless=1 << 20))
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2 << 20))
    with pytest.raises(BackboneError, match="bytes unpacked, more than the"):
        opened(tmp_path / "model.keras").load()


def test_weights_alone_go_into_the_application_that_the_row_names(tmp_path):
    import keras

    model = keras.applications.MobileNetV2(weights=None, classes=5, classifier_activation=None, input_shape=(32, 32, 3))
    model.save_weights(tmp_path / "my.weights.h5")
    seen = {"size": [32, 32]}
    with pytest.raises(BackboneError, match=r"my\.weights\.h5' holds weights alone.* options\.application"):
        opened(tmp_path / "my.weights.h5", input=seen).load()
    (tmp_path / "my.weights.h5").rename(tmp_path / "logits.h5")  # as a saved model keeps it
    backbone = opened(tmp_path / "logits.h5", input=seen, options={"application": "MobileNetV2"})
    batch = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    np.testing.assert_allclose(backbone.forward(batch)["logits"], model(batch), rtol=1e-4, atol=1e-6)
