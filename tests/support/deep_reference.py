"""Training and measuring networks of several hidden layers in NumPy, written down from Zou and Gu
(2019) and from nothing of the program.

f(x) = V s(W_L ... s(W_1 x)) (section 2); all W_l are trained, or V too. Layers are numbered from 1, and
lists of layers begin with the first. Everything is whole arrays: gradients and the network's kernel are
made as matrices and Jacobians, spectral norms by singular values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Iterator

import numpy as np

from reference import Array, Experiment, Outcomes, loss_over, positive, v_values


@dataclass
class Network:
    """Weights; their type of number is what everything is computed in."""

    hidden: list[Array]  # W_1 [m, d], W_2 .. W_L [m, m]
    output: Array  # V, [k, m]
    slope: float = 0.0  # of the activation left of 0


@dataclass
class Passed:
    """A set of n samples that went through a network."""

    inputs: list[Array]  # x_0 .. x_L: of each layer [n, its columns], and of V
    patterns: list[Array]  # [n, m] of each layer
    outputs: Array  # [n, k]

    def factors(self, slope: float) -> list[Array]:
        """Derivatives of the activations by their pre-activations, [n, m] of each layer."""
        kind = self.outputs.dtype.type
        return [np.where(pattern, kind(1), kind(slope)) for pattern in self.patterns]


def forward(network: Network, samples: Array) -> Passed:
    """Sends samples [n, d] through the network."""
    inputs, patterns = [samples.astype(network.output.dtype)], []
    for weights in network.hidden:
        preactivations = inputs[-1] @ weights.T
        patterns.append(positive(preactivations))
        slope = network.output.dtype.type(network.slope)
        inputs.append(np.where(patterns[-1], preactivations, slope * preactivations))
    return Passed(inputs, patterns, inputs[-1] @ network.output.T)


def derivatives(network: Network, passed: Passed, by_outputs: Array) -> list[Array]:
    """Derivatives [n, m] by the pre-activations of each layer, given those by outputs [n, k]."""
    factors = passed.factors(network.slope)
    found = [(by_outputs.astype(network.output.dtype) @ network.output) * factors[-1]]
    for weights, factor in zip(network.hidden[:0:-1], factors[-2::-1]):
        found.append((found[-1] @ weights) * factor)
    return found[::-1]


def jacobian(network: Network, samples: Array) -> Array:
    """Derivatives of all outputs of all samples by all hidden weights, [n k, parameters]."""
    rows = []
    outputs = len(network.output)
    for sample in samples:
        passed = forward(network, sample[None, :])
        for which in np.eye(outputs):
            found = derivatives(network, passed, which[None, :])
            rows.append(
                np.concatenate(
                    [np.outer(d, x).ravel() for d, x in zip(found, passed.inputs)]
                )
            )
    return np.array(rows)


def kernel(network: Network, samples: Array) -> Array:
    """The network's own kernel: inner products of the gradients of outputs, [n k, n k]."""
    rows = jacobian(network, samples)
    return rows @ rows.T


def spectral(matrix: Array) -> float:
    """Largest singular value."""
    return float(np.linalg.svd(matrix.astype(float), compute_uv=False)[0])


def smallest_distance(samples: Array) -> float:
    """phi of assumption 3.2, by all pairs."""
    distances = np.linalg.norm(samples[:, None, :] - samples[None, :, :], axis=2)
    return float(distances[~np.eye(len(samples), dtype=bool)].min())


