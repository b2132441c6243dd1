"""One page on any file: what ran, how it went along the way, and the numbers at its end."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from averages import trajectory_band
from li_liang import caption, draw_band, over_runs
from summary import facts_of, key_numbers
from widthwise import File, group_members

# What is looked at first, where a run has more quantities than a page has room for.
FIRST = (
    "loss", "test_loss", "train_accuracy", "test_accuracy", "residual", "distance", "coupling",
    "updates", "test_absolute_error", "gradient_norm",
)
MOST_PANELS = 8
MOST_NUMBERS = 16


def scalar_quantities(file: File) -> list[str]:
    """Names of the scalar quantities that some run has values of: FIRST ones first."""
    names = dict.fromkeys(name for member in file.trainings for name in member.trajectory)
    names.pop("step", None)
    order = {name: place for place, name in enumerate(FIRST)}
    found = sorted(names, key=lambda name: (order.get(name, len(FIRST)), name))
    return [name for name in found if trajectory_band(file.trainings, name) is not None]


def _write(axes: Axes, title: str, lines: list[tuple[str, str]], split: float) -> None:
    """Two columns of text: names, and what there is of them."""
    axes.set_axis_off()
    axes.set_title(title, loc="left")
    for place, (name, text) in enumerate(lines):
        height = 1.0 - (place + 0.6) / max(len(lines), MOST_NUMBERS)
        axes.text(0.0, height, name, transform=axes.transAxes, va="center", fontsize=8)
        axes.text(split, height, text, transform=axes.transAxes, va="center", fontsize=8)


def _shortened(text: str, most: int = 34) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def draw(file: File) -> Figure:
    """The page. Curves are means over runs that differ in their seeds only."""
    groups = group_members(file.trainings)
    names = scalar_quantities(file)[:MOST_PANELS]
    rows = 1 + (len(names) + 1) // 2
    figure = style.plt.figure(figsize=(style.TEXT_WIDTH, 2.9 + 2.0 * (rows - 1)))
    grid = figure.add_gridspec(rows, 2, height_ratios=[2.9] + [2.0] * (rows - 1))
    facts = [(name, _shortened(text)) for name, text in facts_of(file)]
    _write(figure.add_subplot(grid[0, 0]), "What ran", facts[: MOST_NUMBERS + 2], 0.36)
    numbers = key_numbers(next(iter(groups.values()), []))
    lines = [
        (number.name.replace("_", " "), f"{number.text()} {'' if number.units == '1' else number.units}")
        for number in numbers
        if number.kind in ("last record", "result")
    ]
    label = next(iter(groups), "")
    of_group = f", {caption(label, groups[label])}" if label else ""
    _write(
        figure.add_subplot(grid[0, 1]), _shortened(f"At the end{of_group}", 38),
        lines[:MOST_NUMBERS], 0.62,
    )
    bands, panels = [], []
    for number, name in enumerate(names):
        panel = figure.add_subplot(grid[1 + number // 2, number % 2])
        for place, (group, members) in enumerate(groups.items()):
            band = trajectory_band(members, name)
            if band is not None:
                bands.append(band)
                text = caption(group, members) if len(groups) > 1 else None
                draw_band(panel, band, style.curve(place, len(groups)), text)
        units = next(run.trajectory.units(name) for run in file.trainings if name in run.trajectory)
        panel.set_title(name.replace("_", " "))
        panel.set_xlabel("step")
        panel.set_ylabel("" if units == "1" else units)
        panels.append(panel)
    runs = f": {over_runs(bands)}" if bands else ""
    figure.suptitle(f"{Path(file.path).stem}{runs}")
    style.legend_at_foot(figure, panels)
    return figure
