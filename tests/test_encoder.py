"""An encoder turns any text into a vector, compares texts, and is measured on graded pairs."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.dataset import Example, InMemory
from zoo.errors import InputError, OptionError


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


def test_principal_components_keep_more_of_the_tiny_encoder_than_its_first_numbers():
    encoder = zoo.get("embedding", "tiny_text_m")
    pairs = list(encoder.dataset("tiny_sentences"))
    texts = [text for pair in pairs for text in pair.input]
    small = encoder.reduced(8, texts)
    assert small.encode("a cat").shape == (1, 8)
    assert small.reduction.startswith("8 principal components of ")
    assert f"fitted on {len(texts)} examples" in small.reduction
    cut = encoder.reduced(8)
    assert cut.reduction.startswith("the first 8 of ")
    np.testing.assert_array_equal(cut.encode("a cat"), encoder.encode("a cat")[:, :8])
    full, fitted, first = (one.evaluate("tiny_sentences")["spearman"] for one in (encoder, small, cut))
    assert full > fitted > first


def test_a_reduced_encoder_is_saved_and_loaded_with_its_reduction(tmp_path):
    encoder = zoo.get("embedding", "tiny_text_s")
    texts = [text for pair in encoder.dataset("tiny_sentences").some(20) for text in pair.input]
    small = encoder.reduced(5, texts)
    again = zoo.load(small.save(tmp_path / "small.zoo"))
    assert again.reduction == small.reduction
    np.testing.assert_allclose(again.encode(texts[:3]), small.encode(texts[:3]), atol=1e-6)
    assert again.similarity(texts[:2], texts[:3]).shape == (2, 3)


def test_a_dim_of_encode_is_the_first_numbers_and_says_so_where_they_were_not_fitted():
    encoder = zoo.get("embedding", "tiny_text_s")
    with pytest.warns(zoo.errors.ZooWarning, match=r"the first 4 of \d+ numbers.*reduced\(4, data\)"):
        found = encoder.encode("a cat", dim=4)
    np.testing.assert_array_equal(found, encoder.encode("a cat")[:, :4])
    texts = [text for pair in encoder.dataset("tiny_sentences").some(20) for text in pair.input]
    small = encoder.reduced(6, texts)
    np.testing.assert_array_equal(small.encode("a cat", dim=2), small.encode("a cat")[:, :2])


@pytest.mark.parametrize("dim", [0, 10_000])
def test_a_dim_that_no_vector_has_is_told(dim):
    with pytest.raises(OptionError, match=f"dim={dim} is no length for vectors of"):
        zoo.get("embedding", "tiny_text_s").reduced(dim)


def test_too_few_examples_and_a_second_reduction_are_told():
    encoder = zoo.get("embedding", "tiny_text_s")
    with pytest.raises(OptionError, match="2 examples are too few for 5 principal components"):
        encoder.reduced(5, ["a cat", "a dog"])
    with pytest.raises(OptionError, match="is reduced already: the first 5"):
        encoder.reduced(5).reduced(4)
