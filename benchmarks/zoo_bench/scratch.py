"""A small network trained from random weights: what one's own data alone can teach, in a minute and without tuning."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo import Dataset
from zoo.errors import InputError
from zoo.inputs import Prepared, prepare_all
from zoo.runtime import Array
from zoo.saved import write_saved

SIZE = 64  # pixels of a side
WIDTHS = (32, 64, 128)
WORDS, WORD_WIDTH = 8192, 32  # of the text network: how many it tells apart by their hash, and a vector's length
EPOCHS = {"image": 20, "text": 20}
BATCH = 32
RATE = {"image": 2e-3, "text": 1e-2}
NAME = "from_scratch"


def train(dataset: Dataset, task: str, saved: Path, *, seed: int) -> tuple[str, int]:
    """Train on `dataset` and save a model for `task` as `saved`; returns what was trained, and on how many examples.

    Pictures: three convolutions of 3x3 with batch normalisation and pooling (32, 64, 128 channels) on 64x64 pixels,
    mirrored at random, a mean and a dense layer. Texts: the mean of a vector for each word, and a dense layer. Both
    with Adam for 20 epochs in batches of 32. Raises InputError where no example can be read.
    """
    import keras

    from zoo.framework import tf

    keras.utils.set_random_seed(seed)
    names = _names(dataset)
    image = dataset.modality == "image"
    inputs, targets = _pictures(dataset) if image else _texts(dataset)
    model = _convolutions(len(names)) if image else _words(len(names))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE[dataset.modality]), loss, jit_compile=False)
    rows = tf.data.Dataset.from_tensor_slices((inputs, targets)).shuffle(len(targets), seed=seed)
    batches = rows.batch(BATCH)
    if image:
        batches = batches.map(lambda pixels, target: (tf.image.random_flip_left_right(pixels, seed=seed), target))
    model.fit(batches, epochs=EPOCHS[dataset.modality], verbose=0, shuffle=False)
    _save(model, names, dataset.modality, task, saved)
    return f"{len(WIDTHS)} convolutions" if image else "mean of word vectors", len(targets)


def _convolutions(classes: int) -> Any:
    import keras

    layers: list[Any] = [keras.Input((SIZE, SIZE, 3))]
    for width in WIDTHS:
        layers += [
            keras.layers.Conv2D(width, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),  # few steps: the statistics must keep up
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    return keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes)])


def _words(classes: int) -> Any:
    import keras

    numbers = keras.Input((None,), dtype="int64")
    vectors = keras.layers.Embedding(WORDS, WORD_WIDTH, mask_zero=True)(numbers)
    return keras.Model(numbers, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling1D()(vectors)))


def _numbers(texts: Any) -> Any:
    """string [n] -> int64 [n, t]: each word's number from 1 by its hash, filled up with 0; one word at least."""
    from zoo.framework import tf

    plain = tf.strings.regex_replace(tf.strings.lower(texts, encoding="utf-8"), r"[^\pL\pN]+", " ")
    words = tf.strings.split(tf.strings.join([plain, " ."]))
    return (tf.strings.to_hash_bucket_fast(words, WORDS - 1) + 1).to_tensor(0)


def _pictures(dataset: Dataset) -> tuple[Array, Array]:
    return _prepared(dataset, zoo.ImageInput(size=(SIZE, SIZE), resize="stretch"))


def _texts(dataset: Dataset) -> tuple[Array, Array]:
    from zoo.framework import tf

    texts, targets = _prepared(dataset, zoo.TextInput())
    return _numbers(tf.constant([str(text) for text in texts])).numpy(), targets


def _prepared(dataset: Dataset, spec: Any) -> tuple[Array, Array]:
    """All examples that can be read."""
    with closing(prepare_all((example.input for example in dataset), spec)) as prepared:
        pairs = [
            (np.array(item.value), int(example.target))
            for example, item in zip(dataset, prepared, strict=True)
            if isinstance(item, Prepared)
        ]
    if not pairs:
        raise InputError(f"no example of {dataset.name!r} could be read: there is nothing to train on")
    values, targets = zip(*pairs, strict=True)
    return np.stack(values), np.array(targets, np.int64)


def _names(dataset: Dataset) -> Sequence[str]:
    if dataset.labels is not None:
        return [dataset.labels.names[id] for id in sorted(dataset.labels.names)]
    return [str(id) for id in range(max(int(example.target) for example in dataset) + 1)]


def _save(model: Any, names: Sequence[str], modality: str, task: str, saved: Path) -> None:
    from zoo.framework import tf

    image = modality == "image"
    signature = tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32) if image else tf.TensorSpec([None], tf.string)
    call = tf.function(
        lambda inputs: model(inputs if image else _numbers(inputs), training=False), input_signature=[signature]
    )
    serve = tf.function(lambda inputs: {"logits": call(inputs)}, input_signature=[signature])
    module = tf.train.Checkpoint()  # which is saved without a Python class of its own
    module.__call__ = call
    module.variables = [variable.value for variable in model.variables]
    folder = saved.with_name("module")
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    outputs = {
        "logits": zoo.OutputSpec(labels=tuple(names), width=len(names), weights=zoo.WeightsSpec(path=str(folder)))
    }
    kind = zoo.ImageInput(size=(SIZE, SIZE), resize="stretch") if image else zoo.TextInput()
    spec = zoo.BackboneSpec(name=NAME, input=kind, outputs=outputs)
    write_saved(saved, task, spec, {"logits": {"weights": folder}})
