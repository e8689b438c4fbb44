"""The command line, as a person or a script meets it."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image


def zoo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_names_every_command():
    done = zoo("--help")
    assert done.returncode == 0
    for command in ("list", "show", "plugins", "doctor", "predict", "eval", "bench"):
        assert f"\n  {command} " in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2]


def test_an_error_is_one_line_and_exit_code_1():
    done = zoo("show", "inception_v33")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("zoo: no backbone named 'inception_v33'; did you mean 'inception_v3'")
    assert len(done.stderr.splitlines()) == 1


def test_debug_shows_the_traceback():
    done = zoo("--debug", "show", "inception_v33")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("arguments", [["lst"], ["list", "--no-such"], ["predict", "classification/x"], ["show"]])
def test_wrong_usage_is_exit_code_2(arguments):
    done = zoo(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_misspelt_command_gets_the_nearest_one():
    assert "Did you mean 'list'?" in zoo("lst").stderr


def test_a_word_that_is_no_model_is_told_what_a_model_is():
    done = zoo("predict", "no_such_word", "cat.jpg")
    assert done.returncode == 2
    assert "write TASK/BACKBONE" in done.stderr


def test_list_takes_a_glob_over_names_and_aliases():
    lines = zoo("list", "inception_v3*").stdout.splitlines()
    assert lines[0].split()[:2] == ["backbone", "tasks"]
    assert len(lines) >= 2
    assert all("inception_v3" in line for line in lines[1:])


def test_list_of_a_task_shows_what_is_ready_and_in_brackets_what_is_trainable():
    rows = {line.split()[0]: line for line in zoo("list", "--task", "classification").stdout.splitlines()[1:]}
    assert " classification" in rows["inception_v3.hub_in1k"]
    assert "(classification)" in rows["nnlm_en_dim50.hub_gnews"]
    assert not any(name.startswith("faster_rcnn") for name in rows)


def test_list_shows_the_forms_of_weights_that_can_be_read():
    lines = zoo("list", "--formats").stdout.splitlines()
    assert lines[0].split() == ["name", "what"]
    assert any(line.startswith("tflite ") and line.endswith("a TFLite file") for line in lines)


def test_json_is_json_alone():
    for arguments in (["list", "--json"], ["show", "inception_v3", "--json"], ["plugins", "--json"]):
        json.loads(zoo(*arguments).stdout)


def test_show_prints_where_the_weights_come_from():
    shown = zoo("show", "inception_v3").stdout
    assert "https://tfhub.dev/google/imagenet/inception_v3/classification/5" in shown
    assert "range 0..1" in shown


@pytest.mark.parametrize(("command", "reader"), [("list", "head -1"), ("show tiny_cnn_s", "true")])
def test_a_closed_pipe_is_no_error(command, reader):
    script = f"{sys.executable} -m zoo {command} | {reader}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Error" not in done.stderr
    assert len(done.stdout.splitlines()) <= 1


def test_a_broken_catalogue_does_not_stop_the_listing(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("nonsense")
    done = zoo("list", "inception_v3", ZOO_CATALOG=str(broken))
    assert done.returncode == 0
    assert "broken.toml" in done.stderr
    assert "inception_v3" in done.stdout


def test_plugins_lists_what_each_brings_and_what_failed(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("nonsense")
    rows = {row["plugin"]: row for row in json.loads(zoo("plugins", "--json", ZOO_CATALOG=str(broken)).stdout)}
    assert "2 runtimes" in rows["zoo_tensorflow"]["brings"]
    assert rows["zoo_tensorflow"]["error"] is None
    assert "not valid TOML" in rows[str(broken)]["error"]


def test_doctor_finds_no_fault_here_and_names_one_there():
    done = zoo("doctor", "--json", ZOO_CATALOG="")
    findings = json.loads(done.stdout)
    assert [finding for finding in findings if finding["state"] == "fault"] == []
    assert done.returncode == 0
    assert any(finding["what"] == "runtime tf" and "cpu" in finding["detail"] for finding in findings)
    wrong = zoo("doctor", KERAS_BACKEND="torch")
    assert wrong.returncode == 1
    assert "unset it" in wrong.stdout


def test_doctor_finds_the_fault_in_a_user_s_own_places(tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "mine.toml").write_text(
        """
        [[backbone]]
        name = "mine"
        input = { kind = "image", size = [8, 8] }
        outputs.logit = { width = 2, weights = { path = "$NOT_SET_ANYWHERE/model" } }
        """
    )
    done = zoo(
        "doctor",
        "--json",
        ZOO_CACHE=str(tmp_path / "file"),
        ZOO_MIRROR=str(tmp_path / "nowhere"),
        ZOO_CATALOG=str(tmp_path / "mine.toml"),
    )
    faults = {(row["what"], row["detail"]) for row in json.loads(done.stdout) if row["state"] == "fault"}
    told = " / ".join(sorted(f"{what}: {detail}" for what, detail in faults))
    assert done.returncode == 1
    for part in ("is no folder", "there is no folder", "offers 'logit', which no task uses", "'NOT_SET_ANYWHERE'"):
        assert part in told


def test_predict_takes_the_pictures_of_a_folder_and_tells_what_it_leaves_out(tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "more").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    done = zoo("predict", "classification/tiny_cnn_s", str(tmp_path), "--json")
    assert done.returncode == 1
    assert "1 other files and 1 folders" in done.stderr
    gone, red = json.loads(done.stdout)
    assert gone["input"].endswith("gone.png")
    assert "error" in gone
    assert "label" in red


@pytest.mark.parametrize("place", ["/proc/nowhere", "file.txt/inside"])
def test_predict_tells_that_it_cannot_write_before_it_runs(tmp_path, place):
    (tmp_path / "file.txt").write_text("a file")
    done = zoo("predict", "classification/tiny_cnn_s", "nothing.png", "--out", str(tmp_path / place))
    assert done.returncode == 2
    assert "can't be made" in done.stderr


@pytest.mark.parametrize("path", ["/no/such/model", "./model", "../model"])
def test_a_path_with_no_model_is_told_as_a_path(path):
    assert f"there is no saved model at {path!r}" in zoo("predict", path, "x.png").stderr


def test_a_folder_that_holds_no_saved_model_is_told(tmp_path):
    assert "is no saved model: it has no 'model.json'" in zoo("predict", str(tmp_path), "x.png").stderr


def test_an_unknown_runtime_names_the_listing_that_has_them():
    assert "zoo list --runtimes" in zoo("predict", "classification/tiny_cnn_s", "x.png", "--runtime", "tg").stderr


def test_an_empty_folder_costs_the_other_inputs_nothing(tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    (tmp_path / "empty").mkdir()
    done = zoo("predict", "classification/tiny_cnn_s", str(tmp_path / "red.png"), str(tmp_path / "empty"), "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 1
    assert "holds no pictures" in done.stderr


CNN = "classification/tiny_cnn_s"
MEANINGLESS = [
    ["predict", "detection/tiny_det_s", "x.png", "-o", "cnf=1"],
    ["predict", CNN, "x.png", "--input-range", "1,0"],
    ["fit", CNN, "tiny_digits", "--validation", "7", "--out", "x.zoo"],
    ["export", CNN, "--format", "onnxx", "--out", "x"],
    ["data", "tiny_digits", "--sheet", "x.jpg"],
    ["data", "tiny_digits", "--sheet", "nowhere/x.png"],
]
IMPOSSIBLE = [
    ["predict", CNN, "nothing.png"],
    ["predict", CNN, "x.png", "--precision", "fp8"],
    ["fit", CNN, "folder:/no/such", "--out", "x.zoo"],
    ["data", "tiny_digits", "--split", "nosuch"],
]


@pytest.mark.parametrize(("code", "arguments"), [(2, one) for one in MEANINGLESS] + [(1, one) for one in IMPOSSIBLE])
def test_what_is_wrong_with_the_words_is_told_before_tensorflow_is_imported(code, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = "import sys, zoo.cli, atexit; atexit.register(lambda: print('tensorflow' in sys.modules)); zoo.cli.main()"
    done = subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "False\n"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_gets_the_nearest_one():
    told = zoo("export", CNN, "--format", "onnxx", "--out", "x").stderr
    assert "there are litert, onnx, saved_model. Did you mean 'onnx'?" in told


def test_an_empty_text_is_told():
    done = zoo("predict", "embedding/tiny_text_s", "a cat", " ")
    assert (done.returncode, done.stderr) == (0, "input 2 is an empty text: its answer says nothing\n")


def test_a_backbone_alone_is_told_its_tasks():
    assert "write 'classification/tiny_cnn_s' or 'embedding/tiny_cnn_s'" in zoo("predict", "tiny_cnn_s", "x.png").stderr


@pytest.mark.parametrize("option", ["--seconds", "--timeout"])
def test_a_time_that_is_no_number_is_wrong_usage(option):
    done = zoo("tune", "classification/tiny_cnn_s", option, "nan")
    assert (done.returncode, "no finite number" in done.stderr) == (2, True)


def test_fit_tells_that_it_cannot_write_before_it_runs(tmp_path):
    (tmp_path / "file").write_text("a file")
    done = zoo("fit", "classification/tiny_cnn_s", "tiny_digits", "--out", str(tmp_path / "file" / "mine.zoo"))
    assert done.returncode == 2
    assert "can't be made" in done.stderr
