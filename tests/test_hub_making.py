"""How TensorFlow Hub's catalogue is made: tables that contradict themselves are refused, reasons are kept."""

import re

import pytest

from zoo_tfhub.catalogue.assembly import catalogue
from zoo_tfhub.catalogue.overrides import Overrides

COLUMNS = (
    "kaggle_handle input_size input_range feature_dim labels source dataset architecture language preprocessor "
    "batching outputs feature_dim_basis kaggle_confidence notes"
)


def page(handle, task="classification", **columns):
    """A row of the table of pages that says nothing but what is given."""
    fixed = {"handle": f"https://tfhub.dev/{handle}", "task": task, "format": "saved_model_2", "latest": "yes"}
    return dict.fromkeys(COLUMNS.split(), "") | fixed | {"fine_tunable": "true"} | columns


def test_two_modules_of_a_network_become_one_row():
    made = catalogue(
        [
            page("google/imagenet/inception_v9/feature_vector/5", "image-feature-vector", feature_dim="2048"),
            page("google/imagenet/inception_v9/classification/5", labels="1001", input_range="[0,1]"),
        ],
        [],
        Overrides(""),
    )
    assert [row["name"] for row in made] == ["inception_v9.hub_in1k"]
    assert {name: facts["width"] for name, facts in made[0]["outputs"].items()} == {"logits": 1001, "features": 2048}
    assert made[0]["notes"]["input.range"] == "the page of its features does not say; that of its other module does"
    assert "input.size" in made[0]["unstated"]


def test_an_override_leaves_its_reason_and_one_that_fits_nothing_is_refused():
    entry = '[[network]]\nnames = ["{}"]\nabout = ["input.range"]\nreason = "because"\nfacts.input.range = [-1, 1]'
    pages = [page("google/imagenet/inception_v9/classification/5", labels="1001")]
    made = catalogue(pages, [], Overrides(entry.format("inception_*")))[0]
    assert (made["input"]["range"], made["notes"]["input.range"]) == ([-1, 1], "because")
    assert "input.range" not in made["unstated"]
    with pytest.raises(ValueError, match=re.escape("overrides that fit no module or network: ['inceptoin_*']")):
        catalogue(pages, [], Overrides(entry.format("inceptoin_*")))


@pytest.mark.parametrize(
    ("handles", "message"),
    [
        (["google/imagenet/inception_v9/classification/5"] * 2, "are both logits of 'inception_v9.hub_in1k'"),
        (["somebody/something/1"], "no rule names 'https://tfhub.dev/somebody/something/1'"),
        (
            ["google/bit/m-r9x9/ilsvrc2012_classification/1", "google/bit/m-r9x9/imagenet21k_classification/1"],
            "several networks are called 'bit_m_r9x9': say in the overrides who owns the name",
        ),
    ],
)
def test_a_table_that_leaves_a_name_open_is_refused(handles, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        catalogue([page(handle, labels="1000") for handle in handles], [], Overrides(""))


def test_modules_of_one_network_that_want_different_ranges_are_refused():
    pages = [
        page("google/imagenet/inception_v9/classification/5", labels="1001", input_range="[0,1]"),
        page("google/imagenet/inception_v9/feature_vector/5", "image-feature-vector", input_range="[-1,1]"),
    ]
    with pytest.raises(ValueError, match="take different ranges"):
        catalogue(pages, [], Overrides(""))
