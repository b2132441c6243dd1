"""The Gram matrix and what follows from it, against NumPy, on several numbers of ranks."""

from __future__ import annotations

import math
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import result_differences  # noqa: E402
from gram_case import SMALL, GramCase  # noqa: E402
from gram_reference import kernel  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402


class GramTest(GramCase):
    """`final: [gram]`, what it says and what it refuses to."""

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

    def test_output_scale_and_mean(self) -> None:
        """Output weights of another size, losses that are means: the same kernel, other units."""
        settings = ("--set", "network.output.scale=3", "--set", "training.rate=0.005")
        self.check_predictions(self.train(SMALL, "scale.h5", *settings, ranks=2))
        settings = ("--set", "loss_reduction=mean", "--set", "training.rate=2")
        self.check_predictions(self.train(SMALL, "mean.h5", *settings, ranks=2))

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


if __name__ == "__main__":
    unittest.main()
