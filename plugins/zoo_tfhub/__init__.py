"""TensorFlow Hub: its modules as data, made from its pages by `zoo_tfhub.catalogue`, each found by its handles too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zoo

CATALOGUE = Path(__file__).with_name("catalog.json")


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogue."""
    for row in json.loads(CATALOGUE.read_text(encoding="utf-8")):
        register(with_handles(row))


def with_handles(row: dict[str, Any]) -> zoo.BackboneSpec:
    """The spec of a row, with every spelling of its name and of its modules' handles as aliases.

    A handle is what a user finds on a web page; it leads to the network whatever it is called here.
    """
    handles = [handle for output in row["outputs"].values() for handle in output["weights"].values()]
    known = [row["name"], *row.get("aliases", ())]
    found = [alias for alias in known[1:] if "_" in alias and alias.replace("_", "-") not in known]
    spelled = [alias.replace("_", "-") for alias in found]
    written = [name for handle in (*handles, *row.get("companions", ())) for name in spellings(handle)]
    return zoo.BackboneSpec.model_validate(row | {"aliases": [*known[1:], *spelled, *written]})


def spellings(handle: str) -> Iterator[str]:
    """The ways in which people write a handle: without its version, by its path alone, as the page's address."""
    if handle.startswith("https://tfhub.dev/"):
        forms = [handle, handle.removeprefix("https://tfhub.dev/")]
    else:
        page = handle.replace("/tensorFlow2/", "/TensorFlow2/")
        forms = [handle, page, f"https://www.kaggle.com/models/{page}"]
    for form in forms:
        yield form
        yield form.rpartition("/")[0]
