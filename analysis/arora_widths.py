"""What the width does in the kernel regime of Arora et al. (2019): movement and deviations.

Curves are those of runs at several widths; predictions are dashed. See arora.py for the figures of
the paper itself.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from arora import (
    Groups,
    course,
    described,
    has_course,
    last_value,
    mean_by,
    number,
)
from averages import has_scalar, trajectory_band
from li_liang import fact
from widthwise import File, Training, is_seed, settings_of

WIDTH = "network.width"


def split(members: Sequence[Training], key: str) -> Groups:
    """Members by what their labels say besides `key` and seeds, in the order of the file."""
    groups: Groups = {}
    for member in members:
        rest = [
            f"{name}={value}"
            for name, value in settings_of(member.label).items()
            if name not in (key, "replica") and not is_seed(name)
        ]
        groups.setdefault(" ".join(rest), []).append(member)
    return groups


def width_of(member: Training) -> Optional[float]:
    """m."""
    return fact(member, "width")


def widths_axis(axes: Axes, widths: np.ndarray) -> None:
    """A logarithmic axis with the widths that there are, not more than fit beside each other."""
    axes.set_xscale("log", base=2)
    shown = widths[:: (len(widths) + 4) // 5] if len(widths) > 5 else widths
    axes.set_xticks(shown, labels=[f"{width:.0f}" for width in shown])
    axes.minorticks_off()
    axes.set_xlabel("hidden units m")


def guide(axes: Axes, widths: np.ndarray, first: float) -> None:
    """A line that falls like 1 / sqrt(m), for the eye."""
    axes.plot(
        widths, first * np.sqrt(widths[0] / widths), color="grey", linestyle=":", linewidth=1.0,
        label=r"$\propto m^{-1/2}$",
    )


# Lemma 5.3 and section 5.2: how far weights move.


def _by_width(file: File, has: Callable[[Training], bool]) -> Groups:
    """Runs at several widths, by what else a sweep varies."""
    members = [member for member in file.trainings if width_of(member) and has(member)]
    groups = split(members, WIDTH)
    return {
        label: group
        for label, group in groups.items()
        if len({width_of(member) for member in group}) > 1
    }


def _moving(file: File) -> Groups:
    return _by_width(
        file,
        lambda member: has_scalar(member, "distance_absolute")
        and has_course(member, "distance_limit"),
    )


def can_draw_movement(file: File) -> bool:
    """Whether there are distances beside their prediction at several widths."""
    return bool(_moving(file))


def _draw_distances(axes: Axes, members: Sequence[Training]) -> None:
    widths = sorted({width_of(member) or 0.0 for member in members})
    for place, width in enumerate(widths):
        group = [member for member in members if width_of(member) == width]
        band = trajectory_band(group, "distance_absolute")
        assert band is not None  # _moving looked
        look = style.curve(place, len(widths)) | {"linestyle": "-"}
        later = band.abscissa > 0
        axes.plot(band.abscissa[later], band.mean[later], label=f"m = {width:.0f}", **look)
        if has_course(group[0], "distance_initial"):
            steps = group[0].trajectory["step"]
            linear = course(group[0], "distance_initial")
            axes.plot(
                steps[steps > 0], linear[steps > 0], color=look["color"], linestyle=":", linewidth=1.2
            )
    if any(has_course(member, "distance_initial") for member in members):
        axes.plot([], [], color="grey", linestyle=":", label="linear at W(0), (11)")
    first = members[0]
    steps = first.trajectory["step"]
    axes.plot(
        steps[steps > 0], course(first, "distance_limit")[steps > 0], color="black",
        linestyle="--", label="infinite width, §5.2",
    )
    bound = float(first.theory["distance_bound"])
    if np.isfinite(bound):
        axes.axhline(
            bound, color="black", linestyle="-.", linewidth=1.0,
            label=r"$\sqrt{y^\top (H^\infty)^{-1}y}$",
        )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("step t")
    axes.set_ylabel(r"$\Vert W(t)-W(0)\Vert_F$")


def _relative_distance(member: Training) -> Optional[float]:
    """How much further than an infinitely wide network's the weights moved, at the end."""
    limit = course(member, "distance_limit")[-1]
    return float(member.trajectory["distance_absolute"][-1] / limit - 1) if limit > 0 else None


