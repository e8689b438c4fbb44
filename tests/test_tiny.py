"""The embedded default: what the samples hold, and what the shipped networks make of them."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
import zoo_tiny
from zoo import DatasetOptions, weights
from zoo.dataset import open_dataset
from zoo.errors import DatasetError
from zoo.plugins import installed
from zoo_tiny.digits import arrays, open_digits
from zoo_tiny.lexicon import Verb, lexicon, verb, with_article
from zoo_tiny.paraphrases import FRAMES, pairs, score
from zoo_tiny.samples import drawn
from zoo_tiny.scenes import COUNT, SEED, open_scenes, scenes
from zoo_tiny.sentences import TRAIN_COUNT, TRAIN_SEED, open_sentences

TEST, TRAIN = DatasetOptions(), DatasetOptions(split="train")
OPENERS = {"tiny_digits": open_digits, "tiny_scenes": open_scenes, "tiny_sentences": open_sentences}
NETWORKS = [zoo.spec(name) for name in zoo.list_backbones("tiny_*")]
FIGURES = [(spec, figure) for spec in NETWORKS for figure in spec.published]
TASKS = {"tiny_digits": "classification", "tiny_scenes": "detection", "tiny_sentences": "embedding"}


@pytest.fixture(scope="module")
def figures():
    """The published figures of all networks, measured again as `zoo eval` does."""
    return {
        spec.name: zoo.get(TASKS[figure.dataset], spec.name).evaluate(figure.dataset).metrics[figure.metric]
        for spec, figure in FIGURES
    }


def test_no_digit_of_the_test_is_one_of_the_training():
    (train, _), (test, _) = arrays("train"), arrays("test")
    assert (len(train), len(test)) == (1347, 450)
    assert not {ink.tobytes() for ink in train} & {ink.tobytes() for ink in test}


def test_digits_are_pictures_in_files_under_their_own_names():
    dataset = open_digits("", TEST)
    assert [example.target for example in dataset] == arrays("test")[1].tolist()
    first = next(iter(dataset))
    with Image.open(first.input) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (32, 32))
    assert first.id == f"{first.target}/1347.png"


def test_scenes_of_one_seed_are_the_same_and_of_another_are_not():
    one, same, other = (next(scenes("train", 1, seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.pixels, same.pixels)
    assert np.array_equal(one.boxes, same.boxes)
    assert not np.array_equal(one.pixels, other.pixels)


def test_scenes_of_the_test_are_made_of_digits_of_the_test(monkeypatch):
    asked = []
    monkeypatch.setattr("zoo_tiny.scenes.arrays", lambda split: asked.append(split) or arrays(split))
    next(scenes("test", 1, SEED["test"]))
    assert asked == ["test"]


def test_every_box_lies_in_its_scene():
    for scene in scenes("train", 20, 3):
        height, width = scene.pixels.shape[:2]
        assert len(scene.boxes) == len(scene.digits) > 0
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2:] <= (width, height)).all()
        assert ((scene.boxes[:, 2:] - scene.boxes[:, :2]) >= 4).all()


def test_the_annotation_of_the_scenes_is_coco_as_others_read_it():
    ours = open_scenes("", TEST)
    folder = next(iter(ours)).input.parent
    theirs = open_dataset(f"coco:{folder}", DatasetOptions(modality="image", targets="boxes"), installed())
    assert len(ours) == len(theirs) == COUNT["test"]
    assert ours.labels.names == theirs.labels.names == {number + 1: str(number) for number in range(10)}
    for one, other in zip(ours, theirs, strict=True):
        assert (one.id, one.input, one.target.ids) == (other.id, other.input, other.target.ids)
        np.testing.assert_array_equal(one.target.boxes, other.target.boxes)
        with Image.open(one.input) as picture:
            assert picture.size == one.target.size


def test_sentences_of_the_test_are_in_no_training_pair():
    made = {sentence for _, *both in pairs(TRAIN_COUNT, TRAIN_SEED) for sentence in both}
    tested = {sentence for example in open_sentences("", TEST) for sentence in example.input}
    plain = [{re.sub(r"\W+", " ", sentence.lower()) for sentence in sentences} for sentences in (made, tested)]
    assert not plain[0] & plain[1]


def test_the_graded_pairs_are_a_file_that_the_sts_scheme_reads():
    ours = open_sentences("", TEST)
    file = Path(zoo_tiny.__file__).parent / "data" / "sentences_test.tsv"
    theirs = open_dataset(f"sts:{file}", DatasetOptions(modality="text", targets="similarity"), installed())
    assert [(e.input, e.target) for e in ours] == [(e.input, e.target) for e in theirs]
    assert {0.0, 5.0} <= {example.target for example in ours}
    assert all(0 <= example.target <= 5 for example in ours)


def test_the_training_pairs_are_those_that_the_seed_makes():
    dataset = open_sentences("", TRAIN)
    assert len(dataset) == TRAIN_COUNT
    assert [(e.target, *e.input) for e in dataset] == list(pairs(TRAIN_COUNT, TRAIN_SEED))


def test_the_fewer_parts_two_meanings_share_the_lower_their_score():
    frame = next(frame for frame in FRAMES if {"object", "quality"} <= {part.name for part in frame.parts})
    words = {part.name: (part.kinds[0], 0) for part in frame.parts}
    silent, other_object = words | {"place": None}, words | {"object": (words["object"][0], 1)}
    elsewhere = next(other for other in FRAMES if other.parts[0].name == "market")
    unrelated = {part.name: (part.kinds[0], 0) for part in elsewhere.parts}
    scores = [score(frame, words, frame, other) for other in (words, silent, other_object)]
    assert 5 == scores[0] > scores[1] > scores[2] > score(frame, words, elsewhere, unrelated) == 0


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("carry", ("carry", "carries", "carrying", "carried")),
        ("look at", ("look at", "looks at", "looking at", "looked at")),
        ("wash", ("wash", "washes", "washing", "washed")),
        ("race", ("race", "races", "racing", "raced")),
        ("play", ("play", "plays", "playing", "played")),
        ("cut/cuts/cutting/cut", ("cut", "cuts", "cutting", "cut")),
    ],
)
def test_a_verb_follows_the_rules_of_spelling_or_writes_its_forms_out(entry, forms):
    assert verb(entry) == Verb(*forms)


def test_a_noun_has_an_article_where_it_can_be_counted():
    assert [with_article(noun) for noun in ("apple", "dog", "dress", "shoes", "bread")] == [
        "an apple",
        "a dog",
        "a dress",
        "shoes",
        "bread",
    ]


def test_no_kind_of_the_lexicon_lists_a_word_twice():
    for kind, meanings in lexicon().items():
        words = [word for meaning in meanings for word in meaning]
        assert len(words) == len(set(words)), kind


@pytest.mark.parametrize("name", OPENERS)
def test_an_unknown_split_and_a_path_are_refused(name):
    with pytest.raises(DatasetError, match=f"'{name}' has no split 'val'; it has 'train' and 'test'"):
        OPENERS[name]("", DatasetOptions(split="val"))
    with pytest.raises(DatasetError, match=f"'{name}' comes with the zoo and takes no path"):
        OPENERS[name]("somewhere", TEST)


def test_samples_are_drawn_once_and_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    calls = []

    def draw(folder):
        calls.append(folder)
        (folder / "half.txt").write_text("half")
        if len(calls) == 1:
            raise DatasetError("the power went out")

    with pytest.raises(DatasetError, match="power"):
        drawn("thing", draw)
    assert [file.name for file in drawn("thing", draw).iterdir()] == ["half.txt"]
    drawn("thing", draw)
    assert len(calls) == 2


def test_the_samples_are_as_many_as_their_notes_say():
    for name, opener in OPENERS.items():
        assert installed().datasets.get(name).note.startswith(f"{len(opener('', TEST))} ")


def test_opening_samples_that_are_there_imports_no_framework():
    for name, opener in OPENERS.items():
        assert len(opener("", TEST)), name
    code = """
