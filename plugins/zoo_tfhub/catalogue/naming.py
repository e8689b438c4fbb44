"""Names: which network a module of the Hub belongs to, and which words lead to it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TFHUB = "https://tfhub.dev/"
RULES = Path(__file__).with_name("names.txt")
# Last parts of a handle that say what a module gives, not which network it is.
KIND = r"[/_-]classification|/feature[_-]vector|/detection|_feature_extract(?:or|ion)|[_-]fe"


@dataclass(frozen=True)
class Network:
    """What a module belongs to: `architecture.tag` is its name."""

    architecture: str
    tag: str
    family: str

    @property
    def name(self) -> str:
        """The full name of the backbone."""
        return f"{self.architecture}.hub_{self.tag}"


def network(handle: str) -> Network:
    """The network of a module; raises ValueError for a handle that no rule names."""
    path, _, version = handle.removeprefix(TFHUB).rpartition("/")
    for pattern, *templates in _rules():
        if match := pattern.fullmatch(path):
            return Network(*(plain(match.expand(text.replace(r"\v", version))) for text in templates))
    raise ValueError(f"no rule names {handle!r}: add one to {RULES.name}")


def plain(word: str) -> str:
    """As names are spelled here: lower case, words joined by underscores; `L-12_H-768` becomes `l12_h768`."""
    return re.sub(r"(?<=_)([LHA])-(?=\d)", r"\1", word).lower().replace("-", "_")


def own_words(handle: str, architecture: str) -> Iterator[str]:
    """The words of the handle that name this network elsewhere: `nnlm-en-dim50`, `vit_b16_fe`.

    Only a path that names the network in one part gives one: `abstraction` or `d0` would be anybody's.
    """
    parts = handle.removeprefix(TFHUB).split("/")[1:-1]
    named = [part for part in parts if not re.fullmatch(KIND, f"/{part}")]
    if named and plain(named[-1]).split("_")[0] == architecture.split("_")[0]:
        yield named[-1]


@functools.cache
def _rules() -> list[tuple[re.Pattern[str], str, str, str]]:
    lines = [line.split() for line in RULES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [(re.compile(f"{pattern}(?:{KIND})?"), *templates) for pattern, *templates in lines]  # type: ignore[misc]
