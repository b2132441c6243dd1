"""Gram matrices that are singular, or nearly: what is finite, what is not, and what is said."""

from __future__ import annotations

import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from gram_reference import kernel  # noqa: E402
from program import ProgramTest, run_program  # noqa: E402

import widthwise  # noqa: E402


class SingularGramTest(ProgramTest):
    """Samples that coincide, are zero, or are nearly so."""

    def of_samples(
        self,
        name: str,
        inputs: np.ndarray,
        labels: np.ndarray,
        *more: str,
        command: str = "run",
        succeeds: bool = True,
    ) -> str:
        """A run on given samples into the file `name`.h5, and gives back what was printed."""
        data = self.folder / f"{name}-data.h5"
        with h5py.File(data, "w") as file:
            file["train_inputs"], file["test_inputs"] = inputs, inputs[:5]
            file["train_labels"], file["test_labels"] = labels, labels[:5]
        config = f"""
name: {name}
model: arora
data: {{source: hdf5, train: {len(inputs)}, test: 5, hdf5: {{file: {data}}}}}
network: {{width: 20}}
training: {{steps: 2}}
measure: {{final: [gram]}}
"""
        path = self.folder / f"{name}.yaml"
        path.write_text(config, encoding="utf-8")
        result = run_program(command, path, *more, folder=self.folder, ranks=2)
        self.assertEqual(result.code == 0, succeeds, result.text)
        return result.text

    def check_singular(self, name: str) -> None:
        """No number that is divided by a lambda_min of 0, or by rounding."""
        with widthwise.open(self.folder / f"{name}.h5") as file:
            gram, theory = file.members[0].gram, file.members[0].theory
            self.assertLess(abs(float(gram["lambda_min"])), 1e-12)
            self.assertTrue(math.isinf(float(gram["condition"])))
            self.assertTrue(math.isinf(float(gram["quadratic_form_worst_case"])))
            self.assertTrue(math.isnan(float(gram["solve_residual_worst_case"])))
            self.assertIn(float(gram["separation_constant"]), (0.0,))
            self.assertEqual(float(theory["contraction_bound"]), 1.0)
            self.assertEqual(float(theory["theorem_rate"]), 0.0)
            for bound in ("theorem_width", "row_movement_bound", "generalization_bound"):
                self.assertEqual(float(theory[bound]), math.inf)

    def test_duplicates_are_named(self) -> None:
        """A sample that is there twice is named; only labels that differ on it cannot be learnt."""
        inputs = np.random.default_rng(3).normal(size=(30, 6))
        inputs[17] = 2.5 * inputs[4]
        labels = np.arange(30) % 2
        text = self.of_samples("opposite", inputs, labels)
        self.assertIn("the Gram matrix is singular", text)
        self.assertIn("1 training sample repeats another one up to a factor", text)
        self.assertIn("sample 17 that of 4", text)
        self.assertIn("infinite for others (train, ", text)
        with widthwise.open(self.folder / "opposite.h5") as file:
            gram = file.members[0].gram
            self.assertEqual(float(gram["coincident_samples"]), 1)
            self.assertEqual(float(gram["coincident_first"]), 4)
            self.assertEqual(float(gram["coincident_second"]), 17)
            self.assertTrue(math.isinf(float(gram["complexity_train"])))
            self.assertLess(abs(float(gram["lambda_min"])), 1e-12)
            self.assertGreater(float(gram["shift"]), 0)
        labels[17] = labels[4]
        text = self.of_samples("equal", inputs, labels)
        self.assertIn("finite for labels in its range (train", text)
        units = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
        rest = np.arange(30) != 17
        targets = np.where(labels == 0, 1.0, -1.0)[rest]
        form = targets @ np.linalg.solve(kernel(units[rest], units[rest]), targets)
        with widthwise.open(self.folder / "equal.h5") as file:
            gram = file.members[0].gram
            self.assertAlmostEqual(float(gram["quadratic_form_train"]) / form, 1.0, delta=1e-9)
            self.assertLess(float(gram["solve_residual_train"]), 1e-9)
            bound = float(file.members[0].theory["distance_bound"])
            self.assertAlmostEqual(bound / math.sqrt(form), 1.0, delta=1e-9)

    def test_bounds_of_singular_matrices(self) -> None:
        """Bounds by lambda_min are infinite, or say that nothing need get better."""
        inputs = np.random.default_rng(3).normal(size=(30, 6))
        inputs[17] = 2.5 * inputs[4]
        labels = np.arange(30) % 2
        labels[17] = labels[4]
        self.of_samples("factor", inputs, labels, "--set", "data.normalize=none")
        self.check_singular("factor")

    def test_zero_samples_are_named(self) -> None:
        """A zero vector makes the matrix singular, and no label but 0 is in the range."""
        inputs = np.random.default_rng(4).normal(size=(30, 6))
        inputs[21] = 0.0
        text = self.of_samples(
            "zero", inputs, np.arange(30) % 2, "--set", "data.normalize=none"
        )
        self.assertIn("training samples, 1 is zero, first sample 21", text)
        self.check_singular("zero")
        told = self.succeed("plan", "zero.yaml", "--set", "data.normalize=none").text
        self.assertIn("zero samples: 1 of 30 train samples are zero vectors (first 21, from 0)", told)
        with widthwise.open(self.folder / "zero.h5") as file:
            gram = file.members[0].gram
            self.assertEqual(float(gram["zero_samples"]), 1)
            self.assertEqual(float(gram["zero_first"]), 21)
            self.assertEqual(float(gram["coincident_samples"]), 0)
            self.assertTrue(math.isinf(float(gram["quadratic_form_train"])))
        text = self.of_samples(
            "zeroes", 0.0 * inputs, np.arange(30) % 2, "--set", "data.normalize=none"
        )
        self.assertIn("repeat another one", text)
        self.assertIn("and 30 are zero", text)
        with widthwise.open(self.folder / "zeroes.h5") as file:
            gram, theory = file.members[0].gram, file.members[0].theory
            for name in ("lambda_min", "lambda_max", "lambda_min_residual", "lambda_max_residual"):
                self.assertEqual(float(gram[name]), 0.0)
            self.assertEqual(float(gram["solve_residual_train"]), 1.0)
            self.assertTrue(math.isinf(float(gram["complexity_train"])))
            self.assertTrue(math.isinf(float(theory["generalization_bound"])))
            self.assertEqual(float(theory["contraction_bound"]), 1.0)
            self.assertTrue((gram["limit_test_outputs"] == 0.0).all())

    def test_near_samples(self) -> None:
        """Samples that nearly coincide are not said to; what has few digits is said to."""
        inputs = np.random.default_rng(5).normal(size=(30, 6))
        inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        labels = np.arange(30) % 2
        inputs[17] = inputs[5]
        inputs[17, 0] += 3e-12
        more = ("--set", "data.normalize=none")
        text = self.of_samples("near", inputs, labels, *more)
        self.assertNotIn("singular", text)
        self.assertNotIn("solve_residual_train", text)  # equal labels
        with widthwise.open(self.folder / "near.h5") as file:
            self.assertEqual(float(file.members[0].gram["coincident_samples"]), 0)
            self.assertEqual(float(file.members[0].gram["shift"]), 0.0)
        labels[17] = 1 - labels[17]
        text = self.of_samples("unlike", inputs, labels, *more)
        self.assertIn("warning: solve_residual_train is", text)
        self.assertIn("quadratic_form_train and complexity_train have few digits", text)

    def test_worst_case_labels_of_singular_matrices(self) -> None:
        """Labels that no infinitely wide network learns: said before training."""
        inputs = np.random.default_rng(3).normal(size=(30, 6))
        inputs[17] = inputs[4]
        more = ("--set", "data.labels.kind=worst-case", "--set", "measure.final=[]")
        text = self.of_samples("worst", inputs, np.arange(30) % 2, *more)
        self.assertIn("warning: worst-case labels come from a singular Gram matrix", text)
        inputs[17, 0] += 1.0
        self.assertNotIn("singular", self.of_samples("fine", inputs, np.arange(30) % 2, *more))

    def test_sizes_without_squares(self) -> None:
        """Inputs whose squares are not in range are told to be normalised."""
        inputs = np.random.default_rng(3).normal(size=(30, 6))
        more = ("--set", "data.normalize=none")
        for name, scale in (("tiny", 1e-160), ("huge", 1e160)):
            labels = np.arange(30) % 2
            text = self.of_samples(name, scale * inputs, labels, *more, command="gram", succeeds=False)
            self.assertIn("normalise them", text)
        self.of_samples("sphere", 1e-160 * inputs, np.arange(30) % 2, command="gram")


if __name__ == "__main__":
    unittest.main()
