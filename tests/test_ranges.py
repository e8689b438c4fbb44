"""A range that nobody states is probed or asked for, and said; the user's own counts before all."""

import warnings

import numpy as np
import pytest

import zoo
from zoo import ranges
from zoo.errors import OptionError, ZooWarning
from zoo.inputs import sample_inputs
from zoo.ranges import CANDIDATES, Probe, probe_range, recall, remember, stated
from zoo.specs import ImageInput


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    ranges._tell.cache_clear()


def silent(name: str) -> zoo.BackboneSpec:
    """The row of that name, as if its publisher had not stated the range of its input."""
    spec = zoo.spec(name)
    return spec.model_copy(update={"input": spec.input.model_copy(update={"range": None})})


@pytest.mark.assets
def test_a_real_network_is_probed_once_and_said_to_be(assets, own_cache, monkeypatch):
    model = zoo.get("embedding", silent("real_mobilenet_v2"))
    with pytest.warns(ZooWarning, match=r"does not state the range of its input; 0..1 is .*input_range=\(0, 1\)"):
        model.load()
    assert model.spec.input.range == (0, 1)
    monkeypatch.delattr(ranges, "probe_range")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        assert zoo.get("embedding", silent("real_mobilenet_v2")).load().spec.input.range == (0, 1)


@pytest.mark.assets
def test_a_network_that_wants_another_range_is_read_as_that(assets):
    run = zoo.get("classification", "real_mobilenet_v2").compiled("logits")
    found = probe_range(lambda batch: run((batch / 255).astype(np.float32)), ImageInput(size=(224, 224)), "logits")
    assert found.best == "0..255"


def test_a_network_of_few_classes_can_t_be_probed_and_that_is_said(own_cache):
    with pytest.warns(ZooWarning, match=r"0..1 is assumed, for a probe can't tell. To state it: input_range="):
        answer = zoo.get("classification", silent("tiny_cnn_s")).predict(sample_inputs("image")[0])
    known = zoo.get("classification", "tiny_cnn_s").predict(sample_inputs("image")[0])
    np.testing.assert_array_equal(answer.scores, known.scores)


def test_the_user_s_own_range_counts_and_nothing_is_said():
    picture = np.full((40, 40, 3), 255, np.uint8)
    model = zoo.get("classification", silent("tiny_cnn_s"), input_range=(-1, 1))
    assert model.spec.input.range == (-1, 1)
    other = zoo.get("classification", "tiny_cnn_s").predict(picture)
    assert np.abs(model.predict(picture // 2).scores - other.scores).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("tiny_cnn_s", (1, 0), r"input_range=\(1, 0\) is no range"),
        ("tiny_cnn_s", "wide", "'wide' is no range"),
        ("tiny_text_s", (0, 1), "takes texts"),
        ("tiny_det_s", (0, 1), r"takes whole numbers in 0..255"),
    ],
)
def test_a_range_that_means_nothing_is_refused(name, asked, said):
    task = {"tiny_cnn_s": "classification", "tiny_text_s": "embedding", "tiny_det_s": "detection"}[name]
    with pytest.raises(OptionError, match=said):
        zoo.get(task, name, input_range=asked)


def test_what_was_found_is_remembered_by_the_content_of_the_weights(tmp_path, own_cache):
    (tmp_path / "net.h5").write_bytes(b"weights")
    assert recall(tmp_path / "net.h5") is None
    remember(tmp_path / "net.h5", Probe("-1..1", {"-1..1": 0.7, "0..1": 0.5}))
    assert recall(tmp_path / "net.h5").best == "-1..1"
    (tmp_path / "net.h5").write_bytes(b"others")
    assert recall(tmp_path / "net.h5") is None


def test_a_candidate_takes_the_place_of_all_that_was_stated():
    seen = ImageInput(size=(8, 8), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert stated(seen, CANDIDATES["-1..1"]) == ImageInput(size=(8, 8), range=(-1, 1))
