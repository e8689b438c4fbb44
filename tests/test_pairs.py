"""One rule of offers and needs decides which pairs exist."""

import pytest

import zoo
from zoo.errors import PairError
from zoo.pairs import all_pairs, find_pair, require_pair
from zoo.specs import BackboneSpec, TaskSpec

CLASSIFICATION = TaskSpec(
    name="classification",
    modalities=("image", "text"),
    ready=("logits",),
    trainable=("features",),
    targets="class",
    loader="a:B",
)
DETECTION = TaskSpec(name="detection", modalities=("image",), ready=("boxes",), targets="boxes", loader="a:B")


def backbone(kind: str, *outputs: str) -> BackboneSpec:
    return BackboneSpec(name="b", input={"kind": kind}, outputs={output: {"weights": {}} for output in outputs})


def test_an_output_that_answers_makes_a_ready_pair():
    pair = require_pair(CLASSIFICATION, backbone("image", "features", "logits"))
    assert (pair.status, pair.output, pair.name) == ("ready", "logits", "classification/b")


def test_an_output_that_a_head_can_stand_on_makes_a_trainable_pair():
    pair = require_pair(CLASSIFICATION, backbone("text", "features"))
    assert (pair.status, pair.output) == ("trainable", "features")


def test_an_impossible_pair_says_what_is_needed_and_what_is_offered():
    with pytest.raises(PairError) as caught:
        require_pair(DETECTION, backbone("image", "features"))
    assert str(caught.value) == "task 'detection' needs 'boxes'; backbone 'b' offers 'features'"


def test_a_pair_of_different_modalities_says_so():
    with pytest.raises(PairError, match="takes image; backbone 'b' takes text"):
        require_pair(DETECTION, backbone("text", "features"))


def test_listing_and_requiring_follow_the_same_rule():
    specs = [backbone("image", "boxes"), backbone("text", "features"), backbone("image", "logits")]
    listed = [(pair.task.name, pair.backbone) for pair in all_pairs([CLASSIFICATION, DETECTION], specs)]
    expected = [(task.name, spec) for task in (CLASSIFICATION, DETECTION) for spec in specs if find_pair(task, spec)]
    assert listed == expected
    assert len(listed) == 3


def test_a_pair_is_shown_in_one_line():
    assert repr(zoo.list_pairs(task="classification", backbone="tiny_cnn_s")) == (
        "[<zoo.Pair classification/tiny_cnn_s.digits (ready, logits)>]"
    )
