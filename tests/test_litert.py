"""The `litert` runtime: it agrees with TensorFlow, converts once, and says what it can't do."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from agreement import TINY, assert_it_agrees, network, outputs, samples

import zoo
from zoo.cache import cache_folder
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.inputs import sample_inputs
from zoo_litert.conversion import portable


@pytest.mark.parametrize(("task", "backbone", "dataset"), TINY)
def test_it_agrees_with_tensorflow(task, backbone, dataset):
    assert_it_agrees(task, backbone, samples(dataset, 9), "litert")


@pytest.mark.assets
def test_it_agrees_with_tensorflow_on_a_real_network(assets):
    pictures = sorted((assets / "data" / "imagenet_500").rglob("*.jpg"))[:12]
    assert_it_agrees("classification", "real_mobilenet_v2", pictures, "litert")


def test_int8_points_the_same_way_in_a_third_of_the_size(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    first, second = (tf.random.stateless_normal(shape, (1, 2)) for shape in ([48, 512], [512, 64]))
    spec = network(tmp_path, lambda x: tf.nn.relu(tf.reshape(x - 0.5, [-1, 48]) @ first) @ second)
    full, small = (
        outputs("embedding", spec, sample_inputs("image"), "litert", precision=precision)[0]["features"]
        for precision in ("fp32", "int8")
    )
    cosine = (full * small).sum(1) / np.linalg.norm(full, axis=1) / np.linalg.norm(small, axis=1)
    assert 0.999 < cosine.min() < 0.999999
    large, third = sorted(file.stat().st_size for file in cache_folder().rglob("*.tflite"))[::-1]
    assert 3 * third < large


def test_a_last_batch_may_be_smaller():
    digits = samples("tiny_digits", 7)
    answers = [zoo.get("classification", "tiny_cnn_m", runtime="litert").predict(digits, batch_size=n) for n in (3, 7)]
    for one, other in zip(*answers, strict=True):
        assert one.label == other.label
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_an_answer_outlives_the_next_batch():
    run = zoo.get("classification", "tiny_cnn_s", runtime="litert").compiled("logits")
    batch = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
    first = run(batch)["logits"]
    kept = first.copy()
    run(1 - batch)
    np.testing.assert_array_equal(first, kept)


def test_what_ran_is_what_it_says():
    run = zoo.get("classification", "tiny_cnn_m", runtime="litert").compiled("logits")
    assert (run.device, run.precision) == ("cpu", "fp32")
    assert run.parameters() == zoo.get("classification", "tiny_cnn_m").compiled("logits").parameters() > 0


def test_a_second_process_does_not_import_tensorflow():
    zoo.get("classification", "tiny_cnn_s", runtime="litert").load()
    code = """
import sys, zoo
from zoo.inputs import sample_inputs
model = zoo.get("classification", "tiny_cnn_s", runtime="litert")
print(model.predict(sample_inputs("image")[0]).label, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = zoo.get("classification", "tiny_cnn_s").predict(sample_inputs("image")[0]).label
    assert (done.stdout, done.stderr) == (f"{expected} False\n", "")


def test_a_precision_that_it_lacks_is_refused():
    with pytest.raises(RuntimeLoadError, match=r"no precision 'bf16'; it has 'fp32', 'int8'"):
        zoo.get("classification", "tiny_cnn_s", runtime="litert", precision="bf16")


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(RuntimeLoadError, match="sees no device 'gpu:0'; it sees 'cpu'"):
        zoo.get("classification", "tiny_cnn_s", runtime="litert", device="gpu:0").load()


@pytest.mark.parametrize("shape", [(2, 9, 32, 1), (2, 32, 32), (32, 32, 1)])
def test_a_batch_of_another_shape_is_told_with_both_shapes(shape):
    run = zoo.get("classification", "tiny_cnn_s", runtime="litert").compiled("logits")
    with pytest.raises(BackboneError, match=r"'tiny_cnn_s\.digits' failed .* the network takes \[any, 32, 32, 1\]"):
        run(np.zeros(shape, np.float32))


def test_a_batch_of_another_type_is_refused():
    run = zoo.get("classification", "tiny_cnn_s", runtime="litert").compiled("logits")
    with pytest.raises(BackboneError, match=r"'tiny_cnn_s\.digits' failed on a batch"):
        run(np.zeros((2, 32, 32, 1), np.uint8))


def test_a_conversion_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **options):
        raise RuntimeLoadError("no")

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr("zoo_litert.conversion.convert", fail)
    with pytest.raises(RuntimeLoadError, match="no"):
        zoo.get("classification", "tiny_cnn_s", runtime="litert").load()
    assert not [*tmp_path.glob("converted/*"), *tmp_path.glob("drafts/*")]


