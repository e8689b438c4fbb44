"""The project's own catalogues: rules between rows, and what every row must state."""

from collections import Counter

import zoo_keras
import zoo_tfhub
from zoo.labels import known_spaces, label_space
from zoo.plugins import Plugins, installed


def registered(plugin):
    specs = []
    plugin.register_backbones(specs.append)
    return specs


HUB = registered(zoo_tfhub)
KERAS = registered(zoo_keras)
BY_NAME = {spec.name: spec for spec in HUB + KERAS}


def test_the_well_known_modules_are_there():
    hub = Counter(kind for spec in HUB for kind in spec.outputs)
    assert min(hub[kind] for kind in ("logits", "features", "boxes")) >= 30
    tags = Counter(spec.name.partition(".")[2] for spec in KERAS)
    assert tags == {"keras_in1k": 40, "slim_in1k": 1, "kerashub": 152}
    for name in (
        "inception_v3",
        "mobilenet_v2_100_224",
        "resnet_v2_50",
        "efficientnet_b0",
        "faster_rcnn_inception_resnet_v2_640x640",
        "ssd_mobilenet_v2",
        "universal_sentence_encoder",
        "nnlm_en_dim50",
        "nnlm_en_dim128",
        "vgg16",
    ):
        assert installed().backbones.get(name).name in BY_NAME


def test_both_catalogues_are_taken_in_whole():
    plugins = Plugins()
    plugins.register(zoo_tfhub, "zoo_tfhub")
    plugins.register(zoo_keras, "zoo_keras")
    assert len(plugins.backbones) == len(HUB) + len(KERAS)


def test_every_name_and_alias_belongs_to_one_row():
    names = Counter(name for spec in HUB + KERAS for name in (spec.name, *spec.aliases))
    assert [name for name, times in names.items() if times > 1] == []


def test_a_name_is_architecture_and_tag_and_the_tag_tells_the_catalogue():
    for spec in HUB + KERAS:
        _, _, tag = spec.name.partition(".")
        assert tag.startswith(("hub_",) if spec in HUB else ("keras_", "slim_", "kerashub")), spec.name


def test_every_architecture_can_be_called_by_its_bare_name():
    owned = {alias for spec in HUB + KERAS for alias in spec.aliases}
    assert {spec.name.partition(".")[0] for spec in HUB + KERAS} <= owned


def test_every_row_states_its_licence_and_its_source():
    for spec in HUB + KERAS:
        assert spec.licence or "licence" in spec.unstated, spec.name  # KerasHub's registry tells none
        assert spec.source.startswith("https://"), spec.name


def test_classes_have_names_that_the_zoo_knows_or_none_at_all():
    for spec in HUB + KERAS:
        for name, facts in spec.outputs.items():
            if name in ("features", "feature_maps"):
                assert facts.labels is None, spec.name
            elif facts.labels in known_spaces():
                assert facts.width in (None, len(label_space(facts.labels))), spec.name
            else:  # a space of somebody else's, whose classes are shown as numbers
                shown = label_space(facts.labels, facts.width)
                assert shown is None or shown.label(3) == "class 3", spec.name
                assert facts.labels or f"outputs.{name}.labels" in spec.unstated, spec.name


def test_a_range_that_no_page_states_is_none():
    assert BY_NAME["swin_tiny_patch4_window7_224.hub_in1k"].input.range is None


def test_an_encoder_with_a_preprocessor_names_the_entry_of_its_dict():
    encoders = [spec for spec in HUB if spec.input.kind == "text" and spec.input.preprocessor]
    assert [spec.name for spec in encoders if not spec.outputs["features"].key] == [
        "distilkobert_sentence_encoder.hub_v1"
    ]
    assert len(encoders) == 74


def test_a_figure_is_a_fraction_of_a_known_metric_and_told_once():
    metrics = {"top1", "top5", "ap", "mask_ap", "keypoint_ap", "pearson", "spearman"}
    for spec in HUB + KERAS:
        assert {figure.metric for figure in spec.published} <= metrics, spec.name
        assert all(0 < figure.value < 1 for figure in spec.published), spec.name
        told = {(figure.dataset, figure.split, figure.metric) for figure in spec.published}
        assert len(told) == len(spec.published), spec.name
