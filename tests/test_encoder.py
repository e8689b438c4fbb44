"""An encoder turns any text into a vector, compares texts, and is measured on graded pairs."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.dataset import Example, InMemory
from zoo.errors import InputError


class Lengths(tf.Module):
    """Texts become (their length, 1)."""

    def __init__(self):
        super().__init__()
        self.one = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        lengths = tf.cast(tf.strings.length(texts, unit="UTF8_CHAR"), tf.float32)
        return tf.stack([lengths, tf.ones_like(lengths) * self.one], axis=1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lengths")
    tf.saved_model.save(Lengths(), str(folder))
    outputs = {"features": {"width": 2, "weights": {"path": str(folder)}}}
    return zoo.get("embedding", zoo.BackboneSpec(name="lengths", input={"kind": "text"}, outputs=outputs))


def test_an_encoder_encodes_and_compares(encoder):
    np.testing.assert_array_equal(encoder.encode(["ab", "abc"]), [[2, 1], [3, 1]])
    assert encoder.encode("ab").shape == (1, 2)
    similar = encoder.similarity(["ab"], ["ab", "a", "abcdefgh"])
    assert similar.shape == (1, 3)
    assert similar[0, 0] == pytest.approx(1)


def test_embeddings_can_be_compared_and_kept_in_sets(encoder):
    answer, other = encoder.predict(["a", "b"])
    assert answer == answer
    assert len({answer, other}) == 2


@pytest.mark.parametrize("text", ["", "x" * 100_000, "naïve café 🦝", "line\nbreak\ttab\x00nul"])
def test_any_text_is_encoded(encoder, text):
    assert encoder.encode(text)[0, 0] == len(text)


def test_a_text_that_is_not_utf8_is_told(encoder):
    with pytest.raises(InputError, match="UTF-8"):
        encoder.encode(["fine", b"caf\xe9"])


def test_evaluation_of_pairs_correlates_their_cosines(encoder):
    pairs = [("a", "a"), ("a", "abcd"), ("a", "abcdefgh"), ("ab", "abc")]
    examples = [Example(str(pair), pair, 5 - abs(len(pair[0]) - len(pair[1]))) for pair in pairs]
    found = encoder.evaluate(InMemory(examples, "text", "similarity"), batch_size=3)
    assert found.n == 4
    assert found["spearman"] == pytest.approx(1.0)


def test_a_correlation_without_meaning_is_left_out_and_told(encoder):
    found = encoder.evaluate(InMemory([Example("one", ("a", "b"), 1.0)], "text", "similarity"))
    assert found.metrics == {}
    assert found.notes == ("1 pairs without two different scores: a correlation has no meaning",)
