"""The project's own catalogues: facts against the tables that they were read from, and rules between rows."""

import csv
import os
import re
from collections import Counter
from pathlib import Path

import pytest

import zoo_keras
import zoo_tfhub
from zoo import ImageInput
from zoo.labels import known_spaces, label_space
from zoo.plugins import Plugins, installed

DATA = Path(os.environ.get("ZOO_DATA") or Path(__file__).parents[2] / "shared" / "data")
tables = pytest.mark.skipif(
    not (DATA / "hub_handles.csv").is_file(),
    reason=f"no tables of facts in {str(DATA)!r}: set ZOO_DATA to the folder of hub_handles.csv",
)


def registered(plugin):
    specs = []
    plugin.register_backbones(specs.append)
    return specs


HUB = registered(zoo_tfhub)
KERAS = registered(zoo_keras)
BY_NAME = {spec.name: spec for spec in HUB + KERAS}


def modules(kind, *outputs):
    """Parametrise a test over the hub's modules of that kind of input and these outputs, as (spec, output, facts)."""
    found = [
        (spec, output, facts)
        for spec in HUB
        for output, facts in spec.outputs.items()
        if spec.input.kind in kind and output in outputs
    ]
    ids = [f"{spec.name}-{output}" for spec, output, _ in found]
    return pytest.mark.parametrize(("spec", "output", "facts"), found, ids=ids)


every_module = modules(("image", "text"), "logits", "features", "boxes")
every_classifier = modules(("image",), "logits", "features")
every_detector = modules(("image",), "boxes")
every_encoder = modules(("text",), "features")
# The pages of these modules contradict their networks; images.toml says what was believed, and why.
WRONG_PAGES = re.compile(r"/efficientnet_v2_imagenet1k_\w+/(classification|feature_vector)/2$")


