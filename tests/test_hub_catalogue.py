"""TensorFlow Hub's catalogue against the tables of pages and figures that it is made of."""

import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import ASSETS

import zoo_tfhub
from zoo import ImageInput
from zoo.errors import UnknownNameError
from zoo.plugins import installed
from zoo_tfhub.catalogue.assembly import catalogue, read, text
from zoo_tfhub.catalogue.figures import TOLD
from zoo_tfhub.catalogue.naming import network
from zoo_tfhub.catalogue.overrides import Overrides
from zoo_tfhub.catalogue.rows import OUTPUTS, RANGES, usable

DATA = Path(os.environ.get("ZOO_DATA") or ASSETS.parent / "data")
PAGES, FIGURES = DATA / "hub_handles.csv", DATA / "published_metrics.csv"
tables = pytest.mark.skipif(
    not PAGES.is_file() and not os.environ.get("CI"),
    reason=f"no tables of facts in {str(DATA)!r}: set ZOO_DATA to the folder of hub_handles.csv",
)
KAGGLE = "https://www.kaggle.com/models/"

HUB = []
zoo_tfhub.register_backbones(HUB.append)
BY_NAME = {spec.name: spec for spec in HUB}
MODULES = [(spec, output, facts) for spec in HUB for output, facts in spec.outputs.items()]

# Who owns a bare name that several networks share: those of TensorFlow Hub's preview, of plainer data and of the
# networks before they were fine-tuned are called by their full names.
NNLM = [f"{language}_dim{width}" for language in ["de", "en", "es", "id", "ja", "ko", "zh"] for width in (50, 128)]
OWNERS = {
    "inception_v3": "inception_v3.hub_in1k",
    "mobilenet_v2": "mobilenet_v2.keras_in1k",
    **{f"nnlm_{kind}": f"nnlm_{kind}.hub_gnews" for kind in NNLM},
    **{f"nnlm_{kind}_with_normalization": f"nnlm_{kind}_with_normalization.hub_gnews" for kind in NNLM},
    **{f"bit_m_{size}": f"bit_m_{size}.hub_in21k" for size in ("r50x1", "r50x3", "r101x1", "r101x3", "r152x4")},
    **{f"mixer_{size}": f"mixer_{size}.hub_in21k_ft_in1k" for size in ("b16", "l16")},
    **{
        f"efficientnet_v2_{size}": f"efficientnet_v2_{size}.hub_in1k"
        for size in ["b0", "b1", "b2", "b3", "s", "m", "l"]
    },
    "efficientnet_v2_xl": "efficientnet_v2_xl.hub_in21k_ft_in1k",
    **{f"convnext_{size}": f"convnext_{size}.hub_in1k" for size in ["base_224", "base_384", "large_224", "large_384"]},
    "convnext_xlarge_224": "convnext_xlarge_224.hub_in21k_ft_in1k",
    **{
        f"swin_{size}": f"swin_{size}.hub_in22k_ft_in1k"
        for base in ("base", "large")
        for size in (f"{base}_patch4_window7_224", f"{base}_patch4_window12_384")
    },
}


@pytest.fixture(scope="module")
def pages():
    return usable(read(PAGES))


def modules_of(pages):
    """The pages of modules that are no text preprocessors."""
    return [page for page in pages if page["task"] in OUTPUTS]


def said_beside(spec, *facts):
    """Whether a note says where one of these facts is from if not from the page."""
    return any(fact in spec.notes for fact in facts)


# ------------------------------------------------------------------------------------------------------------ names


@tables
def test_every_module_is_found_by_every_spelling_of_its_handle(pages):
    backbones = installed().backbones
    assert len(pages) == 690
    for page in modules_of(pages):
        handle = page["handle"]
        forms = [handle, handle.rpartition("/")[0], handle.removeprefix("https://tfhub.dev/")]
        if page["kaggle_confidence"] in ("observed", "rule"):
            kaggle = page["kaggle_handle"].removeprefix(KAGGLE)
            forms += [page["kaggle_handle"], page["kaggle_handle"].rpartition("/")[0], kaggle]
            forms += [kaggle.replace("/TensorFlow2/", "/tensorFlow2/")]
        assert {backbones.get(form).name for form in forms} == {network(handle).name}