@dataclass
class DeepReplay:
    """Weights at every step, and what cumulative quantities carry. `experiment` has W_1 and V."""

    experiment: Experiment
    deeper: list[Array]  # W_2(0) .. W_L(0)
    batches: Array  # [T + 1, B] of indices into the train set; the last is only measured on
    single: bool = False  # weights are of single precision
    lengths: list[float] = field(default_factory=list)  # sum of ||W_l(t + 1) - W_l(t)||_2, eq. (4.1)
    # Of the last step: loss of its batch before, ||gradient||_F^2 over the hidden layers.
    last_step: tuple[float, float] = (np.nan, np.nan)

    def __post_init__(self) -> None:
        kind = np.float32 if self.single else np.float64
        hidden = [self.experiment.hidden_weights, *self.deeper]
        self.start = Network(
            [weights.astype(kind) for weights in hidden],
            self.experiment.output_weights.astype(kind),
            self.experiment.slope,
        )
        self.now = self.start
        self.lengths = [0.0] * len(hidden)
        self.moves = [np.nan] * len(hidden)
        self.outcomes = Outcomes(self.experiment)
        self.early = [
            forward(self.start, samples)
            for samples in (self.experiment.train_inputs, self.experiment.test_inputs)
        ]
        self.phi = smallest_distance(self.experiment.train_inputs)

    @property
    def depth(self) -> int:
        """L."""
        return len(self.start.hidden)

    def gradients(self, batch: Array) -> tuple[list[Array], Array, float]:
        """dL / dW_l of each layer, dL / dV, and L itself, on a batch of train samples."""
        truth = self.experiment.truth("train", batch)
        passed = forward(self.now, self.experiment.train_inputs[batch])
        outputs = passed.outputs.astype(float)
        by_outputs = -v_values(outputs, truth) / (1 if truth.total else len(batch))
        found = derivatives(self.now, passed, by_outputs)
        hidden = [d.T @ x for d, x in zip(found, passed.inputs)]
        by_output = by_outputs.astype(passed.outputs.dtype).T @ passed.inputs[-1]
        return hidden, by_output, loss_over(outputs, truth)

    def trajectory(self) -> Iterator[int]:
        """t = 0 .. T; `self.now` has the weights of step t."""
        yield 0
        for step, batch in enumerate(self.batches[:-1]):
            hidden, by_output, loss = self.gradients(batch)
            kind = self.now.output.dtype.type
            rate = kind(self.experiment.rate)
            self.moves = [self.experiment.rate * spectral(change) for change in hidden]
            self.lengths = [sum(pair) for pair in zip(self.lengths, self.moves)]
            self.last_step = loss, sum(squared(change) for change in hidden)
            moved = [weights - rate * change for weights, change in zip(self.now.hidden, hidden)]
            output = self.now.output
            if self.experiment.train_output:
                output = output - rate * by_output
            self.now = replace(self.now, hidden=moved, output=output)
            yield step + 1

    def measure(self, step: int) -> dict[str, float | Array]:
        """Every quantity of a record. To be called for each record in turn."""
        train, test = (
            forward(self.now, samples)
            for samples in (self.experiment.train_inputs, self.experiment.test_inputs)
        )
        measured = self.outcomes.measure(
            step, train.outputs.astype(float), test.outputs.astype(float)
        )
        measured.update(self._movement())
        measured.update(self._coupling(train, test))
        measured.update(self._gradients(step, float(measured["loss"])))
        measured.update(self._descent(float(measured["loss"]), float(measured["contraction"])))
        if self.experiment.hinge:
            margins = (self.experiment.train_targets * train.outputs.astype(float))[:, 0]
            ratios = self.now.output / self.start.output
            measured["violations"] = float((margins < 1).sum())
            measured["smallest_margin"] = float(margins.min())
            measured["weight_norm"] = np.sqrt(sum(squared(weights) for weights in self.now.hidden))
            measured["output_ratio_min"] = float(ratios.min())
            measured["output_ratio_max"] = float(ratios.max())
        return measured

    @property
    def divisor(self) -> int:
        """What a sum of losses is a mean by, for what the paper says of means."""
        return len(self.experiment.train_labels) if self.experiment.total else 1

    @property
    def scale(self) -> float:
        """m phi / (k n^2), lemma 4.1 with constant 1."""
        n, k, m = len(self.experiment.train_labels), *self.start.output.shape
        return float(m * self.phi / (k * n**2))

    def _descent(self, loss: float, contraction: float) -> dict[str, float]:
        """Lemmas 4.4 and 4.5, of the last step; nothing of the first record."""
        k, m = self.start.output.shape
        before, squares = self.last_step
        excess = loss - before + self.experiment.rate * squares
        radius = max(
            spectral(now.astype(float) - old)
            for now, old in zip(self.now.hidden, self.start.hidden)
        )
        move = max(self.moves)
        rough = np.sqrt(before / self.divisor) * radius ** (1 / 3) * self.depth**2
        rough *= np.sqrt(m * np.log(m) / k) * move
        smooth = self.depth**2 * m / k * move**2
        taken = 1 - contraction if np.isfinite(before) else np.nan
        return {
            "contraction_ratio": taken / (self.experiment.rate * self.divisor * self.scale),
            "semismoothness": excess,
            "semismoothness_ratio": float(excess / self.divisor / (rough + smooth)),
        }

    def _movement(self) -> dict[str, float | Array]:
        moved = [now.astype(float) - old for now, old in zip(self.now.hidden, self.start.hidden)]
        whole = np.sqrt(sum(squared(change) for change in moved))
        begun = np.sqrt(sum(squared(weights) for weights in self.start.hidden))
        norms = np.array([spectral(change) for change in moved])
        bound = np.sqrt(np.log(len(self.experiment.train_labels)) / self.scale)
        return {
            "distance": float(whole / begun),
            "distance_absolute": float(whole),
            "row_movement": max(float(np.linalg.norm(change, axis=1).max()) for change in moved),
            "layer_distance": np.array([np.linalg.norm(change) for change in moved]),
            "layer_spectral_distance": norms,
            "spectral_distance": float(norms.max()),
            "region_ratio": float(norms.max() / self.region()),
            "layer_trajectory_length": np.array(self.lengths),
            "trajectory_length": max(self.lengths),
            "trajectory_ratio": max(self.lengths) / float(bound),
        }

    def region(self) -> float:
        """tau of lemma 4.1 with constant 1."""
        n, m = len(self.experiment.train_labels), self.start.output.shape[1]
        return float(self.phi**1.5 * n**-3.0 * self.depth**-6.0 * np.log(m) ** -1.5)

    def _coupling(self, train: Passed, test: Passed) -> dict[str, float | Array]:
        changed = [
            np.array([now != old for now, old in zip(passed.patterns, early.patterns)])
            for passed, early in zip((train, test), self.early)
        ]  # [L, samples, m] each
        return {
            "coupling": float(changed[1].mean()),
            "coupling_train": float(changed[0].mean()),
            "coupling_any": float(changed[1].any(axis=1).mean()),
            "layer_coupling": changed[1].mean(axis=(1, 2)),
            "layer_coupling_train": changed[0].mean(axis=(1, 2)),
        }

    def _gradients(self, step: int, loss: float) -> dict[str, float | Array]:
        batch, _, batch_loss = self.gradients(self.batches[step])
        full, _, _ = self.gradients(np.arange(len(self.experiment.train_labels)))
        squares = np.array([squared(change) for change in full])
        of_mean = squares.sum() / self.divisor**2
        return {
            "batch_loss": batch_loss,
            "gradient_norm": float(np.sqrt(sum(squared(change) for change in batch))),
            "layer_gradient_norm": np.sqrt(squares),
            "gradient_ratio": float(of_mean / (self.scale * loss / self.divisor)),
            "layer_gradient_share": float(squares[-1] / squares.sum()),
        }


