"""Exports: each answers as the model does, in a process without the zoo; what does not is not kept."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zoo
from zoo.cli import zoo as cli
from zoo.errors import ExportError, OptionError, PairError
from zoo.export import Check, export_model, formats
from zoo.export.check import compared
from zoo.inputs import prepare, sample_inputs
from zoo_tensorflow.decoding import prepared

FORMATS = ("saved_model", "onnx", "litert")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def fitted():
    return zoo.get("classification", "tiny_cnn_s").fit("tiny_digits")


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    """All three formats, in one folder, as a user may want them."""
    out = tmp_path_factory.mktemp("out")
    return out, {form: fitted.export(out, format=form) for form in FORMATS}


def test_every_format_answers_as_the_model_on_real_examples(exported):
    _, found = exported
    for form in FORMATS:
        for check in found[form].checks:
            assert (check.examples, check.agreement) == (16, 1.0)
            assert check.difference < 1e-5
    assert [check.signature for check in found["saved_model"].checks] == ["serving_default", "pixels"]
    assert "scores differ by at most" in str(found["onnx"])


def test_facts_labels_and_preprocessing_lie_beside_it(exported, fitted):
    out, _ = exported
    for name in ("zoo.json", "model.onnx.json", "model.tflite.json"):
        facts = json.loads((out / name).read_text(encoding="utf-8"))
        assert facts["labels"] == list("0123456789")
        assert facts["input"]["size"] == [32, 32]
        assert facts["dataset"]["fingerprint"] == fitted.training.fingerprint
        assert len(facts["weights_sha256"]) == 64
        assert facts["checks"]
    assert (out / "assets" / "labels.txt").read_text(encoding="utf-8").split() == list("0123456789")
    assert not list(out.parent.glob(f".{out.name}-*"))


def test_tensorflow_alone_serves_it_in_a_fresh_process(exported, fitted, tmp_path):
    source = next(iter(fitted.dataset("tiny_digits"))).input
    files = {"png": tmp_path / "digit.png", "jpeg": tmp_path / "digit.jpg"}
    for kind, file in files.items():
        Image.open(source).convert("RGB").save(file, kind)
    code = f"""
