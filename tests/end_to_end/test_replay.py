"""Retrains runs in NumPy from what the file records, and compares every recorded number.

The reference (tests/support/reference.py) shares nothing with the program: not its order of
operations, not its random numbers, not its formulas' code. It begins from the recorded data,
initial weights and batches.
"""

from __future__ import annotations

import gzip
import struct
import sys
import unittest
from pathlib import Path
from typing import Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import reference  # noqa: E402
from program import FASHION, ProgramTest  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

TOLERANCE = 1e-10
ROUNDING = 1e-13  # beside it, of values far above 1: rates too large blow losses up to 1e4
SPECTRUM_TOLERANCE = 1e-12  # of the largest singular value

SMALL = """
name: small
seed: 7
data:
  source: mixture
  train: 203
  test: 101
  mixture: {{dimension: 50, classes: 5, components: {components}, spread: 1.0, separation: 4.0}}
  labels: {{kind: {labels}}}
network: {{width: 300}}
training: {{batch: 16, steps: 60, rate: 10.0}}
measure:
  every: 7
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 33, 60]
  accuracy_target: 0.7
output: {{record: [data, initial-weights, batches]}}
"""


def small(components: int = 1, labels: str = "true") -> str:
    """A small configuration that records all that a replay needs."""
    return SMALL.format(components=components, labels=labels)


class Replayed:
    """The reference trajectory of one run, with what the run recorded beside it."""

    def __init__(self, test: unittest.TestCase, member: widthwise.Member) -> None:
        self.test = test
        self.member = member
        self.experiment = reference.Experiment.of(member)
        batches = self.experiment.batches(member)
        self.steps_made = len(batches) - 1
        self.replay = reference.Replay(self.experiment, batches)
        self.rows: list[dict[str, float]] = []
        self.steps: list[int] = []
        self.weights: dict[int, np.ndarray] = {}
        recorded = set(member.trajectory["step"].tolist())
        for step, weights in self.replay.trajectory():
            if step in recorded:
                self.steps.append(step)
                self.rows.append(self.replay.measure(step, weights))
            if step in (self.steps_made, *member.snapshots.steps):
                self.weights[step] = weights
        self.last = self.weights[self.steps_made]

    def check(self) -> None:
        """Everything that the file holds."""
        self.check_trajectory()
        self.check_weights()
        self.check_spectra()
        self.check_target()
        self.check_predictions()

    def check_trajectory(self) -> None:
        """Every quantity of every record."""
        trajectory = self.member.trajectory
        np.testing.assert_array_equal(trajectory["step"], self.steps)
        for name in trajectory:
            if name == "step":
                continue
            self.test.assertTrue(all(name in row for row in self.rows), f"no reference for {name}")
            expected = np.array([row[name] for row in self.rows])
            np.testing.assert_allclose(
                trajectory[name], expected, rtol=ROUNDING, atol=TOLERANCE,
                err_msg=f"quantity {name}",
            )

    def check_weights(self) -> None:
        """The last checkpoint and the snapshots."""
        checkpoint = self.member.checkpoint()
        self.test.assertIsNotNone(checkpoint)
        self.test.assertEqual(checkpoint.step, self.steps_made)
        np.testing.assert_allclose(checkpoint.hidden_weights, self.last, rtol=0, atol=TOLERANCE)
        trained = self.replay.now.output_weights
        if self.experiment.train_output:
            np.testing.assert_allclose(checkpoint.output_weights, trained, rtol=0, atol=TOLERANCE)
        else:
            np.testing.assert_array_equal(checkpoint.output_weights, trained)
        for index, step in enumerate(self.member.snapshots.steps):
            np.testing.assert_allclose(
                self.member.snapshots.hidden_weights(index),
                self.weights[int(step)],
                rtol=0,
                atol=TOLERANCE,
            )

    def check_spectra(self) -> None:
        """Singular values against NumPy's, and the gap between them."""
        final = self.member.final
        update = np.linalg.svd(self.last - self.experiment.hidden_weights, compute_uv=False)
        weights = np.linalg.svd(self.last, compute_uv=False)
        for name, expected in (("update_spectrum", update), ("weight_spectrum", weights)):
            np.testing.assert_allclose(
                final[name], expected, rtol=0, atol=SPECTRUM_TOLERANCE * expected[0], err_msg=name
            )
        kept = np.maximum(update, 1e-14 * update[0])
        ratios = kept[:-1] / kept[1:]
        outliers = int(np.argmax(ratios)) + 1
        self.test.assertEqual(final["update_outliers"], outliers)
        np.testing.assert_allclose(final["update_gap"], ratios[outliers - 1], rtol=1e-6)

    def check_target(self) -> None:
        """Steps to the test accuracy looked for, and the distance there."""
        if "steps_to_accuracy" not in self.member.final:
            return
        target = float(self.member.setting("measure.accuracy_target") or 1.0)
        reached = [row for row, values in enumerate(self.rows) if values["test_accuracy"] >= target]
        expected = (np.nan, np.nan)
        if reached:
            expected = (self.steps[reached[0]], self.rows[reached[0]]["distance"])
        found = (self.member.final["steps_to_accuracy"], self.member.final["distance_at_accuracy"])
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)

    def check_predictions(self) -> None:
        """Li and Liang's bounds, from the movement that was measured."""
        theory, facts = self.member.theory, self.member.parameters
        self.test.assertEqual("distance_at_accuracy" in theory, facts["model"] == "li-liang")
        if "distance_at_accuracy" in theory:
            np.testing.assert_allclose(
                theory["distance_at_accuracy"], 2 / (3 * np.sqrt(facts["width"])), rtol=1e-15
            )
        if "coupling_bound" not in theory:
            return
        tau = np.array([row["row_movement"] for row in self.rows]) / facts["hidden_std"]
        classes = int(self.member.setting("data.mixture.classes") or facts["outputs"])
        points = classes * facts["components"]
        np.testing.assert_allclose(
            theory["coupling_bound"], np.minimum(1, 10 * tau), rtol=0, atol=TOLERANCE
        )
        np.testing.assert_allclose(
            theory["coupling_any_bound"], np.minimum(1, np.e * points * tau), rtol=0, atol=TOLERANCE
        )


