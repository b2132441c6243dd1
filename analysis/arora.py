"""The figures of Arora et al. (2019), and functions that their theorem 6.1 covers.

Measured values are solid lines or markers. Predictions are dashed, in the colour of what they
predict, and the legend names their equation.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from averages import has_scalar, trajectory_band
from li_liang import fact
from widthwise import File, Training, group_members, settings_of

Groups = dict[str, list[Training]]

FRACTION = "data.labels.random_fraction"

# More curves than this are told apart by nobody.
MOST_CURVES = len(style.COLOURS)


def has_course(member: Training, name: str) -> bool:
    """Whether a run has a prediction along its trajectory, at least at one record."""
    if name not in member.theory or member.rows == 0:
        return False
    values = member.theory[name]
    return values.ndim == 1 and bool(np.isfinite(values).any())


def course(member: Training, name: str) -> np.ndarray:
    """A prediction at the records that there are."""
    return member.theory[name][: member.rows]


def number(member: Training, name: str) -> Optional[float]:
    """A finite number of the Gram matrix, None without one."""
    if name not in member.gram:
        return None
    value = float(member.gram[name])
    return value if np.isfinite(value) else None


def mean_by(
    members: Sequence[Training],
    key: Callable[[Training], Optional[float]],
    value: Callable[[Training], Optional[float]],
) -> tuple[np.ndarray, np.ndarray]:
    """Rising keys, and the mean of the values of the runs that have that key and a value."""
    found: dict[float, list[float]] = {}
    for member in members:
        place, result = key(member), value(member)
        if place is not None and result is not None and np.isfinite(result):
            found.setdefault(place, []).append(result)
    keys = sorted(found)
    return np.array(keys), np.array([np.mean(found[place]) for place in keys])


_NAMES = {"data.labels.kind": "labels", "network.hidden.std": "κ"}


def described(label: str) -> str:
    """What the legend says of a group of runs of several widths."""
    settings = settings_of(label)
    if not settings:
        return "all runs"
    parts = []
    for key, value in settings.items():
        if key == "data.labels.kind":
            parts.append(f"{value} labels")
        else:
            shown = f"{float(value):g}" if key == "network.hidden.std" else value
            parts.append(f"{_NAMES.get(key, key)} = {shown}")
    return ", ".join(parts)


def colour_of(label: str, place: int, count: int) -> str:
    """Colour of a group of runs: labels of one kind have the same in all panels."""
    kinds = [name for name, _ in LABEL_SETS]
    kind = settings_of(label).get("data.labels.kind", "").replace("-", "_")
    if kind in kinds:
        return style.COLOURS[kinds.index(kind)]
    return style.curve(place, count)["color"]


# Figure 1: convergence of labellings, and why.

LABEL_SETS = (("true", "true labels"), ("random", "random labels"), ("worst_case", "worst case"))


def _converging(file: File) -> Groups:
    members = [
        member
        for member in file.trainings
        if has_scalar(member, "residual") and has_course(member, "residual_limit")
    ]
    groups = group_members(members)
    return groups if len(groups) <= MOST_CURVES else {}


def _projected(file: File) -> Optional[Training]:
    """A run with the projections of several labellings, where all runs have the same matrix."""
    members = [member for member in file.trainings if "eigenvalues" in member.gram]
    if not members:
        return None
    first = members[0].gram["eigenvalues"]
    for member in members[1:]:
        other = member.gram["eigenvalues"]
        if other.shape != first.shape or not np.allclose(other, first, rtol=1e-6):
            return None
    sets = [name for name, _ in LABEL_SETS if f"projections_{name}" in members[0].gram]
    return members[0] if len(sets) > 1 else None


def can_draw_convergence(file: File) -> bool:
    """Whether there are residuals beside equation (8), or projections of several labellings."""
    return bool(_converging(file)) or _projected(file) is not None


def _draw_residuals(axes: Axes, groups: Groups) -> None:
    for place, (label, members) in enumerate(groups.items()):
        colour = colour_of(label, place, len(groups))
        band = trajectory_band(members, "residual")
        assert band is not None  # _converging looked
        axes.plot(band.abscissa, band.mean, color=colour, label=described(label))
        axes.plot(
            members[0].trajectory["step"], course(members[0], "residual_limit"), color=colour,
            linestyle="--",
        )
        if has_course(members[0], "residual_initial"):
            axes.plot(
                members[0].trajectory["step"], course(members[0], "residual_initial"), color=colour,
                linestyle=":",
            )
    axes.plot([], [], color="black", linestyle="--", label="equation (8), infinite width")
    if any(has_course(member, "residual_initial") for group in groups.values() for member in group):
        axes.plot([], [], color="black", linestyle=":", label="linear at W(0)")
    axes.set_xlabel("step t")
    axes.set_ylabel(r"$\Vert y-u(t)\Vert_2$")
    axes.margins(x=0.01)
    style.logarithmic_values(axes)


def _draw_projections(axes: Axes, member: Training) -> None:
    """Figure 1 (b): logarithms on both axes, as there."""
    values = member.gram["eigenvalues"]
    index = np.arange(1, len(values) + 1)
    smallest = values[values > 0].min()
    drawn = []
    axes.set_xscale("log")
    axes.set_yscale("log")
    for place, (name, text) in enumerate(LABEL_SETS):
        if f"projections_{name}" not in member.gram:
            continue
        projections = member.gram[f"projections_{name}"]
        look = style.marker(place, len(style.COLOURS))
        few = name == "worst_case"
        axes.plot(index, projections, markersize=5.0 if few else 2.0, markeredgewidth=0, **look)
        axes.plot([], [], markersize=5.0, label=text, **look)
        if not few:  # worst-case labels have one, the others are rounding
            drawn.append(np.quantile(projections, 0.01))
    axes.plot(index, values, color="black", label=r"eigenvalues $\lambda_i$")
    axes.set_ylim(bottom=0.5 * min([smallest, *drawn]))
    axes.set_xlabel("index i")
    axes.set_ylabel(r"$\lambda_i$ and $|v_i^\top y|$")


def convergence(file: File) -> Figure:
    """Figure 1: residuals along training with equation (8); eigenvalues and projections."""
    groups, member = _converging(file), _projected(file)
    figure, axes = style.panels(bool(groups) + (member is not None))
    if groups:
        _draw_residuals(axes[0], groups)
        axes[0].set_title(f"{style.letter(0)} Convergence")
    if member is not None:
        _draw_projections(axes[-1], member)
        axes[-1].set_title(f"{style.letter(len(axes) - 1)} Eigenvalues and projections")
    style.legends_below(figure, axes)
    _say_sizes(figure, next(iter(groups.values())) if groups else [member] if member else [])
    return figure


def _say_sizes(figure: Figure, members: Sequence[Training]) -> None:
    """n and m above the panels, where all runs of the figure have the same."""
    found = []
    for symbol, name in (("n", "train_samples"), ("m", "width")):
        values = {fact(member, name) for member in members}
        value = values.pop() if len(values) == 1 else None
        if value is not None:
            found.append(f"{symbol} = {value:.0f}")
    if found:
        figure.suptitle(", ".join(found))


# Figure 2: error on the test set against the complexity of the labels.


def _fractions(file: File) -> list[Training]:
    return [
        member
        for member in file.trainings
        if FRACTION in settings_of(member.label)
        and has_scalar(member, "test_absolute_error")
        and number(member, "complexity_train") is not None
    ]


def _fraction(member: Training) -> Optional[float]:
    return float(settings_of(member.label)[FRACTION])


def can_draw_complexity(file: File) -> bool:
    """Whether the share of random labels is swept, with errors and complexities."""
    return len({_fraction(member) for member in _fractions(file)}) > 1


def last_value(name: str) -> Callable[[Training], Optional[float]]:
    def value(member: Training) -> Optional[float]:
        return float(member.trajectory[name][-1]) if has_scalar(member, name) else None

    return value


def _classification_error(member: Training) -> Optional[float]:
    accuracy = last_value("test_accuracy")(member)
    return None if accuracy is None else 1.0 - accuracy


def complexity(file: File) -> Figure:
    """Figure 2: errors on the test set and complexity (10) as more labels are random."""
    members = _fractions(file)
    figure, (left, right) = style.panels(2)
    blue, orange, green = style.COLOURS[:3]
    curves: list[tuple[Callable[[Training], Optional[float]], dict, str]] = [
        (last_value("test_absolute_error"), {"color": blue, "marker": "o"}, r"$\ell_1$, network"),
        (_classification_error, {"color": orange, "marker": "s"}, "0/1, network"),
        (
            lambda member: number(member, "limit_test_absolute_error"),
            {"color": blue, "linestyle": "--"},
            r"$\ell_1$, infinite width",
        ),
        (
            lambda member: number(member, "limit_test_error"),
            {"color": orange, "linestyle": "--"},
            "0/1, infinite width",
        ),
    ]
    for value, look, text in curves:
        fractions, values = mean_by(members, _fraction, value)
        if len(fractions):
            left.plot(fractions, values, markersize=4, label=text, **look)
    left.set_title("(a) Test error")
    left.set_ylim(bottom=0.0)
    left.set_ylabel("error on the test set")
    fractions, values = mean_by(
        members, _fraction, lambda member: number(member, "complexity_train")
    )
    right.plot(
        fractions, values, color=green, marker="^", markersize=4,
        label=r"$\sqrt{2\,y^\top (H^\infty)^{-1}y\,/\,n}$, equation (10)",
    )
    right.set_title("(b) Complexity of the labels")
    right.set_ylim(bottom=0.0)
    right.set_ylabel("complexity")
    for panel in (left, right):
        panel.set_xlabel("share of labels drawn at random")
        style.legend_below(panel)
    style.room_below(figure, 2)
    _say_sizes(figure, members)
    return figure


# Section 6: functions.


def _functions(file: File) -> list[Training]:
    return [
        member
        for member in file.trainings
        if member.setting("data.source") == "function"
        and number(member, "quadratic_form_true") is not None
    ]


def _samples(member: Training) -> Optional[float]:
    return float(len(member.gram["labels_train"]))


def can_draw_functions(file: File) -> bool:
    """Whether there are functions at several numbers of samples."""
    return len({_samples(member) for member in _functions(file)}) > 1


_TERMS = {
    "linear": "$z$",
    "quadratic": r"$x^\top A x$",
    "cosine": r"$\cos z-1$",
    "arctan": r"$z\,\arctan(z/2)$",
}


def _function_name(member: Training) -> str:
    """The formula of a function, as the legend has it."""
    kind = member.setting("data.function.kind") or ""
    exponent = member.setting("data.function.exponent")
    terms = int(member.setting("data.function.terms") or 1)
    text = f"$z^{{{exponent}}}$" if kind == "power" else _TERMS.get(kind, kind)
    if terms == 1:
        return text
    return f"{text}, rank {terms}" if kind == "quadratic" else f"{terms} terms of {text}"


def _terms(member: Training) -> int:
    return int(member.setting("data.function.terms") or 1)


def _bound(member: Training) -> Optional[float]:
    """Infinite where no theorem covers the function; None in files of `widthwise gram`."""
    return float(member.theory["function_bound"]) if "function_bound" in member.theory else None


def _root_of_form(member: Training) -> Optional[float]:
    form = number(member, "quadratic_form_true")
    return None if form is None else float(np.sqrt(form))


def functions(file: File) -> Figure:
    """sqrt(y' H^-1 y) against n for functions, with the bounds that do not depend on n."""
    kinds: list[list[Training]] = [[], []]
    for member in _functions(file):
        kinds[_terms(member) > 1].append(member)
    kinds = [members for members in kinds if members]
    titles = {False: "One term", True: "Several terms"}
    figure, axes = style.panels(len(kinds))
    lines = 0
    for place, (panel, members) in enumerate(zip(axes, kinds)):
        curves: Groups = {}
        for member in members:
            curves.setdefault(_function_name(member), []).append(member)
        for curve, (name, group) in enumerate(curves.items()):
            look = style.marker(curve, len(curves)) | {"linestyle": "-"}
            bound = _bound(group[0])
            samples, values = mean_by(group, _samples, _root_of_form)
            covered = bound is None or np.isfinite(bound)
            text = name if covered else f"{name}, not covered"
            panel.plot(samples, values, markersize=4, label=text, **look)
            if bound is not None and covered:
                panel.plot(
                    samples, np.full(len(samples), bound), color=look["color"], linestyle="--",
                    linewidth=1.0,
                )
        bounds = "corollary 6.2" if _terms(members[0]) > 1 else "theorem 6.1"
        if _bound(members[0]) is not None:
            panel.plot(
                [], [], color="black", linestyle="--", linewidth=1.0, label=f"bound, {bounds}"
            )
        every = np.unique([_samples(member) or 0.0 for member in members])
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(every, labels=[f"{count:.0f}" for count in every])
        panel.minorticks_off()
        panel.set_xlabel("train samples n")
        panel.set_ylabel(r"$\sqrt{y^\top (H^\infty)^{-1}y}$")
        panel.set_title(f"{style.letter(place)} {titles[_terms(members[0]) > 1]}")
        columns = 1 if len(curves) < 4 else 2
        style.legend_below(panel, columns)
        lines = max(lines, (len(curves) + 1 + columns - 1) // columns)
    style.room_below(figure, lines)
    figure.suptitle(r"$z=\beta^\top x$")
    return figure
