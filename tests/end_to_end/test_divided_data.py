"""Inputs divided over nodes with the samples: a node has those of its groups alone.

Nodes are told of by a library (several_nodes.c): each so many ranks in a row are one."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import differences, result_differences  # noqa: E402
from program import ProgramTest, Result, execute, mpi, program  # noqa: E402
from test_sample_groups import CROSS_ENTROPY  # noqa: E402

STOPPED = 75
USAGE = 2
SAID = "inputs on each node those of its groups alone"

CONFIG = CROSS_ENTROPY.replace("test: 700", "test: 2700").replace(
    ", record: [data, initial-weights]", ""
)
SQUARED = """
name: divided
model: arora
data: {source: function, train: 9000, test: 1500, last_coordinate: 0.25,
       function: {dimension: 12}}
network: {width: 300}
training: {steps: 4, rate: 1.0e-5, engine: dense}
measure: {every: 2, quantities: [loss, distance, residual], final: []}
"""
LARGE = """
name: divided
data: {train: 40000, test: 2000, mixture: {dimension: 500, classes: 2, components: 2}}
network: {width: 256}
training: {method: gd, steps: 1, rate: 1.0}
measure: {every: 1, quantities: [loss], final: []}
"""


class DividedDataTest(ProgramTest):
    """Runs on nodes that are told of."""

    def setUp(self) -> None:
        """Finds the library."""
        super().setUp()
        self.nodes = Path(program()).resolve().parent / "tests" / "libseveral_nodes.so"
        if not self.nodes.exists():
            self.skipTest("the library is not built with sanitizers")

    def on_nodes(self, ranks: int, a_node: int, *arguments: object, code: int = 0) -> Result:
        """Runs the program on so many ranks, with so many of them a node."""
        told = {"LD_PRELOAD": str(self.nodes), "RANKS_A_NODE": str(a_node)}
        words = [str(word) for word in arguments]
        result = execute([*mpi(ranks), program(), *words], self.folder, more=told)
        self.assertEqual(result.code, code, f"{' '.join(words)}\n{result.text}")
        return result

    def write(self, config: str) -> Path:
        """The configuration as a file."""
        path = self.folder / "config.yaml"
        path.write_text(config, encoding="utf-8")
        return path

    def test_same_bits(self) -> None:
        """Whole files, on nodes that have less than a group, a group, several, and all of them."""
        for config in (CONFIG, SQUARED):
            alone = self.train(config, "alone.h5")
            text = self.write(config)
            for ranks, groups, a_node in ((2, 2, 1), (3, 3, 1), (4, 2, 1), (4, 2, 2), (6, 3, 4)):
                divided = ("--sample-groups", groups, "--divide-data", "--force")
                result = self.on_nodes(ranks, a_node, "run", text, "-o", "other.h5", *divided)
                self.assertIn(SAID, result.text)
                self.assertEqual(
                    differences(alone, self.folder / "other.h5"), [], f"{ranks} {groups} {a_node}"
                )
            alone.unlink()

    def test_one_way_after_the_other(self) -> None:
        """A run that has its data divided, then whole, then divided in another way."""
        whole = self.train(CONFIG, "whole.h5")
        text = self.write(CONFIG)
        groups = ("--divide-data", "--sample-groups")
        self.on_nodes(
            *(4, 2, "run", text, "-o", "parts.h5", "--until", 2, *groups, 2), code=STOPPED
        )
        self.succeed("resume", "parts.h5", "--until", "4", ranks=2, code=STOPPED)
        result = self.on_nodes(3, 1, "resume", "parts.h5", *groups, 3)
        self.assertIn(SAID, result.text)
        self.assertEqual(result_differences(whole, self.folder / "parts.h5"), [])

    def test_memory(self) -> None:
        """Two nodes have as much together as one that has all."""
        text = self.write(LARGE)
        peaks = []
        for more in ((), ("--divide-data",)):
            result = self.on_nodes(
                *(4, 2, "run", text, "-o", "run.h5", "--force", "--sample-groups", 2, *more)
            )
            self.assertEqual(SAID in result.text, bool(more))
            found = re.search(r"peak memory ([0-9.]+) GB on 4 ranks", result.text)
            assert found is not None, result.text
            peaks.append(float(found[1]))
        inputs = 42000 * 500 * 8e-9
        self.assertGreater(peaks[0] - peaks[1], 0.8 * inputs)
        self.assertLess(peaks[0] - peaks[1], 1.2 * inputs)

    def test_plan(self) -> None:
        """What is foreseen: asked for, and where all would not fit."""
        text = self.write(LARGE)
        plan = ("plan", text, "--no-calibration", "--ranks", "8", "--ranks-per-node", "2")
        groups = ("--sample-groups", "4")
        part = "data set, divided over nodes"

        def room(*more: str) -> float:
            found = re.search(r"data set.* ([0-9.]+) MB", self.succeed(*plan, *groups, *more).output)
            assert found is not None
            return float(found[1])

        self.assertIn(part, self.succeed(*plan, *groups, "--divide-data").output)
        self.assertNotIn(part, self.succeed(*plan, *groups).output)
        self.assertNotIn(part, self.succeed(*plan, *groups, "--memory-per-node", "1").output)
        self.assertIn(part, self.succeed(*plan, *groups, "--memory-per-node", "0.3").output)
        inputs = 42000 * 500 * 8e-6
        labels = 42000 * 16e-6
        self.assertAlmostEqual(room(), inputs / 2 + labels, delta=1.0)
        # The first of 10 sections in 4 groups, 3 of 4096 samples, and 768 of 3000 test samples.
        self.assertAlmostEqual(
            room("--divide-data"), (3 * 4096 + 512) * 500 * 8e-6 / 2 + labels, delta=1.0
        )

    def test_what_cannot_be_divided(self) -> None:
        """One sentence, and nothing written."""
        text = self.write(CONFIG)
        groups = ("--sample-groups", "2")
        for more, said in (
            ((), "say over how many groups"),
            ((*groups, "--set", "output.record=[data]"), "output.record asks for the inputs of all"),
            ((*groups, "--set", "measure.final=[separation]"), "separation asks for"),
            ((*groups, "--set", "measure.quantities=[gradient_norm]"), "gradient_norm asks for"),
            ((*groups, "--set", "sweep={seed: [1, 2]}"), "only the inputs of one run"),
        ):
            result = self.succeed(
                "run", text, "-o", "none.h5", "--divide-data", *more, ranks=2, code=USAGE
            )
            self.assertIn(said, result.errors)
            self.assertEqual(list(self.folder.glob("*.h5*")), [])


if __name__ == "__main__":
    unittest.main()
