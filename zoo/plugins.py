"""Discovery: entry points and the user's catalogues become registries; what fails is kept aside with its reason."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from zoo import hookspecs
from zoo.catalog import read_catalog, user_catalogs
from zoo.errors import PluginError
from zoo.hookspecs import hookimpl
from zoo.registry import Registry
from zoo.specs import BackboneSpec, DatasetSpec, FormatSpec, RuntimeSpec, TaskSpec, TextInput

if TYPE_CHECKING:
    pass

ENTRY_POINT_GROUP = "zoo"

# Not a runtime but the choice of one; it stands among them, so that it is listed, and no plugin can take its name.
AUTO = RuntimeSpec(
    name="auto",
    help="the fastest of these that answers as 'tf' does, tried on this machine ('zoo tune' explains the choice)",
    precisions=("fp32", "auto"),
    loader="zoo.tuning.auto:AutoRuntime",
)


@dataclass(frozen=True)
class Failure:
    """A plugin that is not taken in: its name, the reason in one line, and the traceback."""

    plugin: str
    reason: str
    details: str = field(repr=False)


class Plugins:
    """The registries, filled plugin by plugin. A plugin is in whole or out whole."""

    def __init__(self) -> None:
        self.backbones: Registry[BackboneSpec] = Registry("backbone", "zoo list", self._failed_hint, self._preprocessor)
        self.tasks: Registry[TaskSpec] = Registry("task", "zoo list --tasks", self._failed_hint)
        self.runtimes: Registry[RuntimeSpec] = Registry("runtime", "zoo list --runtimes", self._failed_hint)
        self.datasets: Registry[DatasetSpec] = Registry("dataset", "zoo list --datasets", self._failed_hint)
        self.formats: Registry[FormatSpec] = Registry("format", "zoo list --formats", self._failed_hint)
        self.commands: Registry[Any] = Registry("command", "zoo --help", self._failed_hint)
        self.failures: list[Failure] = []
        self.origins: dict[str, str] = {}
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def discover(cls, points: Iterable[EntryPoint] | None = None, catalogs: Iterable[Path] | None = None) -> Plugins:
        """The plugins of the given entry points and catalogues; by default all that are installed, and the user's."""
        plugins = cls()
        plugins.runtimes.add(AUTO, "zoo")
        found = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
        for point in sorted(found, key=lambda point: point.name):
            plugins._load(point)
        for catalog in user_catalogs() if catalogs is None else catalogs:
            plugins._take(str(catalog), functools.partial(_CatalogPlugin, catalog), origin="catalogue")
        return plugins

    def register(self, plugin: object, name: str) -> None:
        """Take in one plugin whole, or raise and leave everything as it was."""
        registered = self._manager.register(plugin, name)
        try:
            self._manager.check_pending()
            _reject_unmarked_hooks(plugin, name)
            collected = self._collect(plugin)
            for kind, specs in collected.items():
                getattr(self, kind).check(specs, name)
        except BaseException:
            # Left in place, it would make check_pending reject every later plugin.
            self._manager.unregister(name=registered)
            raise
        for kind, specs in collected.items():
            for spec in specs:
                getattr(self, kind).add(spec, name)

    def _load(self, point: EntryPoint) -> None:
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        self._take(point.name, point.load, origin)

    def _take(self, name: str, load: Any, origin: str) -> None:
        self.origins[name] = origin
        try:
            self.register(load(), name)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's module raises, it must not break the others
            self.failures.append(Failure(name, f"{type(error).__name__}: {error}", traceback.format_exc()))

    def _collect(self, plugin: object) -> dict[str, list[Any]]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        collected: dict[str, list[Any]] = {}
        for kind in ("backbones", "tasks", "runtimes", "datasets", "formats", "commands"):
            specs: list[Any] = []
            self._manager.subset_hook_caller(f"register_{kind}", others)(register=specs.append)
            collected[kind] = specs
        return collected

    def _preprocessor(self, handle: str) -> str:
        """What to say of a text preprocessor's handle: it is no backbone, but those that use it are."""
        users = [spec.name for spec in self.backbones if _reads_through(spec, handle)]
        if not users:
            return ""
        some = ", ".join(repr(name) for name in users[:3]) + (", ..." if len(users) > 3 else "")
        return f"the text preprocessor of {len(users)} ({some}): name one of them, it runs its preprocessor by itself"

    def _failed_hint(self) -> str:
        if not self.failures:
            return ""
        first, *others = self.failures
        more = f" (and {len(others)} more)" if others else ""
        return f"; plugin {first.plugin!r} failed to load: {first.reason}{more} ('zoo plugins' says more)"


@functools.cache
def installed() -> Plugins:
    """The plugins of this installation, discovered once, on first use."""
    return Plugins.discover()


class _CatalogPlugin:
    """A user's catalogue, in the shape of a plugin."""

    def __init__(self, path: Path) -> None:
        self._specs = read_catalog(path)

    @hookimpl
    def register_backbones(self, register: Callable[[BackboneSpec], None]) -> None:
        for spec in self._specs:
            register(spec)


def _reads_through(spec: BackboneSpec, handle: str) -> bool:
    """Whether `handle` is the preprocessor of `spec`, with or without its version or the address of its page."""
    before = spec.input.preprocessor if isinstance(spec.input, TextInput) else None
    asked = _bare_handle(handle)
    return before is not None and any(
        asked in (_bare_handle(known), _bare_handle(known).rpartition("/")[0]) for known in before.handles
    )


def _bare_handle(handle: str) -> str:
    address = handle.strip("/").lower()
    return address.removeprefix("https://tfhub.dev/").removeprefix("https://www.kaggle.com/models/")


def _reject_unmarked_hooks(plugin: object, name: str) -> None:
    """A `register_...` function without `@hookimpl` would be silently ignored by pluggy."""
    for attribute in dir(plugin):
        function = getattr(plugin, attribute, None)
        own = getattr(function, "__module__", None) in (getattr(plugin, "__name__", None), __name__)
        if attribute.startswith("register_") and own and not hasattr(function, "zoo_impl"):
            raise PluginError(f"plugin {name!r} defines {attribute!r} without @zoo.hookimpl; mark it or rename it")
