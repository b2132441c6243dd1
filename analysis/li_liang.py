"""The figures of Li and Liang (2018): figure 1, figures 4 and 5, and random labels (section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import style
from averages import Band, PowerLaw, final_band, first_reached, power_law, trajectory_band
from widthwise import File, Training, group_members, settings_of

Groups = dict[str, list[Training]]

RELATIVE_DISTANCE = r"$\Vert W_t-W_0\Vert_F\,/\,\Vert W_0\Vert_F$"

# Symbols of the paper for what is swept most.
SYMBOLS = {
    "network.width": "m",
    "data.mixture.spread": "σ",
    "data.mixture.components": "l",
    "data.mixture.classes": "k",
    "data.mixture.dimension": "d",
    "data.labels.kind": "labels",
    "training.rate": "rate",
    "training.batch": "B",
}


def fact(member: Training, name: str) -> Optional[float]:
    """A numeric fact of a run, None where the file does not have it."""
    value = member.parameters.get(name)
    return float(value) if isinstance(value, (int, float)) else None


def caption(label: str, members: Sequence[Training]) -> str:
    """What the legend says of a group of runs: m = 500, or labels = random."""
    settings = settings_of(label)
    if settings:
        return ", ".join(
            f"{SYMBOLS.get(key, key)} = {style.shortest(value)}" for key, value in settings.items()
        )
    width = fact(members[0], "width")
    return "all runs" if width is None else f"m = {width:.0f}"


def over_runs(bands: Sequence[Band]) -> str:
    """How many runs the curves are over, for the figure's title."""
    lowest = min(int(band.count.min()) for band in bands)
    highest = max(int(band.count.max()) for band in bands)
    if highest == 1:
        return "one run"
    runs = f"{highest}" if lowest == highest else f"{lowest} to {highest}"
    return f"mean of {runs} runs, band: standard deviation"


def draw_band(axes: Axes, band: Band, look: dict, caption_text: Optional[str]) -> None:
    """A mean with its band. On a logarithmic axis the band ends above zero."""
    low, high = band.mean - band.deviation, band.mean + band.deviation
    if axes.get_yscale() == "log":
        positive = band.mean > 0
        low = np.where(low > 0, low, band.mean * 1e-1)
        axes.plot(band.abscissa[positive], band.mean[positive], label=caption_text, **look)
        axes.fill_between(
            band.abscissa[positive], low[positive], high[positive], color=look["color"], alpha=0.2
        )
        return
    points = {"marker": "o", "markersize": 3} if len(band.abscissa) == 1 else {}
    axes.plot(band.abscissa, band.mean, label=caption_text, **look, **points)
    axes.fill_between(band.abscissa, low, high, color=look["color"], alpha=0.2, linewidth=0)


# Quantity, title and axis of the panels along the trajectory.
TRAJECTORY_PANELS = (
    ("test_accuracy", "Test accuracy", "share of test samples"),
    ("coupling", "Coupling", "share of patterns changed"),
    ("distance", "Distance from initialization", RELATIVE_DISTANCE),
)


def _bands(groups: Groups, source: Callable[..., Optional[Band]], name: str) -> dict[str, Band]:
    found = {label: source(members, name) for label, members in groups.items()}
    return {label: band for label, band in found.items() if band is not None}


def _update_caption(members: Sequence[Training]) -> str:
    """Legend of the update's spectrum, with how many values stand out where all runs agree."""
    text = r"update $W_T-W_0$"
    gaps = [
        (int(member.final["update_outliers"]), float(member.final["update_gap"]))
        for member in members
        if {"update_outliers", "update_gap"} <= set(member.final)
    ]
    if len({outliers for outliers, _ in gaps}) != 1 or min(gap for _, gap in gaps) < 10:
        return text
    return f"{text}: {gaps[0][0]} stand out"


