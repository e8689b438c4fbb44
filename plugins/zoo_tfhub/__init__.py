"""TensorFlow Hub: its modules as data, one TOML file for each kind, each module found by its handles too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import zoo

CATALOGUES = ("images.toml", "detectors.toml", "encoders.toml")


@zoo.hookimpl
def register_backbones(register: Callable[[zoo.BackboneSpec], None]) -> None:
    """Every row of the catalogues."""
    for file in CATALOGUES:
        for spec in zoo.read_catalog(Path(__file__).with_name(file)):
            register(with_handles(spec))


def with_handles(spec: zoo.BackboneSpec) -> zoo.BackboneSpec:
    """`spec` with the handles of its modules as aliases, and with its first module's page as source.

    A handle is what a user finds on a web page; it leads to the network whatever it is called here.
    """
    modules = [output.weights for output in spec.outputs.values()]
    handles = [name for module in modules for handle in module.handles for name in spellings(handle)]
    return spec.model_copy(
        update={"aliases": (*spec.aliases, *handles), "source": spec.source or str(modules[0].tfhub)}
    )


def spellings(handle: str) -> Iterator[str]:
    """The ways in which people write a handle: a Kaggle one also as the address of its page."""
    yield handle
    if "/tensorFlow2/" in handle:
        yield f"https://www.kaggle.com/models/{handle.replace('/tensorFlow2/', '/TensorFlow2/')}"
