"""The figures of Brutzkus et al. (2018): separable data, rates, theorems 9 and 10.

Measured values are solid lines or markers. Bounds and exact probabilities are dashed, and the
legend names their equation or theorem.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import style
from arora import mean_by
from averages import Band, has_scalar, held_band
from li_liang import caption, draw_band, fact, over_runs
from widthwise import File, Training, group_members, settings_of

RATE = "training.rate"

def _of_paper(file: File) -> list[Training]:
    return [member for member in file.trainings if member.setting("loss") == "hinge"]


def last(member: Training, name: str) -> Optional[float]:
    """The last value of a quantity, None without one."""
    return float(member.trajectory[name][-1]) if has_scalar(member, name) else None


def bound(member: Training, name: str) -> Optional[float]:
    """A prediction of one number, None where it is missing or says nothing."""
    if name not in member.theory:
        return None
    value = float(member.theory[name])
    return value if np.isfinite(value) else None


# Figures 1, 2 and 3.


def _epochs(band: Band, members: Sequence[Training]) -> Band:
    """The same band against passes over the train set."""
    batch, samples = fact(members[0], "batch") or 1.0, fact(members[0], "train_samples") or 1.0
    return Band(band.abscissa * batch / samples, band.mean, band.deviation, band.count)


# Errors on a set of samples: recorded as such, or as the accuracy.
ERRORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "error": lambda values: 100.0 * values,
    "accuracy": lambda values: 100.0 * (1.0 - values),
}


def _recorded(members: Sequence[Training], samples: str) -> Optional[str]:
    """As which of ERRORS all runs have their errors on the `samples`, train or test."""
    kinds = (
        kind
        for kind in ERRORS
        if all(has_scalar(member, f"{samples}_{kind}") for member in members)
    )
    return next(kinds, None)


def _with_errors(file: File) -> list[Training]:
    """Runs that have begun to record errors on their train set."""
    return [member for member in _of_paper(file) if _recorded([member], "train") is not None]


def can_draw_separable(file: File) -> bool:
    """Whether runs with the hinge loss have errors along the way, for not too many settings."""
    members = _with_errors(file)
    groups = group_members(members)
    return (
        0 < len(groups) <= len(style.COLOURS)
        and not can_draw_rates(file)
        and all(_recorded(members, samples) is not None for samples in ("train", "test"))
        and all(member.rows > 2 for member in members)
    )


def _draw_ratios(axes: Axes, groups: dict[str, list[Training]]) -> None:
    for place, (label, members) in enumerate(groups.items()):
        for name, line in (("output_ratio_min", "-"), ("output_ratio_max", "--")):
            band = held_band(members, name)
            if band is not None:
                look = {"color": style.curve(place, len(groups))["color"], "linestyle": line}
                text = caption(label, members) if name == "output_ratio_min" else None
                draw_band(axes, _epochs(band, members), look, text)
    axes.plot([], [], color="black", linestyle="--", label="largest (solid: smallest)")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("epochs")
    axes.set_ylabel(r"$v_t\,/\,v_0$ over units")


def separable(file: File) -> Figure:
    """Figures 1 to 3: errors against epochs for each width; updates, or v_t / v_0 where trained."""
    members = _with_errors(file)
    groups = group_members(members)
    trained = any(member.setting("network.train_output") == "true" for member in members)
    ratios = trained and all(has_scalar(member, "output_ratio_min") for member in members)
    updates = all(has_scalar(member, "updates") for member in members)
    figure, axes = style.panels(2 + ratios + updates)
    bands = []
    for number, samples in enumerate(("train", "test")):
        kind = _recorded(members, samples)
        assert kind is not None  # can_draw_separable looked
        for place, (label, group) in enumerate(groups.items()):
            band = held_band(group, f"{samples}_{kind}", ERRORS[kind])
            assert band is not None
            bands.append(band)
            look = style.curve(place, len(groups))
            draw_band(axes[number], _epochs(band, group), look, caption(label, group))
        axes[number].set_title(f"{style.letter(number)} {samples.capitalize()} error")
        axes[number].set_xlabel("epochs")
        axes[number].set_ylabel("error in %")
        # The start, at which nothing is learnt yet, would take all the room. It stays where no
        # error is left at the second record.
        drawn = bands[-len(groups) :]
        later = max((band.mean[1:].max() for band in drawn if len(band.mean) > 1), default=0.0)
        axes[number].set_ylim(0.0, 1.2 * later if later > 0.0 else None)
    number = 2
    if updates:
        for place, (label, group) in enumerate(groups.items()):
            band = held_band(group, "updates")
            assert band is not None
            look = style.curve(place, len(groups))
            draw_band(axes[number], _epochs(band, group), look, caption(label, group))
        axes[number].set_title(f"{style.letter(number)} Updates")
        axes[number].set_xlabel("epochs")
        axes[number].set_ylabel("non-zero updates")
        number += 1
    if ratios:
        _draw_ratios(axes[number], groups)
        axes[number].set_title(f"{style.letter(number)} Second layer")
    style.legends_below(figure, axes)
    figure.suptitle(over_runs(bands))
    return figure


# Corollary 3: rates.


def _rates(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if RATE in settings_of(member.label) and last(member, "updates") is not None
    ]


def _rate(member: Training) -> Optional[float]:
    return fact(member, "learning_rate")


def can_draw_rates(file: File) -> bool:
    """Whether the rate alone is swept, with updates counted."""
    members = _rates(file)
    labels = {frozenset(settings_of(label)) for label in group_members(members)}
    return labels == {frozenset({RATE})} and len({_rate(member) for member in members}) > 2


def _draw_measured(
    axes: Axes, members: Sequence[Training], value: Callable[[Training], Optional[float]]
) -> None:
    """Means over the runs of each rate, with bars from the smallest to the largest value."""
    places, means = mean_by(members, _rate, value)
    found = [[value(member) for member in members if _rate(member) == place] for place in places]
    finite = [[one for one in values if one is not None] for values in found]
    low, high = np.array([[min(values), max(values)] for values in finite]).T
    axes.errorbar(
        places, means, yerr=[means - low, high - means], color=style.COLOURS[0], marker="o",
        markersize=4, capsize=2, label="measured, bar: all runs",
    )


def _test_error(member: Training) -> Optional[float]:
    accuracy = last(member, "test_accuracy")
    return None if accuracy is None else 100.0 * (1.0 - accuracy)


def rates(file: File) -> Figure:
    """Updates until training is at rest against the rate, with the bounds."""
    members = _rates(file)
    figure, (left, right) = style.panels(2)
    _draw_measured(left, members, lambda member: last(member, "updates"))
    bounds = (
        ("update_bound", "theorem 2", "--"),
        ("update_bound_corollary", "corollary 3, constant 1", "-."),
    )
    for number, (name, text, line) in enumerate(bounds):
        where, values = mean_by(members, _rate, lambda member: bound(member, name))
        if len(where):
            look = {"color": style.COLOURS[number + 1], "linestyle": line}
            left.plot(where, values, label=text, **look)
    where, squares = mean_by(
        members, _rate, lambda member: (bound(member, "separator_lower") or np.nan) ** 2
    )
    if len(where):
        left.plot(where, squares, color="black", linestyle=":", label=r"$\Vert w^*\Vert^2$")
    left.set_title("(a) Updates until training is at rest")
    left.set_ylabel("non-zero updates")
    style.logarithmic_values(left)
    _draw_measured(right, members, _test_error)
    right.set_title("(b) Test error")
    right.set_ylabel("error in %")
    right.set_ylim(bottom=0.0)
    for panel in (left, right):
        panel.set_xscale("log")
        panel.set_xlabel(r"rate $\eta$")
        style.legend_below(panel)
    style.room_below(figure, 2)
    return figure


# Theorem 9.


def starts(file: File) -> dict[tuple[int, int], list[Training]]:
    """Runs on orthonormal samples with ReLU by dimension and units of a half."""
    found: dict[tuple[int, int], list[Training]] = {}
    for member in _of_paper(file):
        if "success_probability" in member.theory and last(member, "violations") is not None:
            key = (int(fact(member, "dimension") or 0), int(fact(member, "width") or 0) // 2)
            found.setdefault(key, []).append(member)
    return found


def can_draw_successes(file: File) -> bool:
    """Whether there are many starts for several numbers of units."""
    found = starts(file)
    return len(found) > 1 and max(len(members) for members in found.values()) > 9


def successes(file: File) -> Figure:
    """Share of starts that end in a global minimum, with its exact probability and thresholds."""
    found = starts(file)
    figure, (axes,) = style.panels(1)
    figure.set_size_inches(style.TEXT_WIDTH * 0.75, 3.4)
    dimensions = sorted({dimension for dimension, _ in found})
    for place, dimension in enumerate(dimensions):
        look = style.marker(place, len(dimensions))
        units = sorted(half for d, half in found if d == dimension)
        groups = [found[dimension, half] for half in units]
        shares = [np.mean([last(run, "violations") == 0 for run in group]) for group in groups]
        exact = np.array([float(group[0].theory["success_probability"]) for group in groups])
        error = np.sqrt(exact * (1 - exact) / [len(group) for group in groups])
        axes.errorbar(
            units, shares, yerr=error, markersize=4, capsize=2, label=f"d = {dimension}", **look
        )
        axes.plot(units, exact, color=look["color"], linestyle="--", linewidth=1.0)
        for name in ("units_failure", "units_success"):
            threshold = bound(groups[0][0], name)
            if threshold is not None:
                axes.axvline(threshold, color=look["color"], linestyle=":", linewidth=1.0)
    axes.plot([], [], color="black", linestyle="--", linewidth=1.0, label=r"$(1-2^{-k})^d$")
    delta = next(iter(found.values()))[0].setting("theory.failure_probability")
    axes.plot(
        [], [], color="black", linestyle=":", linewidth=1.0,
        label=f"thresholds of theorem 9\nfor δ = {delta}",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("units k in each half")
    axes.set_ylabel("share of starts that succeed")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


# Theorem 10.


def _between(file: File) -> list[Training]:
    return [
        member
        for member in _of_paper(file)
        if "update_lower_bound" in member.theory and last(member, "updates") is not None
    ]


def can_draw_lower_bound(file: File) -> bool:
    """Whether there are runs on the sequence of theorem 10."""
    return len(_between(file)) > 2


def lower_bound(file: File) -> Figure:
    """Updates of the runs on the sequence of theorem 10, between the two bounds."""
    members = sorted(_between(file), key=lambda member: last(member, "updates") or 0.0)
    figure, (axes,) = style.panels(1)
    figure.set_size_inches(style.TEXT_WIDTH * 0.75, 3.2)
    places = np.arange(1, len(members) + 1)
    curves = (
        (lambda member: bound(member, "update_bound"), "theorem 2", {"color": style.COLOURS[1]}),
        (lambda member: last(member, "updates"), "measured", {"color": style.COLOURS[0]}),
        (
            lambda member: bound(member, "update_lower_bound"),
            "theorem 10",
            {"color": style.COLOURS[2]},
        ),
    )
    for number, (value, text, look) in enumerate(curves):
        values = [value(member) or np.nan for member in members]
        axes.plot(
            places, values, linestyle="none", marker=style.MARKERS[number], markersize=3.5,
            label=text, **look,
        )
    axes.set_yscale("log")
    axes.set_xlabel("runs, by their number of updates")
    axes.set_ylabel("non-zero updates")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
