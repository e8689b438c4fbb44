"""The words that the made sentences are of: `data/lexicon.txt`, with the forms of verbs and the articles of nouns."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files

NO_ARTICLE = "no article"  # the kind of words such as "bread": nobody says "a bread"
_VOWELS = "aeiou"


@functools.cache
def lexicon() -> dict[str, list[list[str]]]:
    """The meanings of each kind, each a list of words that may stand for one another."""
    found: dict[str, list[list[str]]] = {}
    text = files("zoo_tiny").joinpath("data", "lexicon.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            kind = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            kind.append(line.split(", "))
    return found


@dataclass(frozen=True)
class Verb:
    """A verb's forms: cut, cuts, cutting, cut."""

    base: str
    third: str
    ing: str
    past: str


def verb(entry: str) -> Verb:
    """The forms of an entry, which writes all four out, `cut/cuts/cutting/cut`, or none where they follow the rules.

    >>> verb("look at").ing
    'looking at'
    """
    if "/" in entry:
        return Verb(*entry.split("/"))
    word, space, rest = entry.partition(" ")
    ing = word.removesuffix("e") + "ing"
    if word.endswith("y") and word[-2] not in _VOWELS:
        third, past = f"{word[:-1]}ies", f"{word[:-1]}ied"
    else:
        third = word + ("es" if word.endswith(("s", "sh", "ch", "x")) else "s")
        past = word.removesuffix("e") + "ed"
    return Verb(*(form + space + rest for form in (word, third, ing, past)))


def with_article(noun: str) -> str:
    """`noun` with "a" or "an" where it can be counted and has none."""
    first = noun.partition(" ")[0]
    plural = noun.endswith("s") and not noun.endswith("ss")
    if not noun or plural or first in ("a", "an", "some") or noun in lexicon()[NO_ARTICLE][0]:
        return noun
    return f"{'an' if noun[0] in _VOWELS else 'a'} {noun}"