def _draw_spectra(
    axes: Axes, groups: Groups, update: dict[str, Band], weights: dict[str, Band]
) -> None:
    """Singular values: solid for the update, dashed for the weights, a colour for each group."""
    axes.set_yscale("log")
    smallest_shown = np.inf
    for number, label in enumerate(groups):
        colour = style.curve(number, len(groups))["color"]
        several = len(groups) > 1
        if label in update:
            look = {"color": colour, "linestyle": "-"}
            text = None if several else _update_caption(groups[label])
            draw_band(axes, update[label], look, text)
        if label in weights:
            look = {"color": colour if several else style.COLOURS[1], "linestyle": "--"}
            draw_band(axes, weights[label], look, None if several else r"weights $W_T$")
        smallest_shown = min(
            [smallest_shown]
            + [bands[label].mean[0] * 1e-8 for bands in (update, weights) if label in bands]
        )
    # Rounding leaves singular values of 1e-16 of the largest; they would squeeze all that matters.
    bottom, _ = axes.get_ylim()
    axes.set_ylim(bottom=max(bottom, smallest_shown))
    if len(groups) > 1:
        axes.plot([], [], color="black", linestyle="-", label=r"update $W_T-W_0$")
        axes.plot([], [], color="black", linestyle="--", label=r"weights $W_T$")
    else:
        axes.legend(loc="best")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("number of the singular value")
    axes.set_ylabel("singular value")


def ends_at_target(file: File) -> bool:
    """Whether runs end where they reach an accuracy: then figures 4 and 5 say all of them."""
    return can_draw_target(file) and all(
        "test_accuracy" in (member.setting("training.stop") or "") for member in file.members
    )


def can_draw_four_panels(file: File) -> bool:
    """Whether at least one panel of figure 1 can be drawn."""
    groups = group_members(file.trainings)
    return any(_bands(groups, trajectory_band, name) for name, _, _ in TRAJECTORY_PANELS) or bool(
        _bands(groups, final_band, "update_spectrum")
    )


def four_panels(file: File) -> Figure:
    """Figure 1: test accuracy, coupling, distance, and the spectra; only what the file holds."""
    groups = group_members(file.trainings)
    curves = [
        (bands, title, unit)
        for name, title, unit in TRAJECTORY_PANELS
        if (bands := _bands(groups, trajectory_band, name))
    ]
    update = _bands(groups, final_band, "update_spectrum")
    weights = _bands(groups, final_band, "weight_spectrum")
    spectra = bool(update or weights)
    figure, axes = style.panels(len(curves) + spectra)
    shown: list[Band] = []
    for number, (panel, (bands, title, unit)) in enumerate(zip(axes, curves)):
        for index, (label, members) in enumerate(groups.items()):
            if label in bands:
                look = style.curve(index, len(groups))
                draw_band(panel, bands[label], look, caption(label, members))
                shown.append(bands[label])
        panel.set_title(f"{style.letter(number)} {title}")
        panel.set_xlabel("step")
        panel.set_ylabel(unit)
        panel.set_ylim(bottom=0.0)
    if spectra:
        _draw_spectra(axes[-1], groups, update, weights)
        axes[-1].set_title(f"{style.letter(len(curves))} Singular values at the end")
        shown += [*update.values(), *weights.values()]
    if len(groups) == 1:
        label, members = next(iter(groups.items()))
        figure.suptitle(f"{caption(label, members)}: {over_runs(shown)}")
        return figure
    figure.suptitle(over_runs(shown).capitalize())
    style.legend_at_foot(figure, axes)
    return figure


@dataclass(frozen=True)
class Target:
    """Where a run first came to the test accuracy looked for."""

    width: float
    steps: float
    distance: float


def accuracy_looked_for(member: Training) -> float:
    """measure.accuracy_target of a run."""
    return float(member.setting("measure.accuracy_target") or 1.0)


def targets(members: Sequence[Training]) -> list[Target]:
    """The runs that came to the accuracy looked for."""
    found = []
    for member in members:
        width = fact(member, "width")
        if width is None or not {"steps_to_accuracy", "distance_at_accuracy"} <= set(member.final):
            continue
        steps = float(member.final["steps_to_accuracy"])
        distance = float(member.final["distance_at_accuracy"])
        if np.isfinite(steps) and np.isfinite(distance):
            found.append(Target(width, steps, distance))
    return found


