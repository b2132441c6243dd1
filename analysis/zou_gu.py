"""Figures for Zou & Gu (2019): linear rates, trajectories, depth, separation, gradient regions, SGD.

Measured values are solid lines or markers. What theorems say, with constant 1, and what the network's
own kernel at the start tells, is dashed or dotted, and the legend names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from arora import Groups, last_value, legend_below, logarithmic_values, mean_by, room_below
from arora_widths import WIDTH, guide, split, width_of, widths_axis
from averages import Band, has_scalar, held_band, trajectory_band
from brutzkus import HANDLE_LETTERS, PANEL_LETTERS
from li_liang import draw_band, fact
from widthwise import File, Training, group_members, settings_of

DEPTH = "network.depth"
TOP_LAYER = "network.train_output"
SAMPLES = "data.train"
SEPARATION = "data.sphere.separation"
ARCS = "data.sphere.arcs"
BATCH = "training.batch"

# Log loss is said to fall on a line where the line explains this share of its variance; and the width
# to be sufficient where it falls besides at this share, at least, of the rate of the kernel at the start.
LINEAR = 0.99
SUFFICIENT = 0.5

SYMBOLS = {
    DEPTH: "L",
    WIDTH: "m",
    SAMPLES: "n",
    SEPARATION: "φ",
    ARCS: "arcs",
    BATCH: "B",
    "training.rate": "c",
}

Value = Callable[[Training], Optional[float]]


def described(label: str) -> str:
    """What the legend says of a group of runs: "L = 2, V trained"."""
    parts = []
    for key, value in settings_of(label).items():
        if key == TOP_LAYER:
            parts.append("V trained" if value == "true" else "V fixed")
        else:
            parts.append(f"{SYMBOLS.get(key, key)} = {value}")
    return ", ".join(parts) or "all runs"


def _of_paper(file: File) -> list[Training]:
    """Runs that this paper is about."""
    return [
        member
        for member in file.trainings
        if member.setting("loss") == "squared"
        and (member.parameters.get("model") == "zou-gu" or (fact(member, "depth") or 1) > 1)
    ]


def _varies(members: Sequence[Training], *keys: str) -> bool:
    """Whether a sweep goes over the last of `keys`, and over none that is not one of them."""
    found = [settings_of(label) for label in group_members(members)]
    return (
        len(found) > 1
        and all(set(settings) <= set(keys) for settings in found)
        and len({settings.get(keys[-1]) for settings in found}) > 1
    )


@dataclass(frozen=True)
class Line:
    """The line that log loss falls on in the second half of a run, by least squares.

    rate     decrease of log loss a step
    fit      R^2: share of the variance of log loss that the line explains
    steps    [points], of the records it is fitted to
    losses   [points], on the line
    """

    rate: float
    fit: float
    steps: np.ndarray
    losses: np.ndarray


def line_of(member: Training) -> Optional[Line]:
    """The line of a run; None where less than three records of it lie in the second half."""
    if not has_scalar(member, "loss"):
        return None
    steps, losses = member.trajectory["step"], member.trajectory["loss"]
    used = (2 * steps >= steps[-1]) & (losses > 0)
    if used.sum() < 3:
        return None
    steps, logs = steps[used], np.log(losses[used])
    slope, start = np.polyfit(steps, logs, 1)
    on_line = start + slope * steps
    variance = float(((logs - logs.mean()) ** 2).sum())
    fit = 1 - float(((logs - on_line) ** 2).sum()) / variance if variance > 0 else 0.0
    return Line(float(-slope), fit, steps, np.exp(on_line))


def rate_of(member: Training) -> Optional[float]:
    """Decrease of log loss a step, in the second half."""
    line = line_of(member)
    return None if line is None else line.rate


def kernel_rate(member: Training) -> Optional[float]:
    """What it is at last in a network that is linear around its start: 2 eta lambda_min / n."""
    smallest, rate = _result("network_kernel_least")(member), fact(member, "learning_rate")
    samples = fact(member, "train_samples")
    if smallest is None or rate is None or not samples:
        return None
    left = 1 - rate * smallest / samples
    return float(-2 * np.log(left)) if 0 < left < 1 else None


def _result(name: str) -> Value:
    """A result at the end of a run."""

    def value(member: Training) -> Optional[float]:
        if name not in member.final:
            return None
        found = float(member.final[name])
        return found if np.isfinite(found) else None

    return value


def _least(name: str) -> Value:
    """The smallest value along the way."""

    def value(member: Training) -> Optional[float]:
        return float(np.nanmin(member.trajectory[name])) if has_scalar(member, name) else None

    return value


def _setting(key: str) -> Value:
    """A number of the configuration."""

    def value(member: Training) -> Optional[float]:
        text = member.setting(key)
        return None if text is None else float(text)

    return value


def _curves(
    axes: Axes, groups: Groups, place: Value, value: Value, dashed: Optional[Value] = None
) -> None:
    """Means over the runs of each group, with bars over all of them; `dashed` without bars."""
    for number, (label, members) in enumerate(groups.items()):
        look = style.curve(number, len(groups)) | {"linestyle": "-"}
        places, means = mean_by(members, place, value)
        if len(places):
            found = [
                [one for one in (value(run) for run in members if place(run) == where)
                 if one is not None]
                for where in places
            ]
            low, high = np.array([[min(values), max(values)] for values in found]).T
            axes.errorbar(
                places, means, yerr=[means - low, high - means], markersize=4, capsize=2,
                marker=style.MARKERS[number % len(style.MARKERS)], label=described(label), **look,
            )
        if dashed is not None:
            places, means = mean_by(members, place, dashed)
            if len(places):
                axes.plot(places, means, **(look | {"linestyle": "--", "linewidth": 1.0}))


def _letters(text: str) -> int:
    """Letters that a text shows, formulas included."""
    return len(re.sub(r"\\[a-z]+", "x", text).translate({ord(sign): None for sign in "${}^_"}))


def _finish(figure: Figure, axes: Sequence[Axes]) -> None:
    """Letters before titles, and legends below the panels, in as many columns as fit."""
    lines = 1
    for number, panel in enumerate(axes):
        panel.set_title(f"{style.letter(number)} {panel.get_title()}")
        texts = panel.get_legend_handles_labels()[1]
        columns = min(3, max(1, PANEL_LETTERS // (max(map(_letters, texts)) + HANDLE_LETTERS)))
        lines = max(lines, -(-len(texts) // columns))
        legend_below(panel, columns)
    room_below(figure, lines + 1, (len(axes) + 1) // 2)


def _said(axes: Axes, text: str, line: str = "--") -> None:
    """An entry of the legend for what is drawn once for every group."""
    axes.plot([], [], color="black", linestyle=line, linewidth=1.0, label=text)


def _gradient_panel(axes: Axes) -> None:
    axes.set_title("Gradient, lemma 4.1")
    axes.set_ylabel(r"$\Vert\nabla L\Vert_F^2\,kn^2/(m\phi L)$")


# Theorem 3.3 and lemma 4.5: linear rates.


def _linear(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if member.setting("training.method") == "gd" and line_of(member) is not None
    ]


def can_draw_rate(file: File) -> bool:
    """Whether there are losses of gradient descent, for not too many depths."""
    groups = group_members(_linear(file))
    keys = {key for label in groups for key in settings_of(label)}
    known = keys <= {DEPTH, TOP_LAYER} or keys == {WIDTH, TOP_LAYER}
    return 0 < len(groups) <= len(style.COLOURS) and known


def rate(file: File) -> Figure:
    """Train loss with the lines it falls on, and the bound from below on the gradient."""
    members = _linear(file)
    groups = group_members(members)
    ratios = all(has_scalar(member, "gradient_ratio") for member in members)
    figure, axes = style.panels(1 + ratios)
    for number, (label, group) in enumerate(groups.items()):
        # Dashed, for it often lies on the curve without.
        is_top = settings_of(label).get("network.train_output") == "true"
        look = style.curve(number, len(groups)) | {"linestyle": "--" if is_top else "-"}
        lines = [line for line in map(line_of, group) if line is not None]
        fit = min(line.fit for line in lines)
        digits = max(2, int(np.ceil(-np.log10(max(1 - fit, 1e-9)))))
        shown = np.floor(fit * 10**digits) / 10**digits  # never rounded up
        for place, (run, line) in enumerate(zip(group, lines)):
            text = f"{described(label)}: $R^2\\geq{shown:.{digits}f}$" if place == 0 else None
            axes[0].plot(run.trajectory["step"], run.trajectory["loss"], label=text, **look)
            axes[0].plot(line.steps, line.losses, color="black", linestyle=":", linewidth=1.0)
        if ratios:
            band = trajectory_band(group, "gradient_ratio")
            assert band is not None
            axes[1].set_yscale("log")
            draw_band(axes[1], band, look, described(label))
    _said(axes[0], "lines of the second half", ":")
    axes[0].set_yscale("log")
    axes[0].set_title("Train loss")
    axes[0].set_ylabel(r"$L(W_t)$")
    if ratios:
        _gradient_panel(axes[1])
    for panel in axes:
        panel.set_xlabel("step t")
    _finish(figure, axes)
    return figure


# Lemma 4.2: trajectories and widths.


def _lengths(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if WIDTH in settings_of(member.label) and has_scalar(member, "trajectory_length")
    ]


def can_draw_length(file: File) -> bool:
    """Whether there are trajectories at several widths."""
    return any(
        len({width_of(member) for member in group}) > 1
        for group in split(_lengths(file), WIDTH).values()
    )


def slope_over_widths(members: Sequence[Training], value: Value) -> float:
    """Slope of log value against log m, by least squares over the means of all widths."""
    widths, values = mean_by(members, width_of, value)
    return float(np.polyfit(np.log(widths), np.log(values), 1)[0])


def _bound_on_length(member: Training) -> Optional[float]:
    length, ratio = last_value("trajectory_length")(member), last_value("trajectory_ratio")(member)
    return length / ratio if length and ratio else None


def _draw_slopes(axes: Axes, groups: Groups, value: Value) -> None:
    _curves(axes, groups, width_of, value)
    handles, texts = axes.get_legend_handles_labels()
    for handle, text, members in zip(handles, texts, groups.values()):
        handle.set_label(f"{text}: $m^{{{slope_over_widths(members, value):.2f}}}$")
    logarithmic_values(axes)


def length(file: File) -> Figure:
    """Trajectory lengths, spectral distances, and what stays bounded, over widths."""
    members = _lengths(file)
    groups = {
        label: group
        for label, group in split(members, WIDTH).items()
        if len({width_of(member) for member in group}) > 1
    }
    widths = np.array(sorted({width_of(member) or 0.0 for member in members}))
    panels: list[tuple[str, str, str, Value]] = [
        ("trajectory_length", "Trajectory length",
         r"$\max_l\sum_t\Vert W_l(t{+}1)-W_l(t)\Vert_2$", last_value("trajectory_length")),
        ("spectral_distance", "Distance from the start",
         r"$\max_l\Vert W_l(T)-W_l(0)\Vert_2$", last_value("spectral_distance")),
        ("coupling_train", "Patterns that changed", "share of (unit, sample) pairs",
         last_value("coupling_train")),
        ("gradient_ratio", "", "smallest " + r"$\Vert\nabla L\Vert_F^2\,kn^2/(m\phi L)$",
         _least("gradient_ratio")),
    ]
    panels = [panel for panel in panels if all(has_scalar(run, panel[0]) for run in members)]
    figure, axes = style.panels(len(panels))
    for panel, (name, title, unit, value) in zip(axes, panels):
        if name == "gradient_ratio":
            _curves(panel, groups, width_of, value)
            panel.set_ylim(bottom=0.0)
            _gradient_panel(panel)
        else:
            _draw_slopes(panel, groups, value)
            panel.set_title(title)
        panel.set_ylabel(unit)
        if name == "trajectory_length":
            places, bounds = mean_by(members, width_of, _bound_on_length)
            if len(places):
                panel.plot(
                    places, bounds, color="black", linestyle="--", linewidth=1.0,
                    label="lemma 4.2, constant 1",
                )
        widths_axis(panel, widths)
    _finish(figure, axes)
    return figure


# Theorem 3.3: depth.


def _deep(file: File) -> list[Training]:
    return [member for member in _linear(file) if DEPTH in settings_of(member.label)]


def can_draw_depth(file: File) -> bool:
    """Whether more depths are swept than curves can be told apart for, or many."""
    members = _deep(file)
    return _varies(members, DEPTH) and len({fact(member, "depth") for member in members}) > 3


def depth(file: File) -> Figure:
    """Rates against the depth, beside those of the kernel at the start, and the gradient."""
    members = _deep(file)
    groups = split(members, DEPTH)
    ratios = all(has_scalar(member, "gradient_ratio") for member in members)
    shares = all(has_scalar(member, "layer_gradient_share") for member in members)
    figure, axes = style.panels(1 + ratios + shares)

    def place(member: Training) -> Optional[float]:
        return fact(member, "depth")

    _curves(axes[0], {"measured": members}, place, rate_of, kernel_rate)
    axes[0].get_legend_handles_labels()[0][0].set_label("measured")
    _said(axes[0], r"$2\eta\lambda_{\min}/n$ at t = 0")
    depths, rates = mean_by(members, place, rate_of)
    axes[0].plot(
        depths, rates[0] * depths[0] / depths, color="grey", linestyle=":", linewidth=1.0,
        label=r"$\propto L^{-1}$",
    )
    axes[0].set_title("Rate")
    axes[0].set_ylabel("decrease of log loss a step")
    axes[0].set_xscale("log")
    axes[0].set_xticks(depths, labels=[f"{one:.0f}" for one in depths])
    axes[0].minorticks_off()
    logarithmic_values(axes[0])
    if ratios:
        _curves(axes[1], groups, place, _least("gradient_ratio"))
        axes[1].set_ylim(bottom=0.0)
        _gradient_panel(axes[1])
        axes[1].set_ylabel("smallest " + axes[1].get_ylabel())
    if shares:
        _curves(axes[-1], groups, place, _least("layer_gradient_share"))
        axes[-1].set_ylim(0.0, 1.05)
        axes[-1].set_title("Last layer's part of the gradient")
        axes[-1].set_ylabel(r"smallest $\Vert\nabla_{W_L}L\Vert_F^2/\Vert\nabla L\Vert_F^2$")
    for panel in axes:
        panel.set_xlabel("hidden layers L")
    _finish(figure, axes)
    return figure


# Proposition 3.6: separation.


def _separated(file: File) -> list[Training]:
    return [member for member in _linear(file) if SEPARATION in settings_of(member.label)]


def can_draw_separation(file: File) -> bool:
    """Whether the separation of the samples is swept, and their number at most."""
    return _varies(_separated(file), SAMPLES, SEPARATION)


def _smallest_by_width(member: Training) -> Optional[float]:
    smallest, units = _result("network_kernel_least")(member), width_of(member)
    return smallest / units if smallest is not None and units else None


def _lemma_rate(member: Training) -> Optional[float]:
    """m phi eta / (k n^2) of lemma 4.5, with constant 1."""
    names = ("width", "learning_rate", "outputs", "train_samples")
    units, eta, outputs, samples = (fact(member, name) or np.nan for name in names)
    phi = _setting(SEPARATION)(member) or np.nan
    found = units * phi * eta / (outputs * samples**2)
    return float(found) if np.isfinite(found) else None


def separation(file: File) -> Figure:
    """Rate, smallest eigenvalue of the kernel and gradient against the separation."""
    members = _separated(file)
    groups = split(members, SEPARATION)
    place = _setting(SEPARATION)
    has_kernel = all("network_kernel_least" in member.final for member in members)
    ratios = all(has_scalar(member, "gradient_ratio") for member in members)
    figure, axes = style.panels(1 + has_kernel + ratios)
    _curves(axes[0], groups, place, rate_of, kernel_rate)
    if has_kernel:
        _said(axes[0], r"$2\eta\lambda_{\min}/n$ at t = 0")
    axes[0].set_title("Rate")
    axes[0].set_ylabel("decrease of log loss a step")
    if has_kernel:
        _curves(axes[1], groups, place, _smallest_by_width)
        places, values = mean_by(members, place, _smallest_by_width)
        axes[1].plot(
            places, values[-1] * places / places[-1], color="grey", linestyle=":", linewidth=1.0,
            label=r"$\propto\phi$",
        )
        axes[1].set_title("The network's kernel at t = 0")
        axes[1].set_ylabel(r"$\lambda_{\min}/m$")
    if ratios:
        _curves(axes[-1], groups, place, _least("gradient_ratio"))
        _gradient_panel(axes[-1])
        axes[-1].set_ylabel("smallest " + axes[-1].get_ylabel())
    places = sorted({place(member) or 0.0 for member in members})
    for panel in axes:
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(places, labels=[f"{one:g}" for one in places])
        panel.tick_params(axis="x", which="minor", bottom=False)
        panel.set_xlabel(r"smallest distance $\phi$ between samples")
    _finish(figure, axes)
    return figure


# Samples in nearly parallel directions.


def is_too_narrow(member: Training) -> bool:
    """Whether the width is insufficient: where it is not, the kernel hardly changes, and log loss falls
    on a line at the rate that the kernel has at the start."""
    line, told = line_of(member), kernel_rate(member)
    return line is not None and told is not None and not (
        line.fit >= LINEAR and line.rate >= SUFFICIENT * told
    )


def _on_arcs(file: File) -> list[Training]:
    return [
        member
        for member in _linear(file)
        if (_setting(ARCS)(member) or 0) > 0 and kernel_rate(member) is not None
    ]


def can_draw_arcs(file: File) -> bool:
    """Whether there are samples on arcs, at several widths."""
    return _varies(_on_arcs(file), WIDTH)


def arcs(file: File) -> Figure:
    """Losses and rates at several widths, with those marked at which the width is insufficient."""
    members = _on_arcs(file)
    groups = group_members(members)
    figure, axes = style.panels(2)
    for number, (label, group) in enumerate(groups.items()):
        look = style.curve(number, len(groups)) | {"linestyle": "-"}
        narrow = sum(map(is_too_narrow, group))
        text = described(label) + (f": {narrow} of {len(group)} too narrow" if narrow else "")
        for place, run in enumerate(group):
            axes[0].plot(
                run.trajectory["step"], run.trajectory["loss"], label=None if place else text,
                **look,
            )
    axes[0].set_yscale("log")
    axes[0].set_title("Train loss")
    axes[0].set_xlabel("step t")
    axes[0].set_ylabel(r"$L(W_t)$")

    def by_kernel(member: Training) -> Optional[float]:
        measured, told = rate_of(member), kernel_rate(member)
        return measured / told if measured is not None and told else None

    for narrow, text, fill in ((False, "width sufficient", "full"), (True, "width insufficient", "none")):
        found = [
            (width_of(run), by_kernel(run)) for run in members if is_too_narrow(run) == narrow
        ]
        if found:
            axes[1].plot(
                *zip(*found), linestyle="none", marker="o", markersize=5, fillstyle=fill,
                color=style.COLOURS[0 if not narrow else 1], label=text,
            )
    axes[1].axhline(1.0, color="black", linestyle="--", linewidth=1.0)
    axes[1].set_title("Rate over that of the kernel at t = 0")
    axes[1].set_ylabel(r"measured / ($2\eta\lambda_{\min}/n$)")
    widths_axis(axes[1], np.array(sorted({width_of(run) or 0.0 for run in members})))
    logarithmic_values(axes[1])
    _finish(figure, axes)
    return figure


# Section 4.1: gradient regions.


def _with_regions(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if _result("region_union")(member) is not None
        and _result("region_single")(member) is not None
    ]


def _samples(member: Training) -> Optional[float]:
    return fact(member, "train_samples")


def can_draw_regions(file: File) -> bool:
    """Whether the gradient regions were counted for several numbers of samples."""
    return len({_samples(member) for member in _with_regions(file)}) > 1


def regions(file: File) -> Figure:
    """Share of units in one gradient region and in the union of all, over numbers of samples."""
    members = _with_regions(file)
    figure, (left, right) = style.panels(2)
    for number, (name, text) in enumerate(
        (("region_union", "union of all regions"), ("region_single", "one region, mean"))
    ):
        places, values = mean_by(members, _samples, _result(name))
        left.plot(
            places, values, color=style.COLOURS[number], marker=style.MARKERS[number],
            markersize=4, label=text,
        )
    left.set_title("Units of the last layer in regions")
    left.set_ylabel("share of units")
    left.set_yscale("log")

    def gain(member: Training) -> Optional[float]:
        single, union = _result("region_single")(member), _result("region_union")(member)
        return union / single if single and union else None

    places, values = mean_by(members, _samples, gain)
    right.plot(
        places, values, color=style.COLOURS[2], marker="^", markersize=4, label="union / one region"
    )
    places = np.array(sorted({_samples(member) or 0.0 for member in members}))
    right.plot(places, places, color="black", linestyle="--", linewidth=1.0, label="n: disjoint")
    right.set_title("What the union gains")
    right.set_ylabel("times the units of one region")
    for panel in (left, right):
        panel.set_xlabel("samples n")
        panel.set_xticks(places, labels=[f"{place:.0f}" for place in places])
    _finish(figure, (left, right))
    return figure


# Theorems 3.8 and 3.10: stochastic gradient descent.


def _stochastic(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if member.setting("training.method") == "sgd"
        and BATCH in settings_of(member.label)
        and has_scalar(member, "loss")
    ]


def can_draw_sgd(file: File) -> bool:
    """Whether the batch alone is swept."""
    members = _stochastic(file)
    return _varies(members, BATCH) and len(group_members(members)) <= len(style.COLOURS)


def sgd(file: File) -> Figure:
    """Train loss against steps and against passes over the samples, for each batch."""
    groups = group_members(_stochastic(file))
    figure, (left, right) = style.panels(2)
    for number, (label, members) in enumerate(groups.items()):
        band = held_band(members, "loss")
        assert band is not None
        look = style.curve(number, len(groups))
        batch, samples = fact(members[0], "batch") or 1.0, _samples(members[0]) or 1.0
        seen = Band(band.abscissa * batch / samples, band.mean, band.deviation, band.count)
        for panel, curve in ((left, band), (right, seen)):
            panel.set_yscale("log")
            draw_band(panel, curve, look, described(label))
    left.set_title("Train loss against steps")
    left.set_xlabel("step t")
    right.set_title("Train loss against samples seen")
    right.set_xlabel("passes over the train set")
    for panel in (left, right):
        panel.set_ylabel(r"$L(W_t)$")
    _finish(figure, (left, right))
    return figure
