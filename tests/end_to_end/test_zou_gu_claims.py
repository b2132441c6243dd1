"""What Zou and Gu (2019) prove, at sizes at which it shows within seconds.

Linear rates at every depth, trajectories that shorten with the width, gradient regions, the gradient's
bound from below, stochastic gradient descent. All widths of the shipped configurations are run by
test_zou_gu_long.py.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import ProgramTest  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)
import zou_gu  # noqa: E402
import zou_gu_runs  # noqa: E402
from arora import last_value  # noqa: E402

COMMON = """
model: zou-gu
data: {{train: {train}, test: 20, sphere: {{dimension: 10}}, last_coordinate: 0.3}}
"""


def common(train: int = 20) -> str:
    """The data: points of the sphere."""
    return COMMON.format(train=train)


class ClaimsTest(ProgramTest):
    """Small runs."""

    def members(self, config: str) -> list[widthwise.Member]:
        """All runs of a configuration, on 2 ranks."""
        file = widthwise.open(self.train(config, "claims.h5", "--force", ranks=2))
        self.addCleanup(file.close)
        for member in file.members:
            self.assertEqual(member.state, widthwise.State.DONE, member.label)
        return list(file.members)

    def test_linear_rate(self) -> None:
        """Theorem 3.3: log loss falls on a line for 1, 2 and 3 layers, and lemma 4.1 along it."""
        members = self.members(
            common() + """
network: {width: 256}
training: {steps: 1000}
measure: {every: 20, quantities: [loss, contraction, gradient_ratio], final: [network_kernel]}
sweep: {network.depth: [1, 2, 3]}
"""
        )
        self.assertEqual(len(members), 3)
        for member in members:
            line = zou_gu_runs.line_of(member)
            self.assertGreater(line.fit, 0.99, member.label)
            loss = member.trajectory["loss"]
            self.assertLess(loss[-1], 1e-2 * loss[0])
            self.assertTrue((np.diff(loss) < 0).all())
            # The rate ends at that of the network's own kernel, which hardly changes: above it, since
            # less slow directions still have their part, and not by much.
            told = zou_gu_runs.kernel_rate(member)
            self.assertTrue(0.5 * told < line.rate < 3 * told, f"{line.rate} {told}")
            # Lemma 4.1: no less at any time than a bound of the size that it has at the start.
            ratio = member.trajectory["gradient_ratio"]
            self.assertGreater(ratio.min(), 1.0)
            print(f"{member.label}: R^2 {line.fit:.5f}, rate {line.rate:.5f} ({told:.5f} by the "
                  f"kernel), gradient ratio at least {ratio.min():.1f}")

    def test_trajectories_shorten(self) -> None:
        """Lemma 4.2: lengths and distances fall like m^-1/2; the wider, the fewer patterns change."""
        members = self.members(
            common() + """
training: {rate: 4.0, steps: 2000, stop: {loss: 0.01}}
measure:
  every: 25
  quantities: [loss, trajectory_length, trajectory_ratio, spectral_distance, coupling_train]
sweep:
  network.depth: [1, 2]
  network.width: [128, 256, 512, 1024]
  seeds.weights: [1, 2, 3, 4, 5]
"""
        )
        for depth in (1, 2):
            group = [member for member in members if member.parameters["depth"] == depth]
            for name in ("trajectory_length", "spectral_distance"):
                slope = zou_gu.slope_over_widths(group, last_value(name))
                print(f"L = {depth}: {name} falls like m^{slope:.3f}")
                self.assertTrue(-0.65 < slope < -0.4, f"{name} at depth {depth}: {slope}")
            coupling = zou_gu.slope_over_widths(group, last_value("coupling_train"))
            self.assertLess(coupling, -0.2)
        for member in members:
            trajectory = member.trajectory
            # The way is no shorter than the distance, and far below the bound of lemma 4.2.
            self.assertTrue(
                (trajectory["trajectory_length"] * (1 + 1e-5) >= trajectory["spectral_distance"]).all()
            )
            self.assertLess(trajectory["trajectory_ratio"][-1], 1.0)

    def test_gradient_regions(self) -> None:
        """Section 4.1: n regions are disjoint, and their union has about n times the units of one."""
        members = self.members(
            "model: zou-gu\n"
            "data: {test: 5, sphere: {dimension: 10, separation: 0.5}, last_coordinate: 0.3}\n"
            "network: {width: 4096}\n"
            "training: {steps: 0}\n"
            "measure: {quantities: [loss], final: [gradient_regions]}\n"
            "sweep: {data.train: [5, 20], network.depth: [1, 2], seeds.weights: [1, 2]}\n"
        )
        for member in members:
            n = member.parameters["train_samples"]
            self.assertEqual(member.final["region_overlap"], 0, member.label)
            single, union = member.final["region_single"], member.final["region_union"]
            np.testing.assert_allclose(union, n * single, rtol=1e-12)  # disjoint
            # Each has at least half of the probability of |<w, z>| <= g, less what chance takes.
            g = member.final["region_width"]
            least = 0.5 * g * np.sqrt(2 / np.pi) * n
            self.assertGreater(union, least - 4 * np.sqrt(least / 4096))

    def test_stochastic_gradient_descent(self) -> None:
        """Theorem 3.8: batches of any size fit, and the larger the fewer steps."""
        members = self.members(
            common(32) + """
network: {width: 128, depth: 2}
training: {method: sgd, sampling: replacement, steps: 1000}
measure: {every: 50, quantities: [loss]}
sweep: {training.batch: [1, 8, 32]}
"""
        )
        for member in members:
            loss = member.trajectory["loss"]
            print(f"{member.label}: loss {loss[0]:.3f} to {loss[-1]:.2e}")
            self.assertLess(loss[-1], 0.01 * loss[0], member.label)


if __name__ == "__main__":
    unittest.main()
