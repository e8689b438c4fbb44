"""Weights that no catalogue knows: what their files say, what a probe finds, and the row that the user keeps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import zoo
from zoo.catalog import add_row, read_catalog, row_text
from zoo.cli import zoo as command
from zoo.errors import BackboneError, DuplicateNameError, OptionError, SpecError, WeightsError, ZooWarning
from zoo.inspection import inspect_saved_model, place_of
from zoo.probing import probe
from zoo.signatures import CALL, read_signatures

TINY = Path(__file__).parents[1] / "plugins" / "zoo_tiny" / "weights"


def inspected(folder, **asked):
    return inspect_saved_model(Path(folder), {"path": str(folder)}, **asked)


def known(found):
    return {fact: (value, basis) for fact, value, basis in found.facts}


def test_a_file_tells_its_signatures_without_tensorflow():
    script = f"""
import sys
from pathlib import Path
from zoo.signatures import read_signatures
told = read_signatures(Path({str(TINY / "tiny_cnn_s" / "logits")!r}))
print(told.signatures["__call__"], told.parameters, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "images: float32 [n, 32, 32, 1] -> tensor: float32 [n, 10] 858 False\n"


def test_a_call_is_shown_in_its_form_for_inference(tmp_path):
    import hub_modules

    hub_modules.export(hub_modules.BertEncoder(24, "default"), tmp_path / "net")
    call = read_signatures(tmp_path / "net").signatures[CALL]
    assert [tensor.name for tensor in call.inputs] == ["input_mask", "input_type_ids", "input_word_ids"]
    assert {(tensor.dtype, tensor.shape) for tensor in call.inputs} == {("int32", (None, None))}
    assert ("default", (None, 24)) in [(tensor.name, tensor.shape) for tensor in call.outputs]


@pytest.mark.parametrize("classes", [1000, 1001])
def test_a_classifier_of_imagenet_is_known_by_its_width(classes, tmp_path):
    import hub_modules

    hub_modules.export(hub_modules.SlimModule(classes), tmp_path / "net")
    found = inspected(tmp_path / "net")
    assert found.row["outputs"]["logits"]["labels"] == f"imagenet-{classes}"
    assert found.row["input"] == {"kind": "image", "range": None}
    assert found.row["unstated"] == ["input.range"]
    assert zoo.get("classification", found.spec("mine"), input_range=(0, 1)).load()


def test_a_width_that_no_file_tells_is_probed(tmp_path):
    import tensorflow as tf

    net = tf.Module()
    net.__call__ = tf.function(
        lambda x: tf.reshape(tf.reduce_mean(x, [1, 2]), tf.stack([-1, 3]) + 0 * tf.shape(x)[:2]),
        input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)],
    )
    tf.saved_model.save(net, str(tmp_path / "net"))
    found = inspected(tmp_path / "net")
    assert known(found)["width"][1] == "unstated"
    probe(found)
    assert known(found)["width"] == ("3", "probed")
    assert found.row["outputs"]["features"]["width"] == 3


def test_a_detector_that_returns_a_tuple_is_found_to_count_in_pixels(tmp_path):
    import hub_modules

    hub_modules.export(hub_modules.TupleDetector(), tmp_path / "net")
    found = inspected(tmp_path / "net")
    assert known(found)["boxes"][1] == "assumed"
    probe(found)
    assert found.row["outputs"]["boxes"]["boxes"] == "yxyx_pixel"


def test_ids_from_0_and_boxes_in_0_to_1_are_found_by_a_probe():
    found = inspected(TINY / "tiny_det_s" / "boxes", labels=list("0123456789"))
    probe(found)
    assert found.row["outputs"]["boxes"]["boxes"] == "yxyx_unit"
    assert "counted from 0" in known(found)["classes"][0]
    assert found.spec("mine").input.dtype == "uint8"


def test_the_ops_of_tensorflow_text_are_seen_and_a_preprocessor_is_asked_for(tmp_path):
    import hub_modules

    hub_modules.export(hub_modules.ListEncoder(12), tmp_path / "text")
    assert inspected(tmp_path / "text").row["imports"] == ["tensorflow_text"]
    hub_modules.export(hub_modules.BertEncoder(24, "default"), tmp_path / "bert")
    with pytest.raises(OptionError, match="'input_word_ids', which a text preprocessor makes; name the one"):
        inspected(tmp_path / "bert")
    hub_modules.export(hub_modules.Preprocessor(tmp_path), tmp_path / "before")
    found = inspected(tmp_path / "bert", preprocessor={"path": str(tmp_path / "before")})
    probe(found)
    assert found.row["outputs"]["features"] == {
        "weights": {"path": str(tmp_path / "bert")},
        "width": 24,
        "key": "default",
    }


@pytest.mark.assets
def test_the_real_models_are_read_rightly(assets):
    rows = {
        "mobilenet_v2_100_224/classification": ("logits", {"width": 1000, "labels": "imagenet-1000"}),
        "mobilenet_v2_100_224/feature_vector": ("features", {"width": 1280}),
        "centernet_mobilenet_v3_512": ("boxes", {"boxes": "yxyx_unit"}),
        "minilm_l6_v2": ("features", {"width": 384}),
    }
    for folder, (output, facts) in rows.items():
        found = inspected(assets / "models" / folder)
        assert found.row["outputs"][output] == {"weights": {"path": str(assets / "models" / folder)}, **facts}
        assert ("labels" in known(found)) == (output in ("logits", "boxes"))
        if output == "boxes":
            assert known(found)["labels"][1] == "unstated"
    assert found.row["imports"] == ["tensorflow_text"]


