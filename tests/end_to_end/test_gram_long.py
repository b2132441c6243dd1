"""More settings of the Gram matrix than the usual run of the tests has time for."""

from __future__ import annotations

import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from compare import result_differences  # noqa: E402
from gram_case import SMALL, GramCase  # noqa: E402
from gram_reference import kernel  # noqa: E402
from program import run_program  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402


class GramLongTest(GramCase):
    """Deep kernels, parts of the spectrum, crews, blocks, restarts."""

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

    def test_crews_have_the_ranks_of_the_grid(self) -> None:
        """A network of one tile, on more ranks than that: those that the grid asks for."""
        settings = ("--set", "gram.grid=[1, 3]", "--set", "network.width=6")
        path = self.train(SMALL, "narrow.h5", *settings, ranks=5)
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


if __name__ == "__main__":
    unittest.main()
