"""Figures of Li and Liang (2018) about the data: figure 3, and how much harder other data are (6, 7).

Measured values are markers or solid lines; what assumption A1 allows is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from averages import has_scalar
from li_liang import RELATIVE_DISTANCE, fact
from widthwise import File, Training, group_members, settings_of

# Figure 3: the separability assumption.

DATASETS = ("train_inputs", "train_labels", "train_components")


@dataclass(frozen=True)
class Separability:
    """Assumption A1 as samples have it, for components of any kind.

    distance   delta: smallest distance between samples of different classes
    nearest    the two samples at that distance
    ratio      lambda: largest diameter of a component over delta
    limit      1 / (8 l), that lambda must not exceed
    farthest   of each component its class and the two samples that are its diameter apart
    """

    distance: float
    nearest: tuple[int, int]
    ratio: float
    limit: float
    farthest: list[tuple[int, tuple[int, int]]]


def separability(inputs: np.ndarray, classes: np.ndarray, components: np.ndarray) -> Separability:
    """A1 of inputs [n, d] with their classes [n] and the components [n] of each class."""
    distances = np.linalg.norm(inputs[:, None, :] - inputs[None, :, :], axis=2)

    def pair(values: np.ndarray) -> tuple[int, int]:
        first, second = np.unravel_index(np.nanargmax(values), values.shape)
        return int(first), int(second)

    other_class = classes[:, None] != classes[None, :]
    nearest = pair(np.where(other_class, -distances, np.nan))
    farthest = []
    for one in np.unique(classes):
        for component in np.unique(components[classes == one]):
            inside = (classes == one) & (components == component)
            both = inside[:, None] & inside[None, :]
            farthest.append((int(one), pair(np.where(both, distances, np.nan))))
    several = max(len(np.unique(components[classes == one])) for one in np.unique(classes))
    delta = float(distances[nearest])
    diameter = max(float(distances[ends]) for _, ends in farthest)
    return Separability(delta, nearest, diameter / delta, 1 / (8 * several), farthest)


def _in_the_plane(file: File) -> Optional[Training]:
    """A run whose samples are recorded and can be shown as they are."""
    for member in file.members:
        if all(name in member.record for name in DATASETS):
            inputs, classes = member.record["train_inputs"], member.record["train_labels"]
            if inputs.shape[1] == 2 and len(np.unique(classes)) > 1:
                return member
    return None


def can_draw_data(file: File) -> bool:
    """Whether samples of several classes in the plane are recorded."""
    return _in_the_plane(file) is not None


def _draw_samples(
    axes: Axes, inputs: np.ndarray, classes: np.ndarray, components: np.ndarray
) -> None:
    """Samples by class, the diameter of each component, and what A1 says of them."""
    names = np.unique(classes)
    colours = {}
    for place, one in enumerate(names):
        look = style.marker(place, len(names))
        colours[int(one)] = look["color"]
        axes.plot(*inputs[classes == one].T, markersize=2.0, markeredgewidth=0, **look)
        axes.plot([], [], markersize=5.0, label=f"class {one}", **look)
    found = separability(inputs, classes, components)
    for one, ends in found.farthest:
        axes.plot(
            *inputs[list(ends)].T, color=colours[one], linewidth=10, alpha=0.25,
            solid_capstyle="round", zorder=1,
        )
    axes.plot([], [], color="grey", linewidth=8, alpha=0.35, label="diameter of a component")
    axes.plot(
        *inputs[list(found.nearest)].T, color="black", linestyle="--", linewidth=1.0,
        label="δ, the smallest distance of classes",
    )
    holds = "holds" if found.ratio <= found.limit else "does not hold"
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.15)
    axes.set_xlabel(
        f"$x_1$\nδ = {found.distance:.3f}, λ = {found.ratio:.4f}, "
        f"1/(8l) = {found.limit:.4f}:\nassumption A1 {holds}"
    )
    axes.set_ylabel("$x_2$")


def both_views(file: File) -> list[Separability]:
    """A1 of the recorded samples with each component for itself, and with each class as one."""
    member = _in_the_plane(file)
    if member is None:
        return []
    inputs, classes, components = (member.record[name] for name in DATASETS)
    return [
        separability(inputs, classes, components),
        separability(inputs, classes, np.zeros_like(components)),
    ]


def data(file: File) -> Figure:
    """Figure 3: the samples, with each component for itself and with each class as one."""
    member = _in_the_plane(file)
    assert member is not None  # can_draw_data looked
    inputs, classes, components = (member.record[name] for name in DATASETS)
    figure, axes = style.panels(2)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.9)
    _draw_samples(axes[0], inputs, classes, components)
    several = max(len(np.unique(components[classes == one])) for one in np.unique(classes))
    axes[0].set_title(f"(a) Each component for itself, l = {several}")
    _draw_samples(axes[1], inputs, classes, np.zeros_like(components))
    axes[1].set_title("(b) Each class as one, l = 1")
    style.legend_at_foot(figure, axes)
    return figure


# Figures 6 and 7: the same training on harder data.

VARIANCES, COMPONENTS = "data.mixture.spread", "data.mixture.components"
HARDER = {
    VARIANCES: "standard deviation σ of a component",
    COMPONENTS: "components l of a class",
}
EARLY_STEP = 20


def _harder(file: File) -> tuple[str, list[Training]]:
    """What of the data a sweep makes harder, and the runs; "" where it sweeps something else."""
    members = [member for member in file.trainings if has_scalar(member, "test_accuracy")]
    keys = {key for label in group_members(members) for key in settings_of(label)}
    if len(keys) != 1 or not keys <= set(HARDER):
        return "", []
    return keys.pop(), members


def at_step(members: Sequence[Training], key: str, name: str, step: int) -> dict[float, list[float]]:
    """Values of a quantity at a step by the value of a key, of the runs that looked at that step."""
    found: dict[float, list[float]] = {}
    for member in members:
        rows = np.flatnonzero(member.trajectory["step"] == step)
        if has_scalar(member, name) and len(rows) == 1:
            place = float(settings_of(member.label)[key])
            found.setdefault(place, []).append(float(member.trajectory[name][rows[0]]))
    return dict(sorted(found.items()))


def can_draw_harder(wanted: str, file: File) -> bool:
    """Whether `wanted`, VARIANCES or COMPONENTS, alone is swept, and step 20 was looked at."""
    key, members = _harder(file)
    return key == wanted and len(at_step(members, key, "test_accuracy", EARLY_STEP)) > 2


def last_step(members: Sequence[Training]) -> int:
    """The last step that all runs looked at."""
    return min(int(member.trajectory["step"][-1]) for member in members)


def harder(file: File) -> Figure:
    """Figures 6 and 7: accuracy, coupling and distance at an early step and at the end."""
    key, members = _harder(file)
    panels = [
        (name, title, unit)
        for name, title, unit in (
            ("test_accuracy", "Test accuracy", "share of test samples"),
            ("coupling", "Coupling", "share of patterns changed"),
            ("distance", "Distance from initialization", RELATIVE_DISTANCE),
        )
        if at_step(members, key, name, EARLY_STEP)
    ]
    gaps: dict[float, list[float]] = {}
    for member in members:
        gap = spectral_gap(member)
        if gap is not None:
            gaps.setdefault(float(settings_of(member.label)[key]), []).append(gap)
    figure, axes = style.panels(len(panels) + bool(gaps))
    steps = (EARLY_STEP, last_step(members))
    for number, (panel, (name, title, unit)) in enumerate(zip(axes, panels)):
        for place, step in enumerate(dict.fromkeys(steps)):
            values = at_step(members, key, name, step)
            _draw_spread(panel, values, place, f"after {step} steps")
        panel.set_title(f"{style.letter(number)} {title}")
        panel.set_ylabel(unit)
        panel.set_ylim(0.0, 1.06 * panel.dataLim.ymax)
    if gaps:
        _draw_spread(axes[-1], gaps, 1, f"after {steps[-1]} steps")
        style.logarithmic_values(axes[-1])
        axes[-1].set_title(f"{style.letter(len(panels))} Rank of the update")
        axes[-1].set_ylabel("singular value kl over the next")
    for panel in axes:
        panel.set_xlabel(HARDER[key])
        panel.set_xticks(sorted({float(settings_of(member.label)[key]) for member in members}))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    figure.suptitle(_runs_of_each(members))
    style.legend_at_foot(figure, axes)
    return figure


def _runs_of_each(members: Sequence[Training]) -> str:
    counts = sorted({len(group) for group in group_members(members).values()})
    runs = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return "One run each" if counts[-1] == 1 else f"Mean of {runs} runs, bar: standard deviation"


def _draw_spread(axes: Axes, values: dict[float, list[float]], place: int, text: str) -> None:
    """Means with bars of a standard deviation."""
    deviations = [np.std(one, ddof=1) if len(one) > 1 else 0.0 for one in values.values()]
    axes.errorbar(
        list(values), [np.mean(one) for one in values.values()], yerr=deviations, capsize=2,
        markersize=4, marker=style.MARKERS[place], label=text, **style.curve(place, 2),
    )


def spectral_gap(member: Training) -> Optional[float]:
    """By what factor the k l-th singular value of the update, one for each component, is above the next.

    None for data that have no components.
    """
    if member.parameters.get("source") not in ("mixture", "points"):
        return None
    classes, components = fact(member, "outputs"), fact(member, "components")
    if "update_spectrum" not in member.final or not classes or not components:
        return None
    spectrum, last = member.final["update_spectrum"], int(classes * components)
    if spectrum.ndim != 1 or len(spectrum) <= last or not spectrum[last] > 0:
        return None
    return float(spectrum[last - 1] / spectrum[last])
