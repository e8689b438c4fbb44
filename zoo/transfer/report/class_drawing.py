"""What is drawn of a classifier: confusion matrix and reliability diagram."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.transfer.report.classes import Findings
from zoo.transfer.report.drawing import Drawn, Palette
from zoo.transfer.report.shown import shortened

COUNTED = 25  # classes up to which each cell of the confusion matrix holds its count
NAMED = 120  # classes up to which each is named beside it


def confusion(found: Findings) -> Drawn:
    """The confusion matrix: colour is the share of the true class, so that rare classes are as readable as common."""
    labels, counts = found.judged.labels, found.confusion
    n = len(labels)
    longest = max(map(len, (shortened(label) for label in labels)))
    cell = 0.62 if n <= 8 else 0.46 if n <= COUNTED else 0.17 if n <= NAMED else 9.0 / n
    side = max(n * cell, 2.2)
    margin = 0.75 + (0.075 * longest if n <= NAMED else 0.3)

    def draw(figure: Any, palette: Palette) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        # Its square root: single mistakes among hundreds stay visible.
        shades = LinearSegmentedColormap.from_list("shares", palette.ramp)
        image = axes.imshow(np.sqrt(shares), cmap=shades, vmin=0, vmax=1, interpolation="nearest")
        _name_classes(axes, labels)
        if COUNTED < n <= NAMED:  # lines to follow to the names
            axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
            axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
            axes.grid(which="minor", linewidth=0.5)
            axes.tick_params(which="minor", length=0)
        if n <= COUNTED:
            for (row, column), count in np.ndenumerate(counts):
                dark = shares[row, column] > 0.3
                colour = palette.paper if dark else palette.ink if count else palette.grid
                axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=10 if n <= 8 else 8)
        bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 3 / side), pad=0.02, ticks=np.sqrt([0, 0.1, 0.5, 1]))
        bar.ax.set_yticklabels(["0%", "10%", "50%", "100%"], fontsize=8)
        bar.outline.set_visible(False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")

    told = [f"{count} {labels[true]} taken for {labels[answer]}" for true, answer, count in found.confused[:5]]
    alt = f"Confusion matrix of {n} classes. " + ("Most often: " + "; ".join(told) if told else "No mistakes") + "."
    width = side + margin + 0.9
    return Drawn("confusion", alt, (width, side + margin), draw, least=int(width * 62) if n > 8 else 0)


def _name_classes(axes: Any, labels: tuple[str, ...]) -> None:
    n = len(labels)
    if n > NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    size = 10 if n <= 8 else 8.5 if n <= COUNTED else 7
    names = [shortened(label) for label in labels]
    turned = max(map(len, names)) > (7 if n <= 8 else 4 if n <= COUNTED else 0)
    axes.set_xticks(range(n), names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(range(n), names, fontsize=size)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def reliability(found: Findings) -> Drawn:
    """How often answers of a stated probability are right, with intervals; below, how many there are of each."""

    def draw(figure: Any, palette: Palette) -> None:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        axes.plot([0, 1], [0, 1], color=palette.faint, linestyle="--", linewidth=1, label="perfectly calibrated")
        where = [bin.confidence for bin in found.bins]
        shares = [bin.accuracy for bin in found.bins]
        below = [share.value - (share.low or 0.0) for share in shares]
        above = [(share.high if share.high is not None else 1.0) - share.value for share in shares]
        right = [share.value for share in shares]
        style = {"color": palette.right, "fmt": "o", "markersize": 6, "elinewidth": 1.4}  # no line: bins are apart
        axes.errorbar(where, right, yerr=[np.maximum(below, 0), np.maximum(above, 0)], label="this model", **style)
        axes.set(xlim=(0, 1.01), ylim=(0, 1.02), ylabel="share right")
        axes.grid()
        axes.legend(loc="lower right", fontsize=9)  # where points are rare
        for bin in found.bins:
            bar = counts.bar((bin.low + bin.high) / 2, bin.n, width=0.09, color=palette.faint)
            counts.bar_label(bar, [bin.n], fontsize=8)
        counts.margins(y=0.3)
        counts.set(xlabel="probability of the answer", ylabel="examples", yticks=[])

    alt = f"Reliability diagram: expected calibration error {found.ece:.4f}."
    return Drawn("calibration", alt, (5.2, 4.6), draw)
