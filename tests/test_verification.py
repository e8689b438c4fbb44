"""`zoo verify`: what a row states beside what its module shows; a difference is told, and exit code 1."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.cli.verifying import _chosen
from zoo.verification import _probabilities, verify

INCEPTION = "https://tfhub.dev/google/imagenet/inception_v3/{}/5"


def verdicts(report):
    return {(fact.output, fact.name): fact.verdict for fact in report.facts}


@pytest.fixture
def inception(hub, tmp_path):
    """Publishes a module in the form of Inception v3's, of the given numbers of classes and features."""
    import hub_modules

    def publish(classes, features):
        for kind, width in (("classification", classes), ("feature_vector", features)):
            folder = hub_modules.export(hub_modules.SlimModule(width), tmp_path / kind)
            hub.publish(INCEPTION.format(kind), folder)
        return zoo.spec("inception_v3")

    return publish


def test_a_module_that_is_what_its_row_says_agrees_in_every_fact(inception):
    report = verify(inception(1001, 2048))
    assert report.error == ""
    found = verdicts(report)
    assert {found["logits", fact] for fact in ("width", "labels", "softmax applied", "finite", "input dtype")} == {"ok"}
    assert found["features", "width"] == "ok"
    assert {"digest", "parameters", "answer"} <= {fact.name for fact in report.facts if fact.verdict == "seen"}
    assert "tensorflow" in report.versions


def test_every_fact_that_differs_is_told(inception):
    found = verdicts(verify(inception(1000, 2047)))
    assert found["logits", "width"] == found["logits", "labels"] == found["features", "width"] == "differs"


def test_a_detector_s_form_and_an_encoder_s_ops_are_compared(hub, tmp_path):
    import hub_modules

    detector = zoo.spec("ssd_mobilenet_v2")
    hub.publish(
        detector.outputs["boxes"].weights.tfhub, hub_modules.export(hub_modules.TupleDetector(), tmp_path / "pixels")
    )
    found = verify(detector)
    assert verdicts(found)["boxes", "boxes"] == "differs"
    assert next(fact.found for fact in found.facts if fact.name == "boxes") == "yxyx_pixel"

    encoder = zoo.spec("universal_sentence_encoder")  # whose page asks for no text ops
    folder = hub_modules.export(hub_modules.TextOpsEncoder(512), tmp_path / "text")
    hub.publish(encoder.outputs["features"].weights.tfhub, folder)
    assert verdicts(verify(encoder))["features", "needs text ops"] == "differs"


def test_a_range_that_nobody_states_is_probed_and_remembered(inception, monkeypatch):
    from zoo.ranges import recall

    spec = inception(1001, 2048)
    silent = spec.model_copy(update={"input": spec.input.model_copy(update={"range": None})})
    assert verdicts(verify(silent))["logits", "range"] == "unstated"
    assert recall(zoo.get("classification", spec).files("logits")["weights"]).scores


@pytest.mark.assets
@pytest.mark.parametrize("name", ["real_mobilenet_v2", "real_tflite_v1", "real_tflite_v2_ptq"])
def test_no_fact_of_a_real_model_differs(name, assets):
    report = verify(zoo.spec(name))
    assert (report.differs, report.error) == (False, "")
    assert sum(fact.verdict == "ok" for fact in report.facts) >= 4


@pytest.mark.parametrize(
    ("scores", "are"),
    [
        ([0.7, 0.2, 0.1], True),
        ([0.7, 0.2, 0.05], False),
        ([-0.1, 1.0, 0.1], False),
        ([180 / 256, 0, 12 / 256], True),  # 8 bits, where many small ones have become 0
        ([3.0, 1.0, 0.0], False),
        ([100 / 256, 0, 12 / 256], False),
    ],
)
def test_probabilities_add_up_to_1_and_in_8_bits_roughly(scores, are):
    assert _probabilities(np.array([scores])) is are


def run(*words, **environment):
    words = [sys.executable, "-m", "zoo", "verify", *words]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_one_that_fails_costs_a_line_and_the_exit_code_not_the_others(tmp_path):
    done = run("inception_v3", "tiny_det_s", ZOO_OFFLINE="1", ZOO_CACHE=str(tmp_path))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "inception_v3.hub_in1k: not verified"
    assert lines[1].startswith("  failed: output 'logits': ")
    assert lines[-1].startswith("tiny_det_s.scenes: 5 ok")
    assert done.stderr.splitlines()[-1] == "2 verified: 0 differ, 1 could not be"


def test_json_is_the_report_and_a_process_that_dies_is_told(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import os; os.abort()")
    catalogue = tmp_path / "own.toml"
    catalogue.write_text(
        '[[backbone]]\nname = "dies"\nloader = "broken:Any"\ninput = { kind = "text" }\n'
        f'[backbone.outputs.features]\nweights = {{ path = "{broken}" }}\n'
    )
    done = run("dies", "--json", ZOO_CATALOG=str(catalogue), PYTHONPATH=str(tmp_path))
    (report,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["error"].startswith("its process ended with -6")


def test_all_are_those_of_every_catalogue():
    assert _chosen((), every=True) == zoo.list_backbones()
    assert {"inception_v3.hub_in1k", "resnet50.keras_in1k", "real_minilm"} <= set(_chosen((), every=True))


@pytest.mark.parametrize("words", [[], ["--all", "tiny_det_s"]])
def test_names_or_all_of_them_must_be_asked_for(words):
    assert run(*words).returncode == 2
