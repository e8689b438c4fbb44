"""Cross-validation: each example is held out once, the features are made once, mean and spread are told."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from trained import pictures

import zoo
from zoo.cli import zoo as command
from zoo.errors import DatasetError, OptionError
from zoo.transfer.folds import parted

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s")


@pytest.mark.parametrize("targets", [np.arange(23) % 2, np.linspace(0, 1, 23)])
def test_each_example_is_held_out_once(targets):
    parts = parted(targets, 5, 0)
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(23))
    assert all(not set(train) & set(held) for train, held in parts)


def test_every_fold_has_each_class_in_the_same_proportion():
    targets = np.array([0] * 40 + [1] * 20)
    assert [np.bincount(targets[held]).tolist() for _, held in parted(targets, 5, 0)] == [[8, 4]] * 5


def test_every_fold_has_a_share_of_each_label():
    targets = (np.random.default_rng(0).random((100, 4)) < [0.5, 0.2, 0.1, 0.06]).astype(np.float32)
    parts = parted(targets, 5, 0)
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(100))
    for _, held in parts:
        assert 18 <= len(held) <= 22
        assert (np.abs(targets[held].sum(axis=0) - targets.sum(axis=0) / 5) <= 2).all()
        assert (targets[held].sum(axis=0) >= 1).all()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Texts, the words in them that are labels, and how long they are."""
    file = tmp_path_factory.mktemp("table") / "texts.csv"
    texts = ("the red fox", "a blue bird sings", "the red bird", "a fox at a blue wall", "plain words", "red")
    rows = [
        f"{text}{' and so on' * (n % 3)},{';'.join(set(text.split()) & {'red', 'blue', 'fox'})},{n % 3}"
        for n in range(7)
        for text in texts
    ]
    file.write_text("\n".join(["text,labels,times", *rows]))
    return f"csv:{file}"


@pytest.mark.parametrize(
    ("task", "settings", "head", "scores"),
    [
        ("multilabel", {"pos_weight": "balanced"}, "logistic", {"binary_accuracy", "loss"}),
        ("multilabel", {"loss": "focal", "epochs": 1}, "linear", {"binary_accuracy", "loss"}),
        ("regression", {"label_column": "times"}, "ridge", {"mae", "loss"}),
        ("regression", {"label_column": "times", "loss": "huber", "epochs": 1}, "linear", {"mae", "loss"}),
    ],
)
def test_labels_and_numbers_are_cross_validated_with_their_losses(table, task, settings, head, scores):
    found = zoo.get(task, "tiny_text_s").cross_validate(table, folds=3, **settings)
    assert (found.head, set(found.mean), len(found.folds)) == (head, scores, 3)
    assert np.isfinite(list(found.mean.values())).all()


def test_a_label_that_a_fold_can_not_learn_is_named(table, tmp_path):
    rare = tmp_path / "rare.csv"
    rare.write_text("\n".join(["text,labels", *(f"text {n},{'a;b' if n == 3 else 'a' * (n % 2)}" for n in range(12))]))
    with pytest.raises(DatasetError, match=r"a fold of .* has no example with class 'b' to train on"):
        zoo.get("multilabel", "tiny_text_s").cross_validate(f"csv:{rare}", folds=2)


def test_mean_and_spread_are_those_of_the_folds(model, monkeypatch):
    found = model.cross_validate("tiny_digits", folds=4)
    scores = [fold["accuracy"] for fold in found.folds]
    assert len(scores) == 4
    assert min(scores) > 0.85
    assert found["accuracy"] == pytest.approx(np.mean(scores))
    assert found.spread["accuracy"] == pytest.approx(np.std(scores, ddof=1))
    assert f"{np.mean(scores):.4f} +- {np.std(scores, ddof=1):.4f}" in str(found)
    fresh = zoo.get("classification", "tiny_cnn_s")
    monkeypatch.setattr(fresh, "outputs", lambda *_: pytest.fail("the backbone ran again"))
    assert fresh.cross_validate("tiny_digits", folds=4).folds == found.folds
    assert fresh.cross_validate("tiny_digits", folds=4, seed=1).folds != found.folds


def test_each_fold_is_as_a_plain_fit_on_the_same_examples(model):
    dataset = list(model.dataset("tiny_digits"))
    targets = np.array([example.target for example in dataset])
    train, held = parted(targets, 5, 0)[2]
    data, judge = (([dataset[i].input for i in places], targets[places].tolist()) for places in (train, held))
    plain = model.fit(data, validation=judge).history["val_accuracy"][-1]
    assert model.cross_validate("tiny_digits").folds[2]["accuracy"] == pytest.approx(plain)


def test_class_numbers_that_count_from_1_are_told_to_be_named(tmp_path):
    table = tmp_path / "news.csv"
    table.write_text("\n".join(f"{1 + n % 4},title {n},text {n}" for n in range(20)))
    options = {"columns": "label,title,description"}
    with pytest.raises(DatasetError, match=r"run from 1 to 4; give their 4 names in that order with labels="):
        zoo.get("classification", "tiny_text_s").fit(f"csv:{table}", **options)
    named = zoo.get("classification", "tiny_text_s").fit(f"csv:{table}", labels=["a", "b", "c", "d"], **options)
    assert set(named.labels.names.values()) == {"a", "b", "c", "d"}


def test_what_can_not_be_cut_into_folds_is_told(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 9), one=(1, 3))
    with pytest.raises(DatasetError, match="class 1 has 3 examples: too few for 5 folds; take 3 or fewer"):
        model.cross_validate(f"folder:{data}")
    for settings, message in (
        ({"folds": 1}, "folds=1"),
        ({"strategy": "full"}, "trains heads alone"),
        ({"warm_start": True}, "warm_start=True means nothing to cross-validation"),
    ):
        with pytest.raises(OptionError, match=message):
            model.cross_validate(f"folder:{data}", **settings)


def test_folds_on_the_command_line(tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    fit = ["fit", "classification/tiny_cnn_s", f"folder:{data}", "--folds", "2"]
    done = CliRunner().invoke(command, [*fit, "--json"])
    told = json.loads(done.stdout)
    assert (len(told["folds"]), told["n"], told["head"]) == (2, 20, "logistic")
    assert told["mean"]["accuracy"] > 0.9
    more = ["--head", "linear", "--epochs", "2", "--early-stopping", "1", "--learning-rate", "0.01"]
    done = CliRunner().invoke(command, [*fit, *more, "--loss", "focal", "--size", "48", "48"])
    assert done.exit_code == 0, done.output
    assert "2 folds of 20 examples, linear head" in done.stdout
    assert "size=(48, 48) can't be had" in done.stdout
    for wrong in (["--out", str(tmp_path / "x")], ["--test", "0.1"], ["--stage", "head=train"], ["--mixed-precision"]):
        assert CliRunner().invoke(command, [*fit, *wrong]).exit_code == 2