import sys, json, pathlib, tensorflow as tf
signatures = tf.saved_model.load({str(exported[0])!r}).signatures
found = signatures["serving_default"](tf.constant([pathlib.Path(p).read_bytes() for p in sys.argv[1:]]))
assert "zoo" not in sys.modules
print(json.dumps([found["scores"].numpy().tolist(), [label.decode() for label in found["label"].numpy()]]))
"""
    done = subprocess.run([sys.executable, "-c", code, *map(str, files.values())], capture_output=True, check=True)
    scores, labels = json.loads(done.stdout)
    wanted = fitted.predict(list(files.values()))
    np.testing.assert_allclose(scores, [answer.scores for answer in wanted], atol=1e-5)
    assert labels == [answer.label for answer in wanted]


def test_onnx_and_litert_take_prepared_pixels(exported, fitted):
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    source = next(iter(fitted.dataset("tiny_digits"))).input
    batch = prepare(source, fitted.spec.input).value[None]
    session = onnxruntime.InferenceSession(str(exported[0] / "model.onnx"))
    (onnx,) = session.run(["scores"], {"pixels": batch})
    litert = Interpreter(str(exported[0] / "model.tflite")).get_signature_runner()(in0=batch)["out0"]
    for found in (onnx, litert):
        np.testing.assert_allclose(found[0], fitted.predict(source).scores, atol=1e-5)


def test_a_head_of_keras_layers_is_exported_too(tmp_path):
    import keras

    head = keras.Sequential([keras.layers.Dense(8, activation="gelu"), keras.layers.Dense(10)])
    fitted = zoo.get("classification", "tiny_cnn_s").fit("tiny_digits", head=head, epochs=1)
    found = fitted.export(tmp_path / "out", data="tiny_digits")
    assert max(check.difference for check in found.checks) < 1e-5


def test_texts_go_in_as_they_are(tmp_path):
    texts = np.array([f"a {what} {n}" for n in range(8) for what in ("horse", "hammer")], dtype=object)
    fitted = zoo.get("classification", "tiny_text_s").fit((texts, np.arange(16) % 2), labels=["animal", "tool"])
    (check,) = fitted.export(tmp_path / "out").checks
    assert check.signature == "serving_default"
    assert check.difference < 1e-5
    with pytest.raises(ExportError, match="no tokeniser; use format='saved_model'"):
        fitted.export(tmp_path / "other", format="onnx")
    assert not (tmp_path / "other").exists()


def test_a_published_model_is_exported_as_it_is(tmp_path):
    found = export_model(zoo.get("classification", "tiny_cnn_s"), tmp_path / "out", format="onnx")
    assert found.checks[0].examples == len(sample_inputs("image"))


def test_one_that_answers_otherwise_is_an_error_and_leaves_nothing(fitted, tmp_path, monkeypatch):
    other = zoo.get("classification", "tiny_cnn_m").fit("tiny_digits")
    monkeypatch.setattr(fitted, "network", other.network)
    with pytest.raises(ExportError, match=r"answers otherwise than the model .*nothing was kept"):
        fitted.export(tmp_path / "out", format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_and_another_width_never_pass():
    scores = np.full((2, 3), 1 / 3, np.float32)
    assert not compared("x", scores, np.full((2, 3), np.nan, np.float32)).difference <= 1e-3
    assert compared("x", scores, scores[:, :2]) == Check("x", 2, float("inf"), 0.0)


def test_numbers_are_compared_as_shares_of_the_largest_however_small():
    for scale in (1e-6, 1.0, 1e6):
        numbers = np.array([[1.0], [-4.0]], np.float32) * scale
        check = compared("x", numbers, numbers + np.float32(2 * scale), "number")
        assert (check.difference, check.agreement) == (pytest.approx(0.5), 0.0)
        assert compared("x", numbers, numbers, "number") == Check("x", 2, 0.0, 1.0)


def test_an_export_is_never_written_over(exported, fitted):
    out, _ = exported
    before = (out / "model.onnx").stat().st_mtime_ns
    with pytest.raises(OptionError, match="exists already"):
        fitted.export(out, format="onnx")
    assert (out / "model.onnx").stat().st_mtime_ns == before


def test_a_failed_move_takes_back_what_it_had_placed(fitted, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine", encoding="utf-8")
    fitted.export(tmp_path / "out", format="onnx")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["model.onnx", "model.onnx.json", "notes.txt"]


def test_what_can_not_be_exported_says_why(fitted, tmp_path):
    with pytest.raises(OptionError, match=r"no format 'coreml'.*'litert', 'onnx', 'saved_model'"):
        fitted.export(tmp_path / "out", format="coreml")
    with pytest.raises(PairError, match=r"'features'.*class scores"):
        export_model(zoo.get("embedding", "tiny_cnn_s"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_prints_the_difference(fitted, tmp_path):
    saved = str(fitted.save(tmp_path / "mine.zoo"))
    done = CliRunner().invoke(cli, ["export", saved, "--format", "litert", "--out", str(tmp_path / "out")])
    assert "model: scores differ by at most" in done.output
    done = CliRunner().invoke(cli, ["export", saved, "--format", "litert", "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, OptionError)


def test_formats_are_the_plugins_own():
    assert {name: spec.name for name, spec in formats().items()} == {
        "saved_model": "tf",
        "onnx": "onnx",
        "litert": "litert",
    }


PHOTOGRAPH = sample_inputs("image")[0]


def encodings():
    """A photograph as files of several kinds, by name."""
    with Image.open(PHOTOGRAPH) as image:
        half = image.resize((213, 142))
        alpha = np.linspace(0, 255, 213).astype(np.uint8)
        clear = half.copy()
        clear.putalpha(Image.fromarray(np.broadcast_to(alpha, (142, 213)).copy()))
        for name, picture, kind in (
            ("large jpeg", image, "JPEG"),
            ("grey jpeg", half.convert("L"), "JPEG"),
            ("png", half, "PNG"),
            ("clear png", clear, "PNG"),
            ("clear grey png", clear.convert("LA"), "PNG"),
            ("palette png", half.quantize(16), "PNG"),
            ("clear palette png", clear.quantize(200), "PNG"),
            ("one bit png", half.convert("1"), "PNG"),
            ("bmp", half, "BMP"),
        ):
            stream = io.BytesIO()
            picture.save(stream, kind)
            yield name, stream.getvalue()


@pytest.mark.parametrize(
    "facts",
    [
        {"size": (96, 64), "crop": 0.875},
        {"size": (48, 48), "resize": "stretch", "interpolation": "bicubic", "channels": "bgr"},
        {"size": (80, 80), "resize": "pad", "interpolation": "lanczos", "dtype": "uint8"},
        {"size": (64, 64), "resize": "stretch", "channels": "grey", "interpolation": "nearest"},
        {"size": (400, 400), "crop": 1.0, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)},
    ],
    ids=lambda facts: facts.get("resize", "crop") + str(facts["size"]),
)
def test_pictures_are_prepared_in_tensorflow_as_the_zoo_prepares_them(facts):
    import tensorflow as tf

    spec = zoo.ImageInput(**facts)
    step = 1 / 255 / min(spec.std or (1,)) if spec.dtype == "float32" else 1  # of one level
    for name, data in encodings():
        found = prepared(tf.constant([data]), spec)[0].numpy()
        wanted = prepare(data, spec).value
        gap = np.abs(found.astype(np.float32) - wanted)
        assert found.shape == wanted.shape
        assert gap.max() <= 2.01 * step, name
        assert gap.mean() <= 0.05 * step, name


@pytest.mark.assets
def test_a_published_network_answers_photographs_as_files(assets, tmp_path):
    photographs = assets / "data" / "flowers_600" / "val"
    sources = [str(next(folder.glob("*.jpg"))) for folder in sorted(photographs.iterdir())]
    model = zoo.get("classification", "real_keras_wake_words")
    found = export_model(model, tmp_path / "out", data=(np.array(sources, object), np.zeros(len(sources), int)))
    assert [(check.examples, check.agreement) for check in found.checks] == [(5, 1.0), (5, 1.0)]
    assert found.checks[0].difference < 0.005


def test_a_tolerance_is_wider_only_for_a_model_of_less_precision(fitted):
    from zoo.export.check import COARSE, checked
    from zoo_onnx.export import OnnxExporter

    class Off(OnnxExporter):
        def answers(self, folder, sources, spec):
            return {"model": np.stack([answer.scores for answer in fitted.predict(sources)]) + COARSE / 2}

    sources = [example.input for example in fitted.dataset("tiny_digits").some(4)]
    with pytest.raises(ExportError, match=r"allowed is 0\.001"):
        checked(fitted, Off(), None, sources)
    run = fitted.compiled("logits")
    fitted._compiled["logits"] = type("Coarse", (), {"precision": "bf16", "__call__": lambda self, batch: run(batch)})()
    try:
        fitted._compiled["logits"].stream = run.stream
        assert checked(fitted, Off(), None, sources)[0].difference == pytest.approx(COARSE / 2, rel=1e-3)
    finally:
        fitted._compiled["logits"] = run
