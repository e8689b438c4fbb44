"""What the report of one kind of target says; each kind is a module with a function `report(judged) -> Report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.transfer.report.drawing import Drawn
from zoo.transfer.report.page import Section


@dataclass(frozen=True, eq=False)
class Report:
    """cards: (name, figure, note) of the headline figures; drawn: each becomes a PNG; told: for report.json."""

    cards: tuple[tuple[str, str, str], ...]
    sections: tuple[Section, ...]
    drawn: tuple[Drawn, ...]
    told: Mapping[str, Any]