def can_draw_target(file: File) -> bool:
    """Whether several runs came to the accuracy looked for, all with labels of one kind."""
    return len(targets(file.trainings)) > 1 and len(_label_kinds(file)) < 2


def _draw_targets(axes: Axes, widths: np.ndarray, values: np.ndarray) -> None:
    """Every run as a point, and mean and deviation at each width."""
    shown = np.unique(widths)
    means = [values[widths == width].mean() for width in shown]
    deviations = [
        values[widths == width].std(ddof=1) if (widths == width).sum() > 1 else 0.0
        for width in shown
    ]
    axes.plot(widths, values, "o", color=style.COLOURS[4], markersize=4, label="each run")
    axes.errorbar(
        shown,
        means,
        yerr=deviations,
        fmt="s",
        color=style.COLOURS[0],
        capsize=4,
        markersize=5,
        label="mean, standard deviation",
    )
    axes.set_xscale("log")
    axes.set_xlabel("hidden units m")
    spare = 2.0 if len(shown) == 1 else 1.2
    axes.set_xlim(shown[0] / spare, shown[-1] * spare)
    axes.set_xticks(shown, labels=[f"{width:.0f}" for width in shown])
    axes.minorticks_off()


# The lines of figure 5 by the source of the data: distance times sqrt(m), and what the legend says.
PAPERS_DISTANCE = {
    "mixture": (2 / 3, r"$2/(3\sqrt{m})$"),
    "idx": (8.0, r"MNIST at 95%: $8/\sqrt{m}$"),
}


def flatness(targets: Sequence[Target]) -> Optional[PowerLaw]:
    """Figure 4 in a number: the power of m that the steps go like, from at least two widths."""
    if len({item.width for item in targets}) < 2 or min(item.steps for item in targets) <= 0:
        return None
    return power_law([item.width for item in targets], [item.steps for item in targets])


def closeness(targets: Sequence[Target]) -> Optional[PowerLaw]:
    """Figure 5 in a number: the power of m that the distance goes like."""
    if len({item.width for item in targets}) < 2 or min(item.distance for item in targets) <= 0:
        return None
    return power_law([item.width for item in targets], [item.distance for item in targets])


def _draw_fit(axes: Axes, law: Optional[PowerLaw], widths: np.ndarray) -> None:
    if law is not None:
        line = np.geomspace(widths.min(), widths.max(), 50)
        axes.plot(
            line, law.at(line), color="black", linestyle=":", label=f"least squares: {law.text('m')}"
        )


def target(file: File) -> Figure:
    """Figures 4 and 5: steps to the accuracy and distance there, against the width."""
    found = targets(file.trainings)
    widths = np.array([item.width for item in found])
    distances = np.array([item.distance for item in found])
    figure, (left, right) = style.panels(2)
    _draw_targets(left, widths, np.array([item.steps for item in found]))
    _draw_targets(right, widths, distances)
    accuracies = {accuracy_looked_for(member) for member in file.trainings}
    aim = f"{100 * accuracies.pop():g}% test accuracy" if len(accuracies) == 1 else "the accuracy"
    left.set_title(f"(a) Steps to {aim}")
    left.set_ylabel("steps")
    left.set_ylim(0.0, 1.06 * left.dataLim.ymax)
    right.set_title("(b) Distance there")
    right.set_ylabel(RELATIVE_DISTANCE)
    _draw_fit(left, flatness(found), widths)
    _draw_fit(right, closeness(found), widths)
    scaled = f"{len(found)} runs; distance times √m: {(distances * np.sqrt(widths)).mean():.2f}"
    (source, *others) = {member.parameters.get("source") for member in file.trainings}
    if source in PAPERS_DISTANCE and not others:
        factor, text = PAPERS_DISTANCE[source]
        line = np.geomspace(*right.get_xlim(), 50)
        look = {"color": style.COLOURS[1], "linestyle": "--"}
        right.plot(line, factor / np.sqrt(line), label=f"{text}, the paper's figure 5", **look)
        scaled += f" (the paper: {factor:.2g})"
    if len(np.unique(widths)) > 1:
        style.logarithmic_values(right)
    else:
        right.set_ylim(bottom=0.0)
    figure.suptitle(scaled)
    style.legends_below(figure, (left, right), columns=1)
    return figure


