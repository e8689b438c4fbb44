"""What the `openvino` runtime makes of a SavedModel: the right output, and what is wrong with a broken folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from zoo import BackboneSpec
from zoo.backbone import load_backbone
from zoo.compose import get_runtime
from zoo.errors import BackboneError

pytest.importorskip("openvino")


class Network(tf.Module):
    """A linear network of 8 x 8 pictures in the forms that SavedModels have."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(1).normal(size=(192, 5)).astype(np.float32))

    def traced(self, forward):
        return tf.function(forward, input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="images")])

    def logits(self, images):
        return tf.reshape(images, [-1, 192]) @ self.kernel


NETWORK = Network()
PICTURES = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
LOGITS = PICTURES.reshape(2, 192) @ NETWORK.kernel.numpy()
FORMS = {  # what is exported, what the spec says, the output
    "plain": (lambda x: NETWORK.logits(x), {}, LOGITS),
    "named": (lambda x: {"logits": NETWORK.logits(x), "other": x}, {}, LOGITS),
    "default": (lambda x: {"default": NETWORK.logits(x), "a/b": x + 1}, {}, LOGITS),
    "key": (lambda x: {"default": x + 1, "mine": NETWORK.logits(x)}, {"key": "mine"}, LOGITS),
    "signature": (lambda x: NETWORK.logits(x) * 3, {"signature": "aux"}, LOGITS),
    "maps": (lambda x: {"features": x + 1}, {"output": "features"}, (PICTURES + 1).mean(axis=(1, 2))),
}


def compiled(folder, output="logits", size=8, **facts):
    given = {"kind": "image", "size": [size, size], **facts.pop("input", {})}
    spec = BackboneSpec(name="b", input=given, outputs={output: {"weights": {}} | facts})
    return get_runtime("openvino").compile(load_backbone(spec, output, {"weights": Path(folder)}))


@pytest.mark.parametrize("form", FORMS)
def test_the_right_output_is_found_in_a_saved_model(form, tmp_path):
    forward, facts, expected = FORMS[form]
    signatures = {"serving_default": NETWORK.traced(forward)}
    if "signature" in facts:
        signatures["aux"] = NETWORK.traced(NETWORK.logits)
    tf.saved_model.save(NETWORK, str(tmp_path / "module"), signatures=signatures)
    facts = dict(facts)
    output = facts.pop("output", "logits")
    outputs = compiled(tmp_path / "module", output, **facts)(PICTURES)
    assert list(outputs) == [output]
    np.testing.assert_allclose(outputs[output], expected, rtol=1e-4, atol=1e-4)


def test_a_detector_may_return_a_tuple(tmp_path):
    def detect(images):
        boxes = images[:, 0, :, 0:1] * [0.0, 0.1, 0.5, 0.9]
        scores = images[:, 0, :, 1]
        return boxes, scores, tf.round(scores * 9), tf.fill([tf.shape(images)[0]], 8.0)

    tf.saved_model.save(NETWORK, str(tmp_path / "module"), signatures=NETWORK.traced(detect))
    outputs = compiled(tmp_path / "module", "boxes", labels="coco-91")(PICTURES)
    for name, expected in zip(("boxes", "scores", "classes", "count"), detect(PICTURES), strict=True):
        np.testing.assert_allclose(outputs[name], expected, atol=1e-6)


def test_a_module_without_signatures_is_frozen_instead(tmp_path):
    module = Network()
    module.__call__ = module.traced(module.logits)
    tf.saved_model.save(module, str(tmp_path / "module"))
    np.testing.assert_allclose(compiled(tmp_path / "module")(PICTURES)["logits"], LOGITS, rtol=1e-4, atol=1e-4)


@pytest.fixture
def module(tmp_path):
    """A module to break."""
    tf.saved_model.save(NETWORK, str(tmp_path / "module"), signatures=NETWORK.traced(NETWORK.logits))
    return tmp_path / "module"


def test_what_the_module_takes_is_told_where_the_spec_says_otherwise(module):
    with pytest.raises(
        BackboneError, match=r"does not take float32 \[n, 9, 9, 3\], .* it takes float32 \[n, 8, 8, 3\]"
    ):
        compiled(module, size=9)
    with pytest.raises(BackboneError, match=r"does not take uint8 .* it takes float32 \[n, 8, 8, 3\]"):
        compiled(module, input={"dtype": "uint8"})


def test_a_broken_folder_is_told_by_its_file(module):
    shard = next((module / "variables").glob("*.data-*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:100])
    with pytest.raises(BackboneError, match="'b'"):
        compiled(module)
    shard.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BackboneError, match="git-LFS pointer"):
        compiled(module)
    (module / "variables" / "variables.index").unlink()
    shard.write_bytes(whole)
    with pytest.raises(BackboneError, match=r"no file .variables/variables\.index."):
        compiled(module)
    with pytest.raises(BackboneError, match=r"there is no file or folder .*nowhere"):
        compiled(module / "nowhere")


def test_gathers_with_batch_dimensions_do_not_end_the_process(tmp_path):
    """OpenVINO 2026.4.1's own code for them reads beyond its indices; see `_replace_batched_gathers`."""

    def best(images):
        _, indices = tf.math.top_k(images[:, 0, :, 0], 4)
        return tf.gather(images[:, 1], indices, batch_dims=1)

    tf.saved_model.save(NETWORK, str(tmp_path / "module"), signatures=NETWORK.traced(best))
    np.save(tmp_path / "given.npy", PICTURES[:1])
    check = f"""
import numpy as np, pathlib, zoo
from zoo.backbone import load_backbone
from zoo.compose import get_runtime
folder = pathlib.Path({str(tmp_path)!r})
facts = {{"kind": "image", "size": [8, 8], "batch": 1}}
spec = zoo.BackboneSpec(name="b", input=facts, outputs={{"logits": {{"weights": {{}}}}}})
run = get_runtime("openvino").compile(load_backbone(spec, "logits", {{"weights": folder / "module"}}))
for _ in range(50):
    found = run(np.load(folder / "given.npy"))
np.save(folder / "found.npy", found["logits"])
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), best(PICTURES[:1]), atol=1e-6)
