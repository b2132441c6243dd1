"""One style for all figures: legible in print, safe for colour-blind readers and in grey."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen before)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

# Figures are drawn at the size they are printed at, so that font sizes are those on paper.
TEXT_WIDTH = 6.9  # inches
PANEL_HEIGHT = 2.6

# Okabe and Ito's colours, without the yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use() -> None:
    """Sets Matplotlib's defaults for what is drawn from now on."""
    plt.rcParams.update(
        {
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.labelsize": 9,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "figure.titlesize": 10,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "grid.linewidth": 0.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 1.4,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.wspace": 0.06,
            "figure.constrained_layout.hspace": 0.06,
            "savefig.dpi": 200,
            "pdf.fonttype": 42,  # text in the PDF stays text
        }
    )


def curve(number: int, count: int) -> dict[str, Any]:
    """Colour, line and marker of curve `number` of `count`: all three differ between curves."""
    if count <= len(COLOURS):
        colour: Any = COLOURS[number]
    else:  # more values than distinct colours are nearly always an ordered series
        colour = plt.get_cmap("viridis")(0.92 * number / (count - 1))
    return {"color": colour, "linestyle": LINES[number % len(LINES)]}


def marker(number: int, count: int) -> dict[str, Any]:
    """Colour and marker of the points of curve `number` of `count`."""
    style = curve(number, count)
    return {"color": style["color"], "marker": MARKERS[number % len(MARKERS)], "linestyle": "none"}


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with exactly `count` panels, two beside each other."""
    columns = min(count, 2)
    rows = (count + columns - 1) // columns
    width = TEXT_WIDTH if columns == 2 else TEXT_WIDTH * 0.6
    figure = plt.figure(figsize=(width, rows * PANEL_HEIGHT + 0.5))
    grid = figure.add_gridspec(rows, 2 * columns)
    axes = []
    for number in range(count):
        row, column = divmod(number, columns)
        alone = number == count - 1 and column == 0 and columns == 2  # centred in the last row
        first = 1 if alone else 2 * column
        axes.append(figure.add_subplot(grid[row, first : first + 2]))
    return figure, axes


def letter(number: int) -> str:
    """(a), (b), ... before the title of a panel."""
    return f"({chr(ord('a') + number)})" if number < 26 else ""
