"""Fitting a head: features once, splits by class, heads that predict without a framework, saved as one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock
from trained import DIGITS, pictures

import zoo
from zoo.errors import DatasetError, OptionError, PairError
from zoo.transfer import features

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s")


@pytest.mark.parametrize("head", ["logistic", "linear", "hidden"])
def test_every_head_learns(model, head):
    settings = {} if head == "logistic" else {"epochs": 15, "learning_rate": 0.02}
    fitted = model.fit(DIGITS, head=head, **settings)
    assert fitted.history["val_accuracy"][-1] > 0.85
    assert len(fitted.history["val_accuracy"]) == settings.get("epochs", 1)
    assert (fitted.training.examples, fitted.training.validation) == (360, 90)


def test_the_model_itself_stays_as_it_is(model):
    before = model.evaluate(DIGITS, limit=50)["top1"]
    model.fit(DIGITS)
    assert model.evaluate(DIGITS, limit=50)["top1"] == before


def test_a_fitted_model_predicts_the_classes_of_its_data(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))
    fitted = model.fit(f"folder:{data}")
    assert fitted.predict(next((data / "one").iterdir())).label == "one"
    assert fitted.evaluate(f"folder:{data}")["top1"] > 0.95


def test_saved_and_loaded_in_another_process_it_answers_the_same(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))
    fitted = model.fit(f"folder:{data}", head="hidden", epochs=2)
    saved = fitted.save(tmp_path / "mine.zoo").rename(tmp_path / "moved.zoo")
    source = str(next((data / "one").iterdir()))
    code = f"m = zoo.load({str(saved)!r}); print(m.predict({source!r}).scores.tolist()); print(m.history['loss'])"
    done = subprocess.run([sys.executable, "-c", f"import zoo; {code}"], capture_output=True, text=True, check=True)
    scores, losses = map(json.loads, done.stdout.splitlines())
    np.testing.assert_allclose(scores, fitted.predict(source).scores, atol=1e-6)
    assert losses == fitted.history["loss"]


def test_features_are_computed_once(model, monkeypatch):
    first = model.fit(DIGITS)
    fresh = zoo.get("classification", "tiny_cnn_s")
    monkeypatch.setattr(fresh, "outputs", lambda *_: pytest.fail("the backbone ran again"))
    assert fresh.fit(DIGITS).history == first.history
    fresh.fit(DIGITS, head="linear", epochs=1)


def test_other_data_are_other_features(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    model.fit(f"folder:{data}")
    changed = next((data / "one").iterdir())
    changed.write_bytes(next((data / "naught").iterdir()).read_bytes())
    model.fit(f"folder:{data}")
    assert len(list((tmp_path / "cache" / "features").glob("*/facts.json"))) == 2


def test_a_killed_run_is_taken_up_where_it_was(model, tmp_path, monkeypatch):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))
    monkeypatch.setattr(features, "KEEP_EVERY", 0.0)
    seen = []

    def stopping(self, sources, output, batch_size):
        for number, found in enumerate(type(self).outputs(self, sources, output, batch_size)):
            if number == 2:
                raise KeyboardInterrupt
            yield found

    fresh = zoo.get("classification", "tiny_cnn_s")
    monkeypatch.setattr(fresh, "outputs", stopping.__get__(fresh))
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(f"folder:{data}", batch_size=8)

    def counting(self, sources, output, batch_size):
        return type(self).outputs(self, (seen.append(source) or source for source in sources), output, batch_size)

    monkeypatch.setattr(fresh, "outputs", counting.__get__(fresh))
    resumed = fresh.fit(f"folder:{data}", batch_size=8)
    assert len(seen) == 24
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "other"))
    assert model.fit(f"folder:{data}", batch_size=8).history["val_loss"] == pytest.approx(resumed.history["val_loss"])


def test_the_features_together_are_bounded(model, tmp_path, monkeypatch):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    model.fit(DIGITS)
    monkeypatch.setenv("ZOO_FEATURES_GB", "0.00001")
    model.fit(f"folder:{data}")
    assert len(list((tmp_path / "cache" / "features").glob("*/facts.json"))) == 1


def test_what_killed_runs_began_counts_and_goes_too_unless_a_process_is_at_it(model, tmp_path, monkeypatch):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    place = tmp_path / "cache" / "features"
    for name in ("dead", "alive"):
        (place / f"{name}.draft").mkdir(parents=True)
        (place / f"{name}.draft" / "features.npy").write_bytes(bytes(20_000))
    monkeypatch.setenv("ZOO_FEATURES_GB", "0.00001")
    with FileLock(place / "alive.lock"):
        model.fit(f"folder:{data}")
    assert [path.name for path in place.glob("*.draft")] == ["alive.draft"]


@pytest.mark.filterwarnings("ignore:backbone .* publisher does not state")
def test_a_range_that_is_found_out_meanwhile_computes_no_features_anew(tmp_path):
    stated = zoo.spec("tiny_cnn_s")
    spec = stated.model_copy(update={"input": stated.input.model_copy(update={"range": None})})
    model = zoo.get("classification", spec)
    for seed in (0, 1):
        model.fit(DIGITS, seed=seed).fit(DIGITS)
    assert model.spec.input.range is not None
    assert len(list((tmp_path / "cache" / "features").glob("*/features.npy"))) == 1


@pytest.mark.parametrize("damage", ["features.npy", "facts.json"])
def test_features_that_are_damaged_are_made_anew(model, tmp_path, damage):
    data = pictures(tmp_path / "data", naught=(0, 10), one=(1, 10))
    once = model.fit(f"folder:{data}")
    (file,) = (tmp_path / "cache" / "features").glob(f"*/{damage}")
    file.write_bytes(file.read_bytes()[:-100])
    assert model.fit(f"folder:{data}").history == once.history


def test_what_cannot_be_read_is_left_out_and_told(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))
    (data / "one" / "broken.png").write_bytes(b"no picture")
    fitted = model.fit(f"folder:{data}")
    assert [failed.input.rpartition("/")[2] for failed in fitted.failed] == ["broken.png"]
    assert fitted.training.examples + fitted.training.validation == 40
    assert fitted.training.notes == ("1 examples could not be read",)


def test_a_fixed_seed_gives_the_same_twice(model):
    once, again, other = (model.fit(DIGITS, epochs=2, seed=seed) for seed in (1, 1, 2))
    assert once.history == again.history
    assert once.history != other.history


def test_texts_are_classified_by_the_same_call(tmp_path):
    rows = [(f"the cat number {n} sleeps", "animals") for n in range(12)]
    rows += [(f"price of item {n} rose", "money") for n in range(12)]
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    fitted = zoo.get("classification", "tiny_text_s").fit(f"csv:{table}")
    assert fitted.predict("a cat sleeps").label == "animals"


def test_class_numbers_that_do_not_start_at_0_are_told_with_what_to_do(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "".join(f"text {n},{n % 2 + 1}\n" for n in range(20)))
    with pytest.raises(DatasetError, match=r"no example of class '0' .* names"):
        zoo.get("classification", "tiny_text_s").fit(f"csv:{table}")


def test_a_fitted_model_says_what_it_was_fitted_to(model):
    assert (
        model.fit(DIGITS).evaluate(DIGITS, limit=20).model == "classification/tiny_cnn_s.digits fitted to tiny_digits"
    )


def test_validation_may_be_a_dataset_of_its_own(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))
    other = pictures(tmp_path / "other", naught=(0, 5), one=(1, 5))
    fitted = model.fit(f"folder:{data}", validation=f"folder:{other}")
    assert (fitted.training.examples, fitted.training.validation) == (40, 10)


def test_rare_classes_may_count_as_much_as_common_ones(model, tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 40), one=(1, 4))
    plain = model.fit(f"folder:{data}", c=0.01)
    fair = model.fit(f"folder:{data}", c=0.01, class_weight="balanced")
    rare = [str(path) for path in (data / "one").iterdir()]
    mean = [np.mean([answer.scores[1] for answer in found.predict(rare)]) for found in (plain, fair)]
    assert mean[1] > mean[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "half"}, "no strategy 'half'"),
        ({"head": "tree"}, "no head 'tree'"),
        ({"head": "logistic", "epochs": 3}, "solved, not descended"),
        ({"epochs": 0}, "epochs=0"),
        ({"validation": 1.5}, "validation=1.5 is a share"),
        ({"class_weight": "fair"}, "class_weight='fair'"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_settings_that_mean_nothing_are_told(model, settings, message):
    with pytest.raises(OptionError, match=message):
        model.fit(DIGITS, **settings)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"naught": (0, 9)}, "one class alone"),
        ({"naught": (0, 9), "one": (1, 1)}, "class 'one' has one example"),
        ({"naught": (0, 2), "one": (1, 2), "two": (2, 2), "three": (3, 2)}, None),
    ],
)
def test_data_that_no_classifier_can_be_fitted_to_are_told(model, tmp_path, classes, message):
    data = pictures(tmp_path / "data", **classes)
    if message is None:  # two of each: one to train on, one to validate on
        assert model.fit(f"folder:{data}").training.validation == 4
        return
    with pytest.raises(DatasetError, match=message):
        model.fit(f"folder:{data}")


def test_a_loss_that_is_no_number_is_stopped_with_its_cause(model):
    with pytest.raises(OptionError, match="lower it"):
        model.fit(DIGITS, epochs=3, learning_rate=float("inf"))


def test_a_task_without_a_head_to_fit_is_told():
    with pytest.raises(PairError, match="task 'embedding' has no head that can be fitted"):
        zoo.get("embedding", "tiny_cnn_s").fit(DIGITS)


def test_a_detector_is_trained_on_boxes_alone():
    with pytest.raises(DatasetError, match="targets 'boxes'; 'tiny_digits' has image examples with 'class'"):
        zoo.get("detection", "tiny_det_s").fit(DIGITS)


def test_a_backbone_without_features_is_told(model):
    spec = model.spec.model_copy(update={"outputs": {"logits": model.spec.outputs["logits"]}})
    with pytest.raises(PairError, match="offers 'logits'; a head is fitted on 'features'"):
        zoo.get("classification", spec).fit(DIGITS)


def test_fit_predict_and_eval_on_the_command_line(tmp_path):
    data = pictures(tmp_path / "data", naught=(0, 20), one=(1, 20))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "zoo", *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
        )

    out = str(tmp_path / "mine.zoo")
    done = run("fit", "classification/tiny_cnn_s", f"folder:{data}", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    score = told["scores"]["val_accuracy"]
    assert (score["value"], score["n"]) == (told["last"]["val_accuracy"], 8)
    assert 0.9 < score["value"] <= score["high"]
    assert score["low"] < 0.8  # of eight examples
    assert json.loads(run("eval", out, f"folder:{data}", "--json").stdout)["metrics"]["top1"]["value"] > 0.95
    other = run("fit", "classification/tiny_cnn_s", f"folder:{data}", "--out", str(tmp_path / "new" / "mine.zoo"))
    assert "] (n = 8)" in other.stdout
    assert f"made the folder {str(tmp_path / 'new')!r}, which was not there" in other.stderr
    again = run("fit", "classification/tiny_cnn_s", f"folder:{data}", "--out", out)
    assert again.returncode == 2
    assert "exists already" in again.stderr
