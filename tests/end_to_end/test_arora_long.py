"""The shipped configurations of Arora et al. (2019), as they stand, and what they must show.

Prints what was measured beside what is expected: `ctest -L long -R arora --verbose`.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import FASHION  # noqa: E402
from shipped_jobs import ShippedJobTest  # noqa: E402

import widthwise  # noqa: E402  (program.py puts analysis/ on the path)


def settings(member: widthwise.Member) -> dict[str, str]:
    """What a sweep varies in a run."""
    return widthwise.settings_of(member.label)


def gram(member: widthwise.Member, name: str) -> float:
    """A number of the Gram matrix."""
    return float(np.asarray(member.gram[name]))


def last(member: widthwise.Member, name: str) -> float:
    """The value of a quantity at the end."""
    return float(member.trajectory[name][-1])


class AroraJobsTest(ShippedJobTest):
    """Runs each on 2 ranks."""

    jobs = "arora"

    @unittest.skipUnless(FASHION.exists(), "dataset-fashion-mnist is not installed")
    def test_figure1_on_fashion_mnist(self) -> None:
        """n = 1000: the spectrum, the projections, and the order of convergence."""
        runs = {settings(member)["data.labels.kind"]: member for member in
                self.members("figure1-fashion")}
        true, random, worst = runs["true"], runs["random"], runs["worst-case"]
        self.expect("figure 1: lambda_max", gram(true, "lambda_max"), 302.6, 302.8)
        self.expect("figure 1: lambda_min", gram(true, "lambda_min"), 0.01212, 0.01214)
        self.expect("figure 1: complexity of true labels", gram(true, "complexity_train"), 1.38, 1.39)
        self.expect("figure 1: of random labels", gram(random, "complexity_train"), 6.4, 7.0)
        self.expect("figure 1: of worst-case labels", gram(worst, "complexity_train"), 12.8, 12.9)
        for name, member in runs.items():
            residual = member.trajectory["residual"] / np.sqrt(1000.0)
            predicted = member.theory["residual_limit"] / np.sqrt(1000.0)
            low, high = {"true": (0.2, 0.27), "random": (0.9, 0.96)}.get(name, (0.99, 1.0))
            self.expect(f"figure 1: residual / |y| at the end, {name}", residual[-1], low, high)
            self.expect(f"figure 1: equation (8) there, {name}", predicted[-1], 0.2, 0.99)
            self.expect(f"figure 1: largest relative difference, {name}",
                        float(np.abs(residual / predicted - 1).max()), 0.0, 0.12)
        for early, late in ((true, random), (random, worst)):
            for values in (
                [member.trajectory["residual"][1:] for member in (early, late)],
                [member.theory["residual_limit"][1:] for member in (early, late)],
            ):
                self.assertTrue((values[0] < values[1]).all())
        # True labels lie on the first eigenvectors, random ones nowhere in particular.
        for name, low, high in (("true", 0.85, 1.0), ("random", 0.0, 0.1)):
            projections = true.gram[f"projections_{name}"]
            share = float((projections[:20] ** 2).sum() / (projections**2).sum())
            self.expect(f"figure 1: share on 20 eigenvectors, {name}", share, low, high)
        self.expect("figure 1: test accuracy, true labels", last(true, "test_accuracy"), 0.97, 1.0)

    @unittest.skipUnless(FASHION.exists(), "dataset-fashion-mnist is not installed")
    def test_figure2_on_fashion_mnist(self) -> None:
        """Complexity and errors grow together with the share of random labels."""
        members = self.members("figure2-fashion")
        self.assertEqual(len(members), 11)
        fractions = [float(settings(member)["data.labels.random_fraction"]) for member in members]
        complexity = np.array([gram(member, "complexity_train") for member in members])
        error = np.array([last(member, "test_absolute_error") for member in members])
        wrong = np.array([1 - last(member, "test_accuracy") for member in members])
        for member in members:
            self.assertLessEqual(last(member, "loss"), 5.0, member.label)
        for place in (0, 5, 10):
            what = f"figure 2: {100 * fractions[place]:.0f}% random labels"
            print(f"{what}: complexity {complexity[place]:.3f}, l1 error {error[place]:.3f}, "
                  f"0/1 error {wrong[place]:.3f}", flush=True)
        # Single draws of labels scatter, most where nearly all are random.
        self.assertTrue((np.diff(complexity) > -0.15).all(), str(complexity))
        self.assertTrue((np.diff(complexity)[:5] > 0).all(), str(complexity))
        for values in (error, wrong):
            self.assertTrue((np.diff(values) > -0.1).all(), str(values))
        self.assertTrue((error >= wrong).all(), "the l1 error bounds the other")
        self.expect("figure 2: 0/1 error, true labels", wrong[0], 0.0, 0.05)
        self.expect("figure 2: 0/1 error, random labels", wrong[-1], 0.45, 0.55)
        self.expect("figure 2: l1 error, random labels", error[-1], 0.95, 1.3)
        self.expect("figure 2: correlation of complexity and l1 error",
                    float(np.corrcoef(complexity, error)[0, 1]), 0.9, 1.0)

    def test_movement(self) -> None:
        """Weights move as far as sqrt(y' H^-1 y) says, units like m^-1/2."""
        for member in self.members("movement"):
            kind, width = settings(member)["data.labels.kind"], settings(member)["network.width"]
            ratio = last(member, "distance_absolute") / float(member.theory["distance_bound"])
            scaled = last(member, "row_movement") * np.sqrt(float(width))
            what = f"movement, {kind}, m = {width}"
            widest = width == "8192"
            self.expect(f"{what}: over sqrt(y' H^-1 y)", ratio, 0.99, 1.04 if widest else 1.3)
            self.expect(f"{what}: farthest unit times sqrt(m)", scaled, 10.0, 50.0)
            self.assertLess(last(member, "residual"), 0.01, what)

    def test_width(self) -> None:
        """Deviations and H(0) - H fall like m^-1/2; a large kappa is linear at once."""
        found: dict[tuple[float, int], list[tuple[float, float, float, float]]] = {}
        for member in self.members("width"):
            kappa = float(settings(member)["network.hidden.std"])
            width = int(settings(member)["network.width"])
            norm = np.linalg.norm(member.gram["labels_train"])
            ratio = member.trajectory["residual"] / member.theory["residual_initial"]
            found.setdefault((kappa, width), []).append((
                float(member.theory["deviation_limit"].max() / norm),
                float(member.theory["deviation_initial"].max() / norm),
                gram(member, "initial_difference"),
                float(np.abs(ratio - 1).max()),
            ))
        means = {key: np.mean(values, axis=0) for key, values in found.items()}
        for column, what in ((0, "deviation from (7)"), (1, "deviation from linear"),
                             (2, "|H(0) - H|")):
            slope = np.log2(means[1.0, 128][column] / means[1.0, 8192][column]) / 6
            self.expect(f"width: {what}, exponent of 1/m", slope, 0.4, 0.7)
        for width in (128, 256, 1024, 8192):
            worst = max(values[3] for values in found[300.0, width])
            self.expect(f"width: residual off linear, kappa = 300, m = {width}", worst, 0.0,
                        0.02 if width == 128 else 0.01)
        self.expect("width: outputs off linear, kappa = 300, all", max(
            values[1] for key, runs in found.items() if key[0] == 300.0 for values in runs
        ), 0.0, 0.01)

    def test_functions(self) -> None:
        """Every bound holds; z^3, which has none, goes on growing. Nothing is trained."""
        cube = []
        for member in self.members("functions"):
            root = float(np.sqrt(gram(member, "quadratic_form_true")))
            bound = float(member.theory["function_bound"])
            self.assertLess(root, bound, member.label)
            if np.isinf(bound):
                cube.append(root)
            elif settings(member)["data.train"] == "800":
                name = settings(member)["data.function.kind"]
                terms = settings(member)["data.function.terms"]
                power = settings(member)["data.function.exponent"] if name == "power" else ""
                what = f"functions: {name} {power}".rstrip() + f", {terms} terms, n = 800"
                self.expect(f"{what}: share of the bound", root / bound, 0.05, 0.75)
        self.assertEqual(len(cube), 5)
        self.expect("functions: z^3, n = 800 over n = 50", cube[-1] / cube[0], 4.0, 20.0)


if __name__ == "__main__":
    unittest.main()
