"""A text encoder gets the preprocessor and the ops that it was made with, or it is stopped with the way out."""

import subprocess
import sys

import pytest

import zoo
from zoo.errors import BackboneError, ZooWarning

tf = pytest.importorskip("tensorflow")
import hub_modules  # noqa: E402


def encoder(folder, words, *, pieces=None, preprocessed=True):
    """A spec of BERT's form whose table has room for `words`, and a preprocessor that knows so many `pieces` more."""
    module = hub_modules.BertEncoder(8, "default")
    module.tokens = hub_modules.drawn(8, words, 8)
    hub_modules.export(module, folder / "encoder")
    before = hub_modules.export(hub_modules.Preprocessor(folder), folder / "before")
    if pieces is not None:
        (vocabulary,) = (before / "assets").glob("*.txt")
        vocabulary.write_text("\n".join(f"piece{number}" for number in range(pieces)) + "\n", encoding="utf-8")
    seen = {"kind": "text"} | ({"preprocessor": {"path": str(before)}} if preprocessed else {})
    output = {"features": {"width": 8, "key": "default", "weights": {"path": str(folder / "encoder")}}}
    return zoo.BackboneSpec.model_validate({"name": "mine", "input": seen, "outputs": output})


def encode(spec):
    return zoo.get("embedding", spec).encode(["the red ball"])


def test_the_preprocessor_of_a_larger_vocabulary_is_stopped(tmp_path):
    with pytest.raises(BackboneError, match=r"ids of 500 word pieces, but the encoder's largest table has 100 rows"):
        encode(encoder(tmp_path, 100, pieces=500))


def test_one_of_a_much_smaller_vocabulary_is_warned_of(tmp_path):
    with pytest.warns(
        ZooWarning, match=r"ids of 72 word pieces, and no table .*\(the largest: 900\): it may be another's"
    ):
        assert encode(encoder(tmp_path, 900)).shape == (1, 8)


def test_the_right_one_passes_without_a_word(tmp_path):
    assert encode(encoder(tmp_path, 100)).shape == (1, 8)


def test_an_encoder_without_its_preprocessor_is_told_to_name_it(tmp_path):
    with pytest.raises(BackboneError, match=r"does not take string \[n\].*input_word_ids.*name the one of its page"):
        encode(encoder(tmp_path, 100, preprocessed=False))


def test_a_preprocessor_before_a_module_that_reads_texts_is_told_to_be_left_out(tmp_path):
    spec = encoder(tmp_path, 100, pieces=50)
    hub_modules.export(hub_modules.SentenceEncoder(8), tmp_path / "plain")
    outputs = {"features": {"width": 8, "weights": {"path": str(tmp_path / "plain")}}}
    spec = zoo.BackboneSpec.model_validate(spec.model_dump() | {"outputs": outputs})
    with pytest.raises(BackboneError, match="it splits texts itself: leave the 'preprocessor' out"):
        encode(spec)


def test_text_ops_that_nobody_imported_are_named_with_the_install_command(tmp_path):
    hub_modules.export(hub_modules.TextOpsEncoder(8), tmp_path / "net")
    script = f"""
import zoo
output = {{"features": {{"width": 8, "weights": {{"path": {str(tmp_path / "net")!r}}}}}}}
spec = zoo.BackboneSpec.model_validate({{"name": "mine", "input": {{"kind": "text"}}, "outputs": output}})
try:
    zoo.get("embedding", spec).load()
except zoo.ZooError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "of tensorflow-text: write imports = ['tensorflow_text'] into its row" in done.stdout
    assert "pip install 'tf-model-zoo[text]'" in done.stdout
