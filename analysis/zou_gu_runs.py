"""What the figures for Zou & Gu (2019) share: which runs are looked at, their rates, and panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import style
from arora import Groups, mean_by
from arora_widths import WIDTH
from averages import has_scalar
from li_liang import fact
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


def of_paper(file: File) -> list[Training]:
    """Runs that this paper is about."""
    return [
        member
        for member in file.trainings
        if member.setting("loss") == "squared"
        and (member.parameters.get("model") == "zou-gu" or (fact(member, "depth") or 1) > 1)
    ]


def varies(members: Sequence[Training], *keys: str) -> bool:
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
    smallest, rate = result("network_kernel_least")(member), fact(member, "learning_rate")
    samples = fact(member, "train_samples")
    if smallest is None or rate is None or not samples:
        return None
    left = 1 - rate * smallest / samples
    return float(-2 * np.log(left)) if 0 < left < 1 else None


def result(name: str) -> Value:
    """A result at the end of a run."""

    def value(member: Training) -> Optional[float]:
        if name not in member.final:
            return None
        found = float(member.final[name])
        return found if np.isfinite(found) else None

    return value


def least(name: str) -> Value:
    """The smallest value along the way."""

    def value(member: Training) -> Optional[float]:
        return float(np.nanmin(member.trajectory[name])) if has_scalar(member, name) else None

    return value


def setting(key: str) -> Value:
    """A number of the configuration."""

    def value(member: Training) -> Optional[float]:
        text = member.setting(key)
        return None if text is None else float(text)

    return value


def curves(
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


def finish(figure: Figure, axes: Sequence[Axes]) -> None:
    """Letters before titles, and legends below the panels, in as many columns as fit."""
    for number, panel in enumerate(axes):
        panel.set_title(f"{style.letter(number)} {panel.get_title()}")
    style.legends_below(figure, axes)


def say(axes: Axes, text: str, line: str = "--") -> None:
    """An entry of the legend for what is drawn once for every group."""
    axes.plot([], [], color="black", linestyle=line, linewidth=1.0, label=text)


def gradient_panel(axes: Axes) -> None:
    axes.set_title("Gradient, lemma 4.1")
    axes.set_ylabel(r"$\Vert\nabla L\Vert_F^2\,kn^2/(m\phi L)$")


def samples_of(member: Training) -> Optional[float]:
    return fact(member, "train_samples")


def linear_runs(file: File) -> list[Training]:
    return [
        member
        for member in of_paper(file)
        if member.setting("training.method") == "gd" and line_of(member) is not None
    ]