def write_idx(path: Path, values: np.ndarray, compress: bool) -> None:
    """An array of bytes in the IDX format."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    content = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)


class ReplayTest(ProgramTest):
    """Runs of every kind of training, replayed."""

    def replayed(self, config: str, *more: str, ranks: Optional[int] = 2) -> Replayed:
        """Runs a configuration and checks it against the reference."""
        path = self.train(config, "run.h5", *more, ranks=ranks)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        self.assertEqual(len(file.members), 1)
        self.assertEqual(file.members[0].state, widthwise.State.DONE)
        result = Replayed(self, file.members[0])
        result.check()
        return result

    def test_sgd_by_permutation(self) -> None:
        """Batches go through every epoch without repeating a sample."""
        result = self.replayed(small(), ranks=3)
        batches = result.member.record["batches"]
        each = 203 // 16
        for epoch in range(60 // each):
            seen = batches[epoch * each : (epoch + 1) * each].ravel()
            self.assertEqual(len(set(seen.tolist())), each * 16)
        self.assertTrue((batches >= 0).all() and (batches < 203).all())
        np.testing.assert_allclose(
            np.linalg.norm(result.experiment.train_inputs, axis=1), 1, rtol=0, atol=1e-14
        )

    def test_separation(self) -> None:
        """Distances between samples, by the slow way."""
        result = self.replayed(small())
        inputs, labels = result.experiment.train_inputs, result.experiment.train_labels
        distances = np.linalg.norm(inputs[:, None, :] - inputs[None, :, :], axis=2)
        same = labels[:, None] == labels[None, :]
        final = result.member.final
        delta, diameter = distances[~same].min(), distances[same].max()
        np.testing.assert_allclose(final["separation_delta"], delta, rtol=1e-12)
        np.testing.assert_allclose(final["separation_diameter"], diameter, rtol=1e-12)
        np.testing.assert_allclose(final["separation_lambda"], diameter / delta, rtol=1e-12)
        np.testing.assert_allclose(final["separation_lambda_limit"], 1 / 8, rtol=1e-15)
        others = distances[~np.eye(len(labels), dtype=bool)]
        np.testing.assert_allclose(final["separation_nearest"], others.min(), rtol=1e-12)

    def test_sgd_by_replacement_with_leaky_relu(self) -> None:
        """Another activation, sampling, batch and rate scaling."""
        self.replayed(
            small(components=2),
            *("--set", "network.activation.kind=leaky-relu"),
            *("--set", "network.activation.slope=0.1"),
            *("--set", "training.sampling=replacement"),
            *("--set", "training.batch=7"),
            *("--set", "training.rate=0.02"),
            *("--set", "training.rate_scaling=none"),
        )

    def test_random_labels(self) -> None:
        """Random labels are trained on as they are recorded."""
        result = self.replayed(small(labels="random"), ranks=None)
        inputs, test = result.experiment.train_inputs, result.experiment.test_inputs
        self.assertEqual(inputs.shape, (203, 50))
        self.assertEqual(test.shape, (101, 50))

    def test_gradient_descent_on_points(self) -> None:
        """The simplified case: single points, full batch (section 5.1)."""
        config = """
name: points
seed: 3
data:
  source: points
  points: {dimension: 60, classes: 6, components: 1, separation: 5.0}
