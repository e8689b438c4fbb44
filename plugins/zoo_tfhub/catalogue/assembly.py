"""The catalogue: the two tables and the overrides, put together into rows of JSON, one network a line."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo_tfhub.catalogue.figures import params, published
from zoo_tfhub.catalogue.naming import network, own_words
from zoo_tfhub.catalogue.overrides import Overrides, lay_over
from zoo_tfhub.catalogue.rows import OUTPUTS, PREPROCESSOR, Row, backbone, usable

# The order of fields within a row.
FIELDS = (
    *("name", "aliases", "family", "architecture", "trained_on", "languages", "params", "licence", "source"),
    *("input", "outputs", "companions", "published", "imports", "notes", "unstated", "unread"),
)


def catalogue(pages: Iterable[Row], figures: Sequence[Row], overrides: Overrides) -> list[dict[str, Any]]:
    """The facts of every network, by name; raises ValueError for a table that contradicts itself or the overrides."""
    modules = usable(pages)
    preprocessors = {row["handle"]: row for row in modules if row["task"] == PREPROCESSOR}
    networks: dict[str, dict[str, Row]] = defaultdict(dict)
    companions: dict[str, dict[str, str]] = defaultdict(dict)
    for row in modules:
        if row["handle"] not in preprocessors:
            _place(row, overrides.module(row["handle"]), networks, companions)
    found = [
        _facts(name, outputs, companions[name], preprocessors, figures, overrides)
        for name, outputs in sorted(networks.items())
    ]
    _name(found, overrides)
    if unused := overrides.unused():
        raise ValueError(f"overrides that fit no module or network: {unused}")
    return [{field: row[field] for field in FIELDS if row.get(field)} for row in found]


def text(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON with one network a line, so that a change is a line of a diff."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n"


def read(table: Path) -> list[Row]:
    """The rows of a CSV table."""
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _place(
    row: Row,
    said: Mapping[str, Any],
    networks: Mapping[str, dict[str, Row]],
    companions: Mapping[str, dict[str, str]],
) -> None:
    name = network(row["handle"]).name
    if "companion" in said:
        companions[name][row["handle"]] = said["companion"]
        return
    output = said.get("output", OUTPUTS[row["task"]])
    if output in networks[name]:
        raise ValueError(f"{row['handle']!r} and {networks[name][output]['handle']!r} are both {output} of {name!r}")
    networks[name][output] = row


def _facts(
    name: str,
    outputs: Mapping[str, Row],
    companions: dict[str, str],
    preprocessors: Mapping[str, Row],
    figures: Sequence[Row],
    overrides: Overrides,
) -> dict[str, Any]:
    ordered = {output: outputs[output] for output in ("logits", "features", "boxes") if output in outputs}
    facts = backbone(ordered, preprocessors)
    handles = [row["handle"] for row in ordered.values()]
    facts["companions"] = companions
    facts["published"] = list(published(figures, handles))
    if counted := params(figures, handles):
        facts["params"], facts["notes"]["params"] = counted
    for output, row in ordered.items():
        said = overrides.module(row["handle"])
        if "output" in said:
            about = [f"outputs.{output}", *(f"outputs.{output}.{fact}" for fact in said.get("facts", ()))]
            entry = {"about": about, "reason": said["reason"], "facts": {"outputs": {output: said.get("facts", {})}}}
            lay_over(facts, entry)
    overrides.apply(facts)
    return facts


def _name(rows: Sequence[dict[str, Any]], overrides: Overrides) -> None:
    """Give each bare name to one network, and the publishers' own words to the only one that they fit."""
    architectures = Counter(row["name"].partition(".")[0] for row in rows)
    words = Counter(word for row in rows for word in _own(row))
    for row in rows:
        architecture, _, tag = row["name"].partition(".hub_")
        owner = overrides.owning_tag(architecture)
        contested = architectures[architecture] > 1
        if contested and owner is None:
            raise ValueError(f"several networks are called {architecture!r}: say in the overrides who owns the name")
        bare = [architecture] if (owner == tag if contested else owner != "") else []
        own = [word for word in _own(row) if words[word] == 1 and word not in architectures]
        row["aliases"] = [*bare, *own, *overrides.words(row["name"])]


def _own(row: Mapping[str, Any]) -> list[str]:
    handles = [output["weights"]["tfhub"] for output in row["outputs"].values()]
    architecture = row["name"].partition(".")[0]
    return sorted({word for handle in handles for word in own_words(handle, architecture)})