@tables
def test_a_text_preprocessor_is_no_backbone_but_names_those_that_run_it(pages):
    preprocessors = [page for page in pages if page["task"] not in OUTPUTS]
    assert len(preprocessors) == 16
    for page in preprocessors:
        for form in (page["handle"], page["handle"].rpartition("/")[0], page["kaggle_handle"] or page["name"]):
            if form == page["kaggle_handle"] and page["kaggle_confidence"] == "guess":
                continue
            with pytest.raises(UnknownNameError, match=r"is no backbone but the text preprocessor of \d+ "):
                installed().backbones.get(form)


def test_a_bare_name_that_several_networks_share_has_the_owner_that_this_table_says():
    sharing = Counter(spec.name.partition(".")[0] for spec in HUB)
    shared = {name for name, times in sharing.items() if times > 1}
    assert shared == set(OWNERS) - {"mobilenet_v2"}
    assert {name: installed().backbones.get(name).name for name in OWNERS} == OWNERS


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("inception-v3", "inception_v3.hub_in1k"),
        ("nnlm-en-dim50", "nnlm_en_dim50.hub_gnews"),
        ("google/nnlm-en-dim50", "nnlm_en_dim50.hub_gnews"),
        ("bert_en_uncased_L-12_H-768_A-12", "bert_en_uncased_l12_h768_a12.hub_wikibooks"),
        ("vit_b16_fe", "vit_b16.hub_in21k_ft_in1k"),
        ("efficientnet_v2_imagenet21k_ft1k_s", "efficientnet_v2_s.hub_in21k_ft_in1k"),
        ("LaBSE", "labse.hub_v2"),
        ("use", "universal_sentence_encoder.hub_v4"),
        ("st5_base", "sentence_t5_base.hub_v1"),
        (
            "google/universal-sentence-encoder/TensorFlow2/universal-sentence-encoder",
            "universal_sentence_encoder.hub_v4",
        ),
    ],
)
def test_what_people_call_a_network_leads_to_it(word, name):
    assert installed().backbones.get(word).name == name


# ---------------------------------------------------------------------------------------------- against the tables


@tables
def test_the_catalogue_is_what_the_tables_and_the_overrides_make():
    made = text(catalogue(read(PAGES), read(FIGURES), Overrides()))
    assert made == zoo_tfhub.CATALOGUE.read_text(encoding="utf-8")


@tables
def test_thirty_rows_drawn_by_seed_say_what_their_pages_say(pages):
    for page in random.Random(690).sample(modules_of(pages), 30):
        spec = installed().backbones.get(page["handle"])
        output = next((name for name, facts in spec.outputs.items() if facts.weights.tfhub == page["handle"]), None)
        if output is None:
            assert page["handle"] in spec.companions
            continue
        facts = spec.outputs[output]
        own = f"outputs.{output}"
        assert output == OUTPUTS[page["task"]] or said_beside(spec, own)
        compare_weights(page, facts.weights, spec, f"{own}.weights.kaggle")
        assert facts.source == page["source"]
        assert facts.fine_tunable == (page["fine_tunable"] == "true")
        assert list(facts.returns) == page["outputs"].split()
        assert page["version"] == page["handle"].rpartition("/")[2]
        for column, value in (("architecture", spec.architecture), ("dataset", spec.trained_on)):
            assert page[column] in ("", value) or page[column].startswith(value)
        compare_width_and_labels(page, facts, spec, own)
        if spec.input.kind == "image":
            compare_picture(page, spec)
        else:
            compare_text(page, spec)


def compare_weights(page, weights, spec, fact):
    assert weights.tfhub == page["handle"]
    trusted = page["kaggle_confidence"] in ("observed", "rule")
    address = page["kaggle_handle"].removeprefix(KAGGLE)
    assert weights.kaggle == (address.replace("TensorFlow2", "tensorFlow2") if trusted else None)
    assert (fact in spec.unstated) == (not page["kaggle_handle"])
    if page["kaggle_confidence"] == "guess":
        assert spec.notes[fact].startswith(address)


def compare_width_and_labels(page, facts, spec, own):
    if own.endswith("features"):
        if str(facts.width or "") != page["feature_dim"]:
            assert said_beside(spec, f"{own}.width")
        if page["feature_dim_basis"].startswith("architecture"):
            assert said_beside(spec, f"{own}.width")
        assert (f"{own}.width" in spec.unstated) == (facts.width is None)
        return
    count = re.match(r"\d+$", page["labels"])
    if count:
        assert facts.width == int(count[0]) or said_beside(spec, f"{own}.width")
        assert (
            str(facts.labels).endswith(count[0])
            or facts.labels == "plant-village"
            or said_beside(spec, f"{own}.labels")
        )
    elif page["labels"].startswith("COCO"):
        assert facts.labels == "coco-91"
        assert facts.boxes == ("yxyx_pixel" if "TUPLE" in page["notes"] else "yxyx_unit")
    elif page["labels"].startswith("CPPE-5"):
        assert facts.labels == "cppe-5"
    elif "ImageNet-21k" in page["notes"]:
        assert (facts.labels, facts.width) == ("imagenet-21k", None)
        assert f"{own}.width" in spec.unstated
    else:
        assert said_beside(spec, own, f"{own}.labels") or f"{own}.labels" in spec.unstated


