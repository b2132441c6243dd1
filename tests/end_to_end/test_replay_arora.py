"""Runs of the preset arora, retrained in NumPy from what the file records.

What is compared, and the reference, are those of test_replay.py: every quantity of every record,
weights, spectra. Here are the settings that this preset brings: the squared loss, signs and pairs
of units, targets of all kinds.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import ProgramTest  # noqa: E402
from test_replay import Replayed  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

COMMON = """
seed: 5
network: {{width: 262{network}}}
training: {{steps: 40{training}}}
measure:
  every: 6
  quantities: {quantities}
  final: [update_spectrum, weight_spectrum]
  snapshots: [0, 22]
output: {{record: [data, initial-weights, batches]}}
"""

MIXTURE = """
name: mixture
model: arora
data:
  train: 153
  test: 71
  mixture: {{dimension: 30, classes: {classes}, components: 2, spread: 1.5, separation: 2.0}}
  labels: {labels}
"""

FUNCTION = """
name: function
model: arora
data:
  source: function
  train: 153
  test: 71
  function: {function}
  labels: {labels}
"""

ARRAYS = "[loss, test_loss, residual, contraction, train_outputs, test_outputs]"


def mixture(
    classes: int = 2,
    labels: str = "{}",
    network: str = "",
    training: str = ", rate: 0.01",
    quantities: str = "all",
) -> str:
    """A configuration on classes that records all that a replay needs."""
    text = MIXTURE.format(classes=classes, labels=labels)
    return text + COMMON.format(network=network, training=training, quantities=quantities)


def function(
    kind: str,
    labels: str = "{}",
    network: str = "",
    training: str = ", rate: 0.01",
    quantities: str = "all",
) -> str:
    """The same on a real function."""
    text = FUNCTION.format(function="{" + kind + "}", labels=labels)
    return text + COMMON.format(network=network, training=training, quantities=quantities)


class AroraTest(ProgramTest):
    """Replays, and what the recorded data are."""

    def replayed(self, config: str, *more: str, ranks: Optional[int] = 2) -> Replayed:
        """Runs a configuration and checks it against the reference."""
        member = self.member(config, *more, ranks=ranks)
        result = Replayed(self, member)
        result.check()
        # The run does something: its loss falls.
        loss = member.trajectory["loss"]
        self.assertLess(loss[-1], 0.9 * loss[0])
        return result

    def member(self, config: str, *more: str, ranks: Optional[int] = None) -> widthwise.Member:
        """Runs a configuration and opens what it made."""
        path = self.train(config, "run.h5", *more, "--force", ranks=ranks)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        self.assertEqual(file.members[0].state, widthwise.State.DONE)
        return file.members[0]

    def test_two_classes(self) -> None:
        """The preset as it is: one output, signs, gradient descent on a sum."""
        result = self.replayed(mixture(), ranks=3)
        record, facts = result.member.record, result.member.parameters
        self.assertEqual(facts["outputs"], 1)
        np.testing.assert_array_equal(
            record["train_targets"][:, 0], np.where(record["train_labels"] == 0, 1.0, -1.0)
        )
        self.assertEqual(
            np.unique(np.abs(record["initial_output_weights"])).tolist(), [1 / np.sqrt(262)]
        )
        self.assertAlmostEqual(record["initial_hidden_weights"].std(), 0.01, delta=3e-4)
        self.assertEqual(result.member.trajectory.units("loss"), "1")

    def test_pairs_of_leaky_units_with_sgd(self) -> None:
        """A mean over batches, labels of which some are drawn anew, outputs at every record."""
        result = self.replayed(
            mixture(
                labels="{random_fraction: 0.4, noisy_test: true}",
                network=", hidden: {pairs: antisymmetric, std: 1.0}, "
                "activation: {kind: leaky-relu, slope: 0.2}",
                training=", method: sgd, batch: 7, rate: 0.2",
                quantities=ARRAYS,
            ),
            *("--set", "loss_reduction=mean"),
            ranks=2,
        )
        trajectory = result.member.trajectory
        self.assertEqual(trajectory["train_outputs"].shape, (8, 153))
        self.assertTrue((trajectory["train_outputs"][0] == 0).all())
        self.assertTrue((trajectory["test_outputs"][0] == 0).all())
        self.assertEqual(trajectory["loss"][0], 0.5)

    def test_three_classes(self) -> None:
        """One output a class, Gaussian output weights, batches whose losses are summed."""
        result = self.replayed(
            mixture(
                classes=3,
                network=", output: {kind: gaussian}",
                training=", method: sgd, batch: 16, rate: 0.01, sampling: replacement",
            )
        )
        record = result.member.record
        self.assertEqual(record["train_targets"].shape, (153, 3))
        np.testing.assert_array_equal(record["train_targets"], np.eye(3)[record["train_labels"]])
        outputs = self.member(mixture(classes=3, quantities=ARRAYS), ranks=2)
        self.assertEqual(outputs.trajectory["test_outputs"].shape, (8, 71, 3))
        Replayed(self, outputs).check_trajectory()

    def test_function_with_random_labels(self) -> None:
        """Real targets, some of them drawn anew as +1 or -1."""
        result = self.replayed(
            function(
                "dimension: 6, kind: cosine, norm: 2.0, terms: 2", labels="{random_fraction: 0.5}"
            ),
            ranks=2,
        )
        targets, test = (result.member.record[f"{part}_targets"] for part in ("train", "test"))
        signs = np.abs(targets) == 1
        self.assertAlmostEqual(signs.mean(), 0.5, delta=0.15)
        self.assertAlmostEqual(targets[signs].mean(), 0.0, delta=0.4)
        self.assertTrue((targets[~signs] <= 0).all() and (test <= 0).all() and (test < 0).any())
        norms = np.linalg.norm(result.experiment.train_inputs, axis=1)
        np.testing.assert_allclose(norms, 1, rtol=0, atol=1e-14)

    def test_linear_where_weights_are_large(self) -> None:
        """With pairs and a large kappa no pattern changes: equation (8) holds with the kernel of
        W(0), and so does the distance that follows from it."""
        config = """
