"""Targets beyond one class: several labels for each input, a number, and the two classes of a yes or no."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import average_precision_score, f1_score, r2_score, roc_auc_score
from trained import changed

import zoo
from zoo.cli import zoo as cli
from zoo.dataset import DatasetOptions, Example, as_dataset
from zoo.errors import DatasetError, LabelError, OptionError, PairError
from zoo.labels import LabelSpace
from zoo.transfer.features import extract
from zoo.transfer.objective import objective_of
from zoo_classification.task import area_under_curve
from zoo_multilabel.metric import MultiLabelMetric
from zoo_multilabel.task import MultiLabel

WORDS = ("bird", "blue", "fox", "red")
TEXTS = ("the red fox runs", "a blue bird sings", "the red bird", "a fox at a blue wall", "plain words", "red red fox")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Texts with the words of colours and animals in them: as a list, as columns of 0 and 1, and their length."""
    file = tmp_path_factory.mktemp("table") / "texts.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "labels", "length", *WORDS])
        for number in range(10):
            for text in TEXTS:
                there = [word for word in WORDS if word in text]
                shown = text + " and so on" * (number % 3)
                writer.writerow([shown, ";".join(there), len(shown), *(int(word in there) for word in WORDS)])
    return f"csv:{file}"


@pytest.fixture(scope="module")
def tagger(table):
    return zoo.get("multilabel", "tiny_text_s").fit(table)


@pytest.fixture(scope="module")
def gauge(table):
    return zoo.get("regression", "tiny_text_s").fit(table, label_column="length")


def test_a_tagger_gives_all_labels_that_hold(tagger, table):
    assert set(tagger.predict("the red fox").labels) == {"red", "fox"}
    scores = tagger.evaluate(table).metrics
    assert list(scores) == ["map", "f1_micro", "f1_macro", "exact"]
    assert scores["map"].value > 0.9
    assert scores["map"].low <= scores["map"].value <= scores["map"].high


def test_columns_of_0_and_1_teach_what_a_list_of_labels_does(tagger, table):
    by_column = zoo.get("multilabel", "tiny_text_s").fit(table, label_column=",".join(WORDS))
    np.testing.assert_allclose(by_column.predict("a blue fox").scores, tagger.predict("a blue fox").scores, atol=1e-5)


@pytest.mark.parametrize("kind", ["tagger", "gauge"])
def test_what_was_fitted_is_saved_and_loaded(kind, request, tmp_path):
    fitted = request.getfixturevalue(kind)
    again = zoo.load(fitted.save(tmp_path / "model.zoo"))
    assert again.predict("a red bird").to_json() == fitted.predict("a red bird").to_json()
    assert again.labels.names == fitted.labels.names


def test_a_gauge_is_judged_by_its_errors(gauge, table):
    scores = gauge.evaluate(table, label_column="length").metrics
    assert list(scores) == ["mae", "rmse", "r2", "spearman"]
    assert scores["r2"].value > 0.5
    assert str(gauge.predict("the red fox runs")).startswith("length ")


def test_heads_in_epochs_learn_labels_and_numbers(table):
    tagger = zoo.get("multilabel", "tiny_text_s").fit(table, head="linear", epochs=15, pos_weight="balanced")
    assert tagger.history["loss"][-1] < tagger.history["loss"][0]
    gauge = zoo.get("regression", "tiny_text_s").fit(
        table, label_column="length", head="hidden", epochs=15, loss="huber"
    )
    assert gauge.history["val_mae"][-1] < gauge.history["val_mae"][0]


@pytest.mark.parametrize(
    ("task", "settings", "judged"),
    [
        ("multilabel", {"pos_weight": "balanced"}, "binary_accuracy"),
        ("multilabel", {"head": "hidden", "loss": "focal"}, "binary_accuracy"),
        ("multilabel", {"head": "adapter"}, "binary_accuracy"),
        ("regression", {"label_column": "length"}, "mae"),
        ("classification", {"label_column": "fox", "labels": ["none", "fox"], "pos_weight": 5.0}, "accuracy"),
    ],
)
def test_stages_train_on_targets_of_every_kind(table, task, settings, judged):
    model = zoo.get(task, "tiny_text_s").fit(table, validation=table, strategy="full", epochs=2, **settings)
    assert model.training.trained > 0
    require_as_told(model, judged)