def squared(matrix: Array) -> float:
    """||matrix||_F^2."""
    return float((matrix.astype(float) ** 2).sum())


def signs(directions: Array) -> Iterator[Array]:
    """Signs [n, 1] that between them bring every pair of directions to the same and to opposite
    signs: none, and each direction against the others."""
    yield np.ones((len(directions), 1))
    for turned in range(len(directions)):
        yield np.where(np.arange(len(directions)) == turned, -1.0, 1.0)[:, None]


def gradient_regions(
    network: Network, samples: Array, spread: float, by_unit: Array
) -> dict[str, float]:
    """Section 4.1, at t = 0: rows of W_L of standard deviation `spread`, the inputs of layer L, and
    the squared gradient of each unit of that layer, `by_unit` [m].

    Region i has the w with |<w, z_i>| <= g and |<w, z_j>| >= 2 g for all j other than i, where
    g = sqrt(pi) phi / (8 n) with phi the smallest distance between directions up to the sign.
    """
    inputs = forward(network, samples).inputs[-2]
    directions = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
    n = len(directions)
    phi = min(smallest_distance(directions * sign) for sign in signs(directions))
    width = np.sqrt(np.pi) * phi / (8 * n)
    along = np.abs(network.hidden[-1] / spread @ directions.T)  # [m, n]
    near, far = along <= width, along >= 2 * width
    inside = np.array(
        [near[:, i] & np.delete(far, i, axis=1).all(axis=1) for i in range(n)]
    )  # [n, m]
    single, union = float(inside.mean()), float(inside.any(axis=0).mean())
    return {
        "region_separation": float(phi),
        "region_width": float(width),
        "region_single": single,
        "region_union": union,
        "region_overlap": float((inside.sum(axis=0) > 1).sum()),
        "region_gain": union / single if single > 0 else np.nan,
        "region_gradient_share": float(by_unit[inside.any(axis=0)].sum() / by_unit.sum()),
    }