name: linear
model: arora
data: {train: 60, test: 10, mixture: {dimension: 40, spread: 4.0}}
network: {width: 600, hidden: {pairs: antisymmetric, std: 1.0e+5}}
training: {steps: 200, rate: 0.05}
measure: {every: 20, quantities: [residual, distance_absolute, coupling_train], final: []}
output: {record: [data, initial-weights]}
"""
        member = self.member(config)
        record, trajectory = member.record, member.trajectory
        self.assertEqual(trajectory["coupling_train"][-1], 0)
        inputs, rate, steps = record["train_inputs"], 0.05, trajectory["step"][:, None]
        patterns = inputs @ record["initial_hidden_weights"].T >= 0
        features = patterns * record["initial_output_weights"][0]
        values, vectors = np.linalg.eigh((inputs @ inputs.T) * (features @ features.T))
        squares = (vectors.T @ record["train_targets"][:, 0]) ** 2
        left = (1 - rate * values) ** steps
        np.testing.assert_allclose(
            trajectory["residual"], np.sqrt((left**2 * squares).sum(axis=1)), rtol=1e-8
        )
        np.testing.assert_allclose(
            trajectory["distance_absolute"],
            np.sqrt(((1 - left) ** 2 * squares / values).sum(axis=1)),
            rtol=1e-4,  # differences of weights near 1e5
        )
        self.assertLess(trajectory["residual"][-1], 0.5 * trajectory["residual"][0])

    def data_of(self, kind: str, train: int = 153) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of a function, train and test together."""
        record = self.member(
            function(kind), *("--set", "training.steps=0"), *("--set", "measure.snapshots=[]"),
            *("--set", "measure.final=[]"), *("--set", f"data.train={train}"),
        ).record
        for part in ("train", "test"):
            values, labels = record[f"{part}_targets"][:, 0], record[f"{part}_labels"]
            np.testing.assert_array_equal(labels, np.where(values > 0, 0, 1))
        inputs = np.concatenate([record["train_inputs"], record["test_inputs"]])
        return inputs, np.concatenate([record["train_targets"], record["test_targets"]])[:, 0]

    def test_functions_are_what_they_say(self) -> None:
        """Fits that only the right function passes exactly, on train and test alike."""
        inputs, values = self.data_of("dimension: 6, kind: linear, norm: 0.7, alpha: -2.0")
        beta = np.linalg.lstsq(inputs, values, rcond=None)[0]
        np.testing.assert_allclose(inputs @ beta, values, rtol=0, atol=1e-13)
        self.assertAlmostEqual(np.linalg.norm(beta), 1.4, places=12)
        # The same function whatever the number of samples.
        more, other = self.data_of("dimension: 6, kind: linear, norm: 0.7, alpha: -2.0", train=40)
        np.testing.assert_allclose(more @ beta, other, rtol=0, atol=1e-13)

        inputs, values = self.data_of("dimension: 6, kind: power, exponent: 3, norm: 1.3")
        beta = np.linalg.lstsq(inputs, np.cbrt(values), rcond=None)[0]
        np.testing.assert_allclose((inputs @ beta) ** 3, values, rtol=0, atol=1e-13)
        self.assertAlmostEqual(np.linalg.norm(beta), 1.3, places=12)

        inputs, values = self.data_of("dimension: 6, kind: quadratic, terms: 4, alpha: 2.5")
        squares = np.einsum("si,sj->sij", inputs, inputs).reshape(len(inputs), -1)
        matrix = np.linalg.lstsq(squares, values, rcond=None)[0].reshape(6, 6)
        np.testing.assert_allclose(squares @ matrix.ravel(), values, rtol=0, atol=1e-13)
        sizes = np.sort(np.abs(np.linalg.eigvalsh((matrix + matrix.T) / 2)))
        self.assertAlmostEqual(sizes.sum(), 2.5, places=12)
        self.assertLess(sizes[1], 1e-12)
        self.assertGreater(sizes[2], 1e-3)


if __name__ == "__main__":
    unittest.main()
