"""Overrides: what the tables leave out or have wrong, with the reason that becomes the fact's note."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo_tfhub.catalogue.naming import TFHUB

FILE = Path(__file__).with_name("overrides.toml")


class Overrides:
    """The entries of `overrides.toml`, and which of them were of use: one that fits nothing is a mistake."""

    def __init__(self, text: str | None = None) -> None:
        self._entries = tomllib.loads(FILE.read_text(encoding="utf-8") if text is None else text)
        self._used: set[str] = set()

    def module(self, handle: str) -> dict[str, Any]:
        """What is said of one module beside its page: another `output`, or that it is a `companion`."""
        path = handle.removeprefix(TFHUB)
        found = [entry for entry in self._entries.get("module", ()) if self._fits(entry["handles"], path)]
        return found[0] if found else {}

    def apply(self, facts: dict[str, Any]) -> None:
        """Lay every entry that names this network over its facts, in the file's order."""
        for entry in self._entries.get("network", ()):
            if self._fits(entry["names"], facts["name"]):
                lay_over(facts, entry)
        for entry in self._entries.get("params", ()):
            for pattern, millions in entry["millions"].items():
                if self._fits([pattern], facts["name"]):
                    facts["params"] = round(millions * 1e6)
                    facts["notes"]["params"] = entry["source"]

    def owning_tag(self, architecture: str) -> str | None:
        """The tag whose network owns this bare name; "" where another plugin's does, None where nothing is said."""
        for pattern, tag in self._entries.get("bare_names", {}).items():
            if self._fits([pattern], architecture):
                return str(tag)
        return None

    def words(self, name: str) -> list[str]:
        """Further words for the network; `{}` is what the pattern's star stands for."""
        found = []
        for pattern, words in self._entries.get("words", {}).items():
            if self._fits([pattern], name):
                rest = name.partition(".")[0][pattern.find("*") :] if "*" in pattern else ""
                found += [word.format(rest) for word in words]
        return found

    def unused(self) -> list[str]:
        """The patterns that fitted nothing."""
        networks = [*self._entries.get("module", ()), *self._entries.get("network", ())]
        patterns = [pattern for entry in networks for pattern in entry.get("handles", entry.get("names"))]
        patterns += [pattern for entry in self._entries.get("params", ()) for pattern in entry["millions"]]
        patterns += [*self._entries.get("bare_names", {}), *self._entries.get("words", {})]
        return [pattern for pattern in patterns if pattern not in self._used]

    def _fits(self, patterns: Iterable[str], name: str) -> bool:
        fitting = [pattern for pattern in patterns if fnmatchcase(name, pattern)]
        self._used.update(fitting)
        return bool(fitting)


def lay_over(facts: dict[str, Any], entry: Mapping[str, Any]) -> None:
    """Change `facts` by one entry: its facts, its reason as the note of what it is about, what stays unstated."""
    merge(facts, entry.get("facts", {}))
    for fact in entry.get("drop", ()):
        *path, last = fact.split(".")
        table = facts
        for part in path:
            table = table[part]
        del table[last]
    for fact in entry.get("about", ()):
        facts["notes"][fact] = entry["reason"]
    settled = entry.get("about", ())
    facts["unstated"] = [fact for fact in facts["unstated"] if fact not in settled]
    facts["unstated"] += [fact for fact in entry.get("unstated", ()) if fact not in facts["unstated"]]


def merge(facts: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay `over` on `facts`, table by table. An output that the network lacks is not made up."""
    for key, value in over.items():
        if isinstance(value, Mapping):
            if key in ("logits", "features", "boxes") and key not in facts:
                continue
            merge(facts.setdefault(key, {}), value)
        else:
            facts[key] = value
