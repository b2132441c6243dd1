"""A run that is made longer has the same bits as one that was as long from the start."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

SMALL = """
name: lengthen
data:
  train: 90
  test: 40
  mixture: {dimension: 30, classes: 5, components: 2, spread: 1.0, separation: 4.0}
network: {width: 300}
training: {batch: 16, steps: 250, rate: 2.0}
measure:
  every: 10
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target]
  snapshots: [0, 50]
output: {checkpoint_every: 20, record: [data, initial-weights, batches]}
"""

STOPPED = 75


class LengthenTest(ProgramTest):
    """`resume --set` on files that are done, stopped, or not begun."""

    def lengthened(
        self, first: int, *settings: str, ranks: tuple[Optional[int], Optional[int]] = (2, 3)
    ) -> tuple[Path, Path]:
        """A run in one go, and one of `first` steps that is then made as long."""
        whole = self.train(SMALL, "whole.h5", *settings, ranks=2)
        parts = self.train(
            SMALL, "parts.h5", *settings, "--set", f"training.steps={first}", ranks=ranks[0]
        )
        self.succeed("resume", parts, "-q", "--set", "training.steps=250", ranks=ranks[1])
        return whole, parts

    def assert_equal_files(self, whole: Path, parts: Path) -> None:
        """Equal results, a file that holds to the schema, no journal left."""
        self.assertEqual(result_differences(whole, parts), [])
        self.assertEqual(check_schema.check_file(str(parts)).violations, [])
        self.succeed("verify", parts, ranks=2)
        self.assertEqual([path.name for path in self.folder.glob("*.undo*")], [])

    def test_in_a_window(self) -> None:
        """Engines that take the updates of many steps at once do not know where they end."""
        for engine in ("window", "samples"):
            with self.subTest(engine):
                whole, parts = self.lengthened(103, "--set", f"training.engine={engine}")
                self.assert_equal_files(whole, parts)
                whole.unlink()
                parts.unlink()

    def test_on_the_grid_of_records(self) -> None:
        """100 to 250 steps."""
        self.assert_equal_files(*self.lengthened(100))

    def test_off_the_grid_of_records(self) -> None:
        """105 to 250 steps: the row of step 105 is not one of the longer run."""
        self.assert_equal_files(*self.lengthened(105, ranks=(1, 4)))

    def test_from_no_steps(self) -> None:
        """A run that only measured the initial weights."""
        settings = ("--set", "measure.snapshots=[]")
        self.assert_equal_files(*self.lengthened(0, *settings, ranks=(1, 2)))

    def test_twice_and_while_stopped(self) -> None:
        """A run that was stopped is made longer, stopped again, and made shorter."""
        whole = self.train(SMALL, "whole.h5", ranks=1)
        text, parts = self.folder / "whole.h5.yaml", self.folder / "parts.h5"
        self.succeed("run", text, "-o", parts, "-q", "--until", "73", code=STOPPED, ranks=2)
        longer = ("--set", "training.steps=1000", "--until", "117")
        self.succeed("resume", parts, "-q", *longer, code=STOPPED, ranks=3)
        self.succeed("resume", parts, "-q", "--set", "training.steps=250", ranks=1)
        self.assert_equal_files(whole, parts)

    def test_sweep(self) -> None:
        """All members at once; those that were done go on as well."""
        config = SMALL.replace("width: 300", "width: 150") + "sweep: {seed: [1, 2]}\n"
        whole = self.train(config, "whole.h5", ranks=2)
        parts = self.train(config, "parts.h5", "--set", "training.steps=60", ranks=1)
        self.succeed("resume", parts, "-q", "--set", "training.steps=250", ranks=2)
        self.assert_equal_files(whole, parts)

    def test_other_results(self) -> None:
        """A result that was not asked for at first, and one that is not wanted any more."""
        final = ("--set", "measure.final=[separation, update_spectrum]")
        whole = self.train(SMALL, "whole.h5", *final, ranks=1)
        parts = self.train(SMALL, "parts.h5", ranks=2)
        self.succeed("resume", parts, "-q", *final, ranks=3)
        self.assert_equal_files(whole, parts)

    def test_another_stop_rule(self) -> None:
        """A run that stopped at an accuracy goes on to a higher one."""
        low = ("--set", "training.stop={train_accuracy: 0.5}")
        high = ("--set", "training.stop={train_accuracy: 1.0}")
        whole = self.train(SMALL, "whole.h5", *high, ranks=1)
        parts = self.train(SMALL, "parts.h5", *low, ranks=2)
        with widthwise.open(parts) as file:
            stopped = int(file.members[0].trajectory["step"][-1])
        self.succeed("resume", parts, "-q", *high, ranks=3)
        with widthwise.open(parts) as file:
            self.assertGreater(int(file.members[0].trajectory["step"][-1]), stopped)
        self.assert_equal_files(whole, parts)

    def test_conduct_alone_reopens_nothing(self) -> None:
        """Another rhythm of checkpoints leaves a run that is done as it is."""
        path = self.train(SMALL, "done.h5", "--set", "training.steps=60")
        before = path.read_bytes()
        result = self.succeed("resume", path, "--set", "output.checkpoint_every=7")
        self.assertIn("nothing left to do", result.text)
        self.assertEqual(path.read_bytes(), before)

    def test_refused(self) -> None:
        """What would make another run of it is refused with what may change; nothing is written."""
        path = self.train(
            SMALL + "sweep: {training.steps: [60, 100]}\n", "sweep.h5", ranks=2
        )
        before = path.read_bytes()
        for setting, words in (
            ("network.width=301", ("--set network.width", "training.steps", "measure.final")),
            ("seed=2", ("--set seed", "what may change is")),
            ("data.train=91", ("--set data.train",)),
            ("training.rate=1.0", ("--set training.rate",)),
            ("measure.every=5", ("--set measure.every",)),
            ("training.steps=120", ("--set training.steps", "sweep")),
            ("sweep.seed=[1, 2]", ("sweep",)),
            ("training.stepz=120", ("training.stepz", "training.steps")),
        ):
            with self.subTest(setting):
                result = self.succeed("resume", path, "--set", setting, ranks=2, code=2)
                said = [line for line in result.errors.splitlines() if "widthwise:" in line]
                self.assertEqual(len(said), 1, result.errors)
                for word in words:
                    self.assertIn(word, said[0])
        self.assertEqual(path.read_bytes(), before)

    def test_refused_by_the_file(self) -> None:
        """Fewer steps than were made, and results that need what the rows do not have."""
        config = SMALL.replace("quantities: all", "quantities: [loss]").replace(
            ", accuracy_target]", "]"
        )
        path = self.train(config, "run.h5", "--set", "training.steps=60")
        before = path.read_bytes()
        for setting, word in (
            ("training.steps=59", "already made 60 steps"),
            ("training.stop={test_accuracy: 0.9}", "test_accuracy"),
        ):
            with self.subTest(setting):
                result = self.succeed("resume", path, "--set", setting, code=2)
                self.assertIn(word, result.errors)
        self.assertEqual(path.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
