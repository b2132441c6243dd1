"""What Arora et al. (2019) claim, on small problems: convergence of labellings, width, functions.

Sizes are those at which the claims show within seconds; the shipped configurations are run by
test_arora_long.py. Replays of such runs in NumPy are in test_arora.py.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import FASHION, SOURCE, ProgramTest, execute  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

LABELS = f"""
name: labels
model: arora
data:
  source: idx
  train: 150
  test: 150
  idx:
    train_images: {FASHION}/train-images-idx3-ubyte.gz
    train_labels: {FASHION}/train-labels-idx1-ubyte.gz
    test_images: {FASHION}/t10k-images-idx3-ubyte.gz
    test_labels: {FASHION}/t10k-labels-idx1-ubyte.gz
    classes: [0, 1]
    balanced: true
network: {{width: 640}}
training: {{rate: 0.01, steps: 150}}
measure: {{every: 10, quantities: [residual, test_accuracy], final: [gram]}}
sweep: {{data.labels.kind: [true, random, worst-case]}}
"""

WIDTHS = """
name: widths
model: arora
data:
  train: 100
  test: 50
  mixture: {dimension: 20, classes: 2, components: 2, spread: 1.0, separation: 1.0}
network: {hidden: {pairs: antisymmetric}}
training: {rate: 0.05, steps: 300}
measure:
  every: 10
  quantities: [residual, distance_absolute, row_movement, train_outputs]
  final: [gram]
gram: {labels: [true]}
sweep:
  network.hidden.std: [1, 300]
  network.width: [128, 1024, 4096]
"""

FUNCTIONS = """
name: functions
model: arora
data: {source: function, test: 50, function: {dimension: 10}}
network: {width: 128}
training: {steps: 0}
measure: {quantities: [loss], final: [gram]}
gram: {network: false, labels: [true]}
sweep:
  zip:
    data.function.kind: [linear, quadratic, power, power, cosine, arctan, cosine, power]
    data.function.exponent: [1, 1, 2, 4, 1, 1, 1, 3]
    data.function.terms: [1, 5, 1, 1, 1, 1, 4, 1]
  data.train: [50, 100, 200]
"""

FRACTIONS = """
name: fractions
model: arora
data:
  train: 60
  test: 40
  mixture: {dimension: 12, classes: 2, components: 2, spread: 1.0, separation: 2.0}
  labels: {noisy_test: true}
network: {width: 128, hidden: {std: 1.0, pairs: antisymmetric}}
training: {rate: 0.1, steps: 100}
measure:
  every: 20
  quantities: [residual, test_absolute_error, test_accuracy]
  final: [gram]
