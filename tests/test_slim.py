"""TF-Slim's checkpoint of Inception V3: by variable names into the Keras Application, to the last digit that counts."""

import re
import tarfile

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import weights
from zoo.backbone import load_backbone
from zoo.errors import BackboneError
from zoo_keras.slim import convolution_names

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
PICTURE = np.random.default_rng(0).uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32)


def numbered(model, kind):
    return sorted(
        (layer for layer in model.layers if isinstance(layer, kind)),
        key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or ["0"])[0]),
    )


def slim_variables(model):
    """The weights of a Keras InceptionV3 under slim's names; slim's last layer is a convolution."""
    import keras

    found = {}
    convolutions, norms = numbered(model, keras.layers.Conv2D), numbered(model, keras.layers.BatchNormalization)
    for name, convolution, norm in zip(convolution_names(), convolutions, norms, strict=True):
        found[f"{name}/weights"] = convolution.kernel
        found[f"{name}/BatchNorm/beta"] = norm.beta
        found[f"{name}/BatchNorm/moving_mean"] = norm.moving_mean
        found[f"{name}/BatchNorm/moving_variance"] = norm.moving_variance
    top = model.layers[-1]
    found["InceptionV3/Logits/Conv2d_1c_1x1/weights"] = np.asarray(top.kernel)[np.newaxis, np.newaxis]
    found["InceptionV3/Logits/Conv2d_1c_1x1/biases"] = top.bias
    found["InceptionV3/AuxLogits/Conv2d_1b_1x1/weights"] = np.zeros((1, 1, 8, 128), np.float32)
    return {name: np.asarray(value) for name, value in found.items()}


def write(variables, prefix):
    """One file, as in 2016: the first form of checkpoints."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.get_variable(name, initializer=value) for name, value in variables.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        version = tf.compat.v1.train.SaverDef.V1
        tf.compat.v1.train.Saver(made, write_version=version).save(session, str(prefix), write_meta_graph=False)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Randomly drawn weights as slim published its own, and the logits that they must give."""
    import keras

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("slim")
    model = keras.applications.InceptionV3(weights=None, classes=1001, classifier_activation=None)
    generator = np.random.default_rng(1)
    for norm in numbered(model, keras.layers.BatchNormalization):
        norm.beta.assign(generator.normal(0, 0.1, norm.beta.shape))
        norm.moving_mean.assign(generator.normal(0, 0.1, norm.beta.shape))
        norm.moving_variance.assign(generator.uniform(0.05, 0.3, norm.beta.shape))
    write(slim_variables(model), folder / "inception_v3.ckpt")
    packed = folder / "inception_v3_2016_08_28.tar.gz"
    with tarfile.open(packed, "w:gz", compresslevel=0) as tar:
        tar.add(folder / "inception_v3.ckpt", arcname="inception_v3.ckpt")
    return packed, folder / "inception_v3.ckpt", np.asarray(model(PICTURE))


def spec():
    return zoo.spec("inception_v3.slim_in1k")


def test_the_published_archive_gives_the_outputs_of_the_network_that_was_written(published, monkeypatch, tmp_path):
    packed, _, expected = published
    place = tmp_path / "mirror" / "models" / packed.name
    place.parent.mkdir(parents=True)
    place.hardlink_to(packed)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    found = weights.fetch(spec().outputs["logits"].weights, wanted_by="it")
    assert found.name == "inception_v3_2016_08_28.tar.gz"
    backbone = load_backbone(spec(), "logits", {"weights": found})
    logits = backbone.forward(PICTURE)["logits"]
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert logits.shape == (1, 1001)
    assert backbone.parameters() == spec().params


def test_features_are_read_from_the_same_file(published):
    _, file, _ = published
    backbone = load_backbone(spec(), "features", {"weights": file})
    assert tuple(backbone.forward(PICTURE)["features"].shape) == (1, spec().outputs["features"].width)


def test_a_variable_that_is_missing_is_named(tmp_path):
    write({"InceptionV3/Conv2d_1a_3x3/weights": np.zeros((3, 3, 3, 32), np.float32)}, tmp_path / "small.ckpt")
    with pytest.raises(BackboneError, match=r"small\.ckpt' has no variable 'InceptionV3/Conv2d_1a_3x3/BatchNorm/beta'"):
        load_backbone(spec(), "features", {"weights": tmp_path / "small.ckpt"}).load()


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "broken.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(BackboneError, match=r"broken\.ckpt' can't be read: it is cut or damaged"):
        load_backbone(spec(), "features", {"weights": tmp_path / "broken.ckpt"}).load()


def test_slim_s_other_networks_are_refused_with_what_is_known(published):
    _, file, _ = published
    other = zoo.BackboneSpec(
        name="mine",
        input={"kind": "image", "size": [224, 224]},
        outputs={"logits": {"width": 1001, "weights": {"path": str(file)}}},
    )
    with pytest.raises(BackboneError, match="slim's names are known for InceptionV3 and no others"):
        load_backbone(other, "logits", {"weights": file}).load()
