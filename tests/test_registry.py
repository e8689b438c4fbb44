"""Names lead to exactly one spec."""

import pytest

from zoo.errors import DuplicateNameError, UnknownNameError
from zoo.registry import Registry
from zoo.specs import BackboneSpec


def backbone(name: str, *aliases: str) -> BackboneSpec:
    return BackboneSpec(name=name, aliases=aliases, input={"kind": "text"}, outputs={"features": {"weights": {}}})


@pytest.fixture
def registry() -> Registry[BackboneSpec]:
    registry: Registry[BackboneSpec] = Registry("backbone", "zoo list")
    registry.add(backbone("inception_v3.hub_in1k", "inception_v3"), "zoo_tfhub")
    return registry


def test_a_name_and_its_alias_lead_to_the_same_spec(registry):
    assert registry.get("inception_v3") is registry.get("inception_v3.hub_in1k")
    assert registry.owner("inception_v3") == "zoo_tfhub"


def test_a_misspelt_name_gets_the_nearest_one_and_the_way_to_all(registry):
    with pytest.raises(UnknownNameError) as caught:
        registry.get("inception_v2")
    assert str(caught.value) == (
        "no backbone named 'inception_v2'; did you mean 'inception_v3'? ('zoo list' shows all 1)"
    )


def test_a_lookup_error_is_a_lookup_error_and_prints_without_quotes(registry):
    with pytest.raises(LookupError) as caught:
        registry.get("nothing like it")
    assert str(caught.value).startswith("no backbone named")


@pytest.mark.parametrize("name", [None, 3, ["inception_v3"]])
def test_a_name_that_is_no_string_is_unknown(registry, name):
    with pytest.raises(UnknownNameError):
        registry.get(name)


def test_a_duplicate_name_names_both_plugins(registry):
    with pytest.raises(DuplicateNameError) as caught:
        registry.add(backbone("inception_v3"), "mine")
    assert str(caught.value) == "backbone 'inception_v3' is registered by both 'zoo_tfhub' and 'mine'; rename one"


def test_an_alias_may_not_take_anothers_name(registry):
    with pytest.raises(DuplicateNameError):
        registry.add(backbone("other", "inception_v3.hub_in1k"), "mine")


def test_a_contested_name_is_not_resolved_silently_afterwards(registry):
    with pytest.raises(DuplicateNameError):
        registry.add(backbone("inception_v3"), "mine")
    with pytest.raises(DuplicateNameError, match="'zoo_tfhub' and 'mine'"):
        registry.get("inception_v3")
    assert registry.get("inception_v3.hub_in1k").name == "inception_v3.hub_in1k"


def test_one_plugin_naming_a_thing_twice_is_told_so(registry):
    with pytest.raises(DuplicateNameError, match="'mine' twice"):
        registry.check([backbone("a"), backbone("a")], "mine")


def test_specs_come_out_sorted_by_name(registry):
    registry.add(backbone("a"), "mine")
    assert [spec.name for spec in registry] == ["a", "inception_v3.hub_in1k"]