sweep: {data.labels.random_fraction: [0, 0.5, 1]}
"""


class AroraClaimsTest(ProgramTest):
    """Each claim on one file."""

    def swept(self, config: str, output: str) -> list[widthwise.Member]:
        """All runs of a sweep."""
        file = widthwise.open(self.train(config, output, ranks=2))
        self.addCleanup(file.close)
        for member in file.members:
            self.assertEqual(member.state, widthwise.State.DONE, member.label)
        return list(file.members)

    def draws(self, output: str, *figures: str) -> None:
        """These figures, no others, are drawn, without empty panels."""
        result = execute(
            [sys.executable, SOURCE / "analysis" / "figures.py", output, "--out", "out"],
            self.folder,
        )
        self.assertEqual(result.code, 0, result.text)
        stem = output.removesuffix(".h5")
        expected = [f"out/{stem}-{figure}.{kind}" for figure in figures for kind in ("png", "pdf")]
        self.assertEqual(result.output.split(), expected)
        for path in expected:
            self.assertGreater((self.folder / path).stat().st_size, 8000, path)

    @unittest.skipUnless(FASHION.exists(), "dataset-fashion-mnist is not installed")
    def test_labels_converge_in_order(self) -> None:
        """True labels before random ones before the worst case, as equation (8) has it."""
        true, random, worst = self.swept(LABELS, "labels.h5")
        for name, table in (("residual", "trajectory"), ("residual_limit", "theory")):
            values = [getattr(member, table)[name] for member in (true, random, worst)]
            norm = np.sqrt(150.0)
            for early, late in zip(values, values[1:]):
                self.assertTrue((early[1:] < late[1:]).all(), name)
            ends = [value[-1] / norm for value in values]
            self.assertLess(ends[0], 0.35, name)
            self.assertTrue(0.8 < ends[1] < 0.95, f"{name} {ends[1]}")
            self.assertGreater(ends[2], 0.95, name)
        # kappa = 0.01 is far from the kernel regime, and the prediction is near all the same.
        for member in (true, random, worst):
            measured, predicted = member.trajectory["residual"], member.theory["residual_limit"]
            self.assertLess(np.abs(measured / predicted - 1).max(), 0.15, member.label)
        complexities = [float(member.gram["complexity_train"]) for member in (true, random, worst)]
        self.assertEqual(complexities, sorted(complexities))
        self.assertGreater(complexities[1], 3 * complexities[0])
        self.assertGreater(true.trajectory["test_accuracy"][-1], 0.9)
        self.draws("labels.h5", "convergence")

    def test_width_and_linearisation(self) -> None:
        """Pairs of units: kappa = 1 comes near (7) with the width, kappa = 300 is linear at once."""
        members = self.swept(WIDTHS, "widths.h5")
        narrow, large = members[:3], members[3:]

        def largest(member: widthwise.Member, name: str) -> float:
            norm = np.linalg.norm(member.gram["labels_train"])
            return float(np.max(member.theory[name]) / norm)

        for member in members:
            self.assertTrue((member.trajectory["train_outputs"][0] == 0).all())
        for name in ("deviation_limit", "deviation_initial"):
            values = [largest(member, name) for member in narrow]
            # m grows by 8 and by 4.
            self.assertLess(values[1], values[0] / 2, name)
            self.assertLess(values[2], values[1] / 1.4, name)
        differences = [float(member.gram["initial_difference"]) for member in narrow]
        scaled = np.array(differences) * np.sqrt([128.0, 1024.0, 4096.0])
        self.assertLess(scaled.max() / scaled.min(), 1.5, "falls like the root of m")
        for member, most in zip(large, (0.02, 0.005, 0.005)):
            # At m = 128 one pattern that changes is felt, once the residual is a few percent.
            ratio = member.trajectory["residual"] / member.theory["residual_initial"]
            self.assertLess(np.abs(ratio - 1).max(), most, member.label)
            self.assertLess(largest(member, "deviation_initial"), 0.003, member.label)
            moved = member.trajectory["distance_absolute"][1:]
            predicted = member.theory["distance_initial"][1:]
            self.assertLess(np.abs(moved / predicted - 1).max(), 0.01, member.label)
        # Not because H(0) is near its limit: at m = 128 it is not.
        self.assertGreater(largest(large[0], "deviation_limit"), 0.03)
        # Weights move as far as at infinite width, units the less the more there are.
        excess = [
            float(member.trajectory["distance_absolute"][-1] / member.theory["distance_limit"][-1])
            for member in narrow
        ]
        self.assertTrue(excess[2] < 1.03 and abs(excess[2] - 1) < abs(excess[0] - 1), str(excess))
        rows = [float(member.trajectory["row_movement"][-1]) for member in narrow]
        self.assertLess(rows[1], rows[0] / 2)
        self.assertLess(rows[2], rows[1] / 1.5)
        self.draws("widths.h5", "convergence", "movement", "width")

    def test_functions_within_bounds(self) -> None:
        """Theorem 6.1 and corollary 6.2; z^3, which they leave out, grows with n."""
        found: dict[str, list[tuple[float, float]]] = {}
        for member in self.swept(FUNCTIONS, "functions.h5"):
            settings = widthwise.settings_of(member.label)
            name = f"{settings['data.function.kind']} {settings['data.function.exponent']}"
            name += f" {settings['data.function.terms']}"
            root = float(np.sqrt(member.gram["quadratic_form_true"]))
            found.setdefault(name, []).append((root, float(member.theory["function_bound"])))
        self.assertEqual(len(found), 8)
        cube = [root for root, _ in found["power 3 1"]]
        for name, values in found.items():
            roots = [root for root, _ in values]
            self.assertEqual(roots, sorted(roots), name)  # more samples, a larger form
            if name == "power 3 1":
                self.assertTrue(all(np.isinf(bound) for _, bound in values))
            else:
                for root, bound in values:
                    self.assertLess(root, bound, name)
                # What is bounded has slowed down; z^4 does later than these sizes.
                if name != "power 4 1":
                    self.assertLess(roots[2] / roots[1], 1.2, name)
        self.assertGreater(cube[1] / cube[0], 1.4)
        self.assertGreater(cube[2] / cube[1], 1.5)
        self.draws("functions.h5", "functions")

    def test_random_labels_are_complex(self) -> None:
        """Figure 2 in small: complexity and error grow with the share of random labels."""
        members = self.swept(FRACTIONS, "fractions.h5")
        for value in (
            [float(member.gram["complexity_train"]) for member in members],
            [float(member.trajectory["test_absolute_error"][-1]) for member in members],
        ):
            self.assertEqual(value, sorted(value))
        self.draws("fractions.h5", "convergence", "complexity")

    def test_missing_images(self) -> None:
        """The configuration for CIFAR-10 says what is missing and where it is looked for."""
        config = SOURCE / "jobs" / "arora" / "figure1-cifar.yaml"
        missing = self.folder / "nowhere"
        result = self.succeed(
            "run", config, "--set", f"data.cifar10.folder={missing}", "-o", "cifar.h5", code=2
        )
        self.assertIn(f"{missing}/data_batch_1.bin' cannot be opened", result.text)
        self.assertFalse((self.folder / "cifar.h5").exists())


if __name__ == "__main__":
    unittest.main()
