"""The recipes under `examples/recipes` run from end to end, on a handful of pictures with weights that are at hand."""

import csv
import functools
import importlib
import re
from pathlib import Path

import pytest
from PIL import Image

import zoo

# Keras 3.15 asks a variable for an array in a way that NumPy 2.4 warns of, whenever it saves one.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RECIPES = Path(__file__).parents[1] / "examples" / "recipes"
PICTURES = {
    "flowers_mobilenet_v2": [],
    "flowers_vgg16": ["--epochs", "2"],
    "flowers_inception_v3": ["--epochs", "2"],
    "cifar10_mobilenet_v2": ["--epochs", "2"],
    "cats_and_dogs": ["--epochs", "2"],
    "dogs_inception_v3": ["--epochs", "2"],
}
OTHERS = {"ag_news_sentences", "cifar_to_digits", "recipe"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Six pictures of handwritten digits, in a folder for each of two classes."""
    folder = tmp_path_factory.mktemp("digits")
    examples = list(zoo.get("classification", "tiny_cnn_s").dataset("tiny_digits"))
    for name, digit in (("naught", 0), ("one", 1)):
        (folder / name).mkdir()
        for number, source in enumerate([example.input for example in examples if example.target == digit][:3]):
            Image.open(source).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def weights_file():
    """A file of random weights of a Keras Application, made once: as whoever has a file of their own runs a recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPES))
        return functools.cache(importlib.import_module("recipe").random_weights)


@pytest.fixture
def recipe(monkeypatch, tmp_path, capsys):
    """Runs a recipe, and gives the lines that it prints."""
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(name, *arguments):
        importlib.import_module(name).main(list(map(str, arguments)))
        return capsys.readouterr().out.splitlines()

    return run


def test_every_recipe_is_run_and_told_of():
    there = {file.stem for file in RECIPES.glob("*.py")}
    assert there == PICTURES.keys() | OTHERS
    told = (RECIPES.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in there if f"recipes/{name}.py" not in told] == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_recipe_runs_the_named_architecture(name, recipe, digits, weights_file):
    backbone = re.sub("^(flowers|cifar10|dogs)_|^cats_and_dogs$", "", name) or "mobilenet_v2"
    file = weights_file(f"{backbone}.keras_in1k")
    header, *told = recipe(name, "--data", f"folder:{digits}", "--weights", file, *PICTURES[name])
    assert header.startswith(f"{backbone}.keras_in1k on folder:")
    assert header.endswith(f"weights: local, {file}")
    assert re.search(r"frozen, \w+ head: 4 examples", "\n".join(told))
    assert re.match(r"validation accuracy [01]\.\d+ on 2 examples", told[-1])


def test_no_accuracy_is_shown_of_random_weights(recipe, digits):
    header, *told = recipe("flowers_mobilenet_v2", "--data", f"folder:{digits}", "--weights", "random")
    assert header.endswith("weights: random, so that no accuracy is shown")
    assert "4 examples" in told[-1]
    assert "accuracy" not in "\n".join(told)


def test_a_network_that_was_trained_on_things_reads_digits(recipe, digits):
    told = recipe("cifar_to_digits", "--data", f"folder:{digits}", "--then", "tiny_digits", "--epochs", "3")
    assert told[0].startswith(f"trained on 6 pictures of folder:{digits}: loss ")
    assert told[2].startswith("own_cifar on tiny_digits; weights: local, ")
    assert "360 examples" in told[3]
    assert float(re.search(r"accuracy ([\d.]+)", told[4])[1]) > 0.15  # of ten classes


def test_sentences_are_told_apart_by_the_encoder_that_the_zoo_carries(recipe, tmp_path):
    rows = [
        [number, f"{word} {n}", about]
        for n in range(9)
        for number, word, about in (
            (1, "Treaty", "Ministers of both countries signed it"),
            (2, "Final", "The striker scored a goal in the match"),
            (3, "Shares", "The price of oil and the stock market fell"),
            (4, "Chip", "The new computer runs the software faster"),
        )
    ]
    with (tmp_path / "news.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    header, *told = recipe("ag_news_sentences", "--data", tmp_path / "news.csv", "--weights", "tiny")
    assert header.endswith("weights: the zoo's own")
    assert told[1].startswith("validation accuracy 1.000 on 12 examples")
    assert "Sports" in told[2]
