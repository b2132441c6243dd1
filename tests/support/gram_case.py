"""What tests of the Gram matrix share: a small run with everything, and its check against NumPy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gram_reference import Descent, kernel, network
from program import ProgramTest

import widthwise  # noqa: E402

SMALL = """
name: small
model: arora
seed: 5
data:
  train: 90
  test: 40
  mixture: {dimension: 12, classes: 2, components: 3, spread: 1.0, separation: 2.0}
network: {width: 300, hidden: {std: 0.5}}
training: {steps: 60, rate: 0.05}
measure:
  every: 7
  quantities: [loss, residual, distance_absolute, row_movement, train_outputs, test_outputs,
               test_absolute_error]
  final: [gram]
  snapshots: [0, 60]
gram: {eigenvectors: true}
output: {record: [data, initial-weights]}
"""

TOLERANCE = 1e-9


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference by the largest expected number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


class GramCase(ProgramTest):
    """A test with a folder, whose runs have a Gram matrix."""

    def near(self, found: object, expected: object, tolerance: float = TOLERANCE) -> None:
        """Equal but for rounding, by the largest number."""
        self.assertLess(relative(np.asarray(found), np.asarray(expected)), tolerance)

    def write(self, config: str, name: str) -> Path:
        """A configuration as a file."""
        path = self.folder / name
        path.write_text(config, encoding="utf-8")
        return path

    def check_group(
        self, path: Path, slope: float = 0.0, depth: int = 1, all_layers: bool = False
    ) -> None:
        """Everything of the group `gram` that follows from data and labels."""
        with widthwise.open(path) as file:
            member = file.members[0]
            gram, record = member.gram, member.record
            inputs, targets = record["train_inputs"], gram["labels_train"]
            n = len(inputs)
            matrix = kernel(inputs, inputs, slope, depth, all_layers)
            descent = Descent(matrix, 1.0)
            self.near(gram["eigenvalues"], descent.values)
            self.near(gram["lambda_min"], descent.values[-1])
            self.near(gram["lambda_max"], descent.values[0])
            self.near(gram["condition"], descent.values[0] / descent.values[-1])
            self.assertEqual(float(gram["shift"]), 0.0)
            self.assertEqual(float(gram["coincident_samples"]), 0.0)
            self.assertEqual(float(gram["zero_samples"]), 0.0)
            self.assertEqual(float(gram["zero_first"]), -1.0)
            self.assertLess(float(gram["eigen_residual"]), 1e-12 * descent.values[0])
            self.assertLess(float(gram["eigen_orthogonality"]), 1e-12)
            for name in ("train", "true", "random", "worst_case"):
                if f"labels_{name}" not in gram:
                    continue
                labels = gram[f"labels_{name}"]
                form = float(np.sum(labels * np.linalg.solve(matrix, labels)))
                self.near(gram[f"quadratic_form_{name}"], form, 1e-8)
                self.near(gram[f"complexity_{name}"], math.sqrt(2 * form / n), 1e-8)
                self.assertLess(float(gram[f"solve_residual_{name}"]), 1e-9)
                self.near(gram[f"projections_{name}"], descent.projections(labels), 1e-8)
            distances = np.linalg.norm(inputs[:, None] - inputs[None], axis=2)
            np.fill_diagonal(distances, np.inf)
            self.near(gram["separation"], distances.min())
            self.near(gram["separation_constant"], descent.values[-1] * n**2 / distances.min())
            predicted = kernel(record["test_inputs"], inputs, slope, depth, all_layers)
            predicted = predicted @ np.linalg.solve(matrix, targets)
            self.near(gram["limit_test_outputs"], predicted, 1e-8)
            if "test_targets" in record:
                error = np.abs(predicted - record["test_targets"]).sum(axis=1).mean()
                self.near(gram["limit_test_absolute_error"], error, 1e-8)

    def check_initial(self, member: widthwise.Member, rate: float, slope: float) -> None:
        """What has to do with the network made linear at its start, H(0) with output weights m^-1/2."""
        gram, record, theory = member.gram, member.record, member.theory
        inputs, targets = record["train_inputs"], record["train_targets"]
        weights, signs = record["initial_hidden_weights"], record["initial_output_weights"]
        n = len(inputs)
        matrix = network(weights, inputs, slope)
        initial = Descent(matrix, rate)
        hidden = inputs @ weights.T
        start = np.where(hidden >= 0, hidden, slope * hidden) @ signs.T
        self.near(gram["initial_eigenvalues"], initial.values)
        self.near(gram["initial_projections"], initial.projections(targets), 1e-7)
        self.near(gram["initial_residual_projections"], initial.projections(targets - start), 1e-7)
        difference = matrix - kernel(inputs, inputs, slope)
        self.near(gram["initial_difference"], np.linalg.norm(difference))
        self.near(gram["initial_spectral_difference"], np.linalg.norm(difference, 2), 1e-7)
        size = float(np.sqrt(np.sum(signs**2)))
        for row, step in enumerate(member.trajectory["step"]):
            linear = initial.outputs(targets, step, start)
            measured = member.trajectory["train_outputs"][row].reshape(n, -1)
            expected = {
                "residual_initial": np.linalg.norm(targets - linear),
                "distance_initial": initial.distance(targets, step) / size,
                # The difference of two that are near each other at first.
                "deviation_initial": np.linalg.norm(measured - linear),
            }
            for name, value in expected.items():
                self.assertAlmostEqual(float(theory[name][row]), float(value), delta=1e-8)

    def check_bounds(self, member: widthwise.Member, slope: float) -> None:
        """Bounds that need no descent, as AR prove them for any norms and output weights."""
        record, theory, trajectory = member.record, member.theory, member.trajectory
        inputs, targets = record["train_inputs"], record["train_targets"]
        signs = record["initial_output_weights"]
        n, m = len(inputs), len(record["initial_hidden_weights"])
        matrix = kernel(inputs, inputs, slope)
        form = float(np.sum(targets * np.linalg.solve(matrix, targets)))
        least = np.linalg.eigvalsh(matrix)[0]
        delta, kappa = 0.01, float(member.setting("network.hidden.std") or 0)
        norm = np.linalg.norm(inputs, axis=1).max()
        square = float(np.sum(signs**2)) / targets.shape[1]  # S
        has_pairs = member.setting("network.hidden.pairs") == "antisymmetric"
        start = max(
            (np.linalg.norm(targets, axis=1) ** 2).max(),
            0 if has_pairs else targets.shape[1] * square * kappa**2 * norm**2,
        )
        is_mean = member.setting("loss_reduction") == "mean"
        self.near(theory["distance_bound"], math.sqrt(form / square), 1e-8)
        self.near(theory["initial_loss_bound"], (1 if is_mean else n) * start / delta, 1e-8)
        self.assertLess(trajectory["loss"][0], float(theory["initial_loss_bound"]))
        if targets.shape[1] > 1:
            for name in ("generalization_bound", "classification_bound", "rademacher_bound"):
                self.assertTrue(np.isnan(theory[name]).all())
            return
        bound = norm * math.sqrt(2 * (1 + slope**2) * form / n)
        bound += math.sqrt(math.log(n * norm**2 / (least * delta)) / n)
        self.near(theory["generalization_bound"], bound, 1e-8)
        self.near(theory["classification_bound"], bound, 1e-8)
        tail = 2 * math.log(2 / delta) / (m / 2 if has_pairs else m)
        moved, row_moved = trajectory["distance_absolute"], trajectory["row_movement"]
        rademacher = moved / math.sqrt(2 * n)
        rademacher *= math.sqrt(1 + slope**2) + math.sqrt(1 - slope**2) * tail**0.25
        turned = 2 * row_moved**2 * math.sqrt(m) / kappa + row_moved * math.sqrt(m * tail)
        rademacher += (1 - slope) * turned
        self.near(theory["rademacher_bound"], math.sqrt(square) * norm * rademacher)

    def check_descent_bounds(self, member: widthwise.Member, slope: float) -> None:
        """Bounds that speak of steps."""
        record, theory = member.record, member.theory
        inputs, targets = record["train_inputs"], record["train_targets"]
        n, m = len(inputs), len(record["initial_hidden_weights"])
        values = np.linalg.eigvalsh(kernel(inputs, inputs, slope))
        square = float(np.sum(record["initial_output_weights"] ** 2)) / targets.shape[1]
        gain = square / (n if member.setting("loss_reduction") == "mean" else 1)
        rate = float(member.setting("training.rate") or 0)
        delta, kappa = 0.01, float(member.setting("network.hidden.std") or 0)
        norm = np.linalg.norm(inputs, axis=1).max()
        has_pairs = member.setting("network.hidden.pairs") == "antisymmetric"
        start = max((targets**2).max(), 0 if has_pairs else square * kappa**2 * norm**2)
        self.near(theory["contraction_bound"], 1 - rate * gain * values[0] / 2)
        self.near(theory["largest_stable_rate"], 2 / values[-1] / gain)
        self.near(theory["theorem_rate"], values[0] / (n * norm**2) ** 2 / gain)
        if targets.shape[1] > 1:
            self.assertTrue(math.isnan(float(theory["theorem_width"])))
            self.assertTrue(math.isnan(float(theory["row_movement_bound"])))
            return
        width = (n * norm) ** 6 * start / (square * values[0] ** 4 * kappa**2 * delta**3)
        self.near(theory["theorem_width"], width, 1e-7)
        movement = n * norm * math.sqrt(start) / (math.sqrt(m * square * delta) * values[0])
        self.near(theory["row_movement_bound"], movement, 1e-8)

    def check_predictions(self, path: Path, slope: float = 0.0) -> None:
        """Everything of `theory` and `gram` that has to do with the run."""
        with widthwise.open(path) as file:
            member = file.members[0]
            record, theory, trajectory = member.record, member.theory, member.trajectory
            steps = trajectory["step"]
            inputs, targets = record["train_inputs"], record["train_targets"]
            n, k = targets.shape
            square = float(np.sum(record["initial_output_weights"] ** 2)) / k
            gain = square / (n if member.setting("loss_reduction") == "mean" else 1)
            rate = float(member.setting("training.rate") or 0) * gain
            limit = Descent(kernel(inputs, inputs, slope), rate)
            for row, step in enumerate(steps):
                sequence = limit.outputs(targets, step)
                measured = trajectory["train_outputs"][row].reshape(n, -1)
                expected = {
                    "residual_limit": np.linalg.norm(targets - sequence),
                    "deviation_limit": np.linalg.norm(measured - sequence),
                    "distance_limit": limit.distance(targets, step) / math.sqrt(square),
                }
                for name, value in expected.items():
                    self.assertAlmostEqual(float(theory[name][row]), float(value), delta=1e-8)
            self.check_bounds(member, slope)
            self.check_descent_bounds(member, slope)
            predicted = kernel(record["test_inputs"], inputs, slope) @ np.linalg.solve(
                kernel(inputs, inputs, slope), limit.outputs(targets, steps[-1])
            )
            self.near(theory["limit_test_outputs"], predicted, 1e-8)
            error = np.abs(predicted - record["test_targets"]).sum(axis=1)
            self.near(theory["limit_test_absolute_error"], error.mean(), 1e-8)
            # The same number of the trajectory, of outputs that are there.
            shown = trajectory["test_outputs"][-1].reshape(predicted.shape)
            error = np.abs(shown - record["test_targets"]).sum(axis=1)
            self.near(trajectory["test_absolute_error"][-1], error.mean())
            if k > 1:
                wrong = (predicted.argmax(axis=1) != record["test_targets"].argmax(axis=1)).mean()
                self.assertAlmostEqual(float(theory["limit_test_error"]), float(wrong), delta=1e-12)
                self.assertNotIn("residual_initial", theory)
                return
            self.check_initial(member, rate, slope)
            wrong = (predicted * record["test_targets"] <= 0).mean()
            self.assertAlmostEqual(float(theory["limit_test_error"]), float(wrong), delta=1e-12)
            for index, taken in enumerate(member.snapshots.steps):
                now = network(member.snapshots.hidden_weights(index), inputs, slope)
                off = now - kernel(inputs, inputs, slope)
                values = np.linalg.eigvalsh(now)
                self.near(member.final["gram_difference"][index], np.linalg.norm(off))
                self.near(
                    member.final["gram_spectral_difference"][index], np.linalg.norm(off, 2), 1e-7
                )
                self.near(member.final["gram_lambda_min"][index], values[0], 1e-7)
                self.near(member.final["gram_lambda_max"][index], values[-1])
                self.assertIn(taken, (0, 60))
