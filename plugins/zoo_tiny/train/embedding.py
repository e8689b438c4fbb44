"""The sentence encoders: vectors of character n-grams, added up; n-grams are found by their hash, not in a list.

Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", arXiv:1607.04606, for the vectors; learnt
from graded pairs, by the difference between the cosine of two sentences and their score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import DatasetOptions
from zoo.framework import keras, tf
from zoo_tiny.sentences import open_sentences
from zoo_tiny.train.learning import learn, seed
from zoo_tiny.train.saving import save_module

MOST_CHARACTERS = 1000  # of a text; what follows is not read
NOTHING = 0  # the number that fills up short sentences


@dataclass(frozen=True)
class Size:
    """How long n-grams are, how many of them are told apart, and how long their vectors are."""

    grams: tuple[int, ...]
    buckets: int
    width: int


SIZES = {
    "tiny_text_s": Size(grams=(3,), buckets=2048, width=16),
    "tiny_text_m": Size(grams=(3, 4), buckets=8192, width=32),
}


class NgramVectors(keras.layers.Layer):
    """n-gram numbers int [n, t] -> their vectors' sum, float32 [n, width], of length 1 (0 for an empty text)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.vectors = self.add_weight(
            shape=(size.buckets, size.width), initializer=keras.initializers.RandomNormal(0.0, 1.0), name="vectors"
        )

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        real = tf.cast(numbers != NOTHING, tf.float32)
        total = tf.reduce_sum(tf.gather(self.vectors, numbers) * real[..., None], axis=1)
        return tf.math.l2_normalize(total, axis=-1)


def ngrams(texts: tf.Tensor, size: Size) -> tf.Tensor:
    """The numbers of the words and n-grams of string [n]: int64 [n, t], filled up with NOTHING."""
    texts = tf.strings.lower(tf.strings.substr(texts, 0, MOST_CHARACTERS, unit="UTF8_CHAR"), encoding="utf-8")
    words = tf.strings.split(tf.strings.regex_replace(texts, r"[^\pL\pN]+", " "))
    # Marks for the ends of a word: "<cat>" is no part of "<cattle>".
    words = words.with_flat_values(tf.strings.join(["<", words.flat_values, ">"]))
    grams = tf.strings.ngrams(tf.strings.unicode_split(words, "UTF-8"), size.grams, separator="").merge_dims(1, 2)
    pieces = tf.concat([words, grams], axis=1)
    return (tf.strings.to_hash_bucket_fast(pieces, size.buckets - 1) + 1).to_tensor(NOTHING)


def train(out: Path) -> None:
    """Train all encoders, and write `out/NAME/features`."""
    examples = list(open_sentences("", DatasetOptions(split="train")))
    scores = np.array([example.target for example in examples], np.float32) / 5
    sides = [tf.constant([example.input[side] for example in examples]) for side in (0, 1)]
    for name, size in SIZES.items():
        seed()
        encoder = NgramVectors(size)
        inputs = [keras.Input((None,), dtype="int64") for _ in sides]
        cosine = keras.layers.Dot(1)([encoder(numbers) for numbers in inputs])
        numbers = [ngrams(side, size).numpy() for side in sides]
        learn(keras.Model(inputs, cosine), numbers, scores, "mse", epochs=8, batch_size=128, rate=2e-2)
        spec = tf.TensorSpec([None], tf.string, name="texts")
        save_module(encoder, _reader(encoder, size), spec, out / name / "features")


def _reader(encoder: NgramVectors, size: Size) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda texts: encoder(ngrams(texts, size))
