"""One style for all figures: legible in print, safe for colour-blind readers and in grey."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, BinaryIO, Optional, Sequence, Union

import matplotlib
from PIL import Image  # Matplotlib has it with it

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen before)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter  # noqa: E402

# Figures are drawn at the size they are printed at, so that font sizes are those on paper.
TEXT_WIDTH = 6.9  # inches
PANEL_HEIGHT = 2.6

# Letters that fit side by side across a figure and below one of two panels, and those that the line
# of an entry takes.
FOOT_LETTERS, PANEL_LETTERS, HANDLE_LETTERS = 96, 46, 7

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


def shortest(value: str) -> str:
    """A value of the configuration as people write it: 5 instead of 5.0, and texts as they are."""
    try:
        return f"{float(value):g}" if len(value) < 16 else value
    except ValueError:
        return value


def logarithmic_values(axes: Axes) -> None:
    """A logarithmic axis of values with numbers to read also where it spans no power of ten."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 500 * low:
        several = (1.0, 2.0, 3.0, 5.0) if high < 20 * low else (1.0, 3.0)
        axes.yaxis.set_major_locator(LogLocator(subs=several))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def letters(text: str) -> int:
    """Letters that a text shows, formulas included."""
    return len(re.sub(r"\\[a-z]+", "x", text).translate({ord(sign): None for sign in "${}^_"}))


def legend_below(axes: Axes, columns: int = 2) -> None:
    """A legend that hides no curve."""
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, handlelength=1.6,
        columnspacing=1.2,
    )


def room_below(figure: Figure, lines: int, rows: int = 1) -> None:
    """Makes a figure higher by legends of so many lines below each of its rows."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.17 * lines * rows)


def legends_below(figure: Figure, axes: Sequence[Axes], columns: Optional[int] = None) -> None:
    """A legend below each panel, in `columns` or as many as its texts leave room for."""
    lines = 1
    for panel in axes:
        texts = panel.get_legend_handles_labels()[1]
        fitting = min(3, max(1, PANEL_LETTERS // (max(map(letters, texts)) + HANDLE_LETTERS)))
        lines = max(lines, -(-len(texts) // (columns or fitting)))
        legend_below(panel, columns or fitting)
    room_below(figure, lines + 1, (len(axes) + 1) // 2)


def legend_at_foot(figure: Figure, axes: Sequence[Axes], columns: Optional[int] = None) -> None:
    """One legend for all panels, at the foot of the figure, which grows by as much.

    Equal texts are said once. Of panels that have no text nothing is said.
    """
    entries: dict[str, Any] = {}
    for panel in axes:
        for handle, text in zip(*panel.get_legend_handles_labels()):
            entries.setdefault(text, handle)
    if not entries:
        return
    longest = max(map(letters, entries))
    columns = columns or max(1, min(len(entries), 4, FOOT_LETTERS // (longest + HANDLE_LETTERS)))
    room = 0.18 * -(-len(entries) // columns) + 0.12
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + room)
    share = room / (height + room)
    figure.get_layout_engine().set(rect=(0.0, share, 1.0, 1.0 - share))
    figure.legend(
        list(entries.values()), list(entries), loc="lower center", ncols=columns,
        bbox_to_anchor=(0.5, 0.0), handlelength=2.2, columnspacing=1.4,
    )


def letter(number: int) -> str:
    """(a), (b), ... before the title of a panel."""
    return f"({chr(ord('a') + number)})" if number < 26 else ""


def save_small(figure: Figure, target: Union[Path, BinaryIO], dpi: int = 100) -> None:
    """A PNG of 256 colours for pages: a quarter of the bytes of the one in print.

    They are chosen to cover all that occur: by how often they do, thin curves would lose theirs.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    buffer.seek(0)
    with Image.open(buffer) as image:
        image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(target, format="PNG", optimize=True)
