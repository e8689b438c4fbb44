"""A model composes task, backbone and runtime; it answers one or many, and loses nothing on the way."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from zoo.dataset import Example, InMemory
from zoo.errors import (
    DatasetError,
    InputError,
    LabelError,
    NotFittedError,
    OptionError,
    PairError,
    WeightsError,
    ZooWarning,
)

LABELS = ("red", "green", "blue")


class Colours(tf.Module):
    """Logits are ten times the mean of each colour: the answer is the colour that a picture is made of."""

    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(10.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, images):
        return tf.reduce_mean(images, [1, 2]) * self.scale


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    tf.saved_model.save(Colours(), str(folder))
    weights = {"path": str(folder)}
    return zoo.BackboneSpec(
        name="colours",
        input={"kind": "image", "size": [8, 8], "resize": "stretch"},
        outputs={
            "logits": {"labels": LABELS, "width": 3, "weights": weights},
            "features": {"width": 3, "weights": weights},
        },
    )


@pytest.fixture(scope="module")
def model(spec):
    return zoo.get("classification", spec)


def painted(colour, size=(12, 10)):
    return np.asarray(Image.new("RGB", size, colour))


@pytest.fixture
def files(tmp_path):
    paths = []
    for colour in LABELS:
        paths.append(tmp_path / f"{colour}.png")
        Image.new("RGB", (12, 10), colour).save(paths[-1])
    return paths


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return path


def test_one_input_gets_one_prediction(model, files):
    answer = model.predict(str(files[0]))
    assert answer.label == "red"
    assert str(answer) == f"red ({answer.score:.2%})"
    assert [label for label, _ in answer.top(2)] == ["red", "green"]
    assert answer.scores.sum() == pytest.approx(1, abs=1e-6)


def test_predictions_can_be_compared_and_kept_in_sets(model, files):
    answer, other = model.predict(files[:2])
    assert answer == answer
    assert len({answer, other}) == 2


def test_several_inputs_get_as_many_in_their_order(model, files):
    assert [answer.label for answer in model.predict(files, batch_size=2)] == list(LABELS)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_the_batch_size_does_not_matter(model, files, batch_size):
    assert [answer.label for answer in model.predict(files, batch_size=batch_size)] == list(LABELS)


def test_arrays_bytes_and_pictures_are_inputs_too(model, files):
    array = painted("blue")
    for source in (array, files[2].read_bytes(), Image.fromarray(array), array.astype(np.float32) / 255):
        assert model.predict(source).label == "blue"
    assert [answer.label for answer in model.predict(np.stack([array, painted("red")]))] == ["blue", "red"]


def test_what_cant_be_read_fails_in_its_place(model, files, broken):
    answers = model.predict([files[0], broken, files[2]])
    assert [bool(answer) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], zoo.Failed)
    assert "broken.png" in str(answers[1])


def test_errors_raise_stops(model, files, broken):
    with pytest.raises(InputError, match="broken"):
        model.predict([files[0], broken], errors="raise")
    with pytest.raises(OptionError, match="'keep' or 'raise'"):
        model.predict(files, errors="ignore")


def test_one_unreadable_input_alone_raises(model, broken):
    with pytest.raises(InputError, match="broken"):
        model.predict(broken)


def test_nothing_gives_nothing(model):
    assert model.predict([]) == []
    assert model.features([]).shape == (0, 3)


def test_an_option_that_the_task_does_not_have_is_told(model, files):
    with pytest.raises(OptionError, match="task 'classification' has no option 'conf'; its options: none"):
        model.predict(files[0], conf=0.5)


def test_features_are_float32_rows(model, files):
    features = model.features(files)
    assert (features.shape, features.dtype) == ((3, 3), np.float32)
    np.testing.assert_allclose(features[0], [10, 0, 0], atol=1e-4)
    with pytest.raises(InputError):
        model.features(["no such file.png"])


def test_weights_are_read_on_first_use_and_not_before(spec, tmp_path):
    lost = zoo.get("classification", spec, weights=tmp_path / "gone")
    assert "not loaded" in repr(lost)
    with pytest.raises(WeightsError, match="gone"):
        lost.load()


def test_explicit_weights_come_first(spec, tmp_path, files):
    class Flipped(Colours):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, images):
            return -tf.reduce_mean(images, [1, 2]) * self.scale

    tf.saved_model.save(Flipped(), str(tmp_path / "flipped"))
    assert zoo.get("classification", spec, weights=tmp_path / "flipped").predict(files[0]).label != "red"


def test_a_trainable_pair_says_fit_it_first(spec):
    headless = spec.model_copy(update={"outputs": {"features": spec.outputs["features"]}})
    model = zoo.get("classification", headless)
    for use in (lambda: model.predict("x.png"), lambda: model.evaluate("x")):
        with pytest.raises(NotFittedError, match="fit it first"):
            use()


def test_an_impossible_pair_is_told(spec):
    with pytest.raises(
        PairError, match="task 'detection' needs 'boxes'; backbone 'colours' offers 'logits', 'features'"
    ):
        zoo.get("detection", spec)


def test_a_module_of_another_width_than_its_labels_is_told(spec, files):
    outputs = {"logits": spec.outputs["logits"].model_copy(update={"labels": "imagenet-1001", "width": 1001})}
    with pytest.raises(LabelError, match="gives 3 scores, but its label space 'imagenet-1001' has 1001"):
        zoo.get("classification", spec.model_copy(update={"outputs": outputs})).predict(files[0])


def test_evaluation_counts_with_intervals(model):
    pictures = [painted(colour) for colour in ("red", "green", "blue", "red")]
    found = model.evaluate((pictures, [0, 1, 2, 1]))
    assert (found.n, found["top1"]) == (4, 0.75)
    score = found.metrics["top1"]
    assert score.low < 0.75 < score.high
    assert "top5" not in found.metrics
    assert "n = 4" in str(found)
    assert found.to_json()["metrics"]["top1"]["value"] == 0.75


def test_unreadable_examples_are_counted_apart(model, files, broken):
    examples = [Example(path.name, path, index) for index, path in enumerate([*files, broken])]
    found = model.evaluate(InMemory(examples, "image", "class"), batch_size=2)
    assert (found.n, found["top1"], len(found.failed)) == (3, 1.0, 1)
    assert "broken.png" in str(found)


def test_nothing_readable_is_an_error(model, broken):
    with pytest.raises(DatasetError, match=r"no example of .* could be read"):
        model.evaluate(InMemory([Example("x", broken, 0)], "image", "class"))


def test_a_limit_is_kept(model):
    pictures = [painted(colour) for colour in LABELS]
    assert model.evaluate((pictures, [0, 1, 2]), limit=2).n == 2


def test_a_limit_spreads_over_the_data_and_says_so(model):
    pictures, targets = [painted("red")] * 4 + [painted("blue")] * 4, [0] * 4 + [2] * 4
    found = model.evaluate((pictures, targets), limit=2)
    assert found.notes[0] == "2 of 8 examples, spread evenly"
    dataset = InMemory(
        [Example(str(n), x, y) for n, (x, y) in enumerate(zip(pictures, targets, strict=True))], "image", "class"
    )
    assert [example.target for example in dataset.some(2)] == [0, 2]
    assert len(list(dataset.some(100))) == 8


def test_a_model_that_cannot_be_saved_says_where_and_why(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OptionError, match=r"can't be saved at .*mine\.zoo"):
        model.save(tmp_path / "file" / "mine.zoo")


def test_what_failed_knows_its_input(model, tmp_path):
    absent = tmp_path / "absent.png"
    right, failed = model.predict([painted("red"), absent])
    assert right.label == "red"
    assert failed.input == str(absent)
    assert failed.to_json()["input"] == str(absent)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_leaves_nothing_is_told(model, limit):
    with pytest.raises(OptionError, match=f"limit={limit} leaves nothing"):
        model.evaluate(([painted("red")], [0]), limit=limit)


def test_a_model_that_gives_probabilities_in_place_of_logits_is_noticed(tmp_path):
    class Shares(Colours):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, images):
            return tf.nn.softmax(super().__call__(images))

    tf.saved_model.save(Shares(), str(tmp_path))
    logits = {"labels": LABELS, "weights": {"path": str(tmp_path)}}
    facts = {"name": "shares", "input": {"kind": "image", "size": [8, 8], "resize": "stretch"}}
    with pytest.warns(ZooWarning, match="write activation = 'softmax'"):
        twice = zoo.get("classification", zoo.BackboneSpec(**facts, outputs={"logits": logits})).predict(painted("red"))
    once = zoo.get(
        "classification", zoo.BackboneSpec(**facts, outputs={"logits": logits | {"activation": "softmax"}})
    ).predict(painted("red"))
    assert once.score > 0.99 > twice.score


def test_a_target_outside_the_label_space_is_never_a_silent_zero(model):
    with pytest.raises(LabelError, match="class numbers 3"):
        model.evaluate(([painted("red")], [3]))


def test_the_label_space_of_bare_numbers_may_be_named(model):
    examples = ([painted("red")], [2])
    assert model.evaluate(examples, labels=["blue", "green", "red"])["top1"] == 1.0
    with pytest.raises(LabelError):
        model.evaluate(examples, labels="imagenet-1000")
    with pytest.raises(LabelError):
        model.evaluate(examples, labels="imagnet-1000")


def test_a_dataset_for_another_task_is_told(model):
    pairs = InMemory([Example("x", ("a", "b"), 1.0)], "text", "similarity")
    with pytest.raises(DatasetError, match="is measured on image examples with targets 'class'"):
        model.evaluate(pairs)


def test_a_saved_model_stands_alone(model, files, tmp_path):
    saved = model.save(tmp_path / "mine.zoo")
    moved = saved.rename(tmp_path / "moved.zoo")
    again = zoo.load(moved)
    assert again.name == "classification/colours"
    np.testing.assert_array_equal(again.predict(files[0]).scores, model.predict(files[0]).scores)
    np.testing.assert_array_equal(again.features(files), model.features(files))


def test_saving_overwrites_nothing(model, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(OptionError, match="exists already"):
        model.save(tmp_path / "there")


@pytest.mark.parametrize("content", [None, "{", '{"task": "classification"}', '{"task": "x", "backbone": {}}'])
def test_a_folder_that_is_no_saved_model_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "model.json").write_text(content)
    with pytest.raises(WeightsError, match="saved model"):
        zoo.load(tmp_path)
