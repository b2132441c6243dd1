"""The Gram matrix and what follows from it, against NumPy, on any number of ranks."""

from __future__ import annotations

import math
import re
import signal
import sys
import time
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import result_differences  # noqa: E402
from gram_reference import Descent, kernel, network  # noqa: E402
from processes import start  # noqa: E402
from program import ProgramTest, run_program  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

SMALL = """
name: small
model: arora
seed: 5
data:
  train: 90
  test: 40
  mixture: {dimension: 12, classes: 2, components: 3, spread: 1.0, separation: 2.0}
network: {width: 300, hidden: {std: 0.5}}
training: {steps: 60, rate: 0.05}
measure:
  every: 7
  quantities: [loss, residual, distance_absolute, row_movement, train_outputs, test_outputs,
               test_absolute_error]
  final: [gram]
  snapshots: [0, 60]
gram: {eigenvectors: true}
output: {record: [data, initial-weights]}
"""

TOLERANCE = 1e-9


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference by the largest expected number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


class GramTest(ProgramTest):
    """`final: [gram]` and `widthwise gram`."""

    def near(self, found: object, expected: object, tolerance: float = TOLERANCE) -> None:
        """Equal but for rounding, by the largest number."""
        self.assertLess(relative(np.asarray(found), np.asarray(expected)), tolerance)

    def write(self, config: str, name: str) -> Path:
        """A configuration as a file."""
        path = self.folder / name
        path.write_text(config, encoding="utf-8")
        return path

    def check_group(
        self, path: Path, slope: float = 0.0, depth: int = 1, all_layers: bool = False
    ) -> None:
        """Everything of the group `gram` that follows from data and labels."""
        with widthwise.open(path) as file:
            member = file.members[0]
            gram, record = member.gram, member.record
            inputs, targets = record["train_inputs"], gram["labels_train"]
            n = len(inputs)
            matrix = kernel(inputs, inputs, slope, depth, all_layers)
            descent = Descent(matrix, 1.0)
            self.near(gram["eigenvalues"], descent.values)
            self.near(gram["lambda_min"], descent.values[-1])
            self.near(gram["lambda_max"], descent.values[0])
            self.near(gram["condition"], descent.values[0] / descent.values[-1])
            self.assertEqual(float(gram["shift"]), 0.0)
            self.assertEqual(float(gram["coincident_samples"]), 0.0)
            self.assertEqual(float(gram["zero_samples"]), 0.0)
            self.assertEqual(float(gram["zero_first"]), -1.0)
            self.assertLess(float(gram["eigen_residual"]), 1e-12 * descent.values[0])
            self.assertLess(float(gram["eigen_orthogonality"]), 1e-12)
            for name in ("train", "true", "random", "worst_case"):
                if f"labels_{name}" not in gram:
                    continue
                labels = gram[f"labels_{name}"]
                form = float(np.sum(labels * np.linalg.solve(matrix, labels)))
                self.near(gram[f"quadratic_form_{name}"], form, 1e-8)
                self.near(gram[f"complexity_{name}"], math.sqrt(2 * form / n), 1e-8)
                self.assertLess(float(gram[f"solve_residual_{name}"]), 1e-9)
                self.near(gram[f"projections_{name}"], descent.projections(labels), 1e-8)
            distances = np.linalg.norm(inputs[:, None] - inputs[None], axis=2)
            np.fill_diagonal(distances, np.inf)
            self.near(gram["separation"], distances.min())
            self.near(gram["separation_constant"], descent.values[-1] * n**2 / distances.min())
            predicted = kernel(record["test_inputs"], inputs, slope, depth, all_layers)
            predicted = predicted @ np.linalg.solve(matrix, targets)
            self.near(gram["limit_test_outputs"], predicted, 1e-8)
            if "test_targets" in record:
                error = np.abs(predicted - record["test_targets"]).sum(axis=1).mean()
                self.near(gram["limit_test_absolute_error"], error, 1e-8)

    def check_initial(self, member: widthwise.Member, rate: float, slope: float) -> None:
        """What has to do with the network made linear at its start, H(0) with output weights m^-1/2."""
        gram, record, theory = member.gram, member.record, member.theory
        inputs, targets = record["train_inputs"], record["train_targets"]
        weights, signs = record["initial_hidden_weights"], record["initial_output_weights"]
        n = len(inputs)
        matrix = network(weights, inputs, slope)
        initial = Descent(matrix, rate)
        hidden = inputs @ weights.T
        start = np.where(hidden >= 0, hidden, slope * hidden) @ signs.T
        self.near(gram["initial_eigenvalues"], initial.values)
        self.near(gram["initial_projections"], initial.projections(targets), 1e-7)
        self.near(gram["initial_residual_projections"], initial.projections(targets - start), 1e-7)
        difference = matrix - kernel(inputs, inputs, slope)
        self.near(gram["initial_difference"], np.linalg.norm(difference))
        self.near(gram["initial_spectral_difference"], np.linalg.norm(difference, 2), 1e-7)
        size = float(np.sqrt(np.sum(signs**2)))
        for row, step in enumerate(member.trajectory["step"]):
            linear = initial.outputs(targets, step, start)
            measured = member.trajectory["train_outputs"][row].reshape(n, -1)
            expected = {
                "residual_initial": np.linalg.norm(targets - linear),
                "distance_initial": initial.distance(targets, step) / size,
                # The difference of two that are near each other at first.
                "deviation_initial": np.linalg.norm(measured - linear),
            }
            for name, value in expected.items():
                self.assertAlmostEqual(float(theory[name][row]), float(value), delta=1e-8)

    def check_bounds(self, member: widthwise.Member, slope: float) -> None:
        """Bounds that need no descent, as AR prove them for any norms and output weights."""
        record, theory, trajectory = member.record, member.theory, member.trajectory
        inputs, targets = record["train_inputs"], record["train_targets"]
        signs = record["initial_output_weights"]
        n, m = len(inputs), len(record["initial_hidden_weights"])
        matrix = kernel(inputs, inputs, slope)
        form = float(np.sum(targets * np.linalg.solve(matrix, targets)))
        least = np.linalg.eigvalsh(matrix)[0]
        delta, kappa = 0.01, float(member.setting("network.hidden.std") or 0)
        norm = np.linalg.norm(inputs, axis=1).max()
        square = float(np.sum(signs**2)) / targets.shape[1]  # S
        has_pairs = member.setting("network.hidden.pairs") == "antisymmetric"
        start = max(
            (np.linalg.norm(targets, axis=1) ** 2).max(),
            0 if has_pairs else targets.shape[1] * square * kappa**2 * norm**2,
        )
        is_mean = member.setting("loss_reduction") == "mean"
        self.near(theory["distance_bound"], math.sqrt(form / square), 1e-8)
        self.near(theory["initial_loss_bound"], (1 if is_mean else n) * start / delta, 1e-8)
        self.assertLess(trajectory["loss"][0], float(theory["initial_loss_bound"]))
        if targets.shape[1] > 1:
            for name in ("generalization_bound", "classification_bound", "rademacher_bound"):
                self.assertTrue(np.isnan(theory[name]).all())
            return
        bound = norm * math.sqrt(2 * (1 + slope**2) * form / n)
        bound += math.sqrt(math.log(n * norm**2 / (least * delta)) / n)
        self.near(theory["generalization_bound"], bound, 1e-8)
        self.near(theory["classification_bound"], bound, 1e-8)
        tail = 2 * math.log(2 / delta) / (m / 2 if has_pairs else m)
        moved, row_moved = trajectory["distance_absolute"], trajectory["row_movement"]
        rademacher = moved / math.sqrt(2 * n)
        rademacher *= math.sqrt(1 + slope**2) + math.sqrt(1 - slope**2) * tail**0.25
        turned = 2 * row_moved**2 * math.sqrt(m) / kappa + row_moved * math.sqrt(m * tail)
        rademacher += (1 - slope) * turned
        self.near(theory["rademacher_bound"], math.sqrt(square) * norm * rademacher)

    def check_descent_bounds(self, member: widthwise.Member, slope: float) -> None:
        """Bounds that speak of steps."""
        record, theory = member.record, member.theory
        inputs, targets = record["train_inputs"], record["train_targets"]
        n, m = len(inputs), len(record["initial_hidden_weights"])
        values = np.linalg.eigvalsh(kernel(inputs, inputs, slope))
        square = float(np.sum(record["initial_output_weights"] ** 2)) / targets.shape[1]
        gain = square / (n if member.setting("loss_reduction") == "mean" else 1)
        rate = float(member.setting("training.rate") or 0)
        delta, kappa = 0.01, float(member.setting("network.hidden.std") or 0)
        norm = np.linalg.norm(inputs, axis=1).max()
        has_pairs = member.setting("network.hidden.pairs") == "antisymmetric"
        start = max((targets**2).max(), 0 if has_pairs else square * kappa**2 * norm**2)
        self.near(theory["contraction_bound"], 1 - rate * gain * values[0] / 2)
        self.near(theory["largest_stable_rate"], 2 / values[-1] / gain)
        self.near(theory["theorem_rate"], values[0] / (n * norm**2) ** 2 / gain)
        if targets.shape[1] > 1:
            self.assertTrue(math.isnan(float(theory["theorem_width"])))
            self.assertTrue(math.isnan(float(theory["row_movement_bound"])))
            return
        width = (n * norm) ** 6 * start / (square * values[0] ** 4 * kappa**2 * delta**3)
        self.near(theory["theorem_width"], width, 1e-7)
        movement = n * norm * math.sqrt(start) / (math.sqrt(m * square * delta) * values[0])
        self.near(theory["row_movement_bound"], movement, 1e-8)

    def check_predictions(self, path: Path, slope: float = 0.0) -> None:
        """Everything of `theory` and `gram` that has to do with the run."""
        with widthwise.open(path) as file:
            member = file.members[0]
            record, theory, trajectory = member.record, member.theory, member.trajectory
            steps = trajectory["step"]
            inputs, targets = record["train_inputs"], record["train_targets"]
            n, k = targets.shape
            square = float(np.sum(record["initial_output_weights"] ** 2)) / k
            gain = square / (n if member.setting("loss_reduction") == "mean" else 1)
            rate = float(member.setting("training.rate") or 0) * gain
            limit = Descent(kernel(inputs, inputs, slope), rate)
            for row, step in enumerate(steps):
                sequence = limit.outputs(targets, step)
                measured = trajectory["train_outputs"][row].reshape(n, -1)
                expected = {
                    "residual_limit": np.linalg.norm(targets - sequence),
                    "deviation_limit": np.linalg.norm(measured - sequence),
                    "distance_limit": limit.distance(targets, step) / math.sqrt(square),
                }
                for name, value in expected.items():
                    self.assertAlmostEqual(float(theory[name][row]), float(value), delta=1e-8)
            self.check_bounds(member, slope)
            self.check_descent_bounds(member, slope)
            predicted = kernel(record["test_inputs"], inputs, slope) @ np.linalg.solve(
                kernel(inputs, inputs, slope), limit.outputs(targets, steps[-1])
            )
            self.near(theory["limit_test_outputs"], predicted, 1e-8)
            error = np.abs(predicted - record["test_targets"]).sum(axis=1)
            self.near(theory["limit_test_absolute_error"], error.mean(), 1e-8)
            # The same number of the trajectory, of outputs that are there.
            shown = trajectory["test_outputs"][-1].reshape(predicted.shape)
            error = np.abs(shown - record["test_targets"]).sum(axis=1)
            self.near(trajectory["test_absolute_error"][-1], error.mean())
            if k > 1:
                wrong = (predicted.argmax(axis=1) != record["test_targets"].argmax(axis=1)).mean()
                self.assertAlmostEqual(float(theory["limit_test_error"]), float(wrong), delta=1e-12)
                self.assertNotIn("residual_initial", theory)
                return
            self.check_initial(member, rate, slope)
            wrong = (predicted * record["test_targets"] <= 0).mean()
            self.assertAlmostEqual(float(theory["limit_test_error"]), float(wrong), delta=1e-12)
            for index, taken in enumerate(member.snapshots.steps):
                now = network(member.snapshots.hidden_weights(index), inputs, slope)
                off = now - kernel(inputs, inputs, slope)
                values = np.linalg.eigvalsh(now)
                self.near(member.final["gram_difference"][index], np.linalg.norm(off))
                self.near(
                    member.final["gram_spectral_difference"][index], np.linalg.norm(off, 2), 1e-7
                )
                self.near(member.final["gram_lambda_min"][index], values[0], 1e-7)
                self.near(member.final["gram_lambda_max"][index], values[-1])
                self.assertIn(taken, (0, 60))

    def test_run(self) -> None:
        """One run with everything, on 3 ranks."""
        path = self.train(SMALL, "run.h5", ranks=3)
        self.check_group(path)
        self.check_predictions(path)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        self.succeed("verify", path, ranks=2)
        with widthwise.open(path) as file:
            vectors = file.members[0].eigenvectors[()]
            inputs = file.members[0].record["train_inputs"]
            values = file.members[0].gram["eigenvalues"]
            self.near(kernel(inputs, inputs) @ vectors.T, vectors.T * values)

    def test_leaky_and_grid(self) -> None:
        """A leaky ReLU, inputs off the sphere, blocks that do not divide n, a grid of 2 x 2."""
        settings = (
            *("--set", "network.activation={kind: leaky-relu, slope: 0.2}"),
            *("--set", "data.normalize=none"),
            *("--set", "training.rate=0.005"),
            *("--set", "gram.block=7"),
            *("--set", "gram.grid=[2, 2]"),
        )
        path = self.train(SMALL, "leaky.h5", *settings, ranks=4)
        self.check_group(path, slope=0.2)
        self.check_predictions(path, slope=0.2)

    def test_parts_of_the_spectrum(self) -> None:
        """None of it, its values, all of it: one after the other, in the same file."""
        settings = ("--set", "gram.eigenvectors=false", "--set", "gram.spectrum=none")
        path = self.train(SMALL, "parts.h5", *settings, ranks=2)
        with widthwise.open(path) as file:
            solved = {name: file.members[0].gram[name] for name in file.members[0].gram}
            theory = set(file.members[0].theory)
        self.assertNotIn("eigenvalues", solved)
        self.assertNotIn("residual_limit", theory)
        self.assertIn("generalization_bound", theory)
        self.succeed("gram", path, "--set", "gram.spectrum=values", ranks=2)
        with widthwise.open(path) as file:
            gram = file.members[0].gram
            inputs = file.members[0].record["train_inputs"]
            self.near(gram["eigenvalues"], np.linalg.eigvalsh(kernel(inputs, inputs))[::-1])
            self.assertIn("initial_eigenvalues", gram)
            self.assertNotIn("projections_train", gram)
            self.near(gram["complexity_train"], solved["complexity_train"])
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        self.succeed("gram", path, "--set", "gram.spectrum=full", ranks=1)
        self.check_group(path)
        self.check_predictions(path)

    def test_same_bits_on_one_place(self) -> None:
        """With a grid of one rank the number of ranks does not show in any bit."""
        settings = (
            *("--set", "gram.grid=[1, 1]"),
            *("--set", "data.labels.kind=worst-case"),
        )
        first = self.train(SMALL, "ranks1.h5", *settings, ranks=1)
        for ranks in (2, 3, 4, 7):
            other = self.train(SMALL, f"ranks{ranks}.h5", *settings, ranks=ranks)
            self.assertEqual(result_differences(first, other), [])

    def test_deep_kernel(self) -> None:
        """The kernel of three layers, by the last and by all, over three classes."""
        for gradient in ("last-layer", "all-layers"):
            settings = (
                *("--set", "gram.depth=3"),
                *("--set", f"gram.gradient={gradient}"),
                *("--set", "data.mixture.classes=3"),
                *("--set", "training.steps=1"),
                *("--set", "measure.snapshots=[]"),
            )
            path = self.train(SMALL, f"{gradient}.h5", *settings, ranks=2)
            self.check_group(path, depth=3, all_layers=gradient == "all-layers")
            with widthwise.open(path) as file:
                self.assertEqual(file.members[0].gram["labels_train"].shape, (90, 3))
                self.assertNotIn("labels_worst_case", file.members[0].gram)
                self.assertNotIn("residual_limit", file.members[0].theory)

    def test_before_training(self) -> None:
        """`widthwise gram CONFIG` makes the file that training goes on with, to the same results."""
        config = self.write(SMALL, "before.yaml")
        path = self.folder / "before.h5"
        self.succeed("gram", config, "-o", path, ranks=2)
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].state, widthwise.State.WAITING)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        with widthwise.open(path) as file:  # only what is committed is seen here
            before = {name: file.members[0].gram[name] for name in file.members[0].gram}
            self.assertTrue(np.isfinite(before["eigenvalues"]).all())
            self.assertIsNotNone(file.members[0].eigenvectors)
        result = self.succeed("resume", path, ranks=1)
        self.assertIn("spectrum read", result.text)
        with widthwise.open(path) as file:
            for name, values in before.items():
                self.assertTrue((file.members[0].gram[name] == values).all(), name)
        self.check_group(path)
        self.check_predictions(path)

    def test_added_to_a_run(self) -> None:
        """`widthwise gram FILE` on a run that is over, and once more with other labels."""
        settings = ("--set", "measure.final=[]", "--set", "gram.labels=[]")
        path = self.train(SMALL, "added.h5", *settings, ranks=2)
        with widthwise.open(path) as file:
            outputs = file.members[0].trajectory["train_outputs"]
            self.assertEqual(len(file.members[0].gram), 0)
        self.succeed("gram", path, ranks=1)
        self.check_group(path)
        self.check_predictions(path)
        result = self.succeed("gram", path, "--set", "gram.labels=[true, random, worst-case]", ranks=2)
        self.assertIn("spectrum read", result.text)
        self.check_group(path)
        self.check_predictions(path)
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].state, widthwise.State.DONE)
            self.assertIn("labels_worst_case", file.members[0].gram)
            self.assertTrue((file.members[0].trajectory["train_outputs"] == outputs).all())
        self.succeed("verify", path)
        again = self.succeed("gram", path)
        self.assertNotIn("spectrum of", again.text)

    def test_lengthened(self) -> None:
        """A run that is made longer predicts for all its records."""
        path = self.train(SMALL, "short.h5", "--set", "training.steps=60", ranks=1)
        self.succeed("resume", path, "--set", "training.steps=90", ranks=2)
        self.check_group(path)
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.trajectory["step"][-1], 90)
            self.assertEqual(len(member.theory["residual_limit"]), len(member.trajectory["step"]))
            self.assertTrue(np.isfinite(member.theory["deviation_limit"]).all())

    def test_worst_case_labels(self) -> None:
        """They are computed once: a restart on other ranks trains on the very same."""
        settings = ("--set", "data.labels.kind=worst-case")
        whole = self.train(SMALL, "whole.h5", *settings, ranks=2)
        self.check_group(whole)
        with widthwise.open(whole) as file:
            gram, record = file.members[0].gram, file.members[0].record
            labels = gram["labels_train"]
            values, vectors = np.linalg.eigh(
                kernel(record["train_inputs"], record["train_inputs"])
            )
            vector = vectors[:, 0] * np.sign(vectors[np.abs(vectors[:, 0]).argmax(), 0])
            self.near(labels[:, 0], vector * math.sqrt(len(labels)), 1e-7)
            self.assertTrue((labels == record["train_targets"]).all())
        parts = self.train(SMALL, "parts.h5", *settings, "--until", "20", ranks=2, code=75)
        self.assertEqual(check_schema.check_file(str(parts)).violations, [])
        self.succeed("verify", parts)
        self.succeed("resume", parts, ranks=3)
        differences = [
            name for name in result_differences(whole, parts) if "trajectory" in str(name)
        ]
        self.assertEqual(differences, [])
        with h5py.File(parts, "r+") as file:
            file["/state/run0000/train_targets"][3, 0] += 1e-16
            file["/state/run0000/train_targets"][4, 0] *= 1.5
        self.assertIn("computed targets", self.succeed("verify", parts, code=1).text)
        refused = self.succeed("resume", parts, "--set", "training.steps=70", code=1)
        self.assertIn("train_targets fails its checksum", refused.text)

    def test_sweep(self) -> None:
        """Members share ranks; each has the labels that its own configuration asks for."""
        config = (
            SMALL
            + "sweep: {data.labels.kind: [true, random, worst-case], network.width: [64, 200]}\n"
        )
        path = self.train(config, "sweep.h5", ranks=3)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        same = {"true": "true", "random": "random", "worst-case": "worst_case"}
        residuals = {}
        with widthwise.open(path) as file:
            self.assertEqual(len(file.members), 6)
            for member in file.members:
                kind = member.setting("data.labels.kind") or ""
                gram = member.gram
                self.near(gram["labels_train"], gram[f"labels_{same[kind]}"], 1e-7)
                self.near(
                    gram["complexity_train"], gram[f"complexity_{same[kind]}"], 1e-6
                )
                residuals[kind, int(member.parameters["width"])] = member.trajectory["residual"]
        for width in (64, 200):
            last = [residuals[kind, width][-1] / residuals[kind, width][0] for kind in same]
            self.assertEqual(last, sorted(last))
        self.succeed("verify", path, ranks=2)
        shown = self.succeed("show", path).output
        self.assertIn("complexity_train", shown)
        # One member alone in a file of its own, then merged with another.
        text = self.folder / "sweep.h5.yaml"
        parts = []
        for index in (1, 5):
            parts.append(self.folder / f"part{index}.h5")
            self.succeed("gram", text, "--member", str(index), "-o", parts[-1], ranks=2)
        merged = self.folder / "merged.h5"
        self.succeed("merge", *parts, "-o", merged)
        self.succeed("resume", merged, "-q", ranks=2)
        with widthwise.open(path) as file, widthwise.open(merged) as other:
            self.assertEqual([member.index for member in other.members], [1, 5])
            for member in other.members:
                twin = file.members[member.index]
                self.near(member.gram["eigenvalues"], twin.gram["eigenvalues"])
                self.near(
                    member.trajectory["residual"], twin.trajectory["residual"], 1e-6
                )

    def test_export(self) -> None:
        """A plain copy holds what is committed of it, eigenvectors with the weights."""
        path = self.train(SMALL, "whole.h5", ranks=2)
        for more, has_vectors in (((), False), (("--weights",), True)):
            copy = self.folder / "copy.h5"
            self.succeed("export", path, "-o", copy, "--force", *more)
            self.assertEqual(check_schema.check_file(str(copy)).violations, [])
            with widthwise.open(path) as file, widthwise.open(copy) as plain:
                member, twin = file.members[0], plain.members[0]
                self.assertEqual(sorted(member.gram), sorted(twin.gram))
                self.assertTrue((member.gram["eigenvalues"] == twin.gram["eigenvalues"]).all())
                self.assertEqual(twin.eigenvectors is not None, has_vectors)

    def on_files(self, name: str) -> tuple[str, Path]:
        """A configuration whose data are in a file that can change, and the file."""
        random = np.random.default_rng(8)
        data = self.folder / f"{name}-data.h5"
        with h5py.File(data, "w") as file:
            file["train_inputs"] = random.normal(size=(40, 7))
            file["test_inputs"] = random.normal(size=(9, 7))
            file["train_labels"], file["test_labels"] = np.arange(40) % 2, np.arange(9) % 2
        config = f"""
name: {name}
model: arora
data: {{source: hdf5, train: 40, test: 9, hdf5: {{file: {data}}}}}
network: {{width: 130}}
training: {{steps: 20, rate: 0.02}}
measure: {{every: 6, quantities: [loss, residual, train_outputs]}}
"""
        return config, data

    def test_a_run_that_is_over_stays_so(self) -> None:
        """What fails, or is killed, while results are computed anew is made good by doing it again."""
        config, data = self.on_files("over")
        path = self.train(config, "over.h5", ranks=2)
        before = path.read_bytes()
        self.succeed("gram", path, "--set", "gram.grid=[3, 3]", code=2, ranks=2)
        self.assertEqual(path.read_bytes(), before)
        refused = self.succeed("gram", path, "--set", "training.steps=40", code=2)
        self.assertIn("trains nothing", refused.text)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] += 0.5
        changed = self.succeed("gram", path, code=1)
        self.assertIn("not those that it was begun with", changed.text)
        with widthwise.open(path) as opened:
            member = opened.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            self.assertEqual(member.trajectory["step"][-1], 20)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] -= 0.5
            inputs = file["train_inputs"][()]
        with h5py.File(data, "r+") as file:  # as it was, to the last bit
            file["train_inputs"][...] = np.random.default_rng(8).normal(size=inputs.shape)
        # As a job leaves it that died after results were taken back: the same command goes on.
        self.succeed("gram", path, ranks=2)
        self.take_results_back(path)
        self.succeed("gram", path, ranks=1)
        with widthwise.open(path) as opened:
            member = opened.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            self.assertIn("residual_limit", member.theory)
            self.assertEqual(member.trajectory["step"][-1], 20)
        self.succeed("verify", path)

    @staticmethod
    def take_results_back(path: Path) -> None:
        """Writes the page that a restart writes before it computes results."""
        with h5py.File(path, "r+") as file:
            pages = file["/state/run0000/commit"]
            words = max(pages[()], key=lambda page: page[2]).copy()
            words[2] += 1
            words[3] = int(widthwise.State.RUNNING)
            words[7:11] = 0
            words[511] = zlib.crc32(words[:511].astype("<i8").tobytes())
            pages[words[2] % 2] = words

    def test_other_data_are_refused(self) -> None:
        """Before training, for worst-case labels, and of a run that is not over."""
        config, data = self.on_files("other")
        text = self.write(config, "other.yaml")
        worst = ("--set", "data.labels.kind=worst-case")
        paths = [self.folder / name for name in ("first.h5", "worst.h5", "stopped.h5")]
        self.succeed("gram", text, "-o", paths[0], ranks=2)
        self.succeed("gram", text, "-o", paths[1], *worst)
        self.succeed("run", text, "-o", paths[2], "--until", "8", code=75)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] += 0.5
        for path in paths:
            for command in ("gram", "resume"):
                told = self.succeed(command, path, ranks=2, code=1)
                self.assertIn("not those that it was begun with", told.text)

    def test_end_by_signal(self) -> None:
        """A signal ends it between two pieces with 75, and the file goes on."""
        text = self.write(
            SMALL.replace("train: 90", "train: 250").replace("snapshots: [0, 60]", "snapshots: []")
            + "sweep: {seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}\n",
            "signal.yaml",
        )
        path = self.folder / "signal.h5"
        process = start("gram", text, "-o", path, folder=self.folder)
        while not path.exists() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, told)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        told = self.succeed("gram", path, ranks=2).text
        self.assertIn("`widthwise resume` trains what is left", told)
        with widthwise.open(path) as opened:
            self.assertTrue(all(len(member.gram) > 0 for member in opened.members))
        self.succeed("verify", path)

    def test_blocks_larger_than_the_matrix(self) -> None:
        """Few samples, and blocks that hold them all: ScaLAPACK's own sizes do not suffice there."""
        config = self.write(SMALL, "few.yaml")
        for samples, block in ((1, 32), (2, 32), (40, 32), (90, 128)):
            for ranks in (1, 3):
                with self.subTest(samples=samples, block=block, ranks=ranks):
                    result = self.succeed(
                        "gram", config, "-o", "few.h5", "--force", "--quiet",
                        "--set", f"data.train={samples}", "--set", f"gram.block={block}",
                        ranks=ranks,
                    )
                    self.assertNotIn("illegal", result.text)
                    with widthwise.open(self.folder / "few.h5") as file:
                        gram = file.members[0].gram
                        self.assertLess(float(gram["eigen_residual"]), 1e-12)
                        self.assertLess(float(gram["eigen_orthogonality"]), 1e-12)

    def test_output_scale_and_mean(self) -> None:
        """Output weights of another size, losses that are means: the same kernel, other units."""
        settings = ("--set", "network.output.scale=3", "--set", "training.rate=0.005")
        self.check_predictions(self.train(SMALL, "scale.h5", *settings, ranks=2))
        settings = ("--set", "loss_reduction=mean", "--set", "training.rate=2")
        self.check_predictions(self.train(SMALL, "mean.h5", *settings, ranks=2))

    def test_large_starts_and_pairs(self) -> None:
        """Outputs at the start that are larger than labels, and units that cancel there."""
        settings = ("--set", "network.hidden.std=2", "--set", "measure.snapshots=[]")
        self.check_predictions(self.train(SMALL, "large.h5", *settings, ranks=2))
        settings = (*settings, "--set", "network.hidden.pairs=antisymmetric")
        self.check_predictions(self.train(SMALL, "pairs.h5", *settings, ranks=2))

    def test_gaussian_outputs(self) -> None:
        """Bounds that ask for output weights of one magnitude are not there for others."""
        settings = ("--set", "network.output.kind=gaussian", "--set", "measure.snapshots=[]")
        path = self.train(SMALL, "gaussian.h5", *settings, ranks=2)
        self.check_group(path)
        with widthwise.open(path) as file:
            theory = file.members[0].theory
            for name in ("theorem_width", "row_movement_bound", "rademacher_bound"):
                self.assertTrue(np.isnan(theory[name]).all())
            for name in ("distance_bound", "contraction_bound", "theorem_rate"):
                self.assertTrue(np.isfinite(theory[name]).all())

    def test_three_outputs(self) -> None:
        """Each output goes its own way, and errors are sums over outputs, means over samples."""
        settings = ("--set", "data.mixture.classes=3", "--set", "measure.snapshots=[]")
        path = self.train(SMALL, "three.h5", *settings, ranks=3)
        self.check_group(path)
        self.check_predictions(path)

    def test_batches(self) -> None:
        """Bounds from data and labels are there for batches too; what speaks of descent is not."""
        settings = ("--set", "training.method=sgd", "--set", "training.batch=10")
        path = self.train(SMALL, "sgd.h5", *settings, ranks=2)
        self.check_group(path)
        with widthwise.open(path) as file:
            self.check_bounds(file.members[0], 0.0)
            names = set(file.members[0].theory)
            for name in ("theorem_rate", "contraction_bound", "residual_limit", "limit_test_outputs"):
                self.assertNotIn(name, names)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])

    def test_function_bound(self) -> None:
        """Theorem 6.1 holds for ReLU, and speaks of nothing else."""
        config = SMALL.replace(
            "mixture: {dimension: 12, classes: 2, components: 3, spread: 1.0, separation: 2.0}",
            "source: function\n  function: {dimension: 12, kind: cosine, norm: 1.0}",
        )
        for kind in ("{kind: relu}", "{kind: leaky-relu, slope: 0.9}"):
            path = self.train(
                *(config, "function.h5", "--force", "--set", f"network.activation={kind}"), ranks=2
            )
            with widthwise.open(path) as file:
                measured = math.sqrt(float(file.members[0].gram["quadratic_form_true"]))
                bound = float(file.members[0].theory["function_bound"])
                self.assertLess(measured, bound)
                self.assertEqual(math.isinf(bound), "leaky" in kind)

    def test_other_losses(self) -> None:
        """A run with cross entropy has a Gram matrix too, without predictions."""
        config = """
name: entropy
data: {train: 60, test: 20, mixture: {dimension: 10, classes: 3, components: 1}}
network: {width: 50}
training: {batch: 10, steps: 5}
measure: {final: [gram]}
output: {record: [data]}
"""
        path = self.train(config, "entropy.h5", ranks=2)
        self.check_group(path)
        with widthwise.open(path) as file:
            self.assertNotIn("initial_eigenvalues", file.members[0].gram)
            self.assertNotIn("residual_limit", file.members[0].theory)

    def test_refusals(self) -> None:
        """What cannot be is told in one sentence, with exit code 2 and no file."""
        cases = [
            (("--set", "gram.grid=[3, 3]"), "gram.grid"),
            (("--set", "gram.grid=[2]"), "gram.grid"),
            (("--set", "gram.spectrum=values"), "gram.eigenvectors"),
            (("--set", "network.output.kind=gaussian", "--set", "gram.network=true"), "gram.network"),
            (("--set", "replicas=3", "--set", "output.record=[]"), "replicas"),
        ]
        config = self.write(SMALL, "refused.yaml")
        for settings, word in cases:
            with self.subTest(word):
                result = self.succeed(
                    "gram", config, "-o", self.folder / "refused.h5", *settings,
                    ranks=2,
                    code=2,
                )
                self.assertIn(word, result.text)
                self.assertFalse((self.folder / "refused.h5").exists())

    def test_grid_larger_than_the_job(self) -> None:
        """Refused with its line before the file is made or changed, by whatever command."""
        text = SMALL.replace("gram: {", "gram: {grid: [1, 3], ")
        config = self.write(text, "grid.yaml")
        line = text[: text.index("grid:")].count("\n") + 1
        sentence = f"line {line}: gram.grid: a grid of 1 x 3 does not fit on 2 ranks"
        worst = ("--set", "data.labels.kind=worst-case", "--set", "measure.final=[]")
        for command, more in (("run", ()), ("gram", ()), ("run", worst)):
            with self.subTest(command, more=more):
                path = self.folder / "none.h5"
                result = self.succeed(command, config, "-o", path, *more, ranks=2, code=2)
                self.assertIn(sentence, result.errors)
                self.assertEqual(result.errors.count("widthwise: "), 1)
                self.assertFalse(path.exists())
        path = self.train(SMALL, "there.h5", ranks=2)
        before = path.read_bytes()
        self.succeed("gram", path, "--set", "gram.grid=[3, 1]", ranks=2, code=2)
        self.assertTrue(path.read_bytes() == before)

    def test_crews_have_the_ranks_of_the_grid(self) -> None:
        """A network of one tile, on more ranks than that: those that the grid asks for."""
        settings = ("--set", "gram.grid=[1, 3]", "--set", "network.width=6")
        path = self.train(SMALL, "narrow.h5", *settings, ranks=5)
        self.check_group(path)

    def test_blocks_are_no_larger_than_the_matrix(self) -> None:
        """Room to work in goes by the size of blocks."""
        config = self.write(SMALL, "blocks.yaml")
        settings = ("--set", "gram.block=4096", "--set", "training.steps=0", "--set",
                    "measure.snapshots=[]")
        path = self.folder / "blocks.h5"
        result = self.succeed("run", config, "-o", path, *settings, ranks=1)
        peak = re.search(r"peak memory ([\d.]+) GB", result.output)
        assert peak is not None
        self.assertLess(float(peak[1]), 0.1)
        self.check_group(path)

    def test_elpa_on_more_ranks_than_blocks(self) -> None:
        """The grid that is chosen has a block for each rank, however few samples there are."""
        config = self.write(SMALL, "elpa.yaml")
        settings = ("--set", "gram.solver=elpa", "--set", "network.width=2000")
        path = self.folder / "elpa.h5"
        result = run_program("run", config, "-o", path, *settings, folder=self.folder, ranks=7)
        if "was built without" in result.errors:
            self.skipTest("no ELPA")
        self.assertEqual(result.code, 0, result.text)
        self.check_group(path)


if __name__ == "__main__":
    unittest.main()
