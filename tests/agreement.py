"""What it means that a runtime agrees with `tf` at fp32, and small networks on which runtimes can disagree."""

import itertools

import numpy as np
import tensorflow as tf
from pycocotools import mask

import zoo
from zoo.batches import stack
from zoo.dataset import DatasetOptions, open_dataset
from zoo.inputs import prepare
from zoo.plugins import installed

TINY = [
    ("classification", "tiny_cnn_m", "tiny_digits"),
    ("detection", "tiny_det_m", "tiny_scenes"),
    ("embedding", "tiny_text_m", "tiny_sentences"),
]


def samples(dataset, count):
    """The inputs of the first examples of a dataset."""
    examples = itertools.islice(open_dataset(dataset, DatasetOptions(), installed()), count)
    inputs = [example.input for example in examples]
    return [text for pair in inputs for text in pair] if isinstance(inputs[0], tuple) else inputs


def outputs(task, backbone, sources, runtime, **options):
    """The outputs of each batch of the sources, as `zoo.get(...)` computes them; one batch where shapes allow."""
    model = zoo.get(task, backbone, runtime=runtime, **options).load()
    run = model.compiled(model.pair.output)
    values = [prepare(source, model.spec.input).value for source in sources]
    sets = [[value] for value in values] if model.spec.input.batch == 1 else [values]
    return [run(stack(each, model.spec.input.kind)) for each in sets]


def assert_it_agrees(task, backbone, sources, runtime):
    """Example by example: logits and vectors point the same way, with the same first class; boxes have their twins."""
    pairs = zip(*(outputs(task, backbone, sources, name) for name in ("tf", runtime)), strict=True)
    for expected, got in pairs:
        assert set(got) == set(expected)
        assert {name: value.shape for name, value in got.items()} == {n: v.shape for n, v in expected.items()}
        assert {name: value.dtype for name, value in got.items()} == {n: v.dtype for n, v in expected.items()}
        if "boxes" in expected:
            _assert_the_same_boxes(expected, got)
        else:
            (name,) = expected
            assert _cosine(expected[name], got[name]).min() > 0.9999
            assert (expected[name].argmax(1) == got[name].argmax(1)).all()


def _cosine(a, b):
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def _assert_the_same_boxes(expected, got, score=0.3):
    """Every box that counts has one of its class, almost where it is, almost as sure."""
    sure = np.flatnonzero(expected["scores"][0] > score)
    assert len(sure)
    overlap = mask.iou(_xywh(expected["boxes"][0][sure]), _xywh(got["boxes"][0]), [False] * len(got["boxes"][0]))
    for row, index in zip(overlap, sure, strict=True):
        twins = np.flatnonzero((row > 0.9) & (got["classes"][0] == expected["classes"][0][index]))
        assert np.abs(got["scores"][0][twins] - expected["scores"][0][index]).min(initial=1) < 0.01


def _xywh(boxes):
    top, left, bottom, right = boxes.astype(float).T
    return np.stack([left, top, right - left, bottom - top], 1)


def network(folder, function, shape=(4, 4, 3)):
    """A backbone, saved in `folder`, whose features are what `function` makes of pictures float32 [n, *shape].

    shape: (height, width, 3), or (None, None, 3) for any size.
    """
    module = tf.Module()
    module.function = tf.function(function, input_signature=[tf.TensorSpec([None, *shape])])
    tf.saved_model.save(module, str(folder), signatures=module.function)
    return zoo.BackboneSpec(
        name="made",
        input={"kind": "image"} | ({"size": shape[:2], "resize": "stretch"} if shape[0] else {}),
        outputs={"features": {"weights": {"path": str(folder)}}},
    )