def rows(file):
    with (DATA / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def pages():
    return {
        row["handle"]: row
        for row in rows("hub_handles.csv")
        if row["format"] == "saved_model_2" and row["latest"] == "yes"
    }


@pytest.fixture(scope="module")
def figures():
    return rows("published_metrics.csv")


# ------------------------------------------------------------------------------------------------ rows and names


def test_the_well_known_modules_are_there():
    hub = Counter(kind for spec in HUB for kind in spec.outputs)
    assert min(hub[kind] for kind in ("logits", "features", "boxes")) >= 30
    assert len(KERAS) == 40
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


@pytest.mark.parametrize("spec", HUB + KERAS, ids=lambda spec: spec.name)
def test_a_bare_alias_is_the_architecture_of_a_full_name(spec):
    architecture, _, tag = spec.name.partition(".")
    assert tag.startswith("hub" if spec in HUB else "keras")
    bare = [alias for alias in spec.aliases if "/" not in alias]
    assert bare in ([], [architecture])


def test_every_architecture_can_be_called_by_its_bare_name():
    owned = {alias for spec in HUB + KERAS for alias in spec.aliases}
    assert {spec.name.partition(".")[0] for spec in HUB + KERAS} <= owned


@every_module
def test_a_module_is_found_by_every_spelling_of_its_handle(spec, output, facts):
    handle = facts.weights.tfhub
    assert installed().backbones.get(handle).name == spec.name
    if facts.weights.kaggle:
        address = "https://www.kaggle.com/models/" + facts.weights.kaggle.replace("tensorFlow2", "TensorFlow2")
        assert installed().backbones.get(facts.weights.kaggle).name == spec.name
        assert installed().backbones.get(address).name == spec.name


@pytest.mark.parametrize("spec", HUB + KERAS, ids=lambda spec: spec.name)
def test_every_row_states_its_licence_its_source_and_known_labels(spec):
    assert spec.licence
    assert spec.source.startswith("https://")
    for name, facts in spec.outputs.items():
        assert (facts.labels is None) == (name == "features")
        if facts.labels:
            assert facts.labels in known_spaces()
        if name == "logits":
            assert facts.width == len(label_space(facts.labels))


def test_a_range_that_no_page_states_is_none():
    assert BY_NAME["swin_tiny_patch4_window7_224.hub_in1k"].input.range is None


# ------------------------------------------------------------------------- TensorFlow Hub, against its own pages


@tables
@every_module
def test_a_module_is_the_latest_version_on_the_hub(spec, output, facts, pages):
    assert facts.weights.tfhub in pages


@tables
@every_module
def test_a_kaggle_handle_is_one_that_was_observed_or_follows_the_rule(spec, output, facts, pages):
    page = pages[facts.weights.tfhub]
    trusted = page["kaggle_confidence"] in ("observed", "rule")
    address = page["kaggle_handle"].removeprefix("https://www.kaggle.com/models/")
    assert facts.weights.kaggle == (address.replace("TensorFlow2", "tensorFlow2") if trusted else None)


@tables
@every_classifier
def test_widths_labels_and_input_of_an_image_module_are_the_pages(spec, output, facts, pages):
    page = pages[facts.weights.tfhub]
    if not WRONG_PAGES.search(facts.weights.tfhub):
        assert facts.width == int(page["labels"] if output == "logits" else page["feature_dim"])
    if page["input_size"]:
        assert page["input_size"] == "x".join(map(str, spec.input.size))
    said = page["input_range"]
    if said.startswith("unstated"):
        # Where a page is silent, so is the row, unless another page or notebook of the same publisher says it.
        assert spec.input.range is None or "colabs use [0,1]" in said or spec.family == "convnext"
    elif said == "ImageNet mean/std normalised":
        assert (spec.input.range, spec.input.mean) == ((0, 1), (0.485, 0.456, 0.406))
    else:
        assert said == "[{:g},{:g}]".format(*spec.input.range)
        assert spec.input.mean is None


@tables
@every_detector
def test_a_detector_is_what_its_page_says(spec, output, facts, pages):
    page = pages[facts.weights.tfhub]
    assert "variable accepted" in page["input_size"]
    assert page["input_range"] == "uint8 [0,255]"
    assert spec.input == ImageInput(dtype="uint8", range=(0, 255), resize="none", batch=1)
    assert page["labels"].startswith("COCO category ids 1..90")
    assert facts.labels == "coco-91"
    assert facts.boxes == ("yxyx_pixel" if "TUPLE" in page["notes"] else "yxyx_unit")


@tables
@every_encoder
def test_an_encoder_reads_what_its_page_says_and_asks_for_tensorflow_text(spec, output, facts, pages):
    page = pages[facts.weights.tfhub]
    before = spec.input.preprocessor
    assert facts.width == int(page["feature_dim"])
    assert page["input_range"].startswith("dict" if before else "string")
    assert (before.tfhub.removeprefix("https://tfhub.dev/") if before else "") == page["preprocessor"]
    needed = before is not None or "tensorflow_text" in page["notes"]
    assert spec.imports == (("tensorflow_text",) if needed else ())


def test_an_encoder_with_a_preprocessor_names_the_entry_of_its_dict():
    encoders = [spec for spec in HUB if spec.input.kind == "text"]
    with_preprocessor = [spec for spec in encoders if spec.input.preprocessor]
    assert with_preprocessor == [spec for spec in encoders if spec.outputs["features"].key]
    assert len(with_preprocessor) >= 10


# ------------------------------------------------------------------------------------------- published figures


@tables
@pytest.mark.parametrize("spec", [spec for spec in HUB if spec.published], ids=lambda spec: spec.name)
def test_a_published_figure_is_in_the_table_for_that_very_handle(spec, figures):
    handles = {facts.weights.tfhub for facts in spec.outputs.values()}
    said = {
        (row["source_repo_or_url"], round(float(row["value"]) / scale, 6)): row["note"]
        for row in figures
        if row["hub_handle"] in handles
        for scale in (1, 100)
    }
    for figure in spec.published:
        assert (figure.source, figure.value) in said


@pytest.mark.parametrize("spec", HUB + KERAS, ids=lambda spec: spec.name)
def test_a_figure_is_a_fraction_of_a_known_metric_and_told_once(spec):
    measured = {"top1", "top5", "ap", "pearson", "spearman"}
    for figure in spec.published:
        assert 0 < figure.value < 1
        assert figure.metric in measured
    assert len({(figure.dataset, figure.split, figure.metric) for figure in spec.published}) == len(spec.published)
