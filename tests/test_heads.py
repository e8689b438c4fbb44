"""Heads: what is solved and what is descended to, losses and weights, inputs of another size."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import BackboneError, OptionError, PairError, ZooWarning
from zoo.labels import LabelSpace
from zoo.transfer.descent import Settings, descend
from zoo.transfer.heads import as_head, keras_head
from zoo.transfer.losses import check_loss
from zoo.transfer.objective import ClassesObjective, ClassObjective, NumberObjective
from zoo.transfer.solving import solve_labels, solve_ridge

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
SUBJECTS = ["World", "Sports", "Business", "Sci/Tech"]
TWO = LabelSpace("own", {0: "cat", 1: "dog"})


def spread(n=400, d=6, seed=0):
    """Features with a direction that tells, and noise."""
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) * 3


def test_a_ridge_head_finds_a_line_at_any_size_of_its_features():
    x = spread()
    y = (x @ [1, 2, 0, 0, 0, 0] * 50 + 1000)[:, None].astype(np.float32)
    for scale in (1e-3, 1.0, 1e3):
        head = solve_ridge(x * np.float32(scale) + 7, y, c=1.0)
        np.testing.assert_allclose(head(x * np.float32(scale) + 7), y, rtol=0.02)


def test_every_label_gets_a_classifier_of_its_own():
    x = spread()
    y = np.stack([x[:, 0] > 0, x[:, 1] > 2, x[:, 0] < -1], 1).astype(np.float32)
    head = solve_labels(x, y, c=10.0, pos_weight=None, seed=0)
    assert ((head(x) > 0) == (y > 0)).mean() > 0.95
    bold = solve_labels(x, y, c=10.0, pos_weight=np.array([1, 20, 1], np.float32), seed=0)
    assert (bold(x)[:, 1] > 0).sum() > (head(x)[:, 1] > 0).sum()
    np.testing.assert_allclose(bold(x)[:, 0], head(x)[:, 0], atol=1e-4)


def test_a_head_that_learnt_worse_than_nothing_is_told():
    x = spread()
    pair, ten = (x, (x[:, 0] > 0).astype(np.int64)), (x[:10], (x[:10, 0] > 0).astype(np.int64))
    with pytest.warns(ZooWarning, match=r"0\.693 where nothing is learnt: learning_rate=1e\+30 is too large"):
        descend("linear", pair, ten, ClassObjective(TWO), 0.0, Settings(2, 32, 1e30))
    _, history = descend("linear", pair, ten, ClassObjective(TWO), 0.0, Settings(5, 32, 0.1))
    assert history["loss"][-1] < 0.6


def test_balanced_pos_weight_is_counted_over_all_that_trains():
    targets = np.array([0] * 90 + [1] * 10)
    objective = ClassObjective(TWO, pos_weight="balanced").settled(targets)
    assert objective.class_weights(None, targets) == {0: 1.0, 1: 9.0}
    labels = np.stack([targets, 1 - targets], 1).astype(np.float32)
    weights = ClassesObjective(TWO, pos_weight="balanced").settled(labels).pos_weight
    np.testing.assert_allclose(weights, [9, 1 / 9], rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "classes", "loss", "said"),
    [
        ("class", 3, "binary_crossentropy", "one of 3 classes"),
        ("class", 2, "huber", "there is no loss 'huber'"),
        ("number", 1, "focal", "there is no loss 'focal'"),
        ("class", 2, 3, "a name, a Keras loss, or a callable"),
    ],
)
def test_a_loss_that_means_nothing_to_the_targets_is_refused(targets, classes, loss, said):
    with pytest.raises(OptionError, match=said):
        check_loss(loss, targets, classes)


def test_a_loss_of_probabilities_is_refused_as_a_head_gives_logits():
    import keras

    with pytest.raises(OptionError, match="from_logits=True"):
        check_loss(keras.losses.SparseCategoricalCrossentropy(), "class", 2)
    kept = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert check_loss(kept, "class", 2) is kept


def test_the_loss_of_a_solved_head_is_that_of_keras():
    logits, rng = spread(50, 2), np.random.default_rng(1)
    one, several = rng.integers(0, 2, 50), rng.integers(0, 2, (50, 2)).astype(np.float32)
    number = rng.normal(size=(50, 1)).astype(np.float32)
    weighted = ClassesObjective(TWO, pos_weight=[2.0, 0.5]).settled(several)
    cases = [
        (ClassObjective(TWO), logits, one),
        (ClassesObjective(TWO), logits, several),
        (weighted, logits, several),
        (NumberObjective(LabelSpace("own", {0: "age"})), logits[:, :1], number),
    ]
    for objective, found, true in cases:
        keras_loss = float(np.mean(objective.keras_loss()(true, found).numpy()))
        assert objective.scores(found, true)["loss"] == pytest.approx(keras_loss, rel=1e-5)


def test_a_head_for_numbers_starts_at_their_mean_and_folds_it_in():
    import keras

    keras.utils.set_random_seed(0)
    x = spread(20)
    model = keras_head("hidden", (6,), 1, 0.2, rescaling=(40.0, 900.0))
    head = as_head(model, "hidden", 0.5)
    np.testing.assert_allclose(head(x), model(x * 0.5).numpy(), rtol=1e-4)
    assert abs(float(head(x).mean()) - 900) < 100


@pytest.fixture(scope="module")
def convolved():
    """A convolution over the last feature maps of a network that knows digits."""
    return zoo.get("classification", "tiny_cnn_m").fit("tiny_digits", head="convolutional", epochs=8)


def test_a_convolutional_head_stands_on_feature_maps_made_once(convolved, monkeypatch):
    assert convolved.training.head == "convolutional"
    assert convolved.history["val_accuracy"][-1] > 0.95
    again = zoo.get("classification", "tiny_cnn_m")
    monkeypatch.setattr(again, "outputs", lambda *_: pytest.fail("the backbone ran again"))
    folds = again.cross_validate("tiny_digits", folds=2, head="convolutional", epochs=2)
    assert folds["accuracy"] > 0.8


def test_a_convolutional_head_is_saved_loaded_and_reported(convolved, tmp_path):
    digits = [example.input for example in convolved.dataset("tiny_digits").some(6)]
    again = zoo.load(convolved.save(tmp_path / "digits.zoo"))
    for one, other in zip(again.predict(digits), convolved.predict(digits), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    told = json.loads(convolved.report(tmp_path / "page").with_name("report.json").read_text())
    assert told["metrics"]["accuracy"]["value"] == pytest.approx(convolved.history["val_accuracy"][-1])


def test_features_are_the_mean_of_the_feature_maps(application):
    pictures = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
    maps, features = (application.compiled(name)(pictures)[name] for name in ("feature_maps", "features"))
    assert maps.shape == (2, 7, 7, 1280)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "settings", "error", "said"),
    [
        ("tiny_text_s", {}, PairError, r"offers 'features': take head='hidden', or a backbone that offers maps \("),
        ("tiny_cnn_m", {"strategy": "last"}, OptionError, "feature maps that are kept: strategy='frozen'"),
        ("tiny_cnn_m", {"warm_start": True}, OptionError, "warm_start=True means nothing"),
    ],
)
def test_where_no_convolutional_head_can_stand_is_told(backbone, settings, error, said):
    with pytest.raises(error, match=said):
        zoo.get("classification", backbone).fit("tiny_digits", head="convolutional", **settings)


@pytest.mark.assets
def test_a_thousand_news_texts_teach_a_sentence_encoder_four_subjects(assets, tmp_path):
    with (assets / "data/ag_news/test.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[:1500]
    for name, part in (("train", rows[:1000]), ("test", rows[1000:])):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(part)
    options = {"columns": "label,title,description", "label_column": "label", "labels": SUBJECTS}
    fitted = zoo.get("classification", "real_minilm").fit(
        f"csv:{tmp_path / 'train.csv'}", test=f"csv:{tmp_path / 'test.csv'}", **options
    )
    assert fitted.training.head == "logistic"
    assert fitted.test.metrics["accuracy"].value >= 0.87


def pictures(folder, side):
    """Bright and dark pictures of one size, in a folder for each."""
    rng = np.random.default_rng(0)
    for name, low in (("bright", 150), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(low, low + 100, (side, side), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """A MobileNetV2 with random weights, as Keras Applications have it."""
    import keras

    keras.utils.set_random_seed(0)
    file = tmp_path_factory.mktemp("weights") / "features.weights.h5"
    keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg").save_weights(file)
    return zoo.get("classification", "mobilenet_v2.keras_in1k", weights={"features": file})


def test_a_network_that_takes_other_sizes_is_given_them_and_says_so(application, tmp_path):
    data = pictures(tmp_path / "grey", 28)
    fitted = application.fit(data, size=(32, 64))
    assert fitted.spec.input.size == (32, 64)
    assert "inputs are 32x64 pixels, not 224x224" in fitted.training.notes[0]
    saved = zoo.load(fitted.save(tmp_path / "small.zoo"))
    picture = tmp_path / "grey" / "dark" / "0.png"
    assert saved.spec.input.size == (32, 64)
    np.testing.assert_allclose(saved.predict(picture).scores, fitted.predict(picture).scores, atol=1e-6)


def test_a_network_of_one_size_resizes_and_says_so(tmp_path):
    data = pictures(tmp_path / "grey", 8)
    fitted = zoo.get("classification", "tiny_cnn_s").fit(data, size=96)
    assert fitted.spec.input.size == (32, 32)
    assert "size=(96, 96) can't be had: pictures are resized to 32x32" in fitted.training.notes[0]
    told = zoo.get("classification", "tiny_cnn_s").fit(data).training.notes
    assert told == ("pictures of 8x8 pixels are enlarged to 32x32",)


@pytest.mark.parametrize(
    ("size", "backbone"), [((0, 3), "tiny_cnn_s"), ("large", "tiny_cnn_s"), (0.5, "tiny_cnn_s"), (32, "tiny_text_s")]
)
def test_a_size_that_means_nothing_is_refused(size, backbone):
    with pytest.raises(OptionError, match="means nothing"):
        zoo.get("classification", backbone).fit((["a", "b"] * 4, [0, 1] * 4), size=size)


def test_a_size_that_is_too_small_for_the_network_names_it(application, tmp_path):
    with pytest.raises(BackboneError, match="can't be built for inputs of 8x8"):
        application.fit(pictures(tmp_path / "grey", 8), size=8)