def require_as_told(model, judged):
    """What the last epoch said of the validation data is what the model that came out makes of them."""
    held = model.held.dataset(model)
    found = extract(model, held)
    places = slice(None) if model.held.places is None else model.held.places
    scores = objective_of(held).scores(model.head(np.asarray(found.features)[places]), found.targets[places])
    assert scores[judged] == pytest.approx(model.history[f"val_{judged}"][-1], abs=1e-3)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Pictures of digits with what holds for each: whether it is even, whether it is round, how many it means."""
    file = tmp_path_factory.mktemp("digits") / "digits.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "even", "round", "number"])
        for example in zoo.get("classification", "tiny_cnn_m").dataset("tiny_digits").some(50):
            digit = example.target
            writer.writerow([example.input, int(digit % 2 == 0), int(digit in (0, 3, 6, 8, 9)), digit])
    return f"csv:{file}"


@pytest.mark.parametrize(
    ("task", "column", "judged"), [("multilabel", "even,round", "binary_accuracy"), ("regression", "number", "mae")]
)
@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ({"strategy": "last", "unfreeze": 1}, {"conv2d_2"}),
        ({"strategy": "gradual", "unfreeze": 2}, {"conv2d_1", "conv2d_2"}),
        ({"strategy": "mixed", "mixed": {"conv2d_1": 1e-3, "head": "freeze"}}, {"conv2d_1"}),
    ],
    ids=["last", "gradual", "mixed"],
)
def test_every_strategy_trains_its_stages_on_labels_and_numbers(digits, task, column, judged, settings, stages):
    before = zoo.get(task, "tiny_cnn_m")
    model = before.fit(digits, label_column=column, epochs=2, **settings)
    assert {name.split("/")[0].replace("batch_normalization", "conv2d") for name in changed(before, model)} == stages
    assert len(model.history["loss"]) == 2
    require_as_told(model, judged)


def test_layers_of_ones_own_train_with_the_stages_on_the_features_as_they_are(table):
    import keras

    options = {"label_column": "fox", "labels": ["none", "fox"]}
    model = zoo.get("classification", "tiny_text_s").fit(
        table, validation=table, strategy="full", epochs=1, head=keras.layers.Dense(8, activation="relu"), **options
    )
    found = extract(model, model.held.dataset(model))
    loss = objective_of(model.held.dataset(model)).scores(model.head(np.asarray(found.features)), found.targets)["loss"]
    assert loss == pytest.approx(model.history["val_loss"][-1], abs=1e-4)


def test_two_classes_weigh_as_they_are_told(table):
    options = {"label_column": "fox", "labels": ["none", "fox"]}
    plain = zoo.get("classification", "tiny_text_s").fit(table, **options)
    bold = zoo.get("classification", "tiny_text_s").fit(table, pos_weight=20.0, **options)
    assert bold.predict("plain words").scores[1] > plain.predict("plain words").scores[1]
    assert plain.evaluate(table, **options).metrics["auc"].value > 0.8


def test_the_figures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    true = rng.random((80, 3)) < 0.3
    scores = np.round(0.6 * rng.random((80, 3)) + 0.4 * true, 1).astype(np.float32)
    metric, space = MultiLabelMetric(None, None), LabelSpace("own", dict(enumerate("abc")))
    for row, given in zip(true, scores, strict=True):
        metric.update(Example("", "", tuple(np.flatnonzero(row).tolist())), [MultiLabel(given, space, 0.5)])
    found = {name: score.value for name, score in metric.result().items()}
    assert found["map"] == pytest.approx(average_precision_score(true, scores, average="macro"))
    assert found["f1_micro"] == pytest.approx(f1_score(true, scores >= 0.5, average="micro"))
    assert found["f1_macro"] == pytest.approx(f1_score(true, scores >= 0.5, average="macro"))
    auc = area_under_curve(scores[~true[:, 0], 0], scores[true[:, 0], 0])
    assert auc.value == pytest.approx(roc_auc_score(true[:, 0], scores[:, 0]))
    assert 0 < auc.low < auc.value < auc.high < 1


def test_r2_is_that_of_scikit_learn(gauge, table):
    dataset = gauge.dataset(table, label_column="length")
    found = [float(number) for number in gauge.predict([example.input for example in dataset])]
    true = [example.target for example in dataset]
    value = gauge.evaluate(table, label_column="length").metrics["r2"].value
    assert value == pytest.approx(r2_score(true, found), abs=1e-4)


def test_labels_in_memory_are_ids_or_rows_of_0_and_1():
    options = DatasetOptions(modality="text", targets="classes")
    ids = [example.target for example in as_dataset((["a", "b", "c"], [{2, 0}, [1], ()]), options)]
    rows = [
        example.target for example in as_dataset((["a", "b", "c"], np.array([[1, 0, 1], [0, 1, 0], [0] * 3])), options)
    ]
    assert ids == rows == [(0, 2), (1,), ()]
    with pytest.raises(DatasetError, match="names no classes"):
        as_dataset((["a"], ["red"]), options)
    with pytest.raises(DatasetError, match="is no number"):
        as_dataset((["a"], ["red"]), DatasetOptions(modality="text", targets="number"))


@pytest.mark.parametrize(
    ("task", "settings", "error", "said"),
    [
        ("regression", {"label_column": "labels"}, DatasetError, "which is no number"),
        ("regression", {"label_column": "length", "pos_weight": 2}, OptionError, "pos_weight=2 means nothing"),
        ("regression", {"label_column": "length", "head": "logistic"}, OptionError, "take head='ridge'"),
        ("regression", {"label_column": "bird", "class_weight": "balanced"}, OptionError, "class_weight"),
        ("multilabel", {"label_column": "length,bird"}, DatasetError, "a label is 0 or 1"),
        ("multilabel", {"class_weight": "balanced"}, OptionError, "pos_weight"),
        ("multilabel", {"loss": "focal", "head": "logistic"}, OptionError, "its own loss alone"),
        ("multilabel", {"pos_weight": -1}, OptionError, "greater than 0"),
        ("classification", {"label_column": "labels", "pos_weight": 2.0}, OptionError, "for two classes"),
    ],
)
def test_what_means_nothing_to_the_targets_is_refused(table, task, settings, error, said):
    if task == "classification":
        settings = {**settings, "label_column": "text"}
    with pytest.raises(error, match=said):
        zoo.get(task, "tiny_text_s").fit(table, **settings)


def test_published_logits_answer_neither_task():
    assert not zoo.get("multilabel", "tiny_cnn_s").pair.ready
    with pytest.raises(PairError, match="needs 'features'"):
        zoo.get("regression", "tiny_det_s")
    with pytest.raises(LabelError):
        MultiLabelMetric(LabelSpace("own", {0: "cat"}), LabelSpace("other", {0: "tree", 1: "sea"}))


def test_fit_on_the_command_line_takes_the_new_tasks(table, tmp_path):
    command = ["fit", "multilabel/tiny_text_s", table, "--out", str(tmp_path / "m.zoo"), "--json"]
    run = CliRunner().invoke(cli, command)
    assert run.exit_code == 0, run.output
    assert '"head": "logistic"' in run.output