@pytest.mark.assets
def test_a_range_that_the_probe_contradicts_is_warned_of_with_both(assets):
    found = inspected(assets / "models" / "mobilenet_v2_100_224" / "classification", input_range=(0, 255))
    photographs = sorted((assets / "data" / "imagenet_500" / "images").iterdir())[:80:20]
    with pytest.warns(ZooWarning, match=r"the range 0..255 was given, but .* most steadily at 0..1 \("):
        probe(found, photographs)


def test_a_handle_is_fetched_and_its_row_names_it(hub, tmp_path):
    import hub_modules

    hub.publish(
        "https://tfhub.dev/me/net/classification/1", hub_modules.export(hub_modules.SlimModule(7), tmp_path / "n")
    )
    words = ["inspect", "tfhub.dev/me/net/classification/1", "--json"]
    told = json.loads(CliRunner().invoke(command, words, catch_exceptions=False).output)
    assert told["row"]["name"] == "classification"
    assert told["row"]["outputs"]["logits"]["weights"] == {"tfhub": "https://tfhub.dev/me/net/classification/1"}
    assert hub.requests == ["GET /me/net/classification/1?tf-hub-format=compressed"]


@pytest.mark.parametrize("broken", ["empty", "cut", "hostile", "keras"])
def test_what_can_t_be_inspected_is_named(broken, tmp_path):
    import hostile_models

    folder = tmp_path / "net"
    folder.mkdir()
    if broken == "hostile":
        hostile_models.calling(hostile_models.write)(folder)
    elif broken == "cut":
        whole = (TINY / "tiny_cnn_s" / "logits" / "saved_model.pb").read_bytes()
        (folder / "saved_model.pb").write_bytes(whole[:5000])
    elif broken == "keras":
        folder = tmp_path / "net.h5"
        folder.write_bytes(b"\x89HDF\r\n\x1a\n")
    error, said = {
        "empty": (OptionError, "is no form of weights that the zoo knows"),
        "cut": (BackboneError, "cut or damaged"),
        "hostile": (WeightsError, "op 'WriteFile'"),
        "keras": (OptionError, r"is a Keras file .*write its row by hand"),
    }[broken]
    with pytest.raises(error, match=said):
        inspected(folder)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("https://tfhub.dev/google/x/1", {"tfhub": "https://tfhub.dev/google/x/1"}),
        ("tfhub.dev/google/x/1/", {"tfhub": "https://tfhub.dev/google/x/1"}),
        ("google/x/TensorFlow2/y/2", {"kaggle": "google/x/tensorFlow2/y/2"}),
        ("https://www.kaggle.com/models/google/x/TensorFlow2/y/2", {"kaggle": "google/x/tensorFlow2/y/2"}),
    ],
)
def test_a_handle_is_read_as_people_copy_it(text, place):
    assert place_of(text).model_dump(exclude_none=True) == place
    with pytest.raises(OptionError, match="is no file or folder"):
        place_of("no/such/thing")


ROW = {
    "name": "mine",
    "notes": {"input.range": 'said by "her"'},
    "input": {"kind": "image", "size": [8, 8], "range": None},
    "unstated": ["input.range"],
    "outputs": {"logits": {"labels": ["a", "ü \\ b"], "weights": {"path": "net"}}},
}


def test_a_row_is_written_as_it_is_read(tmp_path):
    added = add_row(tmp_path / "own.toml", ROW)
    assert read_catalog(tmp_path / "own.toml") == [added]
    assert (added.input.range, added.notes, added.outputs["logits"].labels) == (None, ROW["notes"], ("a", "ü \\ b"))
    assert added.outputs["logits"].weights.path == str(tmp_path / "net")


def test_a_row_that_is_not_valid_leaves_the_catalogue_as_it_was(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("# mine\n" + row_text(ROW), encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(SpecError, match=r"own.toml', backbone 'bad name', field 'name'"):
        add_row(file, ROW | {"name": "bad name"})
    assert file.read_bytes() == before
    with pytest.raises(DuplicateNameError, match=r"own.toml' has a backbone 'mine' already"):
        add_row(file, ROW)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    assert [spec.name for spec in (add_row(file, ROW | {"name": "second"}), read_catalog(file)[0])] == [
        "second",
        "mine",
    ]


def run(*arguments, **environment):
    import os

    words = [sys.executable, "-m", "zoo", *map(str, arguments)]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "ZOO_CATALOG": "", **environment}
    )


def test_what_is_added_predicts_and_is_not_added_twice(tmp_path):
    own = {"XDG_CONFIG_HOME": str(tmp_path)}
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["zero", *"123456789"]))
    words = ["add", "mine", TINY / "tiny_cnn_s" / "logits", "--labels", labels, "--input-range", "0,1"]
    added = run(*words, **own)
    assert added.stdout == f"mine is row 1 of {tmp_path / 'zoo' / 'own.toml'}\n"
    assert json.loads(run("show", "mine", "--json", **own).stdout)["params"] == 858
    answer = run("predict", "classification/mine", zoo.inputs.sample_inputs("image")[0], "--json", **own)
    assert json.loads(answer.stdout)[0]["label"] in ["zero", *"123456789"], answer.stderr
    again = run(*words, **own)
    assert again.returncode == 1
    assert "there is a backbone 'mine' already, of" in again.stderr


def test_inspect_prints_a_row_that_a_catalogue_takes(tmp_path):
    done = CliRunner().invoke(command, ["inspect", str(TINY / "tiny_text_s" / "features")], catch_exceptions=False)
    (tmp_path / "own.toml").write_text(done.output[done.output.index("[[backbone]]") :], encoding="utf-8")
    (spec,) = read_catalog(tmp_path / "own.toml")
    assert (spec.name, spec.input.kind, spec.outputs["features"].width) == ("features", "text", 16)