LABELS_KEY = "data.labels.kind"


def _label_kinds(file: File) -> dict[str, list[Training]]:
    """Members by the kind of their labels, where the sweep is over that."""
    kinds: dict[str, list[Training]] = {}
    for member in file.trainings:
        kind = settings_of(member.label).get(LABELS_KEY)
        if kind is not None and member.rows > 0:
            kinds.setdefault(kind, []).append(member)
    return kinds


def can_draw_random_labels(file: File) -> bool:
    """Whether the file has runs with at least two kinds of labels, and what is compared."""
    kinds = _label_kinds(file)
    return len(kinds) > 1 and all(
        trajectory_band(members, name) is not None
        for members in kinds.values()
        for name in ("train_accuracy", "distance")
    )


def random_labels(file: File) -> Figure:
    """Section 4: the same inputs with structured and with random labels, side by side.

    Above: every run along the way. Below: steps to the train accuracy looked for, and the distance
    there, where every kind of labels came to it.
    """
    kinds = _label_kinds(file)
    aim = accuracy_looked_for(file.trainings[0])
    reached = {
        kind: [
            (at.step, float(member.trajectory["distance"][at.row]))
            for member in members
            if (at := first_reached(member, "train_accuracy", aim)) is not None
        ]
        for kind, members in kinds.items()
    }
    compared = all(reached.values())
    figure, axes = style.panels(4 if compared else 2)
    for panel, name, title, unit in (
        (axes[0], "train_accuracy", "(a) Train accuracy", "share of train samples"),
        (axes[1], "distance", "(b) Distance from initialization", RELATIVE_DISTANCE),
    ):
        for number, (kind, members) in enumerate(kinds.items()):
            look = style.curve(number, len(kinds))
            for index, member in enumerate(members):
                panel.plot(
                    member.trajectory["step"], member.trajectory[name], linewidth=1.0, **look,
                    label=f"{kind} labels" if index == 0 else None,
                )
        _show_all_lengths(panel, kinds)
        panel.set_title(title)
        panel.set_xlabel("step")
        panel.set_ylabel(unit)
        panel.set_ylim(bottom=0.0)
    style.legend_at_foot(figure, axes[:1])
    if compared:
        _draw_reached(axes[2], reached, 0, f"(c) Steps to {100 * aim:g}% train accuracy", "steps")
        _draw_reached(
            axes[3], reached, 1, "(d) Distance there", RELATIVE_DISTANCE
        )
    return figure


def _show_all_lengths(axes: Axes, kinds: dict[str, list[Training]]) -> None:
    """Takes logarithms of the step where one kind of labels ends long before the other."""
    ends = [
        max(int(member.trajectory["step"][-1]) for member in members) for members in kinds.values()
    ]
    if min(ends) > 0 and max(ends) > 10 * min(ends):
        axes.set_xscale("symlog", linthresh=min(ends), subs=range(2, 10))


def _draw_reached(
    axes: Axes, reached: dict[str, list[tuple[int, float]]], column: int, title: str, unit: str
) -> None:
    ticks: list[str] = []
    means: list[float] = []
    for number, (kind, values) in enumerate(reached.items()):
        numbers = np.array([value[column] for value in values], dtype=float)
        look = style.marker(number, len(reached))
        offsets = np.linspace(-0.15, 0.15, len(numbers)) if len(numbers) > 1 else np.zeros(1)
        axes.plot(number + offsets, numbers, markersize=5, **look)
        axes.hlines(numbers.mean(), number - 0.3, number + 0.3, color=look["color"])
        ticks.append(f"{kind} labels\nmean {numbers.mean():,.4g}")
        means.append(numbers.mean())
    axes.set_xticks(range(len(reached)), labels=ticks)
    axes.set_xlim(-0.6, len(reached) - 0.4)
    if min(means) > 0 and max(means) > 10 * min(means):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0.0)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(axis="x", visible=False)
