"""Residual adapters: a head that begins as the linear one, learns what that can not, and is else like any other."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from zoo.cli import zoo as command
from zoo.errors import OptionError, WeightsError
from zoo.labels import LabelSpace
from zoo.transfer.head_training import HeadSettings, train_head
from zoo.transfer.headed import tensors
from zoo.transfer.heads import BOTTLENECK, DENSE, DenseHead, as_head, dense_head, keras_head, read_head, set_dense
from zoo.transfer.network import own_head
from zoo.transfer.objective import ClassesObjective, ClassObjective, NumberObjective
from zoo.transfer.warming import Start

TWO = LabelSpace("own", {0: "no", 1: "yes"})
WIDTH = 5


def drawn(n=600, seed=0):
    """Features, and whether two of them have the same sign: no line tells."""
    x = np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def moved(kind, classes=3, rescaling=None, seed=0):
    """A Keras head whose every weight is some number."""
    model, rng = keras_head(kind, (WIDTH,), classes, 0.2, rescaling), np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def test_it_begins_exactly_at_the_linear_head():
    x, _ = drawn()
    head = dense_head(keras_head("adapter", (WIDTH,), 3, 0.2), True, 1.0)
    np.testing.assert_array_equal(head(x), DenseHead(head.layers[-1:])(x))
    assert np.abs(head.layers[0][0]).max() > 0  # or nothing would ever move


def test_its_weights_are_counted():
    head = as_head(moved("adapter"), "adapter", 1.0)
    assert head.parameters() == 2 * WIDTH * BOTTLENECK + BOTTLENECK + WIDTH + (WIDTH + 1) * 3


@pytest.mark.parametrize(
    ("objective", "targets", "score", "least"),
    [
        (ClassObjective(TWO), lambda y: y, "val_accuracy", 0.9),
        (ClassObjective(TWO, loss="focal"), lambda y: y, "val_accuracy", 0.9),
        (ClassesObjective(TWO), lambda y: np.stack([y, 1 - y], 1).astype(np.float32), "val_binary_accuracy", 0.9),
        (
            NumberObjective(LabelSpace("own", {0: "age"})),
            lambda y: 40 + 30 * y[:, None].astype(np.float32),
            "val_mae",
            9,
        ),
    ],
    ids=["class", "focal", "classes", "number"],
)
def test_it_learns_what_no_line_tells(objective, targets, score, least):
    (x, y), (new, truth) = drawn(), drawn(seed=1)
    parts = (x, targets(y)), (new, targets(truth))
    found = {
        kind: train_head(HeadSettings(kind, 12, learning_rate=0.02), *parts, objective)[1].history[score][-1]
        for kind in ("linear", "adapter")
    }
    if score == "val_mae":
        assert found["adapter"] < least < found["linear"]
    else:
        assert found["adapter"] > least > 0.65 > found["linear"]


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("rescaling", [None, (40.0, 900.0)])
def test_numpy_keras_and_tensorflow_compute_the_same_head(kind, rescaling, tmp_path):
    x, model = drawn(50)[0], moved(kind, rescaling=rescaling)
    head = as_head(model, kind, 0.25)
    expected = np.asarray(model(x * 0.25))
    np.testing.assert_allclose(head(x), expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(tensors(head, x).numpy(), expected, rtol=1e-4, atol=1e-3)
    stored = read_head(tmp_path / head.save(tmp_path))
    np.testing.assert_array_equal(stored(x), head(x))
    assert stored.parameters() == head.parameters() == model.count_params()
    other = moved(kind, rescaling=rescaling, seed=1)
    set_dense(other, head, 0.25)
    np.testing.assert_allclose(np.asarray(other(x * 0.25)), expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(np.asarray(own_head(head, 4.0, 0.2)(x * 4)), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("arrays", [{}, {"k0": np.eye(2), "b0": np.ones(2), "residual": np.array(True)}])
def test_a_file_that_lacks_layers_is_told(arrays, tmp_path):
    np.savez(tmp_path / "head.npz", **arrays)
    with pytest.raises(WeightsError, match=r"head\.npz' can't be read: it holds . layers"):
        read_head(tmp_path / "head.npz")


@pytest.mark.parametrize(("before", "kind"), [("linear", "adapter"), ("adapter", "adapter"), ("hidden", "hidden")])
def test_a_warm_start_gives_the_answers_of_the_head_before(before, kind):
    x, head = drawn(50)[0], as_head(moved(before), before, 0.5)
    model = keras_head(kind, (WIDTH,), 2, 0.2)
    Start(head, [(2, 0), (1, 1)], "mine").give(model, kind, 0.125)
    np.testing.assert_allclose(np.asarray(model(x * 0.125)), head(x)[:, [2, 1]], rtol=1e-4, atol=1e-4)


def test_a_warm_start_of_numbers_begins_at_the_numbers_of_the_head_before():
    x, head = drawn(50)[0], as_head(moved("linear", 1, (40.0, 900.0)), "linear", 0.5)
    model = keras_head("linear", (WIDTH,), 1, 0.2, (7.0, 300.0))
    Start(head, [(0, 0)], "mine").give(model, "linear", 0.125)
    np.testing.assert_allclose(np.asarray(model(x * 0.125)), head(x), rtol=1e-4)


@pytest.mark.parametrize(
    ("before", "kind", "said"),
    [
        ("adapter", "linear", r"take \[5, 64, 5\] numbers, those of the new one \[5\]; take the same head="),
        ("hidden", "adapter", r"take \[5, 256\] numbers"),
        ("linear", "hidden", r"take \[5\] numbers"),
        ("linear", "convolutional", r"means nothing to head 'convolutional'; 'linear', 'hidden', 'adapter' take it"),
        ("linear", abs, "means nothing to head layers of your own"),
    ],
)
def test_a_warm_start_between_heads_of_other_forms_is_refused(before, kind, said):
    head, model = as_head(moved(before), before, 1.0), moved(kind if kind in DENSE else "linear")
    with pytest.raises(OptionError, match=said):
        Start(head, [(0, 0)], "mine").give(model, kind, 1.0)


def test_a_fitted_adapter_is_saved_loaded_and_exported(tmp_path):
    fitted = zoo.get("classification", "tiny_cnn_s").fit("tiny_digits", head="adapter", epochs=10, learning_rate=0.02)
    assert (fitted.training.head, fitted.history["val_accuracy"][-1] > 0.85) == ("adapter", True)
    digits = [example.input for example in fitted.dataset("tiny_digits").some(6)]
    again = zoo.load(fitted.save(tmp_path / "digits.zoo"))
    for one, other in zip(again.predict(digits), fitted.predict(digits), strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
    assert fitted.export(tmp_path / "out", format="onnx", data="tiny_digits").checks


def test_the_command_line_cross_validates_and_fits_it(tmp_path):
    fit = ["fit", "classification/tiny_cnn_s", "tiny_digits", "--head", "adapter", "--epochs", "2", "--json"]
    told = json.loads(CliRunner().invoke(command, [*fit, "--folds", "2"]).stdout)
    assert (told["head"], len(told["folds"])) == ("adapter", 2)
    told = json.loads(CliRunner().invoke(command, [*fit, "--out", str(tmp_path / "mine.zoo")]).stdout)
    assert (told["head"], told["trained"]) == ("adapter", 0)
