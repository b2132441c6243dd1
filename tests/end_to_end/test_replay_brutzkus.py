"""Runs of the preset brutzkus, and runs that train both layers, retrained in NumPy from what the
file records.

What is compared, and the reference, are those of test_replay.py: every quantity of every record and
the weights. Here are the hinge loss, halves, bounded starts, all samplings, trained output weights,
and the end of a run where no sample changes a weight.
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
from test_replay import Replayed, small  # noqa: E402
from test_replay_arora import mixture  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

CONFIG = """
name: margins
model: brutzkus
seed: 4
data: {{source: {source}, train: 83, test: 61{data}}}
network: {{width: 262{network}}}
training: {{steps: {steps}{training}}}
measure: {{every: 9, quantities: all, final: []{measure}}}
output: {{record: [data, initial-weights, batches]}}
"""

SEPARABLE = ", separable: {dimension: 30, margin: 0.05}"


def separable(
    steps: int = 150, network: str = "", training: str = "", measure: str = "", data: str = SEPARABLE
) -> str:
    """A configuration that records all that a replay needs."""
    return CONFIG.format(
        source="separable", data=data, network=network, training=training, steps=steps,
        measure=measure,
    )


class BrutzkusTest(ProgramTest):
    """Replays."""

    def replayed(self, config: str, *more: str, ranks: Optional[int] = 2) -> Replayed:
        """Runs a configuration and checks it against the reference."""
        path = self.train(config, "run.h5", *more, "--force", ranks=ranks)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        self.assertEqual(file.members[0].state, widthwise.State.DONE)
        result = Replayed(self, file.members[0])
        result.check_trajectory()
        result.check_weights()
        return result

    def test_every_engine(self) -> None:
        """One sample a step, by each engine; some steps change nothing."""
        for engine in ("dense", "window", "lazy"):
            result = self.replayed(separable(training=f", engine: {engine}"), ranks=3)
            trajectory, facts = result.member.trajectory, result.member.parameters
            self.assertTrue(0 < trajectory["updates"][-1] < 150)
            self.assertTrue((trajectory["descent"][1:] < 0).all())
            self.assertTrue((trajectory["cosine"] <= 1).all())
            norms = np.linalg.norm(result.member.record["initial_hidden_weights"], axis=1)
            self.assertLessEqual(norms.max(), facts["hidden_radius"] * (1 + 1e-15))
            self.assertAlmostEqual(facts["hidden_radius"], 262**-0.5, places=15)

    def test_batches_by_replacement(self) -> None:
        """Five samples a step, drawn from all."""
        for engine in ("dense", "window", "lazy"):
            result = self.replayed(
                separable(training=f", batch: 5, sampling: replacement, engine: {engine}")
            )
            self.assertGreater(result.member.trajectory["updates"][-1], 10)

    def test_in_sequence(self) -> None:
        """Sample after sample, from opposed starts; batches that do not fill an epoch."""
        network = ", hidden: {kind: opposed}"
        for batch in (1, 7):
            result = self.replayed(
                separable(network=network, training=f", batch: {batch}, sampling: sequential")
            )
            expected = np.arange(151 * batch).reshape(-1, batch) % 83
            np.testing.assert_array_equal(result.member.record["batches"][:151], expected)

    def test_relu_units_that_die(self) -> None:
        """ReLU, few units and a large cube: some samples are below margin with no active unit."""
        result = self.replayed(
            separable(
                network=", activation: {kind: relu}, hidden: {kind: cube, radius: 0.5, "
                "scaling: none}, output: {scale: 1.0, scaling: none}",
                training=", rate: 2.0",
            ),
            *("--set", "network.width=6"),
            *("--set", "training.steps=900"),
        )
        self.assertGreater(result.member.trajectory["dead_samples"].max(), 0)

    def test_both_layers(self) -> None:
        """Output weights move by the gradient at the old hidden weights."""
        for engine in ("dense", "window"):
            result = self.replayed(
                separable(
                    network=", train_output: true", measure=", snapshots: [0, 20, 150]",
                    training=f", engine: {engine}, rate: 0.7",
                )
            )
            trajectory = result.member.trajectory
            ratios = trajectory["output_ratio_min"][-1], trajectory["output_ratio_max"][-1]
            self.assertGreater(ratios[1], ratios[0] + 0.01)

    def test_both_layers_under_other_losses(self) -> None:
        """Cross entropy with five outputs; half the sum of squares by gradient descent, pairs."""
        options = ("--set", "network.train_output=true", "--set", "measure.final=[]")
        self.replayed(small(), *options, ranks=3)
        self.replayed(
            mixture(
                network=", hidden: {pairs: antisymmetric, std: 1.0}",
                training=", rate: 0.001",
                quantities="[loss, test_loss, residual, distance, gradient_norm]",
            ),
            *options,
        )
        self.replayed(mixture(classes=3, training=", method: sgd, rate: 0.002"), *options)

    def test_the_end_is_where_no_sample_changes_a_weight(self) -> None:
        """The run ends with its last update, whenever that was found out."""
        ends = []
        for engine in ("dense", "window", "lazy"):
            for every in (9, 83, 100000):
                result = self.replayed(
                    separable(
                        steps=100000, training=f", engine: {engine}", data=", separable: "
                        "{dimension: 30, margin: 0.2}"
                    ),
                    *("--set", f"measure.every={every}"),
                    *("--set", "output.record=[data, initial-weights, batches]"),
                )
                trajectory = result.member.trajectory
                self.assertEqual(result.replay.last_change, result.steps_made)
                self.assertEqual(len(result.replay.live_samples(result.last)), 0)
                self.assertEqual(trajectory["violations"][-1], 0)
                self.assertEqual(trajectory["loss"][-1], 0.0)
                self.assertEqual(trajectory["train_accuracy"][-1], 1.0)
                ends.append((result.steps_made, float(trajectory["updates"][-1])))
        self.assertEqual(len(set(ends)), 1, ends)


if __name__ == "__main__":
    unittest.main()
