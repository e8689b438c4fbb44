"""XLA in TensorFlow and in JAX: the answers of `tf`, batches of any size, and what it can't take."""

import subprocess
import sys

import numpy as np
import pytest

import zoo
from zoo.errors import RuntimeLoadError
from zoo.inputs import prepare

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
run = jax.jit(jax.export.deserialize(bytearray(open({str(network)!r}, "rb").read())).call)
with np.load({str(network.with_name("weights.npz"))!r}) as weights:
    found = run(np.load(sys.argv[1]), *(weights[str(n)] for n in range(len(weights.files))))
np.save(sys.argv[2], np.asarray(found[0]))
assert not {{"tensorflow", "zoo"}} & set(sys.modules)
"""
    given, answer = (network.with_name(name) for name in ("given.npy", "answer.npy"))
    np.save(given, batch[:1])
    subprocess.run([sys.executable, "-P", "-c", code, str(given), str(answer)], capture_output=True, check=True)
    np.testing.assert_allclose(np.load(answer), wanted, rtol=1e-5, atol=1e-5)


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