import sys
from zoo import DatasetOptions
from zoo_tiny import digits, scenes, sentences
for opener in (digits.open_digits, scenes.open_scenes, sentences.open_sentences):
    opener("", DatasetOptions())
print(sorted({"tensorflow", "keras", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_all_weights_together_are_small():
    folder = Path(zoo_tiny.__file__).parent / "weights"
    assert weights.size(folder) < 3_000_000


@pytest.mark.parametrize(
    ("small", "medium"),
    [
        ("tiny_cnn_s.digits", "tiny_cnn_m.digits"),
        ("tiny_det_s.scenes", "tiny_det_m.scenes"),
        ("tiny_text_s.sentences", "tiny_text_m.sentences"),
    ],
)
def test_each_task_has_two_sizes_that_a_table_can_rank(figures, small, medium):
    assert figures[small].value + 0.05 < figures[medium].value < 0.99


@pytest.mark.parametrize(("spec", "figure"), FIGURES, ids=lambda value: getattr(value, "name", ""))
def test_the_shipped_weights_give_the_published_figures(figures, spec, figure):
    assert figures[spec.name].value == pytest.approx(figure.value, abs=0.003)


@pytest.mark.parametrize("name", ["tiny_cnn_s", "tiny_cnn_m"])
def test_logits_and_features_are_one_network(name):
    import tensorflow as tf

    picture = next(iter(open_digits("", TEST))).input
    features = zoo.get("embedding", name).encode([picture])
    with_head = zoo.get("classification", name)
    module = tf.saved_model.load(str(with_head.files("logits")["weights"]))
    kernel, bias = (variable.numpy() for variable in module.variables[-2:])
    pixels = zoo.inputs.prepare(picture, with_head.spec.input).value[None]
    np.testing.assert_allclose(features @ kernel + bias, module(pixels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_every_network_shows_the_variables_that_can_be_trained(spec):
    import tensorflow as tf

    for output in spec.outputs.values():
        module = tf.saved_model.load(output.weights.path)
        assert 0 < len(module.trainable_variables) <= len(module.variables)
        assert all(variable.trainable and variable.dtype == tf.float32 for variable in module.trainable_variables)


def test_only_training_moves_the_statistics_of_a_network():
    import tensorflow as tf

    module = tf.saved_model.load(zoo.spec("tiny_cnn_m").outputs["logits"].weights.path)
    images = np.random.default_rng(0).random((4, 32, 32, 1), np.float32)

    def moved(training):
        before = [variable.numpy() for variable in module.variables]
        module(images, training=training)
        return any((old != new.numpy()).any() for old, new in zip(before, module.variables, strict=True))

    assert not moved(training=False)
    assert moved(training=True)


def test_a_detector_takes_a_picture_of_any_size():
    detector = zoo.get("detection", "tiny_det_s")
    for height, width in ((1, 1), (9, 400), (700, 500)):
        found = detector.predict(np.zeros((height, width, 3), np.uint8), conf=0.0)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= (width, height, width, height)).all()


def test_an_encoder_reads_texts_of_every_kind():
    encoder = zoo.get("embedding", "tiny_text_s")
    texts = ["", "?!", "Ein Fluß, 東京, 🦓", "a", "cat " * 100_000, "A  CAT", "a cat"]
    vectors = encoder.encode(texts)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 0, 1, 1, 1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(vectors[-1], vectors[-2], atol=1e-6)


def test_training_again_lands_within_a_point_of_the_shipped_figures(tmp_path):
    command = [sys.executable, "-m", "zoo_tiny.train", "--only", "embedding", "--out", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(\w+) spearman ([\d.]+), shipped ([\d.]+)", done.stdout)
    assert {name for name, _, _ in found} == {"tiny_text_s", "tiny_text_m"}
    for _, new, shipped in found:
        assert float(new) == pytest.approx(float(shipped), abs=0.01)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"tiny_text_s", "tiny_text_m"}


def test_the_training_says_in_one_line_that_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("no folder")
    command = [sys.executable, "-m", "zoo_tiny.train", "--out", str(tmp_path / "file" / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "file") in done.stderr
