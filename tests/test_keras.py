"""Keras Applications: pictures as each network wants them, and networks that compute what Keras' own do."""

import hashlib
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import numpy as np
import pytest

import zoo
import zoo_keras
from zoo import ImageInput, weights
from zoo.backbone import load_backbone
from zoo.errors import BackboneError, WeightsError
from zoo.inputs import prepare, sample_inputs

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPECS = []
zoo_keras.register_backbones(SPECS.append)
SPECS = [spec for spec in SPECS if spec.loader.endswith(":ApplicationsBackbone")]
BY_APPLICATION = {spec.options["application"]: spec for spec in SPECS}
# One without a digest, one that Keras builds otherwise for its own weights, one in Caffe's colours.
TRIED = [("MobileNetV2", "logits"), ("MobileNetV2", "features"), ("EfficientNetB0", "logits"), ("ResNet50", "features")]
tried = pytest.mark.parametrize(("application", "output"), TRIED, ids=lambda part: part)


@pytest.fixture(scope="module")
def applications():
    import keras

    return keras.applications


@pytest.fixture(scope="module")
def picture():
    return sample_inputs("image")[0]


def pictures(spec):
    """Two photographs as the network wants them."""
    return np.stack([prepare(source, spec.input).value for source in sample_inputs("image")[:2]])


def kwargs(output):
    """What makes a Keras Application give `output`."""
    if output == "logits":
        return {"include_top": True, "classifier_activation": None}
    return {"include_top": False, "pooling": "avg"}


def randomised(model, batch):
    """`model` with no layer left an identity, and with statistics of `batch`: answers then depend on the picture."""
    import keras

    generator = np.random.default_rng(0)
    for variable in model.weights:
        if "kernel" not in variable.name and not variable.path.startswith("normalization"):
            variable.assign(variable + np.abs(generator.normal(0, 0.1, variable.shape)).astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(batch, training=True)
    return model


def write_published(model, file):
    """Write weights as Keras publishes them: the groups of an old whole-model file, at its root."""
    import h5py

    model.save(file.with_suffix(".whole.h5"))
    with h5py.File(file.with_suffix(".whole.h5")) as whole, h5py.File(file, "w") as bare:
        for name, group in whole["model_weights"].items():
            whole.copy(group, bare, name)
        for name, value in whole["model_weights"].attrs.items():
            bare.attrs[name] = value
    file.with_suffix(".whole.h5").unlink()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory, applications):
    """A folder laid out as a mirror, with files of random weights for TRIED in the published form."""
    import keras

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("mirror")
    for application, output in TRIED:
        spec = BY_APPLICATION[application]
        file = folder / urlsplit(spec.outputs[output].weights.url).path.strip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        model = getattr(applications, application)(weights=None, input_shape=(*spec.input.size, 3), **kwargs(output))
        batch = pictures(spec)
        if spec.family == "efficientnet":  # what Keras' extra layer would do, which a network without weights lacks
            batch = batch / np.sqrt([0.229, 0.224, 0.225])
        write_published(randomised(model, batch), file)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def published(mirror, monkeypatch, tmp_path):
    """`published(application, output)`: the spec with the digest of the mirror's file, and that file."""
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))

    def find(application, output):
        spec = BY_APPLICATION[application]
        facts = spec.outputs[output]
        file = mirror / urlsplit(facts.weights.url).path.strip("/")
        place = facts.weights
        if place.md5:  # the catalogue's is that of the real file
            place = place.model_copy(update={"md5": hashlib.md5(file.read_bytes()).hexdigest()})
        outputs = spec.outputs | {output: facts.model_copy(update={"weights": place})}
        return spec.model_copy(update={"outputs": outputs}), file

    return find


def fetched(spec, output):
    return {"weights": weights.fetch(spec.outputs[output].weights, wanted_by=spec.name)}


# ------------------------------------------------------------------------------------------------------- facts


def test_every_application_states_its_parameters():
    assert all(spec.params for spec in SPECS)


def test_every_application_of_keras_is_in_the_catalogue(applications):
    functions = {name for name in dir(applications) if name[0].isupper()}
    assert set(BY_APPLICATION) == functions


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_picture_is_prepared_as_the_network_s_own_preprocess_input_does(spec, applications, picture):
    build = getattr(applications, spec.options["application"])
    own = sys.modules[build.__module__].preprocess_input
    seen = spec.input
    bare = ImageInput(
        size=seen.size, range=(0, 255), resize=seen.resize, crop=seen.crop, interpolation=seen.interpolation
    )
    expected = own(prepare(picture, bare).value[np.newaxis].copy())[0]
    actual = prepare(picture, seen).value
    assert actual.shape == (*seen.size, 3)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4 * (seen.range[1] - seen.range[0]) / 255)


