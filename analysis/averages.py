"""Means and deviations over runs that differ in their seeds only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import numpy as np

from widthwise import Training


@dataclass(frozen=True)
class Band:
    """A curve over several runs.

    abscissa   [points], steps or numbers of singular values
    mean       [points], over the runs that came so far
    deviation  [points], sample standard deviation, 0 where one run is all there is
    count      [points], runs that the mean is over
    """

    abscissa: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    count: np.ndarray

    def runs(self) -> str:
        """The number of runs, "3 to 5" where not all came to the end."""
        low, high = int(self.count.min()), int(self.count.max())
        return str(high) if low == high else f"{low} to {high}"


def _band(abscissa: np.ndarray, values: np.ndarray) -> Optional[Band]:
    """Band of values [runs, points]; NaN is where a run did not come to. None without any value."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    kept = count > 0
    if not kept.any():
        return None
    abscissa, values, finite, count = abscissa[kept], values[:, kept], finite[:, kept], count[kept]
    mean = np.where(finite, values, 0.0).sum(axis=0) / count
    squares = (np.where(finite, values - mean, 0.0) ** 2).sum(axis=0)
    return Band(abscissa, mean, np.sqrt(squares / np.maximum(count - 1, 1)), count)


def has_scalar(member: Training, name: str) -> bool:
    """Whether a run has at least one finite value of a scalar quantity along the way."""
    if name not in member.trajectory or member.rows == 0:
        return False
    values = member.trajectory[name]
    return values.ndim == 1 and bool(np.isfinite(values).any())


def trajectory_band(members: Sequence[Training], name: str) -> Optional[Band]:
    """A scalar quantity against the step, over the runs that have it."""
    having = [member for member in members if has_scalar(member, name)]
    if not having:
        return None
    steps = np.unique(np.concatenate([member.trajectory["step"] for member in having]))
    values = np.full((len(having), len(steps)), np.nan)
    for row, member in enumerate(having):
        values[row, np.searchsorted(steps, member.trajectory["step"])] = member.trajectory[name]
    return _band(steps, values)


def held_band(
    members: Sequence[Training],
    name: str,
    change: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> Optional[Band]:
    """As trajectory_band, of `change` of the values, for runs that end at rest: where one has
    ended, it keeps its last value, so that the mean is over the same runs everywhere."""
    having = [member for member in members if has_scalar(member, name)]
    if not having:
        return None
    steps = np.unique(np.concatenate([member.trajectory["step"] for member in having]))
    values = np.empty((len(having), len(steps)))
    for row, member in enumerate(having):
        own = np.searchsorted(member.trajectory["step"], steps, side="right") - 1
        values[row] = change(member.trajectory[name])[own]
    return _band(steps, values)


def final_band(members: Sequence[Training], name: str) -> Optional[Band]:
    """A vector of final results against its number, counted from 1, over the runs that have it."""
    vectors = [member.final[name] for member in members if name in member.final]
    vectors = [vector for vector in vectors if vector.ndim == 1 and len(vector) > 0]
    if not vectors:
        return None
    values = np.full((len(vectors), max(len(vector) for vector in vectors)), np.nan)
    for row, vector in enumerate(vectors):
        values[row, : len(vector)] = vector
    return _band(np.arange(1, values.shape[1] + 1), values)


@dataclass(frozen=True)
class Reached:
    """The first record at which a quantity was at its target."""

    step: int
    row: int


def first_reached(member: Training, name: str, target: float) -> Optional[Reached]:
    """Where a rising quantity first was at least `target`, as looked at in the records of a run."""
    if not has_scalar(member, name):
        return None
    rows = np.flatnonzero(member.trajectory[name] >= target)
    if len(rows) == 0:
        return None
    return Reached(int(member.trajectory["step"][rows[0]]), int(rows[0]))


@dataclass(frozen=True)
class PowerLaw:
    """The line that log values fall on against log places, by least squares.

    exponent  its slope
    error     standard error of the slope, 0 where two points are all there is
    factor    value at place 1
    """

    exponent: float
    error: float
    factor: float

    def at(self, places: np.ndarray) -> np.ndarray:
        """Values on the line."""
        return self.factor * places**self.exponent

    def text(self, symbol: str) -> str:
        """The power as a formula, with its standard error where it has one."""
        error = rf"\pm{self.error:.2f}" if self.error > 0 else ""
        return rf"${symbol}^{{{self.exponent:.2f}{error}}}$"


def power_law(places: Sequence[float], values: Sequence[float]) -> PowerLaw:
    """The power law of positive values at two different places or more."""
    across, up = np.log(np.asarray(places, float)), np.log(np.asarray(values, float))
    exponent, start = np.polyfit(across, up, 1)
    left = up - start - exponent * across
    variance = float((left**2).sum()) / max(len(across) - 2, 1)
    error = np.sqrt(variance / float(((across - across.mean()) ** 2).sum()))
    return PowerLaw(float(exponent), float(error) if len(across) > 2 else 0.0, float(np.exp(start)))
