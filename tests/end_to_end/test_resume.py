"""A run that was stopped and went on elsewhere ends with the same bits as one that was not."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import differences, result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import widthwise  # noqa: E402

STOPPED = 75

SMALL = """
name: resume
data:
  train: 150
  test: 90
  mixture: {dimension: 50, classes: 5, components: 2, spread: 1.0, separation: 4.0}
network: {width: 300}
training: {batch: 16, steps: 400, rate: 2.0}
measure:
  every: 7
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 150, 151, 390]
  accuracy_target: 0.9
output: {record: [data, initial-weights, batches]}
"""


class ResumeTest(ProgramTest):
    """Stops at certain steps, goes on with other numbers of ranks."""

    def stopped(
        self,
        config: str,
        stops: Sequence[int],
        ranks: Sequence[Optional[int]],
        *settings: str,
        threads: int = 1,
    ) -> tuple[Path, Path]:
        """A run in one go on 2 ranks, and one with stops, on `ranks` before and after each, with
        `threads` a rank before the first."""
        whole = self.train(config, "whole.h5", *settings, ranks=2)
        text = self.folder / "whole.h5.yaml"
        parts = self.folder / "parts.h5"
        self.succeed(
            *("run", text, "-o", parts, "--quiet", "--until", str(stops[0]), *settings),
            ranks=ranks[0],
            code=STOPPED,
            threads=threads,
        )
        for stop, number in zip(stops[1:], ranks[1:]):
            self.succeed(
                "resume", parts, "--quiet", "--until", str(stop), ranks=number, code=STOPPED
            )
        with widthwise.open(parts) as file:
            self.assertEqual(file.members[0].state, widthwise.State.STOPPED)
            self.assertEqual(file.members[0].checkpoint().step, stops[-1])
            self.assertEqual(len(file.members[0].final), 0)
        self.succeed("resume", parts, "--quiet", ranks=ranks[-1])
        return whole, parts

    def test_150_of_400_steps(self) -> None:
        """400 steps on 2 ranks against 150 on 3 and the rest on 1."""
        whole, parts = self.stopped(SMALL, [150], [3, 1])
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            self.assertEqual([row["ranks"] for row in file.provenance], [3, 1])
            self.assertEqual([row["first_step"] for row in file.provenance], [0, 150])
            self.assertEqual(file.members[0].snapshots.steps.tolist(), [0, 150, 151, 390])

    def test_default_size(self) -> None:
        """The same at the size of figure 1, half of its steps, measured less often."""
        settings = ("--set", "training.steps=200", "--set", "measure.every=80")
        whole, parts = self.stopped("", [110], [3, None], *settings)
        self.assertEqual(result_differences(whole, parts), [])

    def test_many_stops(self) -> None:
        """Stops before the first step, between records, at a record, one step before the end."""
        whole, parts = self.stopped(SMALL, [0, 1, 150, 154, 399], [2, 4, 1, 7, 3, 2])
        self.assertEqual(result_differences(whole, parts), [])

    def test_stop_rule_across_a_restart(self) -> None:
        """A stop rule fires at the same record, whether the run was stopped before or not."""
        rule = ("--set", "training.stop={train_accuracy: 0.9}")
        whole, parts = self.stopped(SMALL, [10], [3, 1], *rule)
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            member = file.members[0]
            accuracy = member.trajectory["train_accuracy"]
            self.assertGreaterEqual(accuracy[-1], 0.9)
            self.assertTrue((accuracy[:-1] < 0.9).all())
            self.assertLess(member.trajectory["step"][-1], 400)

    def test_targets_and_arrays(self) -> None:
        """What is carried on, and arrays of rows before a stop: between records and at one."""
        config = """
name: arora
model: arora
data: {train: 90, test: 40, mixture: {dimension: 30, classes: 3, components: 2}}
network: {width: 300, hidden: {pairs: antisymmetric}}
training: {steps: 60, rate: 0.005, stop: {residual: 0.1}}
measure:
  every: 7
  quantities: [train_outputs, loss, contraction, residual, test_outputs, row_movement]
output: {record: [data, initial-weights]}
"""
        whole, parts = self.stopped(config, [10, 42, 45], [3, 1, 2, 4])
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            trajectory = file.members[0].trajectory
            self.assertEqual(trajectory["train_outputs"].shape, (10, 90, 3))
            self.assertTrue((trajectory["contraction"][1:] < 1).all())

    def test_middle_of_a_window(self) -> None:
        """The engine that takes many steps at once, both layers trained."""
        window = ("--set", "training.engine=window", "--set", "network.train_output=true")
        whole, parts = self.stopped(SMALL, [3, 101, 333], [3, 1, 2, 7], *window)
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            snapshots = file.members[0].snapshots
            self.assertEqual(snapshots.output_weights(3).shape, (5, 300))
            moved = np.abs(snapshots.output_weights(3) - snapshots.output_weights(0)).max()
            self.assertGreater(moved, 1e-3)

    def test_between_moves_of_samples(self) -> None:
        """The engine that keeps pre-activations and coefficients: stops in the middle of the four
        steps after which it moves them, after the first of them and at the end of them."""
        samples = ("--set", "training.engine=samples", "--set", "network.train_output=true")
        whole, parts = self.stopped(SMALL, [3, 101, 304], [3, 7, 2, None], *samples)
        self.assertEqual(result_differences(whole, parts), [])
        with h5py.File(parts) as file:
            state = file["/state/run0000/checkpoint0/engine_state"]
            self.assertEqual(state.shape, (300, 2 * 150))
            self.assertGreater(np.abs(state[:, 150:]).max(), 0)

    def test_samples_of_other_losses(self) -> None:
        """Gradient descent in two blocks, whose updates move at once; single samples of which
        many change nothing, up to the end where none does."""
        config = """
