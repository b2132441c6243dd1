"""Runs of deep networks, retrained in NumPy from what the file records.

The reference is tests/support/deep_reference.py: every quantity of every record, the weights of every
layer, the eigenvalues of the network's own kernel from explicit Jacobians, and the gradient regions.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from deep_reference import DeepReplay, forward, gradient_regions, kernel  # noqa: E402
from program import ProgramTest  # noqa: E402
from reference import Experiment, Replay  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

TOLERANCE = 1e-10
SPECTRAL = 1e-7  # of norms that the program finds by iteration, told to do so
SINGLE = 2e-4

CONFIG = """
name: deep
model: zou-gu
seed: 6
data:
  train: 23
  test: 17
  sphere: {{dimension: 8, outputs: {outputs}, separation: 0.3}}
  last_coordinate: 0.3
network: {{width: {width}, depth: {depth}{network}}}
training: {{steps: {steps}, rate: {rate}{training}}}
measure:
  every: 7
  quantities: all
  final: [{final}]
  spectral_tolerance: 1.0e-9
  snapshots: [0, 12]
output: {{record: [data, initial-weights, batches]}}
"""


def deep(
    depth: int,
    outputs: int = 1,
    width: int = 150,
    steps: int = 30,
    rate: float = 4.0,
    network: str = "",
    training: str = "",
    final: str = "network_kernel, gradient_regions",
) -> str:
    """A configuration that records all that a replay needs."""
    return CONFIG.format(
        depth=depth, outputs=outputs, width=width, steps=steps, rate=rate, network=network,
        training=training, final=final,
    )


class DeepReplayed:
    """The reference trajectory of one run, with what the run recorded beside it."""

    def __init__(self, test: unittest.TestCase, member: widthwise.Member) -> None:
        self.test, self.member = test, member
        record = member.record
        self.single = member.setting("precision") == "single"
        experiment = Experiment.of(member)
        batches = experiment.batches(member)
        self.last_step = len(batches) - 1
        depth = int(member.parameters["depth"])
        deeper = [record[f"initial_hidden_weights_{layer}"] for layer in range(2, depth + 1)]
        self.replay = DeepReplay(experiment, deeper, batches, self.single)
        self.rows: list[dict] = []
        self.networks = {}
        shallow = None if deeper else Replay(experiment, batches)
        earlier = shallow.trajectory() if shallow is not None else None
        for step in self.replay.trajectory():
            weights = next(earlier)[1] if earlier is not None else None
            if step in member.trajectory["step"]:
                self.rows.append(self.replay.measure(step))
                if shallow is not None:  # has what is known of one hidden layer only
                    self.rows[-1] = shallow.measure(step, weights) | self.rows[-1]
            if step in (self.last_step, *member.snapshots.steps):
                self.networks[step] = self.replay.now

    def check(self) -> None:
        """Everything that the file holds."""
        self.check_trajectory()
        self.check_weights()
        self.check_results()

    def check_trajectory(self) -> None:
        """Every quantity of every record."""
        trajectory = self.member.trajectory
        for name in trajectory:
            if name == "step":
                continue
            self.test.assertTrue(all(name in row for row in self.rows), f"no reference for {name}")
            expected = np.array([row[name] for row in self.rows])
            relative = SPECTRAL if "spectral" in name or "region" in name else TOLERANCE
            if self.single:
                relative = SINGLE
            scale = np.nanmax(np.abs(expected))
            np.testing.assert_allclose(
                trajectory[name], expected, rtol=relative,
                atol=relative * max(scale, 0.1 if self.single else 0.0) + 1e-15,
                err_msg=f"quantity {name}",
            )

    def check_weights(self) -> None:
        """Every layer of the last checkpoint and of the snapshots."""
        checkpoint = self.member.checkpoint()
        self.test.assertEqual(checkpoint.step, self.last_step)
        tolerance = 1e-5 if self.single else TOLERANCE
        for layer, expected in enumerate(self.networks[self.last_step].hidden, start=1):
            np.testing.assert_allclose(
                checkpoint.layer_weights(layer), expected, rtol=0, atol=tolerance,
                err_msg=f"layer {layer}",
            )
            for index, step in enumerate(self.member.snapshots.steps):
                np.testing.assert_allclose(
                    self.member.snapshots.hidden_weights(index, layer),
                    self.networks[int(step)].hidden[layer - 1], rtol=0, atol=tolerance,
                )
        np.testing.assert_allclose(
            checkpoint.output_weights, self.networks[self.last_step].output, rtol=0,
            atol=tolerance,
        )

    def check_results(self) -> None:
        """Kernel and regions at t = 0."""
        final, start = self.member.final, self.replay.start
        inputs = self.replay.experiment.train_inputs
        relative = SINGLE if self.single else 1e-9
        if "network_kernel_least" in final:
            values = np.linalg.eigvalsh(kernel(start, inputs))
            for name, expected in (("least", values[0]), ("greatest", values[-1])):
                np.testing.assert_allclose(
                    final[f"network_kernel_{name}"], expected, rtol=relative, atol=relative,
                    err_msg=name,
                )
        if "region_union" in final:
            spread = float(self.member.parameters["hidden_std"])
            self.replay.now = start
            by_layer, _, _ = self.replay.gradients(np.arange(len(inputs)))
            by_unit = (by_layer[-1].astype(float) ** 2).sum(axis=1)
            for name, expected in gradient_regions(start, inputs, spread, by_unit).items():
                np.testing.assert_allclose(final[name], expected, rtol=relative, err_msg=name)


class ZouGuTest(ProgramTest):
    """Replays."""

    def replayed(self, config: str, *more: str, ranks: Optional[int] = 2) -> DeepReplayed:
        """Runs a configuration and checks it against the reference."""
        path = self.train(config, "run.h5", *more, "--force", ranks=ranks)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        self.assertEqual(file.members[0].state, widthwise.State.DONE)
        result = DeepReplayed(self, file.members[0])
        result.check()
        loss = file.members[0].trajectory["loss"]
        self.assertLess(loss[-1], 0.9 * loss[0])  # the run does something
        return result

    def test_gradient_descent(self) -> None:
        """The preset as it is, for several depths and outputs."""
        for depth, outputs in ((1, 1), (2, 1), (3, 3), (5, 2)):
            with self.subTest(depth=depth, outputs=outputs):
                result = self.replayed(deep(depth, outputs), ranks=3)
                self.assertEqual(result.replay.depth, depth)
                inputs = result.replay.experiment.train_inputs
                np.testing.assert_allclose(np.linalg.norm(inputs, axis=1), 1, atol=1e-14)
                np.testing.assert_allclose(inputs[:, -1], 0.3, atol=1e-15)
                self.assertAlmostEqual(result.replay.phi, 0.3, places=12)
                facts = result.member.parameters
                eta = 4.0 * outputs / (depth**2 * 150)
                self.assertAlmostEqual(facts["learning_rate"], eta, places=15)

    def test_initial_weights(self) -> None:
        """Of every layer: N(0, 2/m), and N(0, 1/k) of the output, none equal to another."""
        result = self.replayed(deep(3, 4, width=260, steps=14))
        start = result.replay.start
        for weights in start.hidden:
            deviations = np.sqrt(weights.size / 2) * abs(weights.std() / np.sqrt(2 / 260) - 1)
            self.assertLess(deviations * 2, 5)
        self.assertAlmostEqual(start.output.std(), 0.5, delta=0.06)
        self.assertLess(abs(np.corrcoef(start.hidden[1].ravel(), start.hidden[2].ravel())[0, 1]), 0.02)
        # Norms go through the layers (ZG appendix): the mean of ||x_L||^2 is 1.
        last = forward(start, result.replay.experiment.train_inputs).inputs[-1]
        self.assertAlmostEqual((last**2).sum(axis=1).mean(), 1.0, delta=0.35)

    def test_stochastic_gradient_descent(self) -> None:
        """Batches drawn with and without replacement, leaky units, V trained."""
        for sampling in ("permutation", "replacement"):
            self.replayed(
                deep(
                    2, 2, training=f", method: sgd, batch: 5, sampling: {sampling}", rate=1.0,
                    network=", train_output: true, "
                    "activation: {kind: leaky-relu, slope: 0.2}",
                )
            )

    def test_other_losses(self) -> None:
        """Cross entropy and the hinge loss through three layers."""
        config = """
name: classes
model: zou-gu
data: {{source: mixture, train: 40, test: 31, mixture: {{dimension: 12, classes: {classes}}}}}
network: {{width: 150, depth: 3}}
loss: {loss}
training: {{method: sgd, batch: 8, steps: 30, rate: 1.0}}
measure: {{every: 7, quantities: all, final: [], spectral_tolerance: 1.0e-9}}
output: {{record: [data, initial-weights, batches]}}
"""
        self.replayed(config.format(classes=4, loss="cross-entropy"))
        self.replayed(config.format(classes=2, loss="hinge"))
        self.replayed(config.format(classes=3, loss="squared"), "--set", "loss_reduction=sum",
                      "--set", "training.rate=0.1")

    def test_single_precision(self) -> None:
        """Weights and products of single precision against NumPy in the same."""
        result = self.replayed(
            deep(3, 2, rate=1.0), *("--set", "precision=single"), ranks=2
        )
        checkpoint = result.member.checkpoint()
        weights = checkpoint.layer_weights(2)
        np.testing.assert_array_equal(weights, weights.astype(np.float32))


if __name__ == "__main__":
    unittest.main()
