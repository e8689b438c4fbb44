"""The contract of an exporter: a backbone becomes files, and the files answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from zoo.export.scored import ScoredBackbone
from zoo.runtime import Array
from zoo.specs import BackboneSpec


class Exporter(ABC):
    """Writes one format.

    files: the names of what it writes into a folder, the facts among them; facts: the name of the JSON file of facts.
    tolerance: signature -> by how much a score (a probability) may differ from the model's.
    """

    files: ClassVar[tuple[str, ...]]
    facts: ClassVar[str]
    tolerance: ClassVar[Mapping[str, float]]

    @abstractmethod
    def write(self, backbone: ScoredBackbone, folder: Path) -> None:
        """Write `backbone` into `folder`, which exists and is empty; raises ExportError where it can't be."""

    @abstractmethod
    def answers(self, folder: Path, sources: Sequence[Any], spec: BackboneSpec) -> dict[str, Array]:
        """The scores [n, classes] that the files in `folder`, loaded anew, give for `sources`, by signature.

        sources: what `Model.predict` takes; spec: of the backbone, for preparing them as its users must.
        """

    @abstractmethod
    def how(self, spec: BackboneSpec) -> dict[str, str]:
        """In words, by signature: what goes in and what comes out."""
