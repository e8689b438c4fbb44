"""Features come from the fastest runtime that is known to answer as TensorFlow does; what is not known is found where
that is worth its while, in processes of its own, and remembered."""

import functools
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from trained import few_digits, key_of, known

import zoo
from zoo.backbone import load_backbone
from zoo.cli import zoo as cli
from zoo.errors import OptionError, PairError, WeightsError
from zoo.transfer import swiftest
from zoo.tuning import contest, glance
from zoo.tuning.choice import recall
from zoo_tensorflow.savedmodel import SavedModelBackbone

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def model():
    return zoo.get("classification", "tiny_cnn_s")


@pytest.fixture
def digits(model, tmp_path):
    return few_digits(model, tmp_path / "digits")


def short_contest(monkeypatch):
    """Only these two take part."""
    entrants = [spec for spec in contest.runtimes() if spec.name in ("tf", "openvino")]
    monkeypatch.setattr(contest, "runtimes", lambda: entrants)


def test_a_runtime_that_is_known_to_agree_gives_the_features_and_tensorflow_is_not_imported(model, digits):
    known(model, "openvino")
    code = f"""if 1:
        import json, sys, zoo
        fitted = zoo.get("classification", "tiny_cnn_s").fit({digits!r})
        print(json.dumps([fitted.runtime.spec.name, "tensorflow" in sys.modules, fitted.training.notes]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    runtime, imported, notes = json.loads(done.stdout.splitlines()[-1])
    assert runtime == "openvino"
    assert not imported
    assert any("openvino fp32" in note for note in notes)


def test_folds_take_it_too(model, digits):
    known(model, "openvino")
    found = model.cross_validate(digits, folds=4)
    assert any("openvino fp32" in note for note in found.notes)


def test_a_runtime_that_was_named_stays(model, digits):
    known(model, "openvino")
    named = zoo.get("classification", "tiny_cnn_s", runtime="tf")
    assert named.fit(digits).runtime.spec.name == "tf"


def test_features_that_are_there_need_no_other_runtime(model, digits):
    assert model.fit(digits).runtime.spec.name == "tf"
    known(model, "openvino")
    assert model.fit(digits, head="linear", epochs=2).runtime.spec.name == "tf"


def glanced(model):
    """What a glance at OpenVINO found for the features of `model`."""
    return recall(key_of(model, only="openvino"))


def test_few_examples_are_not_worth_a_glance(model, digits):
    assert model.fit(digits).runtime.spec.name == "tf"
    assert glanced(model) is None


def test_more_examples_are_worth_one_which_is_remembered(model, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(swiftest, "WORTH", 1e6)
    fitted = model.fit(digits)
    choice = glanced(model)
    assert {verdict.runtime for verdict in choice.verdicts} == {"tf", "openvino"}
    (verdict,) = [verdict for verdict in choice.verdicts if verdict.runtime == "openvino"]
    assert verdict.agreement.holds
    assert verdict.agreement.n == 40
    assert verdict.rate > 0
    assert choice.inputs == f"inputs of {digits!r}"
    assert fitted.runtime.spec.name == choice.runtime
    monkeypatch.setattr(glance, "Candidate", None)  # no process is needed any more
    other = zoo.get("classification", "tiny_cnn_s").fit(few_digits(model, tmp_path / "others"))
    assert other.runtime.spec.name == choice.runtime


def test_a_runtime_that_disagrees_is_not_taken(model, digits, monkeypatch):
    monkeypatch.setattr(swiftest, "WORTH", 1e6)
    monkeypatch.setattr("zoo.agreement.COSINE", 1.1)  # more than there is
    assert model.fit(digits).runtime.spec.name == "tf"
    assert [verdict.outcome for verdict in glanced(model).verdicts] == ["chosen", "disagrees"]


def test_a_runtime_that_hangs_costs_no_fit(model, digits, monkeypatch):
    monkeypatch.setattr(swiftest, "WORTH", 1e6)
    monkeypatch.setattr(glance, "LOAD", 0.01)
    assert model.fit(digits).runtime.spec.name == "tf"
    assert "no answer to 'load'" in glanced(model).verdicts[1].reason


def test_a_cache_that_can_not_be_written_costs_no_fit_its_features(model, digits, monkeypatch):
    def unwritable(key, choice):
        raise WeightsError("the cache can't be written")

    monkeypatch.setattr(swiftest, "WORTH", 1e6)
    monkeypatch.setattr(glance, "remember", unwritable)
    assert any("can't be written" in note for note in model.fit(digits).training.notes)


def test_only_what_a_runtime_opens_by_itself_is_glanced_at(model):
    texts = zoo.get("classification", "tiny_text_s")
    assert glance.rival(load_backbone(texts.spec, "features", texts.files("features"))) is None
    pictures = load_backbone(model.spec, "features", model.files("features"))
    assert glance.rival(pictures).name == "openvino"
    pictures.runtimes = ("litert",)
    assert glance.rival(pictures) is None


def test_a_network_that_tensorflow_can_not_run_needs_no_glance(model, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(SavedModelBackbone, "runtimes", ("openvino",))
    monkeypatch.setattr(swiftest, "WORTH", 1e6)
    assert model.fit(digits).runtime.spec.name == "openvino"
    model.fit(digits, head="linear", epochs=1)
    (features,) = (tmp_path / "cache" / "features").glob("*/features.npy")
    assert "-openvino-fp32-" in features.parent.name


def test_a_contest_that_was_asked_for_is_held(model, digits, monkeypatch):
    short_contest(monkeypatch)
    monkeypatch.setattr(contest, "Limits", functools.partial(contest.Limits, answer=2, stream=0.1))
    asked = zoo.get("classification", "tiny_cnn_s", runtime="auto").fit(digits)
    assert asked.runtime.spec.name == recall(key_of(model)).runtime == model.fit(digits, seed=1).runtime.spec.name


def test_a_report_on_a_saved_model_finds_its_features(model, digits, tmp_path):
    known(model, "openvino")
    model.fit(digits).save(tmp_path / "saved")
    again = zoo.load(tmp_path / "saved")
    again.report(tmp_path / "page")
    assert not again.loaded("features")
    assert len(list((tmp_path / "cache" / "features").glob("*/features.npy"))) == 1


def test_views_that_mean_nothing_are_refused_before_anything_is_computed(model, digits):
    with pytest.raises(OptionError, match="views='many'"):
        model.fit(digits, augment="light", views="many")


def test_a_copy_of_a_fitted_model_finds_its_features_too(model, digits):
    fitted = model.fit(digits)
    known(fitted, "openvino")
    assert not fitted.named
    assert fitted.fit(digits, seed=1).evaluate(digits)["top1"] > 0.9


def test_tune_chooses_for_the_features_that_a_fit_stands_on(model, digits, monkeypatch):
    short_contest(monkeypatch)
    options = ["--output", "features", "--seconds", "0.1", "--data", digits, "--json"]
    done = CliRunner().invoke(cli, ["tune", "classification/tiny_cnn_s", *options])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["output"] == "features"
    assert recall(key_of(model)).runtime == model.fit(digits).runtime.spec.name


def test_tune_names_the_outputs_that_there_are():
    with pytest.raises(PairError, match="no output 'freatures'; it offers 'logits', 'features'"):
        CliRunner().invoke(cli, ["tune", "classification/tiny_cnn_s", "--output", "freatures"], catch_exceptions=False)