def test_a_damaged_conversion_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    zoo.get("classification", "tiny_cnn_s", runtime="litert").load()
    (file,) = (cache_folder() / "converted").rglob("model.tflite")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RuntimeLoadError, match=r"can't open '.*model\.tflite'.*delete the folder"):
        zoo.get("classification", "tiny_cnn_s", runtime="litert").load()


def test_an_op_that_it_lacks_stays_in_tensorflow(tmp_path):
    weights = tf.random.stateless_normal([48, 5], (1, 2))
    spec = network(tmp_path, lambda x: tf.math.digamma(2 + tf.nn.relu(tf.reshape(x, [-1, 48]) @ weights)))
    assert_it_agrees("embedding", spec, sample_inputs("image"), "litert")


def test_an_op_in_the_midst_that_it_lacks_is_named(tmp_path):
    weights = tf.random.stateless_normal([48, 48], (1, 2))

    def digammas(x):
        x = tf.reshape(x, [-1, 48])
        for _ in range(4):
            x = tf.math.digamma(2 + tf.nn.relu(x @ weights))
        return x

    with pytest.raises(RuntimeLoadError, match="'Digamma'"):
        zoo.get("embedding", network(tmp_path, digammas), runtime="litert").load()


def test_a_network_that_takes_pictures_of_any_size_but_no_tiny_ones_works(tmp_path):
    kernels = tf.random.stateless_normal([5, 5, 3, 8], (1, 2))
    spec = network(tmp_path, lambda x: tf.reduce_mean(tf.nn.conv2d(x, kernels, 2, "VALID"), [1, 2]), (None, None, 3))
    run = zoo.get("embedding", spec, runtime="litert").compiled("features")
    with pytest.raises(BackboneError, match=r"failed on a batch of shape \(1, 2, 2, 3\)"):
        run(np.zeros((1, 2, 2, 3), np.float32))
    picture = np.random.default_rng(0).random((1, 31, 17, 3), np.float32)
    expected = zoo.get("embedding", spec).compiled("features")(picture)["features"]
    np.testing.assert_allclose(run(picture)["features"], expected, atol=1e-4)


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x[:, tf.newaxis],
        lambda x: x[tf.newaxis, ..., tf.newaxis],
        lambda x: x[:, tf.newaxis, :, tf.newaxis, tf.newaxis],
        lambda x: x[..., tf.newaxis, :],
        lambda x: x[1:, tf.newaxis],
        lambda x: x[:, tf.newaxis, 0],
        lambda x: x[:, ::2, tf.newaxis],
    ],
)
def test_a_slice_that_only_adds_axes_is_written_in_other_ops(cut):
    graph = tf.Graph()
    with graph.as_default():
        tf.identity(cut(tf.compat.v1.placeholder(tf.float32, [None, None], name="x")), name="y")
    rewritten = portable(graph.as_graph_def())
    run = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(rewritten, name=""), []).prune("x:0", "y:0")
    x = tf.random.stateless_normal([3, 4], (1, 2))
    np.testing.assert_array_equal(run(x), cut(x))
    adds_only = not {"StridedSlice"} & {node.op for node in rewritten.node}
    assert adds_only == (tf.size(cut(x)) == tf.size(x))
