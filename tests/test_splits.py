"""Splits: shares by class, parts that the data name themselves, and a test that is judged once."""

import numpy as np
import pytest
from trained import pictures

import zoo
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace
from zoo.transfer.splits import held_out

CLASSES = LabelSpace("own", {0: "a", 1: "b"})


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s")


@pytest.fixture
def parted(tmp_path):
    """Class folders inside train/, val/ and test/."""
    for part, count in (("train", 12), ("val", 5), ("test", 4)):
        pictures(tmp_path / "data" / part, naught=(0, count), one=(1, count))
    return tmp_path / "data"


def test_three_parts_hold_each_class_in_the_same_proportion():
    targets = np.array([0] * 60 + [1] * 40)
    parts = held_out(targets, (0.2, 0.1), 0, CLASSES)
    assert [np.bincount(targets[part]).tolist() for part in parts] == [[42, 28], [12, 8], [6, 4]]
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))


def test_the_same_seed_parts_the_same():
    targets = np.arange(50) % 2
    once, again, other = (held_out(targets, (0.2, 0.2), seed, CLASSES) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    assert (once[2] != other[2]).any()


def test_targets_that_are_no_classes_are_parted_at_random():
    for targets in (np.linspace(0, 1, 20), np.eye(2)[np.zeros(20, int)]):
        assert [len(part) for part in held_out(targets, (0.25, 0.25), 0, CLASSES)] == [10, 5, 5]


def test_a_class_that_can_not_be_in_every_part_is_named():
    with pytest.raises(DatasetError, match=r"class 'b' has 2 examples: .* 3 parts need 3"):
        held_out(np.array([0] * 9 + [1] * 2), (0.2, 0.2), 0, CLASSES)


def test_folders_inside_train_val_and_test_are_found(model, parted):
    fitted = model.fit(f"folder:{parted}")
    assert (fitted.training.examples, fitted.training.validation, fitted.test.n) == (24, 10, 8)
    assert fitted.history["val_accuracy"][-1] > 0.9
    assert fitted.test["accuracy"] > 0.9


def test_what_is_asked_for_goes_before_what_the_data_name(model, parted):
    fitted = model.fit(f"folder:{parted}", validation="test", test=0)
    assert (fitted.training.validation, fitted.test) == (8, None)
    fitted = model.fit(f"folder:{parted}", split="train", validation=0.25, test=0.25)
    assert (fitted.training.examples, fitted.training.validation, fitted.test.n) == (12, 6, 6)


def test_a_folder_of_that_name_where_one_works_is_not_taken_for_a_part_of_the_data(
    model, parted, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "test", naught=(0, 9), one=(1, 9))
    assert model.fit("folder:data").test.n == 8
    assert model.fit("folder:data", test="test").test.n == 8
    assert model.fit("folder:data", test="folder:./test").test.n == 18


def test_the_part_that_validates_is_not_the_test_too(model, parted):
    assert model.fit(f"folder:{parted}", validation="test").test is None


def test_what_trains_is_not_judged_on(model, parted):
    with pytest.raises(OptionError, match=r"validation='train' is a part of what trains, all of 'train'"):
        model.fit(f"folder:{parted}", validation="train")


def test_the_test_score_is_saved(model, parted, tmp_path):
    fitted = model.fit(f"folder:{parted}")
    loaded = zoo.load(fitted.save(tmp_path / "mine.zoo"))
    assert loaded.test == fitted.test
    assert loaded.test["accuracy"] == pytest.approx(fitted.evaluate(f"folder:{parted}/test")["top1"])


def test_a_part_with_fewer_classes_keeps_their_numbers(model, parted):
    for file in (parted / "val" / "naught").iterdir():
        file.unlink()
    assert model.fit(f"folder:{parted}").history["val_accuracy"][-1] > 0.9


def test_an_empty_class_is_an_error_to_train_on_and_a_note_to_judge_on(model, parted):
    (parted / "train" / "two").mkdir()
    with pytest.raises(DatasetError, match="no example of class 'two'; add some, or remove the folder"):
        model.fit(f"folder:{parted}")
    fitted = model.fit(f"folder:{parted}/val")
    (parted / "test" / "two").mkdir()
    found = fitted.evaluate(f"folder:{parted}/test")
    assert (found.n, found.notes) == (8, ("no picture is in class 'two': left out",))


def test_unreadable_examples_are_named_beyond_a_limit(model, parted):
    for number in range(2):
        (parted / "train" / "one" / f"broken{number}.png").write_bytes(b"no picture")
    assert len(model.fit(f"folder:{parted}").failed) == 2
    for limit in (1, 0.05):
        with pytest.raises(DatasetError, match=r"2 of 26 examples .* max_unreadable=.*broken0\.png.*broken1\.png"):
            model.fit(f"folder:{parted}", max_unreadable=limit)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 0}, "validation=0 is a share"),
        ({"validation": 0.6, "test": 0.5}, "leave nothing to train on"),
        ({"test": -0.1}, "test=-0.1 is a share"),
        ({"epochs": 1, "batch_size": 25}, "batch_size=25 is larger than the 24 examples"),
        ({"max_unreadable": -1}, "max_unreadable=-1 means nothing"),
        ({"test": "val"}, "validation='val' and test='val' are the same examples"),
        ({"epohcs": 3}, "no setting 'epohcs'; did you mean 'epochs'"),
    ],
)
def test_settings_that_mean_nothing_are_told(model, parted, settings, message):
    with pytest.raises(OptionError, match=message):
        model.fit(f"folder:{parted}", **settings)
