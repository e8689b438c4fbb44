"""Datasets in the forms that people have; a broken one says what is wrong with it."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zoo.dataset import DatasetOptions, as_dataset, open_dataset
from zoo.errors import DatasetError, OptionError, UnknownNameError
from zoo.labels import LabelSpace, label_space
from zoo.plugins import installed
from zoo.testing import DatasetContract

PICTURES = DatasetOptions(modality="image", targets="class")
TEXTS = DatasetOptions(modality="text", targets="class")
PAIRS = DatasetOptions(modality="text", targets="similarity")


def opened(name, options=PICTURES):
    return open_dataset(str(name), options, installed())


@pytest.fixture
def folders(tmp_path):
    """Two classes of pictures under pets/."""
    rng = np.random.default_rng(0)
    for label, count in (("cat", 2), ("dog", 1)):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


class TestFolder(DatasetContract):
    @pytest.fixture
    def dataset(self, folders):
        return opened(f"folder:{folders}")


class TestTexts(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path):
        return opened(table(tmp_path / "t.csv", [["text", "label"], ["good", "pos"], ["bad", "neg"]]), TEXTS)


def test_class_folders_are_labels(folders):
    dataset = opened(f"folder:{folders}")
    assert list(dataset.labels.names.values()) == ["cat", "dog"]
    assert [example.target for example in dataset] == [0, 0, 1]


def test_the_scheme_may_be_left_out_where_the_path_is_plain(folders, tmp_path):
    assert len(opened(folders)) == 3
    assert len(opened(table(tmp_path / "t.csv", [["file", "label"], ["pets/cat/0.png", "0"]]))) == 1


def test_a_split_is_a_folder_inside(folders):
    folders.rename(folders.parent / "val")
    parent = folders.parent
    assert len(opened(parent, DatasetOptions(split="val", modality="image", targets="class"))) == 3
    with pytest.raises(DatasetError, match="is split into val; name one"):
        opened(parent)
    with pytest.raises(DatasetError, match="has no split 'tset'; it has val"):
        opened(parent, DatasetOptions(split="tset", modality="image", targets="class"))


def test_a_class_without_pictures_is_named_and_left_out(folders):
    (folders / "ant").mkdir()
    dataset = opened(folders)
    assert (dataset.empty, list(dataset.labels.names.values())) == (("ant",), ["cat", "dog"])
    assert dataset.note == "no picture is in class 'ant': left out"


def test_folders_without_any_picture_are_told(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DatasetError, match="no picture is in class 'cat'"):
        opened(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("folder:/no/such/place", DatasetError, "there is no '/no/such/place'"),
        ("/no/such/place", DatasetError, "no such file or folder"),
        ("foldr:/x", UnknownNameError, "no dataset named 'foldr'; did you mean 'folder'"),
        ("tiny_digit", UnknownNameError, "did you mean 'tiny_digits'"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(name, error, message):
    with pytest.raises(error, match=message):
        opened(name)


def test_a_missing_column_lists_those_there(tmp_path):
    file = table(tmp_path / "t.csv", [["picture", "kind"], ["a.png", "1"]])
    with pytest.raises(DatasetError, match=r"no input column .* header, says 'picture', 'kind'; name one with"):
        opened(file)
    wanted = DatasetOptions(input_column="picture", label_column="nope", modality="image", targets="class")
    with pytest.raises(DatasetError, match="has no column 'nope'; its columns: 'picture', 'kind'"):
        opened(file, wanted)


def test_named_columns_are_taken(tmp_path):
    file = table(tmp_path / "t.csv", [["id", "headline", "topic"], ["1", "Rain", "3"], ["2", "Sun", "0"]])
    options = DatasetOptions(input_column="headline", label_column="topic", modality="text", targets="class")
    assert [(example.input, example.target) for example in opened(file, options)] == [("Rain", 3), ("Sun", 0)]


def test_a_table_without_a_header_has_its_columns_named(tmp_path):
    file = table(tmp_path / "news.csv", [["2", "Rain", "It is wet."], ["1", "Sun", ""]])
    options = replace(TEXTS, columns="label,title,description", labels=LabelSpace("own", {0: "dry", 1: "wet"}))
    dataset = opened(file, options)
    assert [(example.input, example.target) for example in dataset] == [("Rain It is wet.", 1), ("Sun", 0)]
    assert dataset.note == "class numbers are read as 1..2"
    titles = opened(file, replace(options, input_column="title", labels=None))
    assert [(example.input, example.target) for example in titles] == [("Rain", 2), ("Sun", 1)]
    with pytest.raises(DatasetError, match="line 1 has not the 2 columns named"):
        opened(file, replace(TEXTS, columns="label,title"))


def test_several_columns_make_one_text(tmp_path):
    file = table(tmp_path / "t.csv", [["head", "body", "label"], ["Rain", "wet", "x"], ["Sun", "dry", "y"]])
    dataset = opened(file, replace(TEXTS, input_column="head,body"))
    assert [example.input for example in dataset] == ["Rain wet", "Sun dry"]
    with pytest.raises(DatasetError, match="has no column 'tail'; its columns: 'head', 'body', 'label'"):
        opened(file, replace(TEXTS, input_column="head,tail"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["file", "label"]], "has no rows"),
        ([["file", "label"], ["a.png", "1"], ["b.png", ""]], "no label in row 2"),
        ([["file", "label"], ["a.png"]], "no label in row 1"),
    ],
)
def test_a_table_with_holes_is_told(tmp_path, rows, message):
    with pytest.raises(DatasetError, match=message):
        opened(table(tmp_path / "t.csv", rows))


def test_a_table_that_is_not_utf8_is_told(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes("text,label\ncaf\xe9,1\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="is not UTF-8"):
        opened(file, TEXTS)


def test_sts_rows_may_have_more_columns_and_quotes_that_mean_nothing(tmp_path):
    file = tmp_path / "sts-dev.csv"
    file.write_text(
        'g\tf\t2012\t1\t2.5\tA "cat.\tA dog.\ng\tf\t2012\t2\t5\tOne.\tOne.\textra\tmore\n', encoding="utf-8"
    )
    dataset = opened(file, PAIRS)
    assert dataset.split == "dev"
    assert [(example.input, example.target) for example in dataset] == [
        (('A "cat.', "A dog."), 2.5),
        (("One.", "One."), 5.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\tc\n", "line 1 has 3 columns"),
        ("g\tf\t2012\t1\tmuch\tA\tB\n", "'much' in column 5 is no score"),
        ("g\tf\t2012\t1\tnan\tA\tB\n", "'nan' in column 5 is no score"),
        ("\n", "holds no sentence pairs"),
    ],
)
def test_a_broken_sts_file_names_the_line(tmp_path, text, message):
    file = tmp_path / "sts.tsv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        opened(f"sts:{file}", PAIRS)


def test_arrays_are_a_dataset():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    dataset = as_dataset((pictures, np.array([0, 1, 0])), PICTURES)
    assert [example.target for example in dataset] == [0, 1, 0]
    with pytest.raises(DatasetError, match="differ in length: 3 and 2"):
        as_dataset((pictures, [0, 1]), PICTURES)
    with pytest.raises(DatasetError, match="int is no dataset"):
        as_dataset(3, PICTURES)
    with pytest.raises(DatasetError, match="example 0 is no pair"):
        as_dataset([1, 2], PICTURES)


def test_class_ids_may_come_one_hot_or_in_arrays_of_one():
    for targets in (np.eye(3)[[2, 0]], np.array([[2], [0]]), [2.0, 0.0]):
        dataset = as_dataset((["a.png", "b.png"], targets), PICTURES)
        assert [example.target for example in dataset] == [2, 0]


@pytest.mark.parametrize("target", [3.9, float("nan"), None, b"roses", "roses", [1, 1, 0], [0.2, 0.8], []])
def test_what_is_no_class_id_is_told(target):
    with pytest.raises(DatasetError, match=r"example 0: .* is no class id"):
        as_dataset((["a.png"], [target]), PICTURES)


def test_data_that_never_end_need_a_limit():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((["a.png"], [1])).repeat()
    assert len(as_dataset(data, PICTURES, limit=10)) == 10
    with pytest.raises(DatasetError, match="never ends; give limit="):
        as_dataset(data, PICTURES)


def test_tf_data_that_hold_no_pairs_are_told():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices({"image": ["a.png"], "label": [1]})
    with pytest.raises(DatasetError, match="yields no pairs"):
        as_dataset(data, PICTURES)


@pytest.mark.parametrize("batched", [False, True])
def test_tf_data_is_a_dataset_batched_or_not(batched):
    import tensorflow as tf

    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    data = tf.data.Dataset.from_tensor_slices((pictures, [2, 0, 1]))
    dataset = as_dataset(data.batch(2) if batched else data, PICTURES)
    assert [example.target for example in dataset] == [2, 0, 1]
    np.testing.assert_array_equal(next(iter(dataset)).input, pictures[0])


@pytest.mark.parametrize(
    "setting", [{"input_column": "file"}, {"label_column": "label"}, {"labels": label_space("imagenet-1000")}]
)
def test_a_setting_that_means_nothing_to_a_dataset_is_told(folders, setting):
    with pytest.raises(OptionError, match=f"{next(iter(setting))}=.* means nothing to dataset .* that do: split"):
        opened(folders, replace(PICTURES, **setting))


def test_a_table_that_names_its_classes_takes_no_label_space_of_numbers(tmp_path):
    file = table(tmp_path / "t.csv", [["text", "label"], ["good", "pos"], ["bad", "neg"]])
    with pytest.raises(DatasetError, match="names its classes"):
        opened(file, replace(TEXTS, labels=label_space("imagenet-1000")))
