"""Label spaces meet by class, or not at all."""

import pytest

from zoo.errors import LabelError
from zoo.labels import (
    SIZES,
    LabelSpace,
    known_spaces,
    label_space,
    named_space,
    read_indices,
    refuse_ids,
    translate,
)


def test_the_background_shifts_imagenet_by_one():
    assert translate(label_space("imagenet-1000"), label_space("imagenet-1001")) == {i: i + 1 for i in range(1000)}


def test_the_background_itself_has_no_counterpart_and_needs_none():
    back = translate(label_space("imagenet-1001"), label_space("imagenet-1000"))
    assert back == {i + 1: i for i in range(1000)}


def test_classes_that_share_a_word_are_told_apart():
    space = label_space("imagenet-1000")
    assert len(set(space.names.values())) == 1000
    assert space.label(134) != space.label(517)


def test_coco_ids_with_gaps_meet_ids_without():
    mapped = translate(label_space("coco-80"), label_space("coco-91"))
    assert (mapped[0], mapped[11], mapped[79]) == (1, 13, 90)
    assert translate(label_space("coco-91"), label_space("coco-80"))[90] == 79


def test_own_names_meet_by_name_whatever_their_case_or_order():
    ours = LabelSpace("ours", {0: "Fire_Hydrant", 1: "person"})
    assert translate(ours, label_space("coco-91")) == {0: 11, 1: 1}


def test_wordnet_ids_and_synonyms_name_imagenet_classes():
    folders = LabelSpace("folders", {0: "n02123045", 1: "tabby cat"})
    assert set(translate(folders, label_space("imagenet-1000")).values()) == {281}


def test_a_class_without_counterpart_is_an_error_that_names_it():
    with pytest.raises(LabelError, match=r"no counterpart for 'raccoon' \(0\)"):
        translate(LabelSpace("ours", {0: "raccoon"}), label_space("coco-91"))


def test_an_ambiguous_word_is_no_counterpart():
    with pytest.raises(LabelError, match="'crane'"):
        translate(LabelSpace("ours", {0: "crane"}), label_space("imagenet-1000"))


def test_only_the_ids_in_use_must_be_found():
    ours = LabelSpace("ours", {0: "person", 1: "raccoon"})
    assert translate(ours, label_space("coco-91"), used=[0]) == {0: 1}


def test_bare_imagenet_numbers_are_read_without_background_and_said_so():
    mapped, note = read_indices([0, 999], label_space("imagenet-1001"))
    assert mapped == {0: 1, 999: 1000}
    assert "imagenet-1000" in note


def test_a_bare_number_outside_the_space_is_an_error():
    with pytest.raises(LabelError, match="class numbers 1000 are not in label space 'imagenet-1000'"):
        read_indices([3, 1000], label_space("imagenet-1001"))


@pytest.mark.parametrize("name", known_spaces())
def test_a_known_space_has_as_many_classes_as_its_name_says(name):
    size = {"coco-91": 80}.get(name, int(name.rpartition("-")[2]))
    assert len(label_space(name)) == size


def test_a_space_of_somebody_elses_shows_bare_ids():
    space = label_space("inaturalist", width=5089)
    assert (len(space), space.label(17)) == (5089, "class 17")


def test_a_misspelt_label_space_is_told_with_the_nearest_name():
    with pytest.raises(LabelError, match="no label space named 'imagnet-1000'; did you mean 'imagenet-1000'"):
        named_space("imagnet-1000")


def test_a_model_s_own_label_space_may_be_named():
    own = LabelSpace("birds", {0: "class 0"})
    assert named_space("birds", own) is own
    with pytest.raises(LabelError, match="'birds'"):
        named_space("bird", own)


def test_sizes_that_are_stated_are_those_of_the_spaces():
    assert {name: len(label_space(name)) for name in SIZES} == SIZES


def test_numbers_of_tfds_coco_given_for_coco_s_own_ids_are_told_with_the_fix():
    with pytest.raises(
        LabelError, match=r"class numbers 0, 12 are not .*'coco-91' \(1..90\); they are ids of 'coco-80'"
    ):
        read_indices([0, 12, 79], label_space("coco-91"))
    with pytest.raises(LabelError, match=r"--labels coco-91\)"):
        read_indices([1, 90], label_space("coco-80"))


def test_a_model_that_counts_otherwise_than_its_row_says_is_stopped():
    refuse_ids([1, 12, 90], label_space("coco-91"))  # 12 is a gap: noise, but not another numbering
    with pytest.raises(LabelError, match=r"gives class 0, .* write labels = 'coco-80' into its row"):
        refuse_ids([0, 16, 79], label_space("coco-91"))
    with pytest.raises(LabelError, match=r"gives class 88, .* write labels = 'coco-91' into its row"):
        refuse_ids([1, 88], label_space("coco-80"))
