"""Figures for Zou & Gu (2019), of training: linear rates, trajectories, depth, SGD.

Measured values are solid lines or markers. What theorems say, with constant 1, and what the network's
own kernel at the start tells, is dashed or dotted, and the legend names it.
"""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from arora import Groups, last_value, mean_by
from arora_widths import WIDTH, split, width_of, widths_axis
from averages import Band, has_scalar, held_band, power_law, trajectory_band
from li_liang import draw_band, fact
from widthwise import File, Training, group_members, settings_of
from zou_gu_runs import (
    BATCH,
    DEPTH,
    TOP_LAYER,
    Value,
    curves,
    described,
    finish,
    gradient_panel,
    kernel_rate,
    least,
    line_of,
    linear_runs,
    of_paper,
    rate_of,
    samples_of,
    say,
    varies,
)

# Theorem 3.3 and lemma 4.5: linear rates.


def can_draw_rate(file: File) -> bool:
    """Whether there are losses of gradient descent, for not too many depths."""
    groups = group_members(linear_runs(file))
    keys = {key for label in groups for key in settings_of(label)}
    known = keys <= {DEPTH, TOP_LAYER} or keys == {WIDTH, TOP_LAYER}
    return 0 < len(groups) <= len(style.COLOURS) and known


def rate(file: File) -> Figure:
    """Train loss with the lines it falls on, and the bound from below on the gradient."""
    members = linear_runs(file)
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
            draw_band(axes[1], band, look, described(label))
    say(axes[0], "lines of the second half", ":")
    axes[0].set_yscale("log")
    axes[0].set_title("Train loss")
    axes[0].set_ylabel(r"$L(W_t)$")
    if ratios:
        gradient_panel(axes[1])
        style.logarithmic_values(axes[1])
    for panel in axes:
        panel.set_xlabel("step t")
    finish(figure, axes)
    return figure


# Lemma 4.2: trajectories and widths.


def _lengths(file: File) -> list[Training]:
    return [
        member
        for member in of_paper(file)
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
    return power_law(*mean_by(members, width_of, value)).exponent


def _bound_on_length(member: Training) -> Optional[float]:
    length, ratio = last_value("trajectory_length")(member), last_value("trajectory_ratio")(member)
    return length / ratio if length and ratio else None


def _draw_slopes(axes: Axes, groups: Groups, value: Value) -> None:
    curves(axes, groups, width_of, value)
    handles, texts = axes.get_legend_handles_labels()
    for handle, text, members in zip(handles, texts, groups.values()):
        handle.set_label(f"{text}: $m^{{{slope_over_widths(members, value):.2f}}}$")
    style.logarithmic_values(axes)


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
         least("gradient_ratio")),
    ]
    panels = [panel for panel in panels if all(has_scalar(run, panel[0]) for run in members)]
    figure, axes = style.panels(len(panels))
    for panel, (name, title, unit, value) in zip(axes, panels):
        if name == "gradient_ratio":
            curves(panel, groups, width_of, value)
            panel.set_ylim(bottom=0.0)
            gradient_panel(panel)
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
    finish(figure, axes)
    return figure


# Theorem 3.3: depth.


def _deep(file: File) -> list[Training]:
    return [member for member in linear_runs(file) if DEPTH in settings_of(member.label)]


def can_draw_depth(file: File) -> bool:
    """Whether more depths are swept than curves can be told apart for, or many."""
    members = _deep(file)
    return varies(members, DEPTH) and len({fact(member, "depth") for member in members}) > 3


def depth(file: File) -> Figure:
    """Rates against the depth, beside those of the kernel at the start, and the gradient."""
    members = _deep(file)
    groups = split(members, DEPTH)
    ratios = all(has_scalar(member, "gradient_ratio") for member in members)
    shares = all(has_scalar(member, "layer_gradient_share") for member in members)
    figure, axes = style.panels(1 + ratios + shares)

    def place(member: Training) -> Optional[float]:
        return fact(member, "depth")

    curves(axes[0], {"measured": members}, place, rate_of, kernel_rate)
    axes[0].get_legend_handles_labels()[0][0].set_label("measured")
    say(axes[0], r"$2\eta\lambda_{\min}/n$ at t = 0")
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
    style.logarithmic_values(axes[0])
    if ratios:
        curves(axes[1], groups, place, least("gradient_ratio"))
        axes[1].set_ylim(bottom=0.0)
        gradient_panel(axes[1])
        axes[1].set_ylabel("smallest " + axes[1].get_ylabel())
    if shares:
        curves(axes[-1], groups, place, least("layer_gradient_share"))
        axes[-1].set_ylim(0.0, 1.05)
        axes[-1].set_title("Last layer's part of the gradient")
        axes[-1].set_ylabel(r"smallest $\Vert\nabla_{W_L}L\Vert_F^2/\Vert\nabla L\Vert_F^2$")
    for panel in axes:
        panel.set_xlabel("hidden layers L")
    finish(figure, axes)
    return figure


# Theorems 3.8 and 3.10: stochastic gradient descent.


def _stochastic(file: File) -> list[Training]:
    return [
        member
        for member in of_paper(file)
        if member.setting("training.method") == "sgd"
        and BATCH in settings_of(member.label)
        and has_scalar(member, "loss")
    ]


def can_draw_sgd(file: File) -> bool:
    """Whether the batch alone is swept."""
    members = _stochastic(file)
    return varies(members, BATCH) and len(group_members(members)) <= len(style.COLOURS)


def sgd(file: File) -> Figure:
    """Train loss against steps and against passes over the samples, for each batch."""
    groups = group_members(_stochastic(file))
    figure, (left, right) = style.panels(2)
    for number, (label, members) in enumerate(groups.items()):
        band = held_band(members, "loss")
        assert band is not None
        look = style.curve(number, len(groups))
        batch, samples = fact(members[0], "batch") or 1.0, samples_of(members[0]) or 1.0
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
    finish(figure, (left, right))
    return figure
