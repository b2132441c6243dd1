"""Figures of Arora et al. (2019), drawn of small runs: predictions overlaid, no text leaves its place."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from drawings import DrawingsTest  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

import arora  # noqa: E402  (program.py says where it is)
import arora_widths  # noqa: E402
import style  # noqa: E402
from widthwise import File  # noqa: E402

DATA = """
model: arora
data:
  {train: 40, test: 20, mixture: {dimension: 10, classes: 2, components: 2, separation: 2.0}}
network: {hidden: {std: 1.0, pairs: antisymmetric}}
training: {rate: 0.2, steps: 100}
"""

LABELS = DATA + """
measure: {every: 10, quantities: [residual], final: [gram]}
sweep: {data.labels.kind: [true, random, worst-case]}
"""

MOVEMENT = DATA + """
measure: {every: 10, quantities: [residual, distance_absolute, row_movement], final: [gram]}
gram: {network: true, labels: [true]}
sweep: {data.labels.kind: [true, random], network.width: [128, 512]}
"""


class FiguresTest(DrawingsTest):
    """Figure 1, and movement."""

    def setUp(self) -> None:
        """One style for what is drawn here as for what the program draws."""
        super().setUp()
        style.use()

    def assert_drawn(self, axes: Axes, values: np.ndarray, what: str) -> None:
        """A line of these values is there."""
        for line in axes.get_lines():
            drawn = np.asarray(line.get_ydata(), dtype=float)
            if drawn.shape == values.shape and np.array_equal(drawn, values):
                return
        self.fail(f"{axes.get_title()}: no line of {what}")

    def check_courses(
        self, file: File, axes: Axes, label: str, measured: str, courses: tuple[str, ...], first: int
    ) -> None:
        """Of each run with that label the quantity and all predictions of it are drawn."""
        for member in file.members:
            if label in member.label:
                values = member.trajectory[measured][first:]
                self.assert_drawn(axes, values, f"{measured} of {member.label}")
                for name in courses:
                    course = arora.course(member, name)[first:]
                    self.assert_drawn(axes, course, f"{name} of {member.label}")

    def test_convergence(self) -> None:
        """Residuals of finite networks, equation (8), and the network linear at W(0)."""
        file = self.draw(LABELS, "convergence")
        figure = arora.convergence(file)
        courses = ("residual_limit", "residual_initial")
        for member in file.members:
            self.assertTrue(arora.has_course(member, "residual_initial"), member.label)
        self.check_courses(file, figure.axes[0], "", "residual", courses, 0)
        self.check_texts(figure)

    def test_movement(self) -> None:
        """Distances of finite networks, those of the linear ones, and the limit; logarithms of steps."""
        file = self.draw(MOVEMENT, "movement", also=("convergence",))
        figure = arora_widths.movement(file)
        for axes, kind in zip(figure.axes, ("true", "random")):
            courses = ("distance_initial", "distance_limit")
            label = f"data.labels.kind={kind}"
            self.assertTrue(any(label in member.label for member in file.members))
            self.check_courses(file, axes, label, "distance_absolute", courses, 1)
        self.check_texts(figure)


if __name__ == "__main__":
    unittest.main()
