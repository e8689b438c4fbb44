"""Cross-validation: each example is held out once, the features are made once, mean and spread are told."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from test_transfer import pictures

import zoo
from zoo.cli import zoo as command
from zoo.errors import DatasetError, OptionError
from zoo.transfer.folds import parted


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


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


def test_what_can_not_be_cut_into_folds_is_told(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 9), one=(1, 3))
    with pytest.raises(DatasetError, match="class 1 has 3 examples: too few for 5 folds; take 3 or fewer"):
        model.cross_validate(f"folder:{data}")
    for settings, message in (({"folds": 1}, "folds=1"), ({"strategy": "full"}, "trains heads alone")):
        with pytest.raises(OptionError, match=message):
            model.cross_validate(f"folder:{data}", **settings)


def test_folds_on_the_command_line(tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    fit = ["fit", "classification/tiny_cnn_s", f"folder:{data}", "--folds", "2"]
    done = CliRunner().invoke(command, [*fit, "--json"])
    told = json.loads(done.stdout)
    assert (len(told["folds"]), told["n"], told["head"]) == (2, 20, "logistic")
    assert told["mean"]["accuracy"] > 0.9
    for wrong in (["--out", str(tmp_path / "x")], ["--test", "0.1"]):
        assert CliRunner().invoke(command, [*fit, *wrong]).exit_code == 2