name: descent
model: arora
data: {train: 600, test: 40, mixture: {dimension: 30, components: 2}}
network: {width: 300, hidden: {pairs: antisymmetric}}
training: {steps: 40, rate: 0.001, engine: samples}
measure: {every: 7, quantities: [loss, residual, gradient_norm, row_movement], snapshots: [9, 30]}
output: {record: [data, initial-weights]}
"""
        whole, parts = self.stopped(config, [9, 23], [2, 3, 1])
        self.assertEqual(result_differences(whole, parts), [])
        whole.unlink()
        parts.unlink()
        config = """
name: margins
model: brutzkus
data: {train: 83, test: 40, separable: {dimension: 30, margin: 0.1}}
network: {width: 300, train_output: true}
training: {engine: samples, rate: 0.7}
measure: {every: 50, quantities: [loss, updates, support, smallest_margin, row_movement], final: []}
"""
        whole, parts = self.stopped(config, [71, 120], [7, 1, 3])
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            self.assertEqual(file.members[0].trajectory["loss"][-1], 0)

    def test_lazy(self) -> None:
        """Windows begin anew with every start, which is not seen in any bit."""
        config = """
name: changes
model: arora
data: {train: 170, test: 40, mixture: {dimension: 30, classes: 2, components: 2}, labels: {kind: random}}
network: {width: 900, activation: {kind: leaky-relu, slope: 0.1}}
training: {steps: 160, rate: 0.03, engine: lazy}
measure: {every: 7, quantities: [loss, residual, coupling, row_movement], snapshots: [9, 130]}
output: {record: [initial-weights], checkpoint_every: 40}
"""
        whole, parts = self.stopped(config, [1, 57, 130], [2, 3, 1, 4])
        self.assertEqual(result_differences(whole, parts), [])
        with widthwise.open(parts) as file:
            self.assertGreater(file.members[0].trajectory["coupling"][-1], 0.01)

    def test_single_precision_and_threads(self) -> None:
        """Neither how many threads a rank has nor a restart is seen in the bits of any engine."""
        settings = (
            *("--set", "precision=single", "--set", "training.steps=90"),
            *("--set", "measure.snapshots=[0, 41]"),
        )
        for engine, ranks in (("dense", (1, 2)), ("window", (2, 1)), ("samples", (1, 3))):
            with self.subTest(engine):
                whole, parts = self.stopped(
                    SMALL, [43], ranks, *settings, "--set", f"training.engine={engine}", threads=3
                )
                self.assertEqual(result_differences(whole, parts), [])
                with widthwise.open(parts) as file:
                    self.assertEqual([row["threads"] for row in file.provenance], [3, 1])
                    self.assertEqual([row["ranks"] for row in file.provenance], list(ranks))
                whole.unlink()
                parts.unlink()

    def test_threads(self) -> None:
        """Several threads on several ranks, in double precision; what is said of them."""
        settings = ("--set", "training.steps=90", "--set", "measure.snapshots=[0, 41]")
        for engine in ("dense", "samples"):
            with self.subTest(engine):
                whole = self.train(
                    SMALL, "whole.h5", *settings, "--set", f"training.engine={engine}"
                )
                text, threads = self.folder / "whole.h5.yaml", self.folder / "threads.h5"
                said = self.succeed(
                    *("run", text, "-o", threads, *settings),
                    *("--set", f"training.engine={engine}"),
                    ranks=2,
                    threads=3,
                ).output
                self.assertRegex(said, r"peak memory [\d.e+-]+ GB on 2 ranks of 3 threads\)")
                self.assertEqual(differences(whole, threads), [])
                self.assertIn("with 2 ranks of 3 threads", self.succeed("show", threads).output)
                whole.unlink()
                threads.unlink()

    def test_sweep(self) -> None:
        """Every member goes on from its own step."""
        config = SMALL.replace("steps: 400", "steps: 60").replace("[0, 150, 151, 390]", "[0, 40]")
        config += "sweep: {network.width: [150, 300], seed: [1, 2]}\n"
        whole, parts = self.stopped(config, [30], [3, 1])
        self.assertEqual(result_differences(whole, parts), [])

    def test_nothing_left_to_do(self) -> None:
        """To resume a run that is done changes nothing."""
        settings = ("--set", "training.steps=20", "--set", "measure.snapshots=[]")
        path = self.train(SMALL, "done.h5", *settings)
        before = path.read_bytes()
        result = self.succeed("resume", path, ranks=2)
        self.assertIn("nothing left to do", result.text)
        self.assertEqual(path.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
