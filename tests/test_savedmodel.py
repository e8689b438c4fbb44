"""The SavedModel adapter: what a module may look like, and what a broken folder says."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from zoo.backbone import load_backbone
from zoo.compose import get_runtime
from zoo.errors import BackboneError, MissingPackageError, RuntimeLoadError
from zoo.specs import BackboneSpec

PICTURES = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)


class Network(tf.Module):
    """A linear classifier of 8 x 8 pictures, called as TF Hub's modules are."""

    def __init__(self, width: int = 5):
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(1).normal(size=(192, width)).astype(np.float32), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32), tf.TensorSpec([], tf.bool)])
    def with_flag(self, images, training):
        return self._logits(images) * tf.where(training, 0.0, 1.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def plain(self, images):
        return self._logits(images)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def named(self, images):
        return {"logits": self._logits(images), "other": images}

    def _logits(self, images):
        return tf.reshape(images, [-1, 192]) @ self.kernel


class Callable(Network):
    @tf.function
    def __call__(self, images, training=False):
        return self._logits(images) * (0.0 if training else 1.0)


def spec(**facts):
    outputs = {"logits": {"width": 5, "weights": {}} | facts.pop("logits", {})}
    return BackboneSpec(name="b", input={"kind": "image", "size": [8, 8]}, outputs=outputs, **facts)


def compiled(folder, **facts):
    return get_runtime("tf").compile(load_backbone(spec(**facts), "logits", {"weights": folder}))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A callable module in TF Hub's common form, and the logits it must give."""
    folder = tmp_path_factory.mktemp("exported") / "module"
    module = Callable()
    for training in (False, True):
        module.__call__.get_concrete_function(tf.TensorSpec([None, 8, 8, 3], tf.float32), training=training)
    tf.saved_model.save(module, str(folder))
    return folder, PICTURES.reshape(2, 192) @ module.kernel.numpy()


@pytest.fixture
def module(exported, tmp_path):
    """A copy to break."""
    return shutil.copytree(exported[0], tmp_path / "module")


def test_a_callable_module_is_called_for_inference(exported):
    folder, expected = exported
    run = compiled(folder)
    np.testing.assert_allclose(run(PICTURES)["logits"], expected, rtol=1e-4)
    assert (run.device, run.precision, run.parameters()) == ("cpu", "fp32", 960)


def test_a_ragged_last_batch_is_no_matter(exported):
    run = compiled(exported[0])
    whole = run(PICTURES)["logits"]
    np.testing.assert_allclose(run(PICTURES[:1])["logits"], whole[:1], rtol=1e-4)


@pytest.mark.parametrize(
    ("signatures", "facts"),
    [
        (["plain"], {}),
        (["named"], {}),
        (["plain", "named"], {"logits": {"signature": "named", "key": "logits"}}),
    ],
)
def test_a_module_with_signatures_alone_is_called_through_them(tmp_path, signatures, facts):
    network = Network()
    named = {"serving_default" if len(signatures) == 1 else name: getattr(network, name) for name in signatures}
    tf.saved_model.save(network, str(tmp_path), signatures=named)
    found = compiled(tmp_path, **facts)(PICTURES)["logits"]
    np.testing.assert_allclose(found, network.plain(PICTURES), rtol=1e-4)


def test_several_tensors_without_a_key_are_not_guessed_among(tmp_path):
    network = Network()

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def both(images):
        return {"a": network.plain(images), "b": network.plain(images)}

    tf.saved_model.save(network, str(tmp_path), signatures=both)
    with pytest.raises(BackboneError, match=r"several tensors, \['a', 'b'\]: name one with 'key'"):
        compiled(tmp_path)(PICTURES)


def test_a_signature_that_is_not_there_lists_those_that_are(exported):
    with pytest.raises(BackboneError, match="has no signature 'predict'; it has"):
        compiled(exported[0], logits={"signature": "predict"})


def test_a_module_without_call_and_signatures_is_told(tmp_path):
    network = tf.Module()
    network.variable = tf.Variable([1.0])
    tf.saved_model.save(network, str(tmp_path))
    with pytest.raises(BackboneError, match="can't be called and has no signatures"):
        compiled(tmp_path)


@pytest.mark.parametrize("signature", [None, "serving_default"])
def test_an_input_that_the_module_does_not_take_is_told_with_the_one_it_takes(exported, tmp_path, signature):
    folder = exported[0]
    if signature:
        network = Network()
        signed = tf.function(network.plain, input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        folder = tmp_path / "signed"
        tf.saved_model.save(network, str(folder), signatures=signed)
    other = BackboneSpec(
        name="b",
        input={"kind": "image", "size": [16, 16]},
        outputs={"logits": {"width": 5, "signature": signature, "weights": {}}},
    )
    with pytest.raises(BackboneError, match=r"does not take float32 \[n, 16, 16, 3\].* takes float32 \[n, 8, 8, 3\]"):
        get_runtime("tf").compile(load_backbone(other, "logits", {"weights": folder}))(np.zeros([1, 16, 16, 3], "f"))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("saved_model.pb", "has no file 'saved_model.pb'"),
        ("variables/variables.index", "has no file 'variables/variables.index'"),
        ("variables/variables.data-00000-of-00001", r"has no file 'variables/variables.data-\*'"),
    ],
)
def test_a_missing_file_is_named(module, broken, message):
    (module / broken).unlink()
    with pytest.raises(BackboneError, match=message):
        compiled(module)


def test_a_missing_folder_of_variables_is_told(module):
    shutil.rmtree(module / "variables")
    with pytest.raises(BackboneError, match="has no files of variables"):
        compiled(module)


def test_truncated_variables_are_told(module):
    shard = module / "variables" / "variables.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(
        BackboneError, match=r"truncated variables, in 'variables/variables\.data-\.\.\.'; fetch it again"
    ):
        compiled(module)


@pytest.mark.parametrize("kept", [0, 100, -20])
def test_a_truncated_index_of_variables_is_named(module, kept):
    index = module / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:kept])
    with pytest.raises(BackboneError, match=r"cut or damaged file 'variables/variables\.index'; fetch it again"):
        compiled(module)


def test_a_truncated_graph_is_told(module):
    graph = module / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:500])
    with pytest.raises(BackboneError, match="can't be loaded"):
        compiled(module)


def test_a_git_lfs_pointer_is_told(module):
    shard = module / "variables" / "variables.data-00000-of-00001"
    shard.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3840\n")
    with pytest.raises(BackboneError, match=r"variables.data-00000-of-00001' is a git-LFS pointer.*git lfs pull"):
        compiled(module)


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(BackboneError, match=r"is in no form that a plugin reads; they read .*a SavedModel"):
        compiled(tmp_path / "model.bin")


def test_a_package_that_the_spec_wants_imported_first_is_named(exported):
    with pytest.raises(MissingPackageError, match="needs the package 'no_such_ops'"):
        compiled(exported[0], imports=("no_such_ops",))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": "gpu:7"}, "sees no device 'gpu:7'"), ({"precision": "int4"}, "has no precision 'int4' on 'cpu'")],
)
def test_a_device_or_precision_that_is_not_there_is_told(exported, options, message):
    backbone = load_backbone(spec(), "logits", {"weights": exported[0]})
    with pytest.raises(RuntimeLoadError, match=message):
        get_runtime("tf").compile(backbone, **{"device": "cpu"} | options)
