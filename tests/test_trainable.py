"""Every form of network that can be trained is, and counts truthfully; the others say why not."""

import os

import file_forms
import numpy as np
import pytest
from hub_modules import KerasModule, export
from trained import changed, few_digits, variables

import zoo
from zoo.errors import OptionError

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    # Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


@pytest.fixture
def few(tmp_path):
    return few_digits(zoo.get("classification", "tiny_cnn_m"), tmp_path / "few")


def of(form, tmp_path):
    """A model that reads a small network in this form."""
    path = file_forms.FORMS[form](tmp_path)
    spec = file_forms.spec("features", output_facts={"weights": {"path": str(path)}})
    return zoo.get("classification", spec)


@pytest.mark.parametrize("form", ["keras", "keras_hdf5", "keras_hdf5 of Keras 2"])
def test_files_with_variables_are_trained_and_counted(form, few, tmp_path):
    model = of(form, tmp_path)
    sizes = {name: array.size for name, array in variables(model).items()}
    fitted = model.fit(few, strategy="full", epochs=1, learning_rate=1e-3)
    told = fitted.training
    assert sum(sizes[name] for name in changed(model, fitted)) == told.trained > 0
    assert told.trained + told.frozen == sum(sizes.values())


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("saved_model", "was saved for inference: it exposes no variables to train"),
        ("saved_model of TF1's Hub", "is one of TensorFlow 1, whose graph for inference can't be trained"),
        ("saved_model of TF1", "is one of TensorFlow 1, whose graph for inference can't be trained"),
        ("frozen_graph", "holds constants, made for inference"),
        ("tflite", "holds constants, made for inference"),
    ],
)
def test_files_made_for_inference_give_the_reason(form, reason, few, tmp_path):
    with pytest.raises(OptionError, match=f"strategy='last' can't be had: .*{reason}.*strategy='frozen' works"):
        of(form, tmp_path).fit(few, strategy="last")


def test_a_module_of_the_hub_trains_the_variables_that_it_exposes(few, tmp_path):
    import tensorflow as tf

    inner = KerasModule(6, 32)
    inner.exported()
    module = tf.train.Checkpoint()  # TF Hub's reusable form: a callable and lists of variables
    module.__call__ = inner.__call__
    module.variables = [inner.kernel, inner.moving_mean, inner.moving_variance, inner.dense]
    module.trainable_variables = [inner.kernel, inner.dense]
    outputs = {"features": {"weights": {"path": str(export(module, tmp_path / "module"))}, "width": 6}}
    spec = zoo.BackboneSpec(name="hub", input={"kind": "image", "size": [32, 32]}, outputs=outputs)
    model = zoo.get("classification", spec)
    fitted = model.fit(few, strategy="full", epochs=1, learning_rate=1e-3)
    sizes = {name: array.size for name, array in variables(model).items()}
    assert fitted.training.trained == 16 * 16 * 3 * 24 + 24 * 6
    assert fitted.training.frozen == 2 * 24
    assert sum(sizes[name] for name in changed(model, fitted)) == fitted.training.trained


def test_an_application_of_keras_is_trained_by_its_last_stage_alone(few, tmp_path):
    import keras

    network = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "random.weights.h5")
    outputs = {"features": {"weights": {"path": str(tmp_path / "random.weights.h5")}, "width": 1280}}
    spec = zoo.BackboneSpec(
        name="application",
        loader="zoo_keras.applications:ApplicationsBackbone",
        options={"application": "MobileNetV2"},
        input={"kind": "image", "size": [32, 32], "range": [-1, 1]},
        outputs=outputs,
    )
    model = zoo.get("classification", spec)
    fitted = model.fit(few, strategy="last", unfreeze=["block_16", "Conv_1"], epochs=1)
    sizes = {name: array.size for name, array in variables(model).items()}
    moved = changed(model, fitted)
    assert {name.split("/")[0].removesuffix("_bn").removesuffix("_BN") for name in moved} <= {
        "block_16_expand",
        "block_16_depthwise",
        "block_16_project",
        "Conv_1",
    }
    assert sum(sizes[name] for name in moved) == fitted.training.trained
    assert fitted.training.trained + fitted.training.frozen == network.count_params()
    larger = model.fit(few).fit(few, size=40, warm_start=True, head="linear", epochs=1)
    assert larger.spec.input.size == (40, 40)
    assert any("2 rows of the head began as those of" in note for note in larger.training.notes)


def table(path, rows):
    path.write_text("text,label\n" + "\n".join(f"{text},{label}" for text, label in rows), encoding="utf-8")
    return f"csv:{path}"


def test_texts_train_a_network_too_and_then_other_texts_with_the_rows_of_the_same_labels(tmp_path):
    model = zoo.get("classification", "tiny_text_s")
    colours = [("a red ball", "warm"), ("the blue sea", "cold"), ("red fire", "warm"), ("blue ice", "cold")] * 10
    first = model.fit(table(tmp_path / "one.csv", colours), strategy="full", epochs=2, learning_rate=1e-2)
    assert changed(model, first)
    assert first.training.trained == sum(array.size for array in variables(model).values())
    others = [*colours[:20], *[("a green tree", "mild"), ("green grass", "mild")] * 10]
    again = {"head": "linear", "epochs": 1, "learning_rate": 1e-9}
    second = first.fit(table(tmp_path / "two.csv", others), warm_start=True, **again)
    assert "2 rows of the head began as those of" in " ".join(second.training.notes)
    assert not changed(first, second)  # on the features of the network as the first left it
    was, now = (dict(zip(one.labels.names.values(), one.head.layers[0][0].T, strict=True)) for one in (first, second))
    for label in ("warm", "cold"):
        np.testing.assert_allclose(now[label], was[label], rtol=1e-4, atol=1e-6)
    assert now.keys() - was.keys() == {"mild"}
    assert zoo.load(second.save(tmp_path / "two.zoo")).predict("a red ball").label == second.predict("a red ball").label


@pytest.mark.assets
def test_tflite_and_texts_without_variables_give_the_reason(assets):
    assert os.fspath(assets)
    with pytest.raises(OptionError, match="exposes no variables to train; strategy='frozen' works"):
        zoo.get("classification", "real_minilm").fit((["a", "b"] * 4, [0, 1] * 4), strategy="gradual")
