"""Samples divided over groups of ranks: the process grid width x samples.

Gradients are summed up by sections of 4096 samples, which are added as integers, so that a run has
the same bits on every grid. It is held against NumPy too, which knows nothing of sections."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from compare import differences, result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402
from test_replay import Replayed  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

STOPPED = 75
USAGE = 2

CROSS_ENTROPY = """
name: groups
data: {train: 13000, test: 700, mixture: {dimension: 12, classes: 3, components: 2}}
network: {width: 300}
training: {method: gd, steps: 6, rate: 30.0}
measure:
  every: 2
  quantities: [loss, train_accuracy, test_accuracy, coupling, coupling_train, coupling_any, distance]
  final: [update_spectrum]
output: {checkpoint_every: 3, record: [data, initial-weights]}
"""
SQUARED = """
name: groups
model: arora
data: {train: 9000, test: 300, mixture: {dimension: 12, classes: 2, components: 2}}
network: {width: 300, train_output: true}
training: {steps: 6, rate: 1.0e-5, engine: dense}
measure: {every: 2, quantities: [loss, distance], final: []}
output: {record: [data, initial-weights]}
"""


class SampleGroupsTest(ProgramTest):
    """Runs by full batches of several sections."""

    def run_on(self, name: str, config: str, ranks: Optional[int], *more: str) -> Path:
        """One run, in the file `name`."""
        text = self.folder / "config.yaml"
        text.write_text(config, encoding="utf-8")
        path = self.folder / name
        self.succeed("run", text, "-o", path, "--quiet", *more, ranks=ranks)
        return path

    def test_every_grid(self) -> None:
        """Whole files, on 1 rank and on grids of 2 to 6."""
        for config in (CROSS_ENTROPY, SQUARED):
            alone = self.run_on("alone.h5", config, None)
            for ranks, groups in ((2, 2), (3, 3), (4, 2), (6, 3)):
                other = self.run_on("other.h5", config, ranks, "--sample-groups", str(groups))
                self.assertEqual(differences(alone, other), [], f"{ranks} ranks, {groups} groups")
                other.unlink()
            alone.unlink()

    def test_replay(self) -> None:
        """The same numbers as NumPy's."""
        for config in (CROSS_ENTROPY, SQUARED):
            path = self.run_on("run.h5", config, 4, "--sample-groups", "2")
            with widthwise.open(path) as file:
                result = Replayed(self, file.members[0])
                result.check_trajectory()
                result.check_weights()
                moved = np.abs(result.last - result.experiment.hidden_weights).max()
                self.assertGreater(moved, 1e-4)
            path.unlink()

    def test_one_grid_after_the_other(self) -> None:
        """A run that is stopped, and goes on on other grids."""
        whole = self.run_on("whole.h5", CROSS_ENTROPY, 1)
        parts = self.folder / "parts.h5"
        text = self.folder / "config.yaml"
        begin = self.succeed(
            *("run", text, "-o", parts, "--until", "3", "--sample-groups", "2"),
            ranks=4,
            code=STOPPED,
        )
        self.assertIn("samples in 2 groups of 2 ranks", begin.text)
        self.succeed("resume", parts, "--until", "5", ranks=3, code=STOPPED)
        end = self.succeed("resume", parts, "--sample-groups", "3", ranks=3)
        self.assertIn("samples in 3 groups of 1 rank", end.text)
        self.assertEqual(result_differences(whole, parts), [])

    def test_ranks_without_units(self) -> None:
        """More ranks than tiles: groups are made unasked, or what would help is said."""
        narrow = ("--set", "network.width=100")
        alone = self.run_on("alone.h5", CROSS_ENTROPY, None, *narrow)
        text = self.folder / "config.yaml"
        other = self.folder / "other.h5"
        result = self.succeed("run", text, "-o", other, *narrow, ranks=4)
        self.assertIn("samples in 4 groups of 1 rank", result.text)
        self.assertNotIn("idle", result.text)
        self.assertEqual(differences(alone, other), [])
        one_group = (*narrow, "--sample-groups", "1", "--force")
        result = self.succeed("run", text, "-o", other, *one_group, ranks=2)
        self.assertIn("so 1 of 2 ranks idle", result.errors)
        result = self.succeed("run", text, "-o", other, *narrow, "--force", ranks=7)
        self.assertIn("so 6 of 7 ranks idle; of 4 ranks all would work", result.errors)
        self.assertEqual(result_differences(alone, other), [])

    def test_plan(self) -> None:
        """Memory by grid, and how many ranks have work."""
        text = self.folder / "config.yaml"
        text.write_text(CROSS_ENTROPY, encoding="utf-8")
        plan = ("plan", text, "--no-calibration", "--ranks", "4")
        result = self.succeed(*plan, "--sample-groups", "2").output
        self.assertIn("4: samples in 2 groups, 2 tiles on the fullest", result)
        self.assertIn("at most 6 have work", result)
        self.assertIn("at most 12 have work", self.succeed(*plan).output)
        self.succeed(*plan, "--sample-groups", "3", code=USAGE)

    def test_what_cannot_be_divided(self) -> None:
        """One sentence, and nothing written."""
        text = self.folder / "config.yaml"
        text.write_text(CROSS_ENTROPY, encoding="utf-8")
        for ranks, groups, setting, said in (
            (3, 2, "seed=1", "3 ranks cannot be divided into as many equal groups"),
            (2, 2, "training.method=sgd", "training.method is sgd"),
            (2, 2, "training.engine=samples", "by the engine dense alone, and here it is engine samples"),
            (2, 2, "data.train=4096", "4096 train samples are 1 section of 4096"),
            (5, 5, "data.train=13000", "13000 train samples are 4 sections of 4096"),
        ):
            result = self.succeed(
                *("run", text, "-o", "none.h5", "--sample-groups", str(groups)),
                *("--set", setting),
                ranks=ranks,
                code=USAGE,
            )
            self.assertIn(said, result.errors)
            self.assertEqual(sorted(path.name for path in self.folder.glob("*.h5*")), [])


if __name__ == "__main__":
    unittest.main()