network: {width: 257}
training: {method: gd, steps: 50, rate: 10.0}
measure:
  every: 5
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target]
output: {record: [data, initial-weights]}
"""
        result = self.replayed(config)
        np.testing.assert_array_equal(
            result.experiment.train_inputs, result.experiment.test_inputs
        )
        self.assertEqual(len(result.experiment.train_labels), 6)

    def test_idx_files(self) -> None:
        """Images of our own, plain and gzip: what is read is what was written."""
        draws = np.random.default_rng(5)
        images = draws.integers(0, 256, size=(90, 4, 5))
        labels = draws.integers(0, 10, size=90)
        names = {}
        for kind, part in (("train", slice(0, 60)), ("test", slice(60, 90))):
            for what, values in (("images", images[part]), ("labels", labels[part])):
                path = self.folder / f"{kind}-{what}{'.gz' if kind == 'test' else ''}"
                write_idx(path, values, compress=kind == "test")
                names[f"{kind}_{what}"] = path.name
        listed = ", ".join(f"{key}: {name}" for key, name in names.items())
        config = f"""
name: images
data:
  source: idx
  train: all
  test: all
  normalize: none
  idx: {{{listed}, classes: [7, 2, 4], divisor: 255.0}}
network: {{width: 200}}
training: {{batch: 3, steps: 30, rate: 1.0}}
measure:
  quantities: all
  final: [update_spectrum, weight_spectrum]
output: {{record: [data, initial-weights, batches]}}
"""
        result = self.replayed(config)
        for kind, part in (("train", slice(0, 60)), ("test", slice(60, 90))):
            kept = [index for index in range(part.start, part.stop) if labels[index] in (7, 2, 4)]
            expected = images[kept].reshape(len(kept), 20) / 255.0
            np.testing.assert_allclose(
                getattr(result.experiment, f"{kind}_inputs"), expected, rtol=0, atol=1e-15
            )
            np.testing.assert_array_equal(
                getattr(result.experiment, f"{kind}_labels"),
                [(7, 2, 4).index(labels[index]) for index in kept],
            )

    @unittest.skipUnless(FASHION.is_dir(), "Debian's dataset-fashion-mnist is not installed")
    def test_fashion_mnist(self) -> None:
        """Real images of three classes, at unit norm."""
        config = f"""
name: fashion
data:
  source: idx
  train: 500
  test: 300
  idx:
    train_images: {FASHION}/train-images-idx3-ubyte.gz
    train_labels: {FASHION}/train-labels-idx1-ubyte.gz
    test_images: {FASHION}/t10k-images-idx3-ubyte.gz
    test_labels: {FASHION}/t10k-labels-idx1-ubyte.gz
    classes: [3, 5, 8]
network: {{width: 300}}
training: {{batch: 16, steps: 60, rate: 40.0}}
measure:
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target]
output: {{record: [data, initial-weights, batches]}}
"""
        result = self.replayed(config)
        with gzip.open(FASHION / "train-labels-idx1-ubyte.gz") as labels:
            all_labels = np.frombuffer(labels.read()[8:], dtype=np.uint8)
        with gzip.open(FASHION / "train-images-idx3-ubyte.gz") as images:
            all_images = np.frombuffer(images.read()[16:], dtype=np.uint8).reshape(-1, 784)
        kept = np.flatnonzero(np.isin(all_labels, (3, 5, 8)))[:500]
        expected = all_images[kept].astype(float)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(result.experiment.train_inputs, expected, rtol=0, atol=1e-14)

    def test_xor_balls(self) -> None:
        """Inputs in the plane, not normalised; the balls are where figure 3 has them."""
        config = """
name: xor
data: {source: xor-balls, train: 120, test: 80}
network: {width: 150}
training: {batch: 8, steps: 40, rate: 1.0}
measure: {every: 8, quantities: all, final: [update_spectrum, weight_spectrum]}
output: {record: [data, initial-weights, batches]}
"""
        result = self.replayed(config)
        inputs, labels = result.experiment.train_inputs, result.experiment.train_labels
        corners = np.round(inputs / 2) * 2
        self.assertLessEqual(np.linalg.norm(inputs - corners, axis=1).max(), 0.05)
        apart = corners[:, 0] != corners[:, 1]
        self.assertEqual(len(set(zip(apart.tolist(), labels.tolist()))), 2)

    def test_built_in_default(self) -> None:
        """Figure 1 at its own size: 400 steps at m = 1000, and what the paper shows of it.

        Looked at less often: most of the work is to measure, here and there.
        """
        result = self.replayed(
            "", *("--set", "output.record=[data, initial-weights, batches]"),
            *("--set", "measure.every=50"), ranks=2,
        )
        final, rows = result.member.final, result.rows
        self.assertEqual(len(rows), 9)
        self.assertEqual(rows[-1]["test_accuracy"], 1.0)
        self.assertEqual(final["update_outliers"], 20)
        self.assertGreaterEqual(final["update_gap"], 40)
        self.assertAlmostEqual(rows[-1]["coupling"], 0.074, delta=0.01)
        self.assertAlmostEqual(rows[-1]["distance"], 0.045, delta=0.006)


if __name__ == "__main__":
    unittest.main()
