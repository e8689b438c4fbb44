"""Backbones from data, with no Python."""

import os

import pytest

from zoo.catalog import read_catalog, user_catalogs
from zoo.errors import SpecError
from zoo.plugins import Plugins

ROW = """
[[backbone]]
name = "mine"
input = { kind = "image", size = [32, 32] }
outputs.logits = { labels = ["cat", "dog"], width = 2, weights = { path = "model" } }
"""


@pytest.fixture
def catalog(tmp_path):
    def write(text):
        file = tmp_path / "mine.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_a_row_is_a_backbone_and_its_paths_count_from_the_file(catalog, tmp_path):
    (spec,) = read_catalog(catalog(ROW))
    assert spec.outputs["logits"].labels == ("cat", "dog")
    assert spec.outputs["logits"].weights.path == str(tmp_path / "model")


def test_defaults_lie_under_every_row(catalog):
    (spec,) = read_catalog(catalog('[defaults]\nlicence = "mit"\ninput = { crop = 1.0 }\n' + ROW))
    assert (spec.licence, spec.input.crop, spec.input.size) == ("mit", 1.0, (32, 32))


def test_paths_with_variables_are_left_for_later(catalog):
    (spec,) = read_catalog(catalog(ROW.replace('"model"', '"$HERE/model"')))
    assert spec.outputs["logits"].weights.path == "$HERE/model"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("this is [not toml", "is not valid TOML"),
        ("", "holds \\[\\[backbone\\]\\] tables"),
        ("[[backbones]]\nname = 'x'", "it has 'backbones'"),
        (ROW.replace("size", "sise"), "backbone 'mine', field 'input.sise': there is no such field"),
        (ROW.replace("[32, 32]", "32"), "backbone 'mine', field 'input.size': 32 should be a list"),
        (ROW.replace('name = "mine"', ""), "backbone 'row 1', field 'name': is missing"),
        (ROW.replace("image", "audio"), "backbone 'mine', field 'input': kind is 'audio', not one of 'image', 'text'"),
        (ROW.replace("size", "range = [1, 0], size"), r"range \[1.0, 0.0\] runs from black to white"),
        (ROW.replace("width = 2", "width = 3"), "field 'outputs.logits': width is 3, but 2 labels are given"),
        (ROW.replace('"dog"', '"cat"'), "label 'cat' stands for two classes"),
        (ROW.replace('["cat", "dog"]', '"imagnet-1000"'), "'imagnet-1000'; did you mean 'imagenet-1000'"),
        (ROW.replace('["cat", "dog"]', '"imagenet-1001"'), "width is 2, but 'imagenet-1001' has 1001 classes"),
    ],
)
def test_a_wrong_catalogue_names_file_row_and_field(catalog, text, message):
    with pytest.raises(SpecError, match=message) as caught:
        read_catalog(catalog(text))
    assert "mine.toml" in str(caught.value)


def test_a_missing_catalogue_is_told(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        read_catalog(tmp_path / "none.toml")


def test_zoo_catalog_names_several_files_and_the_config_folder_adds_more(catalog, tmp_path, monkeypatch):
    config = tmp_path / "config"
    (config / "zoo").mkdir(parents=True)
    own = config / "zoo" / "own.toml"
    own.write_text(ROW)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    monkeypatch.setenv("ZOO_CATALOG", os.pathsep.join(["a.toml", "b.toml"]))
    assert [path.name for path in user_catalogs()] == ["a.toml", "b.toml", "own.toml"]


def test_a_broken_catalogue_is_a_failed_plugin_and_breaks_no_other(catalog, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(ROW)
    plugins = Plugins.discover([], [catalog("broken ="), other])
    assert [failure.plugin for failure in plugins.failures] == [str(tmp_path / "mine.toml")]
    assert plugins.backbones.owner("mine") == str(other)