def compare_picture(page, spec):
    seen, said = spec.input, page["input_range"]
    if said in RANGES:
        stated = ImageInput(**RANGES[said])
        assert (seen.range, seen.mean, seen.std, seen.dtype) == (stated.range, stated.mean, stated.std, stated.dtype)
    elif not said_beside(spec, "input.range"):
        assert seen.range is None
        assert "input.range" in spec.unstated
    if "nominal" in page["input_size"]:
        assert seen.size is None
        assert spec.notes["input.size"].startswith(page["input_size"].partition(" ")[0])
    elif page["input_size"]:
        assert page["input_size"] == "x".join(map(str, seen.size))
    else:
        assert said_beside(spec, "input.size") or "input.size" in spec.unstated
    assert (seen.batch == 1) == (page["batching"] == "1 only") or said_beside(spec, "input.batch", "input")


def compare_text(page, spec):
    before = spec.input.preprocessor
    assert (before.tfhub.removeprefix("https://tfhub.dev/") if before else "") == page["preprocessor"]
    assert list(spec.languages) == page["language"].split()
    needed = bool(page["preprocessor"]) or "tensorflow_text" in page["notes"]
    assert spec.imports == (("tensorflow_text",) if needed else ())


@tables
def test_what_no_page_states_is_counted_and_told_apart_from_what_is_known_elsewhere(pages):
    silent = [page for page in pages if page["input_range"].startswith("unstated")]
    assert len(silent) == 159
    specs = [installed().backbones.get(page["handle"]) for page in silent]
    assert all(spec.input.range is None for spec in specs if "input.range" in spec.unstated)
    assert Counter("unstated" if "input.range" in spec.unstated else spec.notes["input.range"] for spec in specs) == {
        "unstated": 63,
        "the page does not say; Google's own notebooks for BiT feed [0, 1]": 73,
        "the page of its features does not say; that of its other module does": 18,
        "stated by the page, though not in the table of pages": 4,
        "the page says 'scaled to 1./255'": 1,
    }
    without_kaggle = [page for page in pages if not page["kaggle_handle"]]
    assert len(without_kaggle) == 249
    told = sum(fact.startswith("outputs.") and fact.endswith(".kaggle") for spec in HUB for fact in spec.unstated)
    preprocessors = {spec.input.preprocessor.tfhub for spec in HUB if "input.preprocessor.kaggle" in spec.unstated}
    decoders = [page for page in without_kaggle if page["handle"].endswith("-decoder/1")]
    assert (told, len(preprocessors), len(decoders)) == (234, 10, 5)


def test_a_fact_is_not_called_unstated_and_known_at_once():
    for spec in HUB:
        for fact in spec.unstated:
            assert fact not in spec.notes, spec.name
            table = spec.model_dump()
            for part in fact.split("."):
                table = table.get(part)
            # What has a default keeps it, and is shown as such.
            assert table is None or fact.endswith((".resize", ".boxes", ".activation")), (spec.name, fact)


@tables
def test_a_published_figure_is_in_the_table_for_that_very_handle():
    said = {}
    for row in read(FIGURES):
        said.setdefault(row["hub_handle"], []).append(row)
    for spec in HUB:
        rows = [row for facts in spec.outputs.values() for row in said.get(facts.weights.tfhub, ())]
        kinds = {TOLD[row["metric"]][:3] for row in rows if row["metric"] in TOLD}
        assert {(figure.dataset, figure.split, figure.metric) for figure in spec.published} == kinds
        for figure in spec.published:
            same = [
                row for row in rows if TOLD.get(row["metric"], ())[:3] == (figure.dataset, figure.split, figure.metric)
            ]
            found = [row for row in same if row["source_repo_or_url"] == figure.source]
            assert figure.value in [round(float(row["value"]) / TOLD[row["metric"]][3], 6) for row in found]
