"""Whole files have the same bits on 1, 2, 3, 4 and 7 ranks."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
from compare import datasets, differences  # noqa: E402
from program import FASHION, ProgramTest, run_program  # noqa: E402

RANKS = (2, 3, 4, 7)


class RanksTest(ProgramTest):
    """The same configuration on several numbers of ranks."""

    def compare(self, config: str, *settings: str, numbers: Sequence[int] = RANKS) -> Path:
        """Runs without mpirun, and on each of these numbers of ranks, and compares the files."""
        text = self.folder / "config.yaml"
        text.write_text(config, encoding="utf-8")
        alone = self.run_on(text, None, *settings)
        for ranks in numbers:
            other = self.run_on(text, ranks, *settings)
            self.assertEqual(differences(alone, other), [], f"1 and {ranks} ranks")
            other.unlink()
        return alone

    def run_on(self, config: Path, ranks: Optional[int], *settings: str) -> Path:
        """One run."""
        path = self.folder / f"{ranks}.h5"
        result = run_program(
            "run", config, "-o", path, "--quiet", *settings, folder=self.folder, ranks=ranks
        )
        self.assertEqual(result.code, 0, result.text)
        return path

    def test_everything_measured_and_recorded(self) -> None:
        """All quantities, results, records, snapshots; a width whose last tile is short."""
        path = self.compare(
            """
name: ranks
data:
  train: 150
  test: 90
  mixture: {dimension: 50, classes: 5, components: 2, spread: 1.0, separation: 4.0}
network: {width: 300}
training: {batch: 16, steps: 50, rate: 10.0}
measure:
  every: 7
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 13, 50]
output: {checkpoint_every: 20, record: [data, initial-weights, batches]}
"""
        )
        with h5py.File(path, "r") as file:
            paths = datasets(file)
        for wanted in (
            "/runs/run0000/trajectory/pseudo_network_deviation",
            "/runs/run0000/final/update_spectrum",
            "/runs/run0000/theory/coupling_bound",
            "/state/run0000/checkpoint1/hidden_weights",
            "/snapshots/run0000/hidden_weights",
            "/record/run0000/batches",
        ):
            self.assertIn(wanted, paths)

    def test_one_tile_and_a_sweep(self) -> None:
        """Narrower than a tile, all ranks but one idle; two members with gradient descent."""
        self.compare(
            """
name: narrow
data:
  source: points
  points: {dimension: 40, classes: 4, components: 3, separation: 5.0}
network: {width: 50}
training: {method: gd, steps: 30, rate: 5.0}
measure: {every: 10, quantities: all, final: [update_spectrum, weight_spectrum]}
sweep: {seed: [1, 2]}
"""
        )

    def test_targets_and_pairs(self) -> None:
        """The squared loss, signs, antisymmetric pairs, arrays among the quantities."""
        path = self.compare(
            """
name: arora
model: arora
data: {source: function, train: 130, test: 70, function: {kind: arctan, dimension: 20}}
network: {width: 402, hidden: {pairs: antisymmetric}}
training: {steps: 40, rate: 0.01}
measure:
  every: 9
  quantities: [loss, residual, contraction, coupling, gradient_norm, train_outputs, test_outputs]
output: {record: [data, initial-weights]}
"""
        )
        with h5py.File(path, "r") as file:
            outputs = file["/runs/run0000/trajectory/train_outputs"][()]
            self.assertEqual(outputs.shape, (6, 130))
            self.assertTrue((outputs[0] == 0).all() and (outputs[1] != 0).all())
            self.assertIn("/record/run0000/train_targets", datasets(file))

    def test_default_size(self) -> None:
        """The built-in default at its own size, some steps of it.

        This one and the next, which take longest, are on two numbers of ranks each.
        """
        self.compare("", "--set", "training.steps=30", numbers=(3, 7))

    @unittest.skipUnless(FASHION.is_dir(), "Debian's dataset-fashion-mnist is not installed")
    def test_images(self) -> None:
        """Fashion-MNIST, leaky ReLU, sampling with replacement."""
        self.compare(
            f"""
name: images
data:
  source: idx
  train: 400
  test: 200
  idx:
    train_images: {FASHION}/train-images-idx3-ubyte.gz
    train_labels: {FASHION}/train-labels-idx1-ubyte.gz
    test_images: {FASHION}/t10k-images-idx3-ubyte.gz
    test_labels: {FASHION}/t10k-labels-idx1-ubyte.gz
network: {{width: 513, activation: {{kind: leaky-relu, slope: 0.2}}}}
training: {{batch: 32, steps: 30, rate: 100.0, sampling: replacement}}
measure: {{every: 10, quantities: all, final: [update_spectrum]}}
""",
            numbers=(2, 4),
        )


if __name__ == "__main__":
    unittest.main()
