"""`auto` never takes a wrong runtime, however fast; whatever happens to a candidate costs that candidate alone."""

import json
import os
import subprocess
import sys
import time

import pytest
from fake_runtimes import save_colours, uninstall_quick, write_fakes

import zoo
from zoo.backbone import load_backbone
from zoo.errors import MissingPackageError, OptionError, RuntimeLoadError
from zoo.plugins import installed
from zoo.tuning.contest import Limits

LIMITS = Limits(load=120, batch=3, answer=2, stream=0.1)
OTHERS = ("openvino", "onnxruntime", "ai_edge_litert", "jax")
LABELS = ["red", "green", "blue"]
ALL = "quick slug liar pretender crasher sleeper refuser absent"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    save_colours(folder)
    return folder


@pytest.fixture(scope="module")
def spec(weights):
    return zoo.BackboneSpec(
        name="colours",
        input={"kind": "image", "size": [32, 32], "resize": "stretch"},
        outputs={"logits": {"labels": LABELS, "width": 3, "weights": {"path": str(weights)}}},
    )


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The fakes installed for this process and those that it starts; other runtimes than `tf`'s taken away."""
    folder = tmp_path_factory.mktemp("fakes")
    write_fakes(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("FAKE_RUNTIMES", ALL)
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        patch.setenv("FAKE_ABSENCES", " ".join(OTHERS))
        for module in OTHERS:
            patch.setitem(sys.modules, module, None)
        installed.cache_clear()
        yield folder
    installed.cache_clear()


def choose(spec, runtime="auto", precision="auto", batch_size=32, **options):
    """The choice for `spec`, and what was told on the way."""
    model = zoo.get("classification", spec, runtime=runtime, precision=precision, batch_size=batch_size)
    backbone = load_backbone(spec, "logits", model.files("logits"))
    told = []
    choice = model.runtime.choose(backbone, precision=precision, limits=LIMITS, report=told.append, **options)
    return choice, told


@pytest.fixture(scope="module")
def contest(surroundings, spec):
    return choose(spec)


@pytest.fixture(scope="module")
def verdicts(contest):
    return {(verdict.runtime, verdict.precision): verdict for verdict in contest[0].verdicts}


def test_the_fastest_right_runtime_is_chosen(contest, verdicts):
    choice, _ = contest
    assert (choice.runtime, choice.precision) == ("quick", "bf16")
    assert verdicts["quick", "bf16"].outcome == "chosen"
    assert verdicts["quick", "bf16"].ratio > 1
    assert "times as fast as tf fp32" in str(choice)


def test_a_wrong_runtime_is_never_chosen_however_fast(verdicts):
    liar = verdicts["liar", "fp32"]
    assert liar.outcome == "disagrees"
    assert liar.rate > verdicts["tf", "fp32"].rate
    assert liar.agreement.value < liar.agreement.threshold == 0.99
    assert "top-1 the same" in liar.reason


def test_a_right_runtime_that_is_slow_is_slower(verdicts):
    slug = verdicts["slug", "fp32"]
    assert (slug.outcome, slug.agreement.value) == ("slower", 1)
    assert slug.ratio < 1


def test_a_crash_a_hang_and_a_refusal_cost_one_candidate_each(verdicts):
    assert {verdicts[name, "fp32"].outcome for name in ("crasher", "sleeper", "refuser")} == {"failed"}
    assert "SIGABRT; its last words: a framework that greets" in verdicts["crasher", "fp32"].reason
    assert "segmentation fault in a kernel" in verdicts["crasher", "fp32"].reason
    assert verdicts["sleeper", "fp32"].reason.startswith("no answer to 'batch' within ")
    assert verdicts["refuser", "fp32"].reason == "runtime 'refuser' can't take the operation 'Mean'"


def test_a_runtime_that_computes_in_another_precision_than_asked_is_out(verdicts):
    assert verdicts["pretender", "fp16"].reason == "it runs fp32 where fp16 is asked for"


def test_a_runtime_that_is_not_installed_is_shown_with_what_installs_it(verdicts):
    absent = verdicts["absent", "fp32, bf16"]
    assert (absent.outcome, absent.reason) == ("not installed", "pip install absent-for-zoo")
    openvino = next(verdict for verdict in verdicts.values() if verdict.runtime == "openvino")
    assert openvino.reason == "pip install 'tf-model-zoo[openvino]'"


def test_every_result_is_told_as_it_comes(contest, verdicts):
    _, told = contest
    assert len(told) == len(verdicts)
    assert any(line.startswith("tf fp32: ") and line.endswith("the reference") for line in told)


def test_the_choice_says_on_what_and_where_it_was_made(contest):
    choice, _ = contest
    assert (choice.examples, choice.inputs) == (120, "parts of two sample photographs")
    assert choice.versions["quick_engine"] == "3.1"
    assert choice.versions["plugin of quick"] == "fake-runtimes 1.0"
    assert choice.versions["a_module_that_nobody_has"] == ""
    assert choice.machine["processor"]


def test_a_choice_is_remembered(contest, spec):
    begun = time.perf_counter()
    again, told = choose(spec)
    assert again == contest[0]
    assert told == []
    assert time.perf_counter() - begun < 2


LOAD = """
run = model.load().compiled("logits")
print(json.dumps([model.runtime.spec.name, run.precision, run.choice.runtime, "tensorflow" in sys.modules]))
"""
CHOOSE = """
from zoo.backbone import load_backbone
from zoo.tuning.contest import Limits
backbone = load_backbone(spec, "logits", model.files("logits"))
choice = model.runtime.choose(backbone, precision=model.precision, limits=Limits(stream=0.1, answer=1))
quick = next(found for found in choice.verdicts if found.runtime == "quick")
print(json.dumps([choice.runtime, [quick.outcome, quick.reason]]))
"""


def in_a_new_process(spec, action, places=None, **options):
    """What `action` prints in a new process of a model with `options`, and what is said on stderr."""
    script = f"""
import json, sys, zoo
spec = zoo.BackboneSpec.model_validate_json({spec.model_dump_json()!r})
model = zoo.get("classification", spec, **{options!r})
{action}"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(places or {})}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_another_process_takes_the_remembered_runtime_and_imports_no_other(contest, spec):
    loaded, said = in_a_new_process(spec, LOAD, runtime="auto", precision="auto")
    assert loaded == ["quick", "bf16", "quick", False]
    assert said == ""


def remembered(spec, precision="auto", batch_size=32, device=None):
    model = zoo.get("classification", spec, runtime="auto", precision=precision, batch_size=batch_size)
    return model.runtime.remembered(
        load_backbone(spec, "logits", model.files("logits")), device=device, precision=precision
    )


def test_other_weights_settings_or_a_changed_input_are_another_choice(contest, spec, weights, tmp_path):
    assert remembered(spec) == contest[0]
    assert remembered(spec, batch_size=8) is None
    assert remembered(spec, precision="fp32") is None
    assert remembered(spec, device="cpu") is None
    other = tmp_path / "other"
    other.mkdir()
    for file in weights.rglob("*"):
        if file.is_file():
            (other / file.relative_to(weights)).parent.mkdir(parents=True, exist_ok=True)
            (other / file.relative_to(weights)).write_bytes(file.read_bytes())
    outputs = {"logits": spec.outputs["logits"].model_copy(update={"weights": zoo.WeightsSpec(path=str(other))})}
    copied = spec.model_copy(update={"outputs": outputs})
    assert remembered(copied) == contest[0], "the same weights elsewhere are the same weights"
    (other / "assets").mkdir(exist_ok=True)
    (other / "assets" / "words.txt").write_text("more")
    assert remembered(copied) is None
    bgr = spec.model_copy(update={"input": spec.input.model_copy(update={"channels": "bgr"})})
    assert remembered(bgr) is None


@pytest.fixture
def only(surroundings, monkeypatch):
    """Installs these fakes and no others."""

    def install(names):
        monkeypatch.setenv("FAKE_RUNTIMES", names)
        installed.cache_clear()

    yield install
    monkeypatch.undo()
    installed.cache_clear()


def test_a_precision_that_no_right_runtime_has_is_an_error_that_says_what_each_did(only, spec):
    only("pretender liar")
    with pytest.raises(RuntimeLoadError, match=r"(?s)at 'fp16' as 'tf' does.*pretender fp16: it runs fp32") as caught:
        choose(spec, precision="fp16")
    assert "liar fp16: it has no fp16, but fp32" in str(caught.value)


def test_a_runtime_that_is_gone_is_replaced_and_that_is_said(surroundings, contest, spec, tmp_path):
    folder = tmp_path / "fakes"
    folder.mkdir()
    write_fakes(folder)
    uninstall_quick(folder)
    remembered_file = next((surroundings / "cache" / "choices").glob("*-auto-b32-*"))
    (tmp_path / "choices").mkdir()
    (tmp_path / "choices" / remembered_file.name).write_bytes(remembered_file.read_bytes())
    places = {"PYTHONPATH": str(folder), "FAKE_RUNTIMES": "quick", "ZOO_CACHE": str(tmp_path)}
    (chosen, quick), said = in_a_new_process(spec, CHOOSE, places, runtime="auto", precision="auto")
    assert chosen == "tf"
    assert quick == ["not installed", "pip install quick-for-zoo"]
    assert "anew" in said
    assert "quick_engine 3.1 -> not installed" in said


def test_what_leaves_no_choice_is_told(surroundings, spec):
    with pytest.raises(OptionError, match="batch_size=0"):
        zoo.get("classification", spec, runtime="auto", batch_size=0)
    with pytest.raises(MissingPackageError, match="pip install absent-for-zoo"):
        zoo.get("classification", spec, runtime="absent", precision="auto")


def zoo_tune(*arguments):
    command = [sys.executable, "-m", "zoo", "tune", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_zoo_tune_chooses_at_full_precision_unless_told_otherwise_shows_and_forgets(spec, only, tmp_path):
    only("quick")
    saved = zoo.get("classification", spec).save(tmp_path / "saved")
    arguments = (str(saved), "--batch-size", "16")
    first = zoo_tune(*arguments, "--runtime", "auto", "--seconds", "0.1")
    assert first.returncode == 0, first.stderr
    assert "quick fp32: " in first.stderr
    table = [line.split() for line in first.stdout.splitlines()]
    assert table[0] == ["runtime", "precision", "inputs/s", "times", "tf", "agreement", "wanted", "n", "verdict"]
    assert (table[1][:2], table[1][-4:]) == (["quick", "fp32"], ["1.00000", "0.99", "120", "chosen"])
    again = zoo_tune(*arguments, "--json")
    assert again.stderr == "", "nothing is tried a second time"
    found = json.loads(again.stdout)
    assert (found["runtime"], found["precision"], found["batch_size"]) == ("quick", "fp32", 16)
    assert {verdict["precision"] for verdict in found["verdicts"]} == {"fp32"}
    assert "forgotten" in zoo_tune(*arguments, "--forget").stderr
    assert remembered(zoo.load(saved).spec, "fp32", 16) is None


def test_zoo_tune_without_a_choice_is_told(surroundings):
    done = zoo_tune("classification/tiny_cnn_s", "--runtime", "tf")
    assert (done.returncode, done.stdout) == (2, "")
    assert "leaves nothing to choose" in done.stderr


def test_auto_is_listed_among_the_runtimes_and_nobody_can_take_its_name(surroundings):
    assert "auto" in [spec.name for spec in installed().runtimes]
    assert installed().runtimes.owner("auto") == "zoo"
