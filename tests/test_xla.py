"""XLA in TensorFlow and in JAX: the answers of `tf`, batches of any size, and what it can't take."""

import ast
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import zoo
from zoo.errors import BackboneError, RuntimeLoadError, ZooError
from zoo.framework import tf
from zoo.inputs import prepare
from zoo.mixed_precision import cpu_has_bf16

RUNTIMES = ("tf-xla", "openxla")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def batch():
    spec = zoo.spec("tiny_cnn_s").input
    digits = [example.input for example in zoo.get("classification", "tiny_cnn_s").dataset("tiny_digits").some(6)]
    return np.stack([prepare(digit, spec).value for digit in digits])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_answers_as_tf_does_for_batches_of_any_size(runtime, batch):
    reference = zoo.get("classification", "tiny_cnn_s").compiled("logits")
    wanted = reference(batch)["logits"]
    run = zoo.get("classification", "tiny_cnn_s", runtime=runtime).compiled("logits")
    for count in (6, 4, 1):
        found = run(batch[:count])["logits"]
        assert found.shape == (count, 10)
        np.testing.assert_allclose(found, wanted[:count], rtol=1e-4, atol=1e-4)
    assert (run.device, run.precision) == ("cpu", "fp32")
    assert run.parameters() == reference.parameters()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_stream_keeps_its_order(runtime, batch):
    run = zoo.get("classification", "tiny_cnn_s", runtime=runtime).compiled("logits")
    parts = [outputs["logits"] for outputs in run.stream([batch[:4], batch[4:], batch[:4]])]
    np.testing.assert_allclose(np.concatenate(parts[:2]), run(batch)["logits"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(parts[0], parts[2])


def test_a_failure_that_shows_only_when_results_are_asked_for_is_the_zoos_own(batch, monkeypatch):
    class Late:
        def __array__(self, *args, **more):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    run = zoo.get("classification", "tiny_cnn_s", runtime="openxla").compiled("logits")
    (function,) = run._functions.values()
    monkeypatch.setattr(function, "_run", lambda *given: [Late()])
    with pytest.raises(BackboneError, match=r"'tiny_cnn_s.digits' failed on a batch of 1, .*RESOURCE_EXHAUSTED"):
        run(batch[:1])


@pytest.mark.parametrize("runtime", ["tf", *RUNTIMES])
def test_a_batch_of_another_shape_is_told_with_its_shape(runtime, batch):
    run = zoo.get("classification", "tiny_cnn_s", runtime=runtime).compiled("logits")
    with pytest.raises(ZooError, match=r"\(6, 32, 9, 1\)"):
        run(batch[:, :, :9])


def test_a_batch_that_failed_is_no_measure_for_smaller_ones(batch):
    run = zoo.get("classification", "tiny_cnn_s", runtime="tf-xla").compiled("logits")
    with pytest.raises(BackboneError):
        run(batch[:, :, :9])  # as one that finds no memory
    assert run._seen == set()


def test_peak_memory_is_asked_for_by_a_name_that_tensorflow_knows(batch):
    run = zoo.get("classification", "tiny_cnn_s").compiled("logits")
    assert run.peak_memory() is None
    run.device = "cpu:0"  # as "gpu:0" is written; of a CPU TensorFlow tells what other tests in this process took, or 0
    assert run.peak_memory() >= 0


def test_neither_framework_takes_the_whole_memory_of_a_gpu():
    code = "import zoo.framework, zoo_openxla.runtime, os; print({word: os.environ.get(word) for word in %r})"
    wanted = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    bare = {name: value for name, value in os.environ.items() if name not in wanted}
    command = [sys.executable, "-c", code % (list(wanted),)]
    run = subprocess.run(command, env=bare, capture_output=True, text=True, check=True)
    assert ast.literal_eval(run.stdout) == wanted


@pytest.mark.skipif(not cpu_has_bf16(), reason="this processor does not multiply in bf16")
def test_half_precision_without_onednn_is_told_with_what_turns_it_on():
    code = "import zoo; zoo.get('classification', 'tiny_cnn_s', precision='bf16').compiled('logits')"
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "RuntimeLoadError" in done.stderr
    assert "TF_ENABLE_ONEDNN_OPTS=1" in done.stderr


def test_what_was_lowered_once_runs_without_tensorflow(batch):
    zoo.get("classification", "tiny_cnn_s", runtime="openxla").compiled("logits")(batch[:1])
    code = (
        "import sys, zoo; from zoo.inputs import sample_inputs;"
        "zoo.get('classification', 'tiny_cnn_s', runtime='openxla').predict(sample_inputs('image')[0]);"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_lowered_needs_jax_and_numpy_alone(batch):
    from zoo.cache import cache_folder

    model = zoo.get("classification", "tiny_cnn_s", runtime="openxla")
    wanted = model.compiled("logits")(batch[:1])["logits"]
    (network,) = (cache_folder() / "converted").glob("tiny_cnn_s*logits*-1x32x32x1-*/network.jax")
    code = f"""
import sys, jax, jax.export, numpy as np
network = jax.export.deserialize(bytearray(open({str(network)!r}, "rb").read()))
with np.load({str(network.with_name("weights.npz"))!r}) as stored:
    weights = [stored[str(n)].astype(a.dtype) for n, a in enumerate(network.in_avals[1:])]
found = jax.jit(network.call)(np.load(sys.argv[1]), *weights)
np.save(sys.argv[2], np.asarray(found[0]))
assert not {{"tensorflow", "zoo"}} & set(sys.modules)
"""
    given, answer = (network.with_name(name) for name in ("given.npy", "answer.npy"))
    np.save(given, batch[:1])
    subprocess.run([sys.executable, "-P", "-c", code, str(given), str(answer)], capture_output=True, check=True)
    np.testing.assert_allclose(np.load(answer), wanted, rtol=1e-5, atol=1e-5)


def test_what_was_lowered_for_another_machine_is_all_that_one_needs_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    command = ["classification/tiny_cnn_s", "--batch-size", "6", "--platform", "cpu", "--out", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-m", "zoo_openxla", *command], check=True, capture_output=True)
    made = sorted(folder.name for folder in (tmp_path / "out").iterdir())
    assert made == [f"tiny_cnn_s.digits-logits-cpu-fp32-b{size}" for size in (1, 6)]
    code = (
        "import sys, zoo; from zoo.inputs import sample_inputs;"
        "model = zoo.get('classification', 'tiny_cnn_s', runtime='openxla');"
        "model.predict(sample_inputs('image')[:1] * 4); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_lowering_for_another_machine_refuses_what_has_no_meaning():
    for wrong, told in {
        ("embedding/tiny_text_s",): "reads strings",
        ("classification/nobody",): "no backbone named 'nobody'",
        ("classification/tiny_cnn_s", "--platform", "cpu", "--precision", "bf16"): "no meaning on a CPU",
    }.items():
        done = subprocess.run([sys.executable, "-m", "zoo_openxla", *wrong], capture_output=True, text=True)
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.assets
def test_a_real_network_is_lowered(assets):
    picture = str(sorted((assets / "data" / "imagenet_500").rglob("*.jp*g"))[0])
    wanted = zoo.get("classification", "real_mobilenet_v2").predict(picture)
    found = zoo.get("classification", "real_mobilenet_v2", runtime="openxla").predict(picture)
    assert found.label == wanted.label
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_network_that_reads_strings_is_told(runtime):
    with pytest.raises(RuntimeLoadError, match="reads strings"):
        zoo.get("embedding", "tiny_text_s", runtime=runtime).load()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("wrong", [{"precision": "int8"}, {"precision": "tf32"}, {"device": "gpu:7"}])
def test_what_the_device_lacks_is_told_with_what_it_has(runtime, wrong):
    name = next(iter(wrong.values()))
    with pytest.raises(
        RuntimeLoadError, match=rf"{runtime!r} (has no precision|sees no device) {name!r}.*it (has|sees)"
    ):
        zoo.get("classification", "tiny_cnn_s", runtime=runtime, **({"device": "cpu"} | wrong)).load()


def test_a_broken_file_is_told(batch):
    from zoo.cache import cache_folder

    zoo.get("classification", "tiny_cnn_m", runtime="openxla").load()
    (network,) = (cache_folder() / "converted").glob("tiny_cnn_m*/network.jax")
    network.write_bytes(network.read_bytes()[:100])
    with pytest.raises(RuntimeLoadError, match=r"can't read .* delete the folder"):
        zoo.get("classification", "tiny_cnn_m", runtime="openxla").load()


@pytest.fixture
def lowered(batch, tmp_path):
    """The digits' network lowered at a precision: its function, its weights, and the lines of its products."""
    from zoo.backbone import load_backbone
    from zoo.graph import freeze
    from zoo.split import split, tensorflow_only
    from zoo_openxla.exported import read
    from zoo_openxla.lowering import lower

    def make(precision):
        model = zoo.get("classification", "tiny_cnn_m")
        parts = split(freeze(load_backbone(model.spec, "logits", model.files("logits"))), tensorflow_only)
        form = (batch.shape, "float32")
        assert not lower(parts.middle, form, tmp_path, backbone="x", platform="cpu", precision=precision)
        run, weights = read(tmp_path, jax.devices("cpu")[0])
        lines = run.lower(batch, *weights).as_text().splitlines()
        return run, weights, [line for line in lines if "stablehlo.dot" in line or "stablehlo.convolution" in line]

    return make


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bf16"), ("fp16", "f16")])
def test_at_half_precision_products_and_weights_are_half_and_the_answers_alike(precision, dtype, lowered, batch):
    run, weights, products = lowered(precision)
    assert len(products) == 3
    assert all(f"x{dtype}>" in line and "xf32>" not in line for line in products)
    assert {weight.dtype.itemsize for weight in weights} == {2}
    wanted = zoo.get("classification", "tiny_cnn_m").compiled("logits")(batch)["logits"]
    found = np.asarray(run(batch, *weights)[0])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


@pytest.mark.parametrize("switch", [True, False])
@pytest.mark.parametrize(("precision", "exact"), [("fp32", True), ("tf32", False)])
def test_products_say_how_exact_they_are_whatever_the_process_allows(precision, exact, switch, lowered):
    allowed = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(switch)
    try:
        products = lowered(precision)[2]
        assert tf.config.experimental.tensor_float_32_execution_enabled() == switch
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(allowed)
    assert [("HIGHEST" in line) for line in products] == [exact] * 3


@pytest.mark.skipif(not cpu_has_bf16(), reason="this processor does not multiply in bf16")
def test_tf_computes_in_bf16_where_the_processor_does(batch):
    run = zoo.get("classification", "tiny_cnn_m", precision="bf16").compiled("logits")
    assert run.precision == "bf16"
    products = [node for node in run._run.graph_def.node if node.op in ("Conv2D", "MatMul")]
    assert [node.attr["T"].type for node in products] == [tf.bfloat16.as_datatype_enum] * 3
    wanted = zoo.get("classification", "tiny_cnn_m").compiled("logits")(batch)["logits"]
    np.testing.assert_allclose(run(batch)["logits"], wanted, atol=0.05 * np.abs(wanted).max())


@pytest.mark.assets
@pytest.mark.skipif(not cpu_has_bf16(), reason="this processor does not multiply in bf16")
def test_a_real_encoder_in_bf16_keeps_its_tokeniser(assets):
    texts = ["a red car", "the weather is fine today"]
    wanted = zoo.get("embedding", "real_minilm").features(texts)
    found = zoo.get("embedding", "real_minilm", precision="bf16").features(texts)
    assert np.all(np.sum(wanted * found, axis=1) > 0.999)


@pytest.mark.skipif(not cpu_has_bf16(), reason="this processor does not multiply in bf16")
def test_a_network_with_no_product_has_nothing_to_compute_in_bf16():
    with pytest.raises(RuntimeLoadError, match=r"'tiny_text_m.*no product and no convolution"):
        zoo.get("embedding", "tiny_text_m", precision="bf16").load()