def _draw_against_width(
    axes: Axes, groups: Groups, value: Callable[[Training], Optional[float]]
) -> None:
    """A curve for each group; one for groups whose values are the same."""
    curves: list[tuple[list[str], np.ndarray, np.ndarray]] = []
    for name, members in groups.items():
        widths, values = mean_by(members, width_of, value)
        widths, values = widths[values > 0], values[values > 0]
        same = [
            names
            for names, other, before in curves
            if np.array_equal(widths, other) and np.allclose(values, before, rtol=1e-9)
        ]
        if same:
            same[0].append(described(name))
        elif len(widths):
            curves.append(([described(name)], widths, values))
    for place, (names, widths, values) in enumerate(curves):
        look = style.marker(place, len(groups)) | {"linestyle": "-"}
        axes.plot(widths, values, markersize=4, label="; ".join(names), **look)
    if curves:
        every = np.unique(np.concatenate([widths for _, widths, _ in curves]))
        guide(axes, every, max(values[0] for _, _, values in curves))
        widths_axis(axes, every)
    style.logarithmic_values(axes)


def movement(file: File) -> Figure:
    """Distances along training and at the end, and the largest movement of a unit, over widths."""
    groups = _moving(file)
    shown = list(groups.items())[:2]
    members = [member for group in groups.values() for member in group]
    has_rows = all(has_scalar(member, "row_movement") for member in members)
    figure, axes = style.panels(len(shown) + 1 + has_rows)
    for place, (label, members) in enumerate(shown):
        _draw_distances(axes[place], members)
        axes[place].set_title(f"{style.letter(place)} Distance, {described(label)}")
    place = len(shown)
    _draw_against_width(axes[place], groups, _relative_distance)
    axes[place].set_title(f"{style.letter(place)} Distance at the end")
    axes[place].set_ylabel("share above infinite width")
    if has_rows:
        _draw_against_width(axes[-1], groups, last_value("row_movement"))
        axes[-1].set_title(f"{style.letter(place + 1)} Farthest unit at the end")
        axes[-1].set_ylabel(r"largest $\Vert w_r-w_r(0)\Vert_2$")
    style.legends_below(figure, axes)
    return figure


# Theorem 4.1 and lemma C.3: what the width does.


def _deviating(file: File) -> Groups:
    return _by_width(file, lambda member: has_course(member, "deviation_limit"))


def can_draw_width(file: File) -> bool:
    """Whether there are deviations from the predicted outputs at several widths."""
    return bool(_deviating(file))


def _largest(name: str) -> Callable[[Training], Optional[float]]:
    """The largest value along the way by the norm of the labels."""

    def value(member: Training) -> Optional[float]:
        if not has_course(member, name):
            return None
        norm = float(np.linalg.norm(member.gram["labels_train"]))
        return float(np.nanmax(course(member, name))) / norm if norm > 0 else None

    return value


def width(file: File) -> Figure:
    """How near outputs come to the linear sequences, and H(0) to its limit, as m grows."""
    groups = _deviating(file)
    panels: list[tuple[str, str, Callable[[Training], Optional[float]]]] = [
        ("Deviation from equation (7)",
         r"largest $\Vert u(t)-\tilde u(t)\Vert\,/\,\Vert y\Vert$",
         _largest("deviation_limit")),
        ("Deviation from linear at W(0)",
         r"largest $\Vert u(t)-u_{\rm lin}(t)\Vert\,/\,\Vert y\Vert$",
         _largest("deviation_initial")),
        ("Gram matrix at the start", r"$\Vert H(0)-H^\infty\Vert_F$",
         lambda member: number(member, "initial_difference")),
    ]
    panels = [
        panel
        for panel in panels
        if any(panel[2](member) for group in groups.values() for member in group)
    ]
    figure, axes = style.panels(len(panels))
    for place, (panel, (title, unit, value)) in enumerate(zip(axes, panels)):
        _draw_against_width(panel, groups, value)
        if "linear" in title:
            panel.axhline(0.01, color="black", linestyle="--", linewidth=1.0, label="1%")
        panel.set_title(f"{style.letter(place)} {title}")
        panel.set_ylabel(unit)
        style.legend_below(panel)
    style.room_below(figure, 2, rows=(len(axes) + 1) // 2)
    return figure
