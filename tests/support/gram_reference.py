"""The Gram matrix and descent on it in NumPy, written down from the papers and from nothing of the
program.

Angles come from differences of unit vectors for all pairs, which is slow and accurate everywhere.
"""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

Array = np.ndarray


def angles(left: Array, right: Array) -> Array:
    """Angles between all rows of two sets, accurate also near 0 and pi (Kahan's formula)."""
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (left, right)]
    difference = np.linalg.norm(units[0][:, None, :] - units[1][None, :, :], axis=2)
    total = np.linalg.norm(units[0][:, None, :] + units[1][None, :, :], axis=2)
    return 2 * np.arctan2(difference, total)


def same_side(theta: Array, slope: float) -> Array:
    """E[s'(u) s'(v)] for Gaussians at that angle."""
    return slope + (1 - slope) ** 2 * (math.pi - theta) / (2 * math.pi)


def next_angle(theta: Array, slope: float) -> Array:
    """The angle after one more infinitely wide layer."""
    mixed = (1 - slope) ** 2 / (2 * math.pi)
    value = slope * np.cos(theta) + mixed * (
        np.sin(theta) + (math.pi - theta) * np.cos(theta)
    )
    return np.arccos(np.clip(value * 2 / (1 + slope**2), -1, 1))


def kernel(
    left: Array, right: Array, slope: float = 0.0, depth: int = 1, all_layers: bool = False
) -> Array:
    """H of the infinitely wide network (AR equation 3), of inputs of any norm and any depth."""
    norms = np.outer(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
    theta = angles(left, right)
    layers = []
    for _ in range(depth):
        layers.append(theta)
        theta = next_angle(theta, slope)
    top = same_side(layers[-1], slope)
    if not all_layers:
        return norms * np.cos(layers[-1]) * top
    total = np.zeros_like(norms)
    for layer in range(depth):
        term = np.cos(layers[layer]) * top
        for between in layers[layer:-1]:
            term = term * same_side(between, slope) * 2 / (1 + slope**2)
        total += term
    return norms * total


def network(weights: Array, inputs: Array, slope: float = 0.0) -> Array:
    """H(t) of a network with output weights +-m^-1/2 (AR section 3.4)."""
    derivative = np.where(inputs @ weights.T >= 0, 1.0, slope)  # [n, m]
    return (inputs @ inputs.T) * (derivative @ derivative.T) / len(weights)


class Descent:
    """Gradient descent on a fixed matrix, by its spectrum."""

    def __init__(self, matrix: Array, rate: float) -> None:
        values, vectors = np.linalg.eigh(matrix)
        self.values, self.vectors = values[::-1], vectors[:, ::-1]
        self.rate = rate

    def projections(self, targets: Array) -> Array:
        """|v_i y|, over outputs the norm."""
        return np.linalg.norm(self.vectors.T @ targets, axis=1)

    def outputs(self, targets: Array, steps: int, start: Optional[Array] = None) -> Array:
        """u(steps) from `start` (AR equation 7), by multiplying it out."""
        at = np.zeros_like(targets) if start is None else start.copy()
        matrix = (self.vectors * self.values) @ self.vectors.T
        for _ in range(steps):
            at = at - self.rate * matrix @ (at - targets)
        return at

    def distance(self, targets: Array, steps: int) -> float:
        """||W~(steps)||_F: sqrt(c' H c) for c = sum of eta (I - eta H)^s y over the steps."""
        residual = targets.copy()
        coefficients = np.zeros_like(targets)
        matrix = (self.vectors * self.values) @ self.vectors.T
        for _ in range(steps):
            coefficients += self.rate * residual
            residual = residual - self.rate * matrix @ residual
        return float(np.sqrt(np.sum(coefficients * (matrix @ coefficients))))
