"""Figures for Zou & Gu (2019), of data: separation, nearly parallel samples, gradient regions.

Measured values are solid lines or markers. What theorems say, with constant 1, and what the network's
own kernel at the start tells, is dashed or dotted, and the legend names it.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from matplotlib.figure import Figure

import style
from arora import mean_by
from arora_widths import WIDTH, split, width_of, widths_axis
from averages import has_scalar
from li_liang import fact
from widthwise import File, Training, group_members, settings_of
from zou_gu_runs import (
    ARCS,
    LINEAR,
    SAMPLES,
    SEPARATION,
    SUFFICIENT,
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
    result,
    samples_of,
    say,
    setting,
    varies,
)

# Proposition 3.6: separation.


def _separated(file: File) -> list[Training]:
    return [member for member in linear_runs(file) if SEPARATION in settings_of(member.label)]


def can_draw_separation(file: File) -> bool:
    """Whether the separation of the samples is swept, and their number at most."""
    return varies(_separated(file), SAMPLES, SEPARATION)


def _smallest_by_width(member: Training) -> Optional[float]:
    smallest, units = result("network_kernel_least")(member), width_of(member)
    return smallest / units if smallest is not None and units else None


def _lemma_rate(member: Training) -> Optional[float]:
    """m phi eta / (k n^2) of lemma 4.5, with constant 1."""
    names = ("width", "learning_rate", "outputs", "train_samples")
    units, eta, outputs, samples = (fact(member, name) or np.nan for name in names)
    phi = setting(SEPARATION)(member) or np.nan
    found = units * phi * eta / (outputs * samples**2)
    return float(found) if np.isfinite(found) else None


def separation(file: File) -> Figure:
    """Rate, smallest eigenvalue of the kernel and gradient against the separation."""
    members = _separated(file)
    groups = split(members, SEPARATION)
    place = setting(SEPARATION)
    has_kernel = all("network_kernel_least" in member.final for member in members)
    ratios = all(has_scalar(member, "gradient_ratio") for member in members)
    figure, axes = style.panels(1 + has_kernel + ratios)
    curves(axes[0], groups, place, rate_of, kernel_rate)
    if has_kernel:
        say(axes[0], r"$2\eta\lambda_{\min}/n$ at t = 0")
    axes[0].set_title("Rate")
    axes[0].set_ylabel("decrease of log loss a step")
    if has_kernel:
        curves(axes[1], groups, place, _smallest_by_width)
        places, values = mean_by(members, place, _smallest_by_width)
        axes[1].plot(
            places, values[-1] * places / places[-1], color="grey", linestyle=":", linewidth=1.0,
            label=r"$\propto\phi$",
        )
        axes[1].set_title("The network's kernel at t = 0")
        axes[1].set_ylabel(r"$\lambda_{\min}/m$")
    if ratios:
        curves(axes[-1], groups, place, least("gradient_ratio"))
        gradient_panel(axes[-1])
        axes[-1].set_ylabel("smallest " + axes[-1].get_ylabel())
    places = sorted({place(member) or 0.0 for member in members})
    for panel in axes:
        panel.set_xscale("log")
        style.logarithmic_values(panel)
        panel.set_xticks(places, labels=[f"{one:g}" for one in places])
        panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        panel.set_xlabel(r"smallest distance $\phi$ between samples")
    finish(figure, axes)
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
        for member in linear_runs(file)
        if (setting(ARCS)(member) or 0) > 0 and kernel_rate(member) is not None
    ]


def can_draw_arcs(file: File) -> bool:
    """Whether there are samples on arcs, at several widths."""
    return varies(_on_arcs(file), WIDTH)


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
    style.logarithmic_values(axes[1])
    finish(figure, axes)
    return figure


# Section 4.1: gradient regions.


def _with_regions(file: File) -> list[Training]:
    return [
        member
        for member in of_paper(file)
        if result("region_union")(member) is not None
        and result("region_single")(member) is not None
    ]


def can_draw_regions(file: File) -> bool:
    """Whether the gradient regions were counted for several numbers of samples."""
    return len({samples_of(member) for member in _with_regions(file)}) > 1


def regions(file: File) -> Figure:
    """Share of units in one gradient region and in the union of all, over numbers of samples."""
    members = _with_regions(file)
    figure, (left, right) = style.panels(2)
    for number, (name, text) in enumerate(
        (("region_union", "union of all regions"), ("region_single", "one region, mean"))
    ):
        places, values = mean_by(members, samples_of, result(name))
        left.plot(
            places, values, color=style.COLOURS[number], marker=style.MARKERS[number],
            markersize=4, label=text,
        )
    left.set_title("Units of the last layer in regions")
    left.set_ylabel("share of units")
    style.logarithmic_values(left)

    def gain(member: Training) -> Optional[float]:
        single, union = result("region_single")(member), result("region_union")(member)
        return union / single if single and union else None

    places, values = mean_by(members, samples_of, gain)
    right.plot(
        places, values, color=style.COLOURS[2], marker="^", markersize=4, label="union / one region"
    )
    places = np.array(sorted({samples_of(member) or 0.0 for member in members}))
    right.plot(places, places, color="black", linestyle="--", linewidth=1.0, label="n: disjoint")
    right.set_title("What the union gains")
    right.set_ylabel("times the units of one region")
    for panel in (left, right):
        panel.set_xlabel("samples n")
        panel.set_xticks(places, labels=[f"{place:.0f}" for place in places])
    finish(figure, (left, right))
    return figure


# Table 1.

# Paper, name of its predictions, and the formulas of the table.
TABLE1 = (
    ("Du et al. [11]", "du", r"$n^6/\lambda_0^4$", r"$n^2\log(1/\epsilon)/\lambda_0^2$"),
    ("Wu et al. [19]", "wu", r"$n^6/\lambda_0^4$", r"$n\log(1/\epsilon)/\lambda_0$"),
    ("Oymak & Soltanolkotabi [17]", "oymak", r"$n\Vert X\Vert_2^6/\lambda_0^4$",
     r"$\Vert X\Vert_2^2\log(1/\epsilon)/\lambda_0$"),
    ("Du et al. [9], not ReLU", "du_deep", r"$2^L n^4/\lambda_{\min}(K^{(L)})^4$",
     r"$2^L n^2\log(1/\epsilon)/\lambda_{\min}(K^{(L)})^2$"),
    ("Allen-Zhu et al. [2]", "allen_zhu", r"$kn^{24}L^{12}/\phi^8$",
     r"$n^6L^2\log(1/\epsilon)/\phi^2$"),
    ("Zou & Gu", "zou_gu", r"$kn^8L^{12}/\phi^4$", r"$n^2L^2\log(1/\epsilon)/\phi$"),
)


def _predicted(member: Training, name: str) -> Optional[float]:
    if name not in member.theory or member.theory[name].ndim != 0:
        return None
    value = float(member.theory[name])
    return value if np.isfinite(value) and value > 0 else None


def table1_values(member: Training) -> dict[str, tuple[float, float]]:
    """Width and iterations by paper, of those whose both numbers are known."""
    found = {}
    for paper, name, _, _ in TABLE1:
        units, steps = _predicted(member, f"{name}_width"), _predicted(member, f"{name}_iterations")
        if units is not None and steps is not None:
            found[paper] = (units, steps)
    return found


def can_draw_table1(file: File) -> bool:
    """Whether the numbers of most papers are known for the first run."""
    members = of_paper(file)
    return bool(members) and len(table1_values(members[0])) > 2


def iterations_to(member: Training, target: float) -> Optional[float]:
    """The first recorded step at which the train loss was at most `target`."""
    if not has_scalar(member, "loss"):
        return None
    rows = np.flatnonzero(member.trajectory["loss"] <= target)
    return float(member.trajectory["step"][rows[0]]) if len(rows) else None


def table1(file: File) -> Figure:
    """The numbers of table 1 for the data at hand with all constants 1, beside what the run took."""
    member = of_paper(file)[0]
    values = table1_values(member)
    rows = [row for row in TABLE1 if row[0] in values]
    heights = np.arange(len(rows))[::-1]
    target = float(member.setting("theory.target_loss") or np.nan)
    reached = iterations_to(member, target)
    figure, axes = style.panels(2)
    figure.set_size_inches(style.TEXT_WIDTH, 3.6)
    own = (width_of(member), reached)
    texts = ("m of this run", f"steps of this run to a loss of {target:g}")
    for column, panel in enumerate(axes):
        look = style.marker(column, 2)
        places = [values[row[0]][column] for row in rows]
        panel.plot(places, heights, markersize=6, zorder=4, label="constants 1", **look)
        panel.set_xscale("log")
        panel.set_ylim(-0.6, len(rows) - 0.2)
        for row, height, place in zip(rows, heights, places):
            panel.annotate(
                row[2 + column], (place, height), xytext=(0, 7), textcoords="offset points",
                ha="center", fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
            )
        value = own[column]
        if value:
            panel.axvline(value, color="black", linestyle="--", linewidth=1.0, label=texts[column])
        panel.margins(x=0.35)
        panel.set_yticks(heights, labels=[row[0] for row in rows] if column == 0 else [])
    axes[0].set_title("Width asked for")
    axes[0].set_xlabel("hidden units m")
    axes[1].set_title(rf"Iterations to a loss of $\epsilon$ = {target:g}")
    axes[1].set_xlabel("iterations")
    finish(figure, axes)
    return figure
