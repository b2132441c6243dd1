"""Figures of Zou and Gu (2019), drawn of small runs: none is empty, no text leaves its place."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from drawings import DrawingsTest  # noqa: E402

import style  # noqa: E402  (program.py says where it is)
import zou_gu  # noqa: E402
import zou_gu_data  # noqa: E402
import zou_gu_runs  # noqa: E402
from arora import last_value  # noqa: E402

DATA = """
model: zou-gu
data: {{train: {train}, test: 10, sphere: {{dimension: 10{sphere}}}, last_coordinate: 0.3}}
"""


def data(train: int = 12, sphere: str = "") -> str:
    """Points of the sphere."""
    return DATA.format(train=train, sphere=sphere)


RATE = data() + """
network: {width: 128}
training: {rate: 4.0, steps: 100}
measure: {every: 10, quantities: [loss, gradient_ratio], final: [network_kernel]}
sweep: {network.depth: [1, 2, 3], seeds.weights: [1, 2]}
"""

LENGTH = data() + """
training: {rate: 4.0, steps: 60}
measure:
  every: 20
  quantities: [loss, trajectory_length, trajectory_ratio, spectral_distance, coupling_train,
               gradient_ratio]
sweep: {network.depth: [1, 2], network.width: [64, 128, 256], seeds.weights: [1, 2]}
"""

DEPTHS = data() + """
network: {width: 128}
training: {rate: 4.0, steps: 100}
measure:
  every: 10
  quantities: [loss, gradient_ratio, layer_gradient_share]
  final: [network_kernel]
sweep: {network.depth: [1, 2, 3, 4, 6], seeds.weights: [1, 2]}
"""

SEPARATION = data() + """
network: {width: 128, depth: 2}
training: {rate: 8.0, steps: 200}
measure: {every: 20, quantities: [loss, gradient_ratio], final: [network_kernel, gradient_regions]}
sweep: {data.train: [6, 12], data.sphere.separation: [0.1, 0.2, 0.4], seeds.weights: [1, 2]}
"""

ARCS = data(12, ", separation: 0.05, arcs: 3") + """
network: {depth: 2}
training: {rate: 8.0, steps: 200}
measure: {every: 20, quantities: [loss], final: [network_kernel]}
sweep: {network.width: [32, 128, 256], seeds.weights: [1, 2]}
"""

SGD = data() + """
network: {width: 128, depth: 2}
training: {method: sgd, sampling: replacement, steps: 200}
measure: {every: 20, quantities: [loss]}
sweep: {training.batch: [1, 4, 12], seeds.batches: [1, 2]}
"""


SINGLE = data() + """
network: {width: 256, depth: 2}
training: {rate: 8.0, steps: 400, stop: {loss: 0.01}}
measure: {every: 10, quantities: [loss]}
theory: {target_loss: 0.02}
"""


class FiguresTest(DrawingsTest):
    """Each figure of analysis/zou_gu.py and zou_gu_data.py."""

    def setUp(self) -> None:
        """One style for what is drawn here as for what the program draws."""
        super().setUp()
        style.use()

    def test_rate(self) -> None:
        """Losses of three depths with their lines."""
        file = self.draw(RATE, "rate")
        for member in file.members:  # the line is the one of least squares
            line = zou_gu_runs.line_of(member)
            steps, loss = member.trajectory["step"], member.trajectory["loss"]
            half = steps >= 50
            ones = np.stack([np.ones(half.sum()), steps[half]], axis=1)
            (start, slope), residual, _, _ = np.linalg.lstsq(ones, np.log(loss[half]), rcond=None)
            self.assertAlmostEqual(line.rate, -slope, places=12)
            np.testing.assert_allclose(np.log(line.losses), start + slope * steps[half], atol=1e-10)
            spread = ((np.log(loss[half]) - np.log(loss[half]).mean()) ** 2).sum()
            self.assertAlmostEqual(line.fit, 1 - residual[0] / spread, places=8)
        self.check_texts(zou_gu.rate(file))

    def test_length(self) -> None:
        """Slopes over widths."""
        file = self.draw(LENGTH, "length")
        group = [member for member in file.members if member.parameters["depth"] == 1]
        lengths = {}
        for member in group:
            last = member.trajectory["trajectory_length"][-1]
            lengths.setdefault(member.parameters["width"], []).append(last)
        logs = [np.log(np.mean(values)) for values in lengths.values()]
        slope = zou_gu.slope_over_widths(group, last_value("trajectory_length"))
        self.assertAlmostEqual(slope, np.polyfit(np.log(list(lengths)), logs, 1)[0], places=12)
        self.check_texts(zou_gu.length(file))

    def test_depth(self) -> None:
        """Rates over depths."""
        self.check_texts(zou_gu.depth(self.draw(DEPTHS, "rate", "depth")))

    def test_separation_and_regions(self) -> None:
        """Rates over separations, and the regions of two numbers of samples."""
        file = self.draw(SEPARATION, "separation", "regions")
        self.check_texts(zou_gu_data.separation(file))
        self.check_texts(zou_gu_data.regions(file))

    def test_arcs(self) -> None:
        """Runs that fall slower than their kernel at the start tells are told from others."""
        file = self.draw(ARCS, "arcs")
        for member in file.members:
            line = zou_gu_runs.line_of(member)
            facts, least = member.parameters, float(member.final["network_kernel_least"])
            told = 2 * facts["learning_rate"] * least / facts["train_samples"]
            self.assertAlmostEqual(zou_gu_runs.kernel_rate(member) / told, 1.0, delta=0.1)
            expected = line.fit < 0.99 or line.rate < 0.5 * zou_gu_runs.kernel_rate(member)
            self.assertEqual(zou_gu_data.is_too_narrow(member), expected)
        self.check_texts(zou_gu_data.arcs(file))

    def test_table1(self) -> None:
        """Widths and iterations of six papers for one run, and what it took itself."""
        file = self.draw(SINGLE, "table1")
        (member,) = file.members
        values = zou_gu_data.table1_values(member)
        self.assertEqual(len(values), 6)
        phi, n = float(member.theory["separation"]), 12
        self.assertAlmostEqual(values["Zou & Gu"][0] / (n**8 * 2**12 / phi**4), 1.0, places=9)
        steps, loss = member.trajectory["step"], member.trajectory["loss"]
        reached = zou_gu_data.iterations_to(member, 0.02)
        self.assertEqual(reached, steps[loss <= 0.02][0])
        self.assertIsNone(zou_gu_data.iterations_to(member, 1e-30))
        figure = zou_gu_data.table1(file)
        (line,) = [one for one in figure.axes[1].get_lines() if "this run" in one.get_label()]
        self.assertEqual(list(line.get_xdata()), [reached, reached])
        self.check_texts(figure)

    def test_sgd(self) -> None:
        """Batches."""
        self.check_texts(zou_gu.sgd(self.draw(SGD, "sgd")))


if __name__ == "__main__":
    unittest.main()
