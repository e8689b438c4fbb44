"""A plugin is in whole or out whole, and never breaks another."""

from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

import zoo
from zoo.errors import DuplicateNameError, UnknownNameError
from zoo.plugins import Plugins

GOOD = """
import zoo

@zoo.hookimpl
def register_backbones(register):
    register(zoo.BackboneSpec(name="good", input={"kind": "text"}, outputs={"features": {"weights": {}}}))
"""


@pytest.fixture
def entry_point(tmp_path, monkeypatch):
    """Makes an entry point `name` of a module with that source."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name: str, source: str) -> EntryPoint:
        (tmp_path / f"plugin_{name}.py").write_text(source)
        return EntryPoint(name, f"plugin_{name}", "zoo")

    return make


def discover(*points: EntryPoint) -> Plugins:
    return Plugins.discover(points, catalogs=[])


def test_a_plugin_registers_by_being_named_in_an_entry_point(entry_point):
    plugins = discover(entry_point("good", GOOD))
    assert plugins.backbones.owner("good") == "good"
    assert plugins.failures == []


def test_a_plugin_that_fails_to_import_is_kept_aside_with_its_traceback(entry_point):
    plugins = discover(entry_point("bad", "import no_such_module_anywhere"), entry_point("good", GOOD))
    (failure,) = plugins.failures
    assert failure.plugin == "bad"
    assert failure.reason == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    assert "plugin_bad.py" in failure.details
    assert "good" in plugins.backbones


def test_a_misspelt_hook_is_told_and_does_not_harm_the_next_plugin(entry_point):
    misspelt = GOOD.replace("register_backbones", "register_backbone").replace("good", "lost")
    plugins = discover(entry_point("a_misspelt", misspelt), entry_point("good", GOOD))
    (failure,) = plugins.failures
    assert failure.plugin == "a_misspelt"
    assert "register_backbone" in failure.reason
    assert "good" in plugins.backbones


def test_a_hook_without_its_mark_is_told(entry_point):
    plugins = discover(entry_point("unmarked", GOOD.replace("@zoo.hookimpl", "")))
    assert "without @zoo.hookimpl" in plugins.failures[0].reason


def test_a_plugin_that_claims_a_taken_name_is_out_whole(entry_point):
    greedy = GOOD + (
        "    register(zoo.BackboneSpec(name='more', input={'kind': 'text'}, outputs={'features': {'weights': {}}}))\n"
    )
    plugins = discover(entry_point("a", GOOD), entry_point("greedy", greedy))
    assert [failure.plugin for failure in plugins.failures] == ["greedy"]
    assert "'a' and 'greedy'" in plugins.failures[0].reason
    assert "more" not in plugins.backbones
    with pytest.raises(DuplicateNameError):
        plugins.backbones.get("good")


def test_an_invalid_spec_keeps_its_plugin_out(entry_point):
    plugins = discover(entry_point("wrong", GOOD.replace('name="good"', 'name="no good name"')))
    assert plugins.failures[0].reason.startswith("ValidationError")


def test_a_lookup_that_misses_mentions_the_failed_plugin(entry_point):
    plugins = discover(entry_point("bad", "1 / 0"))
    with pytest.raises(UnknownNameError, match="plugin 'bad' failed to load"):
        plugins.backbones.get("anything")


def test_a_plugin_object_that_raises_leaves_everything_as_it_was():
    class Exploding:
        @zoo.hookimpl
        def register_backbones(self, register):
            register(zoo.BackboneSpec(name="x", input={"kind": "text"}, outputs={"features": {"weights": {}}}))
            raise RuntimeError("in the middle")

    plugins = Plugins()
    with pytest.raises(RuntimeError, match="in the middle"):
        plugins.register(Exploding(), "exploding")
    assert len(plugins.backbones) == 0
    plugins.register(ModuleType("quiet"), "quiet")


def test_all_plugins_of_this_installation_load():
    plugins = Plugins.discover(catalogs=[])
    assert [f"{failure.plugin}: {failure.details}" for failure in plugins.failures] == []


def test_every_core_hook_is_used_by_a_plugin_in_the_tree():
    plugins = Plugins.discover(catalogs=[])
    for kind in ("backbones", "tasks", "runtimes", "datasets", "commands"):
        assert len(getattr(plugins, kind)) > 0, kind
