"""Heads: what is solved and what is descended to, losses and weights, inputs of another size."""

import csv

import numpy as np
import pytest

import zoo
from zoo.errors import OptionError
from zoo.labels import LabelSpace
from zoo.transfer.heads import as_head, keras_head, solve_labels, solve_ridge
from zoo.transfer.losses import check_loss
from zoo.transfer.objective import ClassesObjective, ClassObjective, NumberObjective

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
    model = keras_head("hidden", 6, 1, 0.2, rescaling=(40.0, 900.0))
    head = as_head(model, "hidden", 0.5)
    np.testing.assert_allclose(head(x), model(x * 0.5).numpy(), rtol=1e-4)
    assert abs(float(head(x).mean()) - 900) < 100


@pytest.mark.assets
def test_a_thousand_news_texts_teach_a_sentence_encoder_four_subjects(assets, tmp_path):
    with (assets / "data/ag_news/test.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[:1500]
    for name, part in (("train", rows[:1000]), ("test", rows[1000:])):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(part)
    options = {"columns": "label,title,description", "label_column": "label"}
    fitted = zoo.get("classification", "real_minilm").fit(
        f"csv:{tmp_path / 'train.csv'}", test=f"csv:{tmp_path / 'test.csv'}", **options
    )
    assert fitted.training.head == "logistic"
    assert fitted.test.metrics["accuracy"].value >= 0.87
