"""Training and measuring in NumPy, written down from the papers and from nothing of the program.

The network is f_i(x) = sum_r a_ir s(<w_r, x>); w is trained, or w and a. The loss is cross entropy
over the softmax (Li and Liang, section 3), half the squared distance from targets (Arora et al.,
section 3), where a_ir has a factor m^-1/2, or the hinge loss (Brutzkus et al., section 2).
Everything is whole arrays, slow and plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Iterator, Optional

import numpy as np

Array = np.ndarray


@dataclass
class Truth:
    """Labels [n] of samples, their targets [n, k] where the loss has them, whether losses are
    summed, and whether they are those of hinges."""

    labels: Array
    targets: Optional[Array]
    total: bool
    hinge: bool = False

    def over(self, losses: Array) -> float:
        """The mean or sum of the losses of all samples."""
        return float(losses.sum() if self.total else losses.mean())


@dataclass
class Experiment:
    """What is trained, on what."""

    train_inputs: Array  # [n, d]
    train_labels: Array  # [n]
    test_inputs: Array
    test_labels: Array
    hidden_weights: Array  # W(0), [m, d]
    output_weights: Array  # a, [k, m]
    rate: float  # eta
    components: Array  # [n], of the distribution each train sample came from
    slope: float = 0.0  # of the activation left of 0
    threshold: float = 0.01  # of large pseudo gradients
    train_targets: Optional[Array] = None  # [n, k] where the loss has them
    test_targets: Optional[Array] = None
    total: bool = False  # losses are sums over samples, not means
    hinge: bool = False
    train_output: bool = False  # a is trained too
    separator: Optional[Array] = None  # w* [d], of the hinge loss

    @classmethod
    def of(cls, member: Any) -> Experiment:
        """What a run (a member of widthwise.open) recorded of its data and its start."""
        record, slope = member.record, member.setting("network.activation.slope")
        inputs = {part: record[f"{part}_inputs"] for part in ("train", "test")}
        # Samples with real targets in place of classes have no labels, and are of no component.
        none = {part: np.zeros(len(samples), dtype=int) for part, samples in inputs.items()}
        return cls(
            train_inputs=inputs["train"],
            train_labels=record.get("train_labels", none["train"]),
            test_inputs=inputs["test"],
            test_labels=record.get("test_labels", none["test"]),
            hidden_weights=record["initial_hidden_weights"],
            output_weights=record["initial_output_weights"],
            rate=float(member.parameters["learning_rate"]),
            slope=float(slope) if slope is not None else 0.0,
            components=record.get("train_components", none["train"]),
            train_targets=record.get("train_targets"),
            test_targets=record.get("test_targets"),
            total=member.setting("loss_reduction") == "sum",
            threshold=float(member.setting("measure.pseudo_gradient_threshold") or 0.0),
            hinge=member.setting("loss") == "hinge",
            train_output=member.setting("network.train_output") == "true",
            separator=member.theory.get("separator"),
        )

    def batches(self, member: Any) -> Array:
        """Train samples of the batch of each of its steps, and of the one after the last."""
        steps = int(member.trajectory["step"][-1])  # fewer than asked for where a run is at rest
        if "batches" in member.record:
            return member.record["batches"][: steps + 1]
        return np.tile(np.arange(len(self.train_labels)), (steps + 1, 1))  # gradient descent

    def truth(self, part: str, batch: Optional[Array] = None) -> Truth:
        """What outputs on the train or test set, or on a batch of it, are compared with."""
        labels, targets = getattr(self, f"{part}_labels"), getattr(self, f"{part}_targets")
        rows = np.arange(len(labels)) if batch is None else batch
        wanted = None if targets is None else targets[rows]
        return Truth(labels[rows], wanted, self.total, self.hinge)


def positive(preactivations: Array) -> Array:
    """The activation pattern; 0 counts as positive."""
    return preactivations >= 0


def outputs(experiment: Experiment, preactivations: Array, patterns: Array) -> Array:
    """f(x) [n, k] of pre-activations <w_r, x> [n, m], with activations taken from `patterns`."""
    hidden = np.where(patterns, preactivations, experiment.slope * preactivations)
    return hidden @ experiment.output_weights.T


def log_softmax(values: Array) -> Array:
    """log o_i(x) of outputs [n, k]."""
    shifted = values - values.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def loss_over(values: Array, truth: Truth) -> float:
    """-(1/n) sum_s log o_y(x_s), (1/n) sum_s |u(x_s) - y_s|^2 / 2, (1/n) sum_s max(1 - y N, 0), or
    the sums."""
    if truth.hinge:
        return truth.over(np.maximum(1 - truth.targets[:, 0] * values[:, 0], 0))
    if truth.targets is not None:
        return truth.over(0.5 * ((values - truth.targets) ** 2).sum(axis=1))
    labels = truth.labels
    return truth.over(-log_softmax(values)[np.arange(len(labels)), labels])


def accuracy(values: Array, truth: Truth) -> float:
    """Share of samples whose label's output, or the largest one at a largest target, is above every
    other one, or whose only output has the sign of its target."""
    if truth.targets is not None and values.shape[1] == 1:
        return float((np.sign(values) * np.sign(truth.targets) > 0).mean())
    if truth.targets is not None:
        wanted = truth.targets == truth.targets.max(axis=1, keepdims=True)
        best = np.where(wanted, values, -np.inf).max(axis=1)
        return float((best > np.where(wanted, -np.inf, values).max(axis=1)).mean())
    labels = truth.labels
    own = values[np.arange(len(labels)), labels]
    others = values.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return float((own > others.max(axis=1)).mean())


def v_values(values: Array, truth: Truth) -> Array:
    """v_i(x) [n, k] of section 5.1: 1 - o_y for the label, -o_i for the others; or y - u; or y where
    the margin is below 1."""
    if truth.hinge:
        return np.where(truth.targets * values < 1, truth.targets, 0.0)
    if truth.targets is not None:
        return truth.targets - values
    labels = truth.labels
    result = -np.exp(log_softmax(values))
    result[np.arange(len(labels)), labels] += 1
    return result


def coefficients(experiment: Experiment, weights: Array, batch: Array, patterns: Array) -> Array:
    """c_sr [B, m] such that the gradient of unit r is the mean or sum of c_sr x_s over s.

    `patterns` [B, m] multiplies the inputs; the outputs are those of the network itself.
    """
    inputs, truth = experiment.train_inputs[batch], experiment.truth("train", batch)
    preactivations = inputs @ weights.T
    values = outputs(experiment, preactivations, positive(preactivations))
    by_unit = -v_values(values, truth) @ experiment.output_weights
    return by_unit * np.where(patterns, 1.0, experiment.slope)


def gradient(experiment: Experiment, weights: Array, batch: Array, patterns: Array) -> Array:
    """dL/dW [m, d] on a batch (equation 1), or the pseudo gradient with patterns of t = 0."""
    terms = coefficients(experiment, weights, batch, patterns)
    total = terms.T @ experiment.train_inputs[batch]
    return total if experiment.total else total / len(batch)


def output_gradient(experiment: Experiment, weights: Array, batch: Array) -> Array:
    """dL/da [k, m] on a batch."""
    preactivations = experiment.train_inputs[batch] @ weights.T
    hidden = np.where(positive(preactivations), preactivations, experiment.slope * preactivations)
    values = hidden @ experiment.output_weights.T
    total = -v_values(values, experiment.truth("train", batch)).T @ hidden
    return total if experiment.total else total / len(batch)


def batch_patterns(experiment: Experiment, weights: Array, batch: Array) -> Array:
    """Activation patterns [B, m] of `weights` on a batch."""
    return positive(experiment.train_inputs[batch] @ weights.T)


@dataclass
class Outcomes:
    """What follows of a record from the outputs alone, with what cumulative quantities carry."""

    experiment: Experiment
    v_max_squares: list[float] = field(default_factory=list)
    last: Optional[tuple[int, float]] = None  # step and train loss of the record before

    def measure(self, step: int, train: Array, test: Array) -> dict[str, float | Array]:
        """Of outputs [n, k] on both sets. To be called for each record in turn."""
        train_truth, test_truth = self.experiment.truth("train"), self.experiment.truth("test")
        measured: dict[str, float | Array] = {
            "loss": loss_over(train, train_truth),
            "train_accuracy": accuracy(train, train_truth),
            "test_loss": loss_over(test, test_truth),
            "test_accuracy": accuracy(test, test_truth),
            "train_error": 1 - accuracy(train, train_truth),
            "test_error": 1 - accuracy(test, test_truth),
        }
        measured["contraction"] = self._contraction(step, measured["loss"])
        measured.update(self._errors(train, test))
        v = v_values(train, train_truth)
        components = self.experiment.components
        largest = max(
            float(np.abs(v[components == component].sum(axis=0)).max()) / len(v)
            for component in np.unique(components)
        )
        self.v_max_squares.append(largest**2)
        measured["v_max"] = largest
        measured["v_max_mean_square"] = float(np.mean(self.v_max_squares))
        return measured

    def _contraction(self, step: int, loss: float) -> float:
        """What a step since the record before multiplied the loss by, on geometric average."""
        before, self.last = self.last, (step, loss)
        if before is None:
            return 1.0
        return float((loss / before[1]) ** (1 / (step - before[0])))

    def _errors(self, train: Array, test: Array) -> dict[str, float | Array]:
        """Distances of outputs from targets, and the outputs themselves: [n] if there is one."""
        experiment = self.experiment
        measured: dict[str, float | Array] = {
            "train_outputs": train[:, 0] if train.shape[1] == 1 else train,
            "test_outputs": test[:, 0] if test.shape[1] == 1 else test,
        }
        if experiment.train_targets is None or experiment.test_targets is None:
            return measured
        train_error = train - experiment.train_targets
        test_error = np.abs(test - experiment.test_targets).sum(axis=1)
        measured["residual"] = float(np.linalg.norm(train_error))
        measured["train_absolute_error"] = float(np.abs(train_error).sum(axis=1).mean())
        measured["test_absolute_error"] = float(test_error.mean())
        measured["test_clipped_error"] = float(np.minimum(1, test_error).mean())
        return measured


@dataclass
class Replay:
    """Weights at every step, and what cumulative quantities carry."""

    experiment: Experiment
    batches: Array  # [T + 1, B] of indices into the train set; the last is only measured on
    updates: int = 0  # steps that changed a weight
    last_change: int = 0  # steps made when the weights became what they are
    descent: float = -np.inf  # largest <dL/dW, W*> of these steps
    used: set[int] = field(default_factory=set)  # samples with a part in them

    def trajectory(self) -> Iterator[tuple[int, Array]]:
        """(t, W(t)) for t = 0 .. T. `self.now` has the output weights of step t."""
        weights = self.experiment.hidden_weights.copy()
        yield 0, weights
        for step, batch in enumerate(self.batches[:-1]):
            patterns = batch_patterns(self.now, weights, batch)
            change = gradient(self.now, weights, batch, patterns)
            if self.experiment.hinge:
                self._tally(step, weights, batch, change)
            moved = weights - self.experiment.rate * change
            if self.experiment.train_output:
                by_output = output_gradient(self.now, weights, batch)
                outer = self.now.output_weights - self.experiment.rate * by_output
                self.now = replace(self.now, output_weights=outer)
            weights = moved
            yield step + 1, weights

    def _tally(self, step: int, weights: Array, batch: Array, change: Array) -> None:
        parts = batch[coefficients(self.now, weights, batch, batch_patterns(
            self.now, weights, batch)).any(axis=1)]
        if len(parts) == 0:
            return
        self.updates += 1
        self.last_change = step + 1
        self.used.update(parts.tolist())
        if self.experiment.separator is not None:
            along = np.sign(self.now.output_weights[0]) * (change @ self.experiment.separator)
            self.descent = max(self.descent, float(along.sum()))

    def live_samples(self, weights: Array) -> Array:
        """Train samples that would change a weight in a step of their own."""
        every = np.arange(len(self.experiment.train_labels))
        patterns = batch_patterns(self.now, weights, every)
        return every[coefficients(self.now, weights, every, patterns).any(axis=1)]

    def measure(self, step: int, weights: Array) -> dict[str, float]:
        """Every quantity of a record. To be called for each record in turn."""
        now = [inputs @ weights.T for inputs in self._inputs()]
        measured = self._outputs(step, *now)
        measured.update(self._movement(weights))
        measured.update(self._coupling(weights, *now))
        measured.update(self._gradients(weights, self.batches[step]))
        if self.experiment.hinge:
            measured.update(self._margins(weights, now[0]))
        return measured

    def _margins(self, weights: Array, preactivations: Array) -> dict[str, float]:
        """What Brutzkus et al. look at."""
        experiment = self.experiment
        values = outputs(self.now, preactivations, positive(preactivations))
        margins = (experiment.train_targets * values)[:, 0]
        below = np.flatnonzero(margins < 1)
        ratios = self.now.output_weights / experiment.output_weights
        measured = {
            "updates": float(self.updates),
            "support": float(len(self.used)),
            "violations": float(len(below)),
            "dead_samples": float(len(below) - len(self.live_samples(weights))),
            "smallest_margin": float(margins.min()),
            "weight_norm": float(np.linalg.norm(weights)),
            "output_ratio_min": float(ratios.min()),
            "output_ratio_max": float(ratios.max()),
            "descent": self.descent,
        }
        unused = [sample for sample in range(len(margins)) if sample not in self.used]
        measured["unused_error"] = float(np.mean(margins[unused] <= 0)) if unused else np.nan
        if experiment.separator is not None:
            star = np.outer(np.sign(experiment.output_weights[0]), experiment.separator)
            measured["alignment"] = float((star * weights).sum())
            measured["cosine"] = measured["alignment"] / float(
                np.linalg.norm(weights) * np.linalg.norm(star)
            )
        return measured

    def _inputs(self) -> tuple[Array, Array]:
        return self.experiment.train_inputs, self.experiment.test_inputs

    def __post_init__(self) -> None:
        # <w_r(0), x> on the train and on the test set.
        self.now = self.experiment
        self.outcomes = Outcomes(self.experiment)
        self.early = [inputs @ self.experiment.hidden_weights.T for inputs in self._inputs()]

    def _outputs(self, step: int, train_now: Array, test_now: Array) -> dict[str, float | Array]:
        train, test = (outputs(self.now, now, positive(now)) for now in (train_now, test_now))
        return self.outcomes.measure(step, train, test)

    def _movement(self, weights: Array) -> dict[str, float]:
        start = self.experiment.hidden_weights
        moved = weights - start
        return {
            "distance": float(np.linalg.norm(moved) / np.linalg.norm(start)),
            "distance_absolute": float(np.linalg.norm(moved)),
            "row_movement": float(np.linalg.norm(moved, axis=1).max()),
        }

    def _coupling(self, weights: Array, train_now: Array, test_now: Array) -> dict[str, float]:
        experiment = self.experiment
        train_early, test_early = self.early
        changed = positive(test_now) != positive(test_early)
        moved = np.linalg.norm(weights - experiment.hidden_weights, axis=1)
        reach = np.linalg.norm(experiment.test_inputs, axis=1)[:, None] * moved
        f = outputs(self.now, test_now, positive(test_now))
        g = outputs(self.now, test_now, positive(test_early))
        return {
            "coupling": float(changed.mean()),
            "coupling_train": float((positive(train_now) != positive(train_early)).mean()),
            "coupling_any": float(changed.any(axis=0).mean()),
            "coupling_at_risk": float((np.abs(test_early) <= reach).mean()),
            "pseudo_network_deviation": float(np.abs(f - g).max()),
        }

    def _gradients(self, weights: Array, batch: Array) -> dict[str, float]:
        experiment = self.now
        truth = experiment.truth("train", batch)
        preactivations = experiment.train_inputs[batch] @ weights.T
        now = batch_patterns(experiment, weights, batch)
        early = batch_patterns(experiment, experiment.hidden_weights, batch)
        true = gradient(experiment, weights, batch, now)
        pseudo = gradient(experiment, weights, batch, early)
        equal = (
            coefficients(experiment, weights, batch, now)
            == coefficients(experiment, weights, batch, early)
        ).all(axis=0)
        large = np.linalg.norm(pseudo, axis=1) > experiment.threshold
        return {
            "batch_loss": loss_over(outputs(experiment, preactivations, now), truth),
            "gradient_norm": float(np.linalg.norm(true)),
            "pseudo_gradient_norm": float(np.linalg.norm(pseudo)),
            "pseudo_gradient_large": float(large.mean()),
            "equal_gradient": float(equal.mean()),
        }
