"""The `onnx` runtime: it agrees with TensorFlow, converts once, and says what it can't do."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from agreement import TINY, assert_it_agrees, network, outputs, samples

import zoo
from zoo.cache import cache_folder
from zoo.errors import BackboneError, MissingPackageError, RuntimeLoadError
from zoo.inputs import sample_inputs
from zoo_onnx.conversion import convert, portable


@pytest.mark.parametrize(("task", "backbone", "dataset"), TINY)
def test_it_agrees_with_tensorflow(task, backbone, dataset):
    assert_it_agrees(task, backbone, samples(dataset, 9), "onnx")


@pytest.mark.assets
def test_it_agrees_with_tensorflow_on_a_real_network(assets):
    pictures = sorted((assets / "data" / "imagenet_500").rglob("*.jpg"))[:12]
    assert_it_agrees("classification", "real_mobilenet_v2", pictures, "onnx")


def test_a_last_batch_may_be_smaller():
    digits = samples("tiny_digits", 7)
    answers = [zoo.get("classification", "tiny_cnn_m", runtime="onnx").predict(digits, batch_size=n) for n in (3, 7)]
    for one, other in zip(*answers, strict=True):
        assert one.label == other.label
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_what_ran_is_what_it_says():
    run = zoo.get("classification", "tiny_cnn_m", runtime="onnx").compiled("logits")
    assert (run.device, run.precision) == ("cpu", "fp32")
    assert run.parameters() == zoo.get("classification", "tiny_cnn_m").compiled("logits").parameters() > 0


def test_a_second_process_does_not_import_tensorflow():
    zoo.get("classification", "tiny_cnn_s", runtime="onnx").load()
    code = """
import sys, zoo
from zoo.inputs import sample_inputs
model = zoo.get("classification", "tiny_cnn_s", runtime="onnx")
print(model.predict(sample_inputs("image")[0]).label, {"tensorflow", "tf2onnx", "onnx"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = zoo.get("classification", "tiny_cnn_s").predict(sample_inputs("image")[0]).label
    assert done.stdout == f"{expected} set()\n", done.stderr


def test_a_precision_that_the_device_lacks_is_refused():
    with pytest.raises(RuntimeLoadError, match=r"no precision 'fp16' on 'cpu'; it has \['fp32'\]"):
        zoo.get("classification", "tiny_cnn_s", runtime="onnx", precision="fp16").load()


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="a GPU's provider is there"
)
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(RuntimeLoadError, match="sees no device 'gpu'; it sees 'cpu'"):
        zoo.get("classification", "tiny_cnn_s", runtime="onnx", device="gpu").load()


def test_a_batch_of_another_shape_is_told_with_its_shape():
    run = zoo.get("classification", "tiny_cnn_s", runtime="onnx").compiled("logits")
    with pytest.raises(BackboneError, match=r"'tiny_cnn_s\.digits' failed on a batch of shape \(2, 9, 32, 1\)"):
        run(np.zeros((2, 9, 32, 1), np.float32))


def test_without_the_converter_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingPackageError, match=r"'tf2onnx' to convert \(pip install 'tf-model-zoo\[onnx\]'\)"):
        zoo.get("classification", "tiny_cnn_s", runtime="onnx").load()


def test_a_conversion_that_does_not_run_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr("zoo_onnx.runtime.convert", lambda *args, **options: (b"no model", []))
    with pytest.raises(RuntimeLoadError, match=r"'tiny_cnn_s\.digits' can't be run by runtime 'onnx'"):
        zoo.get("classification", "tiny_cnn_s", runtime="onnx").load()
    assert not list(tmp_path.rglob("*.onnx"))


def test_a_damaged_conversion_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    zoo.get("classification", "tiny_cnn_s", runtime="onnx").load()
    (file,) = (cache_folder() / "converted").rglob("model.onnx")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(RuntimeLoadError, match=r"can't open '.*model\.onnx'.*delete the folder"):
        zoo.get("classification", "tiny_cnn_s", runtime="onnx").load()


def test_an_op_that_it_lacks_stays_in_tensorflow(tmp_path):
    weights = tf.random.stateless_normal([48, 5], (1, 2))
    spec = network(tmp_path, lambda x: tf.math.digamma(2 + tf.nn.relu(tf.reshape(x, [-1, 48]) @ weights)))
    assert_it_agrees("embedding", spec, sample_inputs("image"), "onnx")


def test_an_op_in_the_midst_that_it_lacks_is_named(tmp_path):
    weights = tf.random.stateless_normal([48, 48], (1, 2))

    def digammas(x):
        x = tf.reshape(x, [-1, 48])
        for _ in range(4):
            x = tf.math.digamma(2 + tf.nn.relu(x @ weights))
        return x

    with pytest.raises(RuntimeLoadError, match="'Digamma'"):
        zoo.get("embedding", network(tmp_path, digammas), runtime="onnx").load()


def test_what_tf2onnx_does_not_know_is_written_in_other_ops(tmp_path):
    spec = network(tmp_path, lambda x: tf.math.erfc(tf.reduce_mean(x, [1, 2]) * [[-2.0, 0.1, 3.0]]))
    (expected,), (got,) = (outputs("embedding", spec, sample_inputs("image"), name) for name in ("tf", "onnx"))
    np.testing.assert_allclose(got["features"], expected["features"], atol=1e-6)


def test_fp16_keeps_inputs_and_outputs_and_halves_the_weights():
    weights = tf.random.stateless_normal([64, 32], (1, 2))
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 64], name="x")
        tf.identity(x @ weights.numpy(), name="y")
    batch = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    model, refused = convert(graph.as_graph_def(), ["x"], ["y"], backbone="made", precision="fp16")
    kinds = {kept.data_type for kept in onnx.load_from_string(model).graph.initializer}
    assert (refused, kinds) == ([], {onnx.TensorProto.FLOAT16})
    (y,) = onnxruntime.InferenceSession(model).run(["y"], {"x": batch})
    np.testing.assert_allclose(y, batch @ weights.numpy(), atol=0.1)
    assert y.dtype == np.float32


def test_pictures_in_whole_numbers_are_resized_as_tensorflow_does():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.uint8, [1, None, None, 3], name="x")
        tf.identity(tf.compat.v1.image.resize_bilinear(x, [5, 7], half_pixel_centers=True), name="y")
    assert [node.op for node in portable(graph.as_graph_def()).node].count("Cast") == 1
    model, _ = convert(graph.as_graph_def(), ["x"], ["y"], backbone="made")
    picture = np.random.default_rng(0).integers(0, 256, (1, 12, 9, 3), np.uint8)
    (y,) = onnxruntime.InferenceSession(model).run(["y"], {"x": picture})
    expected = tf.compat.v1.image.resize_bilinear(picture, [5, 7], half_pixel_centers=True)
    np.testing.assert_allclose(y, expected, atol=1e-3)
