"""Names: each name or alias leads to exactly one spec and knows the plugin that owns it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from zoo.errors import DuplicateNameError, UnknownNameError


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Specs of one kind by name. `kind` ("backbone") and `listing` ("zoo list") serve the messages.

    hint: what to add where a name is unknown; known_as: what an unknown name is instead, "" where it is nothing.
    """

    def __init__(
        self,
        kind: str,
        listing: str,
        hint: Callable[[], str] = lambda: "",
        known_as: Callable[[str], str] = lambda name: "",
    ) -> None:
        self.kind = kind
        self.listing = listing
        self._hint = hint
        self._known_as = known_as
        self._specs: dict[str, T] = {}
        self._canonical: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._contested: dict[str, DuplicateNameError] = {}

    def check(self, specs: Iterable[T], owner: str) -> None:
        """Raise DuplicateNameError if a name or alias among `specs` is taken, and remember that it is contested.

        A contested name can't be looked up any more: whichever plugin won, somebody would get the wrong model.
        """
        seen: dict[str, str] = {}
        for spec in specs:
            for name in _all_names(spec):
                holder = self._owners.get(self._canonical.get(name, "")) or seen.get(name)
                if holder:
                    both = f"both {holder!r} and {owner!r}" if holder != owner else f"{owner!r} twice"
                    error = DuplicateNameError(f"{self.kind} {name!r} is registered by {both}; rename one")
                    self._contested[name] = error
                    raise error
                seen[name] = owner

    def add(self, spec: T, owner: str) -> None:
        """Register `spec`; raises DuplicateNameError when its name or an alias is taken."""
        self.check([spec], owner)
        self._specs[spec.name] = spec
        self._owners[spec.name] = owner
        for name in _all_names(spec):
            self._canonical[name] = spec.name

    def get(self, name: str) -> T:
        """The spec with that name or alias; raises UnknownNameError with the nearest names."""
        if not isinstance(name, str) or name not in self._canonical:
            raise UnknownNameError(self._unknown(name))
        if name in self._contested:
            raise self._contested[name]
        return self._specs[self._canonical[name]]

    def owner(self, name: str) -> str:
        """The plugin that registered `name`."""
        return self._owners[self.get(name).name]

    def _unknown(self, name: object) -> str:
        if isinstance(name, str) and (instead := self._known_as(name)):
            return f"{name!r} is no {self.kind} but {instead}"
        near = difflib.get_close_matches(str(name).lower(), self._canonical, n=3, cutoff=0.6)
        # An alias and its full name are one answer, not two.
        near = list({self._canonical[match]: match for match in reversed(near)}.values())[::-1]
        guess = f"; did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
        return f"no {self.kind} named {name!r}{guess} ({self.listing!r} shows all {len(self)}){self._hint()}"

    def __iter__(self) -> Iterator[T]:
        return iter(sorted(self._specs.values(), key=lambda spec: spec.name))

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._canonical


def _all_names(spec: Named) -> tuple[str, ...]:
    return tuple(dict.fromkeys((spec.name, *getattr(spec, "aliases", ()))))
