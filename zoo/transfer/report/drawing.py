"""Figures as PNG files, by matplotlib: each for a light page and for a dark one, from the same facts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zoo.errors import MissingPackageError

DPI = 144


@dataclass(frozen=True)
class Palette:
    """Colours of a page. right, wrong: of predictions; first, second: of two series; ramp: of shares, 0 to 1."""

    paper: str
    ink: str
    faint: str
    grid: str
    right: str
    wrong: str
    ramp: tuple[str, str]

    @property
    def first(self) -> str:
        """The colour of what was trained on."""
        return self.faint

    @property
    def second(self) -> str:
        """The colour of what was held out."""
        return self.right


LIGHT = Palette("#ffffff", "#14140f", "#77756c", "#e4e3de", "#1d5fb8", "#b3261e", ("#ffffff", "#1d5fb8"))
DARK = Palette("#1b1b1a", "#f3f2ee", "#a09e95", "#33322f", "#6aa9f5", "#f28b82", ("#1b1b1a", "#6aa9f5"))


@dataclass(frozen=True)
class Drawn:
    """A figure: drawn when asked for. alt: what it shows, in words; size: width and height in inches.

    draw: given matplotlib's Figure and the palette. least: the width in CSS pixels below which it would be unreadable.
    """

    name: str
    alt: str
    size: tuple[float, float]
    draw: Callable[[Any, Palette], None]
    least: int = 0

    @cached_property
    def light(self) -> bytes:
        """The figure for a light page, as PNG."""
        return self.png(LIGHT)

    @cached_property
    def dark(self) -> bytes:
        """The figure for a dark page, as PNG."""
        return self.png(DARK)

    def png(self, palette: Palette) -> bytes:
        """The figure as a PNG file; raises MissingPackageError without matplotlib."""
        matplotlib, figure_class = _matplotlib()
        with matplotlib.rc_context(_style(palette)), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the page itself has every script
            figure = figure_class(figsize=self.size, layout="constrained")
            self.draw(figure, palette)
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.08)
        return stream.getvalue()


def require() -> None:
    """Raise MissingPackageError where matplotlib is not installed; asked before anything is computed."""
    _matplotlib()


def _matplotlib() -> tuple[Any, Any]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "a report is drawn by the package 'matplotlib', which is not installed (pip install matplotlib)"
        ) from error
    return matplotlib, Figure


def _style(palette: Palette) -> dict[str, Any]:
    ink = dict.fromkeys(("text.color", "axes.titlecolor"), palette.ink)
    faint = dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), palette.faint)
    lines = dict.fromkeys(("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"), palette.grid)
    return {
        **ink,
        **faint,
        **lines,
        "figure.facecolor": palette.paper,
        "axes.facecolor": palette.paper,
        "savefig.facecolor": palette.paper,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.axisbelow": True,
        "font.size": 10,
        "legend.frameon": False,
        "text.parse_math": False,  # a class may be called "$5"
    }


def curves(history: Mapping[str, Sequence[float]]) -> Drawn:
    """Loss, accuracy and whatever else was recorded, in training and in validation, by epoch.

    A head that was solved, not descended to, has one value of each: bars then say more than points.
    """
    names = [name for name in history if not name.startswith("val_") and name not in ("learning_rate", "lr")][:4]
    names.sort(key=lambda name: (name == "loss", "accuracy" not in name))  # accuracy first, loss last
    epochs = max((len(values) for values in history.values()), default=0)

    def draw(figure: Any, palette: Palette) -> None:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            sides = [("training", name, palette.first), ("validation", f"val_{name}", palette.second)]
            series = [(what, history[key], colour) for what, key, colour in sides if key in history]
            (_bars if epochs < 2 else _lines)(axes, series)
            axes.set_title(name.replace("_", " "))
            if "accuracy" in name and epochs > 1:
                axes.set_ylim(top=1.02)

    last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.items() if values)
    return Drawn(
        "curves",
        f"After {epochs} epochs: {last}.",
        (4.2 * len(names), 3.1 if epochs > 1 else 1.5),
        draw,
        least=280 * len(names),
    )


def _lines(axes: Any, series: Sequence[tuple[str, Sequence[float], str]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for what, values, colour in series:
        dashed = {"linestyle": "--"} if what == "training" else {}
        marker = {"marker": "o", "markersize": 3.5} if len(values) <= 40 else {}
        axes.plot(range(1, len(values) + 1), values, color=colour, label=what, linewidth=1.8, **dashed, **marker)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(axis="y")
    axes.legend(loc="best", fontsize=9)


def _bars(axes: Any, series: Sequence[tuple[str, Sequence[float], str]]) -> None:
    for place, (what, values, colour) in enumerate(series):
        bar = axes.barh(place, values[-1], color=colour, height=0.55)
        axes.bar_label(bar, [f" {values[-1]:.3f}" if abs(values[-1]) < 10 else f" {values[-1]:.4g}"])
        axes.set_yticks(range(place + 1), [what for what, *_ in series[: place + 1]])
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
