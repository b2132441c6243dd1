"""Figures of Brutzkus et al. (2018), drawn of small runs: none is empty, no text leaves its place."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from drawings import DrawingsTest  # noqa: E402

import brutzkus  # noqa: E402  (program.py says where it is)
import style  # noqa: E402
import widthwise  # noqa: E402

SEPARABLE = """
name: errors
model: brutzkus
data: {source: separable, train: 120, test: 60, separable: {dimension: 30, margin: 0.03}}
network: {train_output: true}
training: {epochs: 60}
measure: {quantities: [train_accuracy, test_accuracy, updates, output_ratio_min, output_ratio_max]}
replicas: 3
sweep:
  zip: {network.width: [10, 100, 1000], training.rate: [0.3, 0.1, 0.03]}
"""

RATES = """
name: rates
model: brutzkus
data: {source: separable, train: 120, test: 60, separable: {dimension: 30, margin: 0.03}}
network: {width: 10}
training: {epochs: 60}
replicas: 2
sweep: {training.rate: [0.3, 10, 1000]}
"""

SUCCESSES = """
name: starts
model: brutzkus
data: {source: orthonormal}
network:
  activation: {kind: relu}
  hidden: {kind: cube, radius: 1.0, scaling: none}
  output: {scale: 1.0, scaling: none}
training: {rate: 0.1, epochs: 100}
measure: {quantities: [updates, violations]}
replicas: 20
sweep: {data.orthonormal.dimension: [4, 8], network.width: [2, 6, 10]}
"""

SEQUENCE = """
name: sequence
model: brutzkus
data: {source: orthonormal}
network: {hidden: {kind: opposed}}
training: {sampling: sequential, epochs: 10000}
measure: {every: 100000, quantities: [updates]}
sweep: {data.orthonormal.dimension: [4, 16], network.width: [2, 20]}
"""


class FiguresTest(DrawingsTest):
    """Each figure of analysis/brutzkus.py."""

    def test_errors(self) -> None:
        """Figures 1 to 3, with captions as long as those of widths and rates together."""
        style.use()
        with self.draw(SEPARABLE, "separable") as file:
            self.check_texts(brutzkus.separable(file))

    def test_errors_that_are_gone_at_once(self) -> None:
        """The axis then shows where they began."""
        easy = SEPARABLE[: SEPARABLE.index("replicas")].replace("margin: 0.03", "margin: 0.3")
        path = self.train(easy, "easy.h5", "--set", "training.rate=10")
        with widthwise.open(path) as file:
            trajectory = file.members[0].trajectory
            self.assertTrue((trajectory["train_accuracy"][1:] == 1.0).all())
            figure = brutzkus.separable(file)
            began = 100.0 * (1.0 - trajectory["train_accuracy"][0])
            self.assertGreaterEqual(figure.axes[0].get_ylim()[1], began)
            style.plt.close(figure)

    def test_errors_that_are_recorded_as_such(self) -> None:
        """Errors serve as well as accuracies: the curves are the same."""
        few = ("--set", "replicas=1", "--set", "sweep={network.width: [10, 20]}")
        curves = []
        for kind in ("accuracy", "error"):
            wanted = f"measure.quantities=[train_{kind}, test_{kind}]"
            path = self.train(SEPARABLE, f"{kind}.h5", *few, "--set", wanted)
            with widthwise.open(path) as file:
                self.assertTrue(brutzkus.can_draw_separable(file))
                figure = brutzkus.separable(file)
                curves.append([line.get_ydata() for axes in figure.axes for line in axes.lines])
                style.plt.close(figure)
        self.assertEqual(len(curves[0]), 4)
        for left, right in zip(*curves):
            np.testing.assert_allclose(left, right, atol=1e-12)

    def test_rates(self) -> None:
        """Corollary 3."""
        style.use()
        with self.draw(RATES, "rates") as file:
            self.check_texts(brutzkus.rates(file))

    def test_successes(self) -> None:
        """Theorem 9: a share of the starts for each number of units, at whole numbers."""
        with self.draw(SUCCESSES, "successes") as file:
            figure = brutzkus.successes(file)
            figure.canvas.draw()
            for label in figure.axes[0].get_xticklabels():
                self.assertNotIn(".", label.get_text())
            style.plt.close(figure)

    def test_lower_bound(self) -> None:
        """Theorem 10."""
        self.draw(SEQUENCE, "lower-bound")


if __name__ == "__main__":
    unittest.main()