def test_the_adapter_is_imported_without_keras():
    code = "import sys, zoo_keras.applications; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -------------------------------------------------------------------------------------------------- computation


@tried
def test_it_computes_what_keras_computes_with_its_own_weights(application, output, published, monkeypatch):
    import keras
    from keras.src.utils import file_utils

    spec, file = published(application, output)
    asked = []

    def get_file(fname, origin, file_hash=None, **rest):
        asked.append((origin, file_hash))
        return str(file)

    # Keras downloads here, and builds some networks otherwise when it does.
    monkeypatch.setattr(file_utils, "get_file", get_file)
    reference = getattr(keras.applications, application)(
        weights="imagenet", input_shape=(*spec.input.size, 3), **kwargs(output)
    )
    stated = BY_APPLICATION[application].outputs[output].weights
    assert asked == [(stated.url, stated.md5)]

    backbone = load_backbone(spec, output, fetched(spec, output))
    batch = pictures(spec)
    expected = reference.predict(batch, verbose=0)
    (actual,) = backbone.forward(batch).values()
    assert expected.shape == (2, spec.outputs[output].width)
    assert np.abs(expected[0] - expected[1]).max() > 0.05 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert backbone.parameters() == reference.count_params()
    if output == "logits":
        assert reference.count_params() == spec.params


def test_a_published_network_classifies_through_zoo_get(published, picture):
    import keras

    _, file = published("MobileNetV2", "logits")
    reference = keras.applications.MobileNetV2(weights=str(file))  # with its softmax
    model = zoo.get("classification", "mobilenet_v2.keras_in1k")
    expected = reference.predict(prepare(picture, model.spec.input).value[np.newaxis], verbose=0)[0]
    answer = model.predict(picture)
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-3, atol=1e-6)
    assert answer.index == expected.argmax()


def test_training_uses_the_statistics_of_the_batch(published):
    spec, _ = published("MobileNetV2", "features")
    backbone = load_backbone(spec, "features", fetched(spec, "features"))
    batch = pictures(spec)[:1]
    still, moving = backbone.forward(batch)["features"], backbone.forward(batch, training=True)["features"]
    assert not np.allclose(still, moving, rtol=1e-2)


# ------------------------------------------------------------------------------------------------------- errors


def test_the_file_without_top_is_refused_where_the_top_is_wanted(published):
    spec, _ = published("MobileNetV2", "logits")
    _, other = published("MobileNetV2", "features")
    with pytest.raises(BackboneError, match=r"does not hold the weights of keras\.applications\.MobileNetV2 with its"):
        load_backbone(spec, "logits", {"weights": other}).load()


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", None], ids=["empty", "foreign", "truncated"])
def test_a_broken_file_is_named(content, published, tmp_path):
    spec, file = published("MobileNetV2", "features")
    broken = tmp_path / "broken.h5"
    broken.write_bytes(file.read_bytes()[:100_000] if content is None else content)
    with pytest.raises(
        BackboneError, match=r"broken\.h5.* (does not hold .*without its top|empty|starts with).*fetch it"
    ):
        load_backbone(spec, "features", {"weights": broken}).load()


def test_a_file_whose_digest_is_not_keras_own_is_refused(published):
    published("EfficientNetB0", "logits")
    spec = BY_APPLICATION["EfficientNetB0"]
    with pytest.raises(WeightsError, match=r"md5|MD5|digest"):
        fetched(spec, "logits")


def test_another_backend_of_keras_is_refused(published, monkeypatch):
    import keras

    spec, file = published("MobileNetV2", "logits")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(BackboneError, match=r"runs on 'jax'.*KERAS_BACKEND=tensorflow"):
        load_backbone(spec, "logits", {"weights": file}).load()


def test_an_application_that_keras_does_not_have_is_named(published):
    spec, file = published("MobileNetV2", "logits")
    spec = spec.model_copy(update={"options": {"application": "VGG17"}})
    with pytest.raises(BackboneError, match=r"no application 'VGG17'"):
        load_backbone(spec, "logits", {"weights": file}).load()
