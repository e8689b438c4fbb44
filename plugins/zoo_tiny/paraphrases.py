"""Graded sentence pairs made by rule: meanings are put together from the lexicon and said in several ways.

Two sentences get 5 where they mean the same in other words, less the more of their parts differ, and 0 where they
share nothing. Encoders learn from these; they are tested on pairs that were written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from zoo_tiny.lexicon import lexicon, verb, with_article

ALIKE = 0.25  # what two meanings of one kind have in common: an apple and a banana
UNSAID = 0.65  # what is left where one sentence names a place or a quality, and the other is silent
CHANGES = (0, 0, 0, 1, 1, 1, 2, 2, 3, None)  # the parts in which the second sentence differs; None: in everything


@dataclass(frozen=True)
class Part:
    """A part of a meaning: the kinds of words it is taken from, its share in the whole, whether it may stay unsaid."""

    name: str
    kinds: tuple[str, ...]
    share: float
    optional: bool = False


@dataclass(frozen=True)
class Frame:
    """What can be said, and how: in `says`, `{a:PART}` is a noun with its article and `{PART+PART}` two words in a row;
    of an action `{ing:PART}` is the -ing form, `{is:PART}` that behind "is" or "are", `{s:PART}` the present,
    `{ed:PART}` the past.
    """

    parts: tuple[Part, ...]
    says: tuple[str, ...]


# The words of a meaning by part: a kind and the number of a line in it; None where it stays unsaid.
Words = dict[str, tuple[str, int] | None]

_WHEN_WHERE = (Part("place", ("country",), 0.1, True), Part("when", ("when",), 0.05, True))


def _scene(action: str, subjects: tuple[str, ...], places: tuple[str, ...], object: str = "") -> Frame:
    parts = [Part("subject", subjects, 0.25), Part("action", (action,), 0.4 if object else 0.55)]
    parts += [Part("object", (object,), 0.35)] if object else []
    parts += [Part("place", places, 0.12, True), Part("quality", ("size", "colour", "age", "age"), 0.08, True)]
    what = " {a:object}" if object else ""
    says = (
        f"{{a:quality+subject}} {{is:action}}{what} {{place}}.",
        f"{{a:quality+subject}} {{s:action}}{what} {{place}}.",
        f"There {{is:quality+subject}} {{ing:action}}{what} {{place}}.",
        f"The {{quality}} {{subject}} {{is:action}}{what.replace('{a:', 'the {')} {{place}}.",
    )
    return Frame(tuple(parts), says)


def _question(action: str, object: str, place: str) -> Frame:
    parts = (Part("action", (action,), 0.45), Part("object", (object,), 0.45), Part("place", (place,), 0.1, True))
    starts = ("How do I", "How can I", "What is the best way to", "Is it possible to", "Can I")
    return Frame(parts, tuple(f"{start} {{action}} {{a:object}} {{place}}?" for start in starts))


def _frames() -> Iterator[Frame]:
    anybody, anywhere = ("person", "person", "group"), ("outdoors", "indoors")
    yield _scene("moving", anybody, anywhere)
    yield _scene("beast moving", ("animal",), ("outdoors",))
    yield _scene("cooking", anybody, ("indoors",), "food")
    yield _scene("drinking", anybody, ("indoors",), "drink")
    yield _scene("making music", anybody, anywhere, "instrument")
    yield _scene("driving", anybody, ("outdoors",), "vehicle")
    yield _scene("handling", anybody, anywhere, "thing")
    yield _scene("caring", anybody, ("outdoors",), "animal")
    yield _question("cooking", "food", "indoors")
    yield _question("handling", "thing", "indoors")
    yield _question("driving", "vehicle", "outdoors")
    yield _question("making music", "instrument", "indoors")
    yield Frame(
        (
            Part("office", ("office",), 0.3),
            Part("action", ("deciding",), 0.3),
            Part("affair", ("affair",), 0.4),
            *_WHEN_WHERE,
        ),
        (
            "{office} {ed:action} {affair} {place} {when}.",
            "The {office} {s:action} {affair} {place} {when}.",
            "{when} the {office} {ed:action} {affair} {place}.",
        ),
    )
    yield Frame(
        (
            Part("event", ("event",), 0.4),
            Part("harm", ("harm",), 0.3),
            Part("victim", ("victim",), 0.25),
            *_WHEN_WHERE,
        ),
        ("{a:event} {harm} {victim} {place} {when}.", "{event} {place} {harm} {victim} {when}."),
    )
    yield Frame(
        (Part("market", ("market",), 0.5), Part("trend", ("trend",), 0.4), *_WHEN_WHERE),
        ("{market} {trend} {place} {when}.", "{when} {market} {trend} {place}.", "{place}, {market} {trend} {when}."),
    )


FRAMES = tuple(_frames())


def pairs(count: int, seed: int) -> Iterator[tuple[float, str, str]]:
    """`count` graded pairs (score in 0..5, sentence, sentence); the same for the same seed."""
    random = Random(seed)
    for _ in range(count):
        frame, words = _meaning(random)
        other_frame, other_words = _related(random, frame, words)
        alike = score(frame, words, other_frame, other_words)
        yield round(alike, 2), _said(random, frame, words), _said(random, other_frame, other_words)


def score(frame: Frame, words: Words, other_frame: Frame, other_words: Words) -> float:
    """How alike two meanings are, 0..5."""
    if frame is not other_frame:
        # Something else happens; what is left are a person, a thing or a place that occur in both.
        common = set(words.values()) & set(other_words.values()) - {None}
        return 5 * min(0.15 * len(common), 0.3)
    total = sum(part.share for part in frame.parts)
    return 5 * sum(part.share * _alike(words[part.name], other_words[part.name]) for part in frame.parts) / total


def _alike(one: tuple[str, int] | None, other: tuple[str, int] | None) -> float:
    if one == other:
        return 1
    if one is None or other is None:
        return UNSAID
    return ALIKE if one[0] == other[0] else 0


def _meaning(random: Random) -> tuple[Frame, Words]:
    frame = random.choice(FRAMES)
    return frame, {part.name: _word(random, part) for part in frame.parts}


def _word(random: Random, part: Part) -> tuple[str, int] | None:
    if part.optional and random.random() < 0.6:
        return None
    kind = random.choice(part.kinds)
    return kind, random.randrange(len(lexicon()[kind]))


def _related(random: Random, frame: Frame, words: Words) -> tuple[Frame, Words]:
    """The same meaning, one that differs in some parts, or quite another one."""
    changes = random.choice(CHANGES)
    if changes is None:
        return _meaning(random)
    changed = random.sample(frame.parts, min(changes, len(frame.parts)))
    return frame, words | {part.name: _word(random, part) for part in changed}


def _said(random: Random, frame: Frame, words: Words) -> str:
    """One of the sentences that have this meaning."""
    chosen = {name: random.choice(lexicon()[word[0]][word[1]]) if word else "" for name, word in words.items()}
    plural = (words.get("subject") or ("",))[0] == "group"

    def filled(match: re.Match[str]) -> str:
        form, _, names = match[1].rpartition(":")
        text = " ".join(chosen[name] for name in names.split("+") if chosen[name])
        if names == "action":
            return _verb_form(text, form, plural)
        noun = text if plural and names.endswith("subject") else with_article(text)
        return {"": text, "a": noun, "is": f"{'are' if plural else 'is'} {noun}"}[form]

    text = re.sub(r"\{([^}]+)\}", filled, random.choice(frame.says))
    text = re.sub(r"\s+([.?,])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
    return text[0].upper() + text[1:]


def _verb_form(entry: str, form: str, plural: bool) -> str:
    forms = verb(entry)
    present = forms.base if plural else forms.third
    be = "are" if plural else "is"
    return {"": forms.base, "is": f"{be} {forms.ing}", "ing": forms.ing, "s": present, "ed": forms.past}[form]
