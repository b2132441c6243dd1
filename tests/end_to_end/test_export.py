"""`widthwise export`: plain copies hold what is committed, and nothing that is not sound."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from processes import kill_all, start  # noqa: E402
from program import SOURCE, ProgramTest, execute  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

CONFIG = """
name: exported
data: {train: 60, test: 30, mixture: {dimension: 20, classes: 3, components: 2}}
network: {width: 300}
training: {batch: 8, steps: 200, rate: 1.0}
measure:
  every: 10
  quantities: [loss, distance, test_accuracy]
  snapshots: [0, 100, 180]
  final: [update_spectrum]
output: {checkpoint_every: 50, record: [data, batches, initial-weights]}
"""


class ExportTest(ProgramTest):
    """Exports of files in all states."""

    def export(self, path: Path, name: str, *more: str) -> Path:
        """Exports a file, and holds the copy against the schema."""
        copy = self.folder / name
        self.succeed("export", path, "-o", copy, *more)
        self.assertEqual(check_schema.check_file(str(copy)).violations, [])
        return copy

    def assert_equal_tables(self, one: widthwise.Table, other: widthwise.Table) -> None:
        """Both have the same datasets with the same values, units and descriptions."""
        self.assertEqual(list(one), list(other))
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
            for what in ("units", "description", "source"):
                self.assertEqual(getattr(one, what)(name), getattr(other, what)(name))

    def assert_equal_members(self, path: Path, copy: Path) -> None:
        """All that a reader sees is the same."""
        with widthwise.open(path) as original, widthwise.open(copy) as exported:
            self.assertTrue(exported.is_export)
            self.assertEqual(original.provenance, exported.provenance)
            self.assertEqual(len(original.members), len(exported.members))
            for one, other in zip(original.members, exported.members):
                self.assertEqual(one.name, other.name)
                self.assertEqual(one.label, other.label)
                self.assertEqual(one.config, other.config)
                self.assertEqual(one.parameters, other.parameters)
                self.assertEqual((one.state, one.rows), (other.state, other.rows))
                for table in ("trajectory", "final", "theory"):
                    self.assert_equal_tables(getattr(one, table), getattr(other, table))

    def test_complete_sweep(self) -> None:
        """Runs that are done, without weights."""
        path = self.train(CONFIG + "sweep: {seed: [1, 2]}\n", "sweep.h5", ranks=2)
        copy = self.export(path, "copy.h5")
        self.assert_equal_members(path, copy)
        self.assertLess(copy.stat().st_size, path.stat().st_size / 4)
        with h5py.File(copy) as file:
            self.assertEqual(sorted(file), ["legend", "provenance", "runs"])
            self.assertEqual(file["/runs/run0001/state"][()], b"done")

    def test_stopped_run_with_weights_and_record(self) -> None:
        """Rows end where the run ended; snapshots that were not taken are not there."""
        path = self.train(CONFIG, "stopped.h5", "--until", "120", code=75)
        copy = self.export(path, "copy.h5", "--weights", "--record")
        self.assert_equal_members(path, copy)
        with widthwise.open(path) as original, widthwise.open(copy) as exported:
            one, other = original.members[0], exported.members[0]
            self.assertEqual(len(other.trajectory["step"]), 13)
            self.assertEqual(len(exported.members[0].final), 0)
            self.assert_equal_tables(one.record, other.record)
            self.assertEqual(list(other.snapshots.steps), [0, 100])
            for index in range(2):
                np.testing.assert_array_equal(
                    one.snapshots.hidden_weights(index), other.snapshots.hidden_weights(index)
                )
            before, after = one.checkpoint(), other.checkpoint()
            assert before is not None and after is not None
            self.assertEqual((before.step, after.step), (120, 120))
            np.testing.assert_array_equal(before.hidden_weights, after.hidden_weights)
            np.testing.assert_array_equal(before.output_weights, after.output_weights)

    def start_endless(self, more: str = "") -> subprocess.Popen[str]:
        """A job on two ranks that writes `long.h5` until it is told to end."""
        config = self.folder / "long.yaml"
        config.write_text(
            CONFIG.replace("steps: 200", "steps: 1000000").replace(
                "record: [data, batches, initial-weights]", "commit_seconds: 0"
            )
            + more,
            encoding="utf-8",
        )
        job = start("run", config, "-o", "long.h5", "-q", folder=self.folder, ranks=2)
        self.addCleanup(kill_all, job)
        deadline = time.monotonic() + 60
        while not (self.folder / "long.h5").exists():
            self.assertIsNone(job.poll())
            self.assertLess(time.monotonic(), deadline)
        return job

    def test_before_the_first_row(self) -> None:
        """A sweep of which some members have not begun."""
        self.start_endless("sweep: {seed: [1, 2, 3, 4, 5]}\n")
        copy = self.export(self.folder / "long.h5", "copy.h5", "--weights")
        with widthwise.open(copy) as file:
            waiting = [run for run in file.members if run.state == widthwise.State.WAITING]
            self.assertGreaterEqual(len(waiting), 3)
            for run in waiting:
                self.assertEqual((run.rows, len(run.trajectory)), (0, 0))
                self.assertIsNone(run.checkpoint())

    def test_damage_is_not_exported(self) -> None:
        """A record, a checkpoint and a configuration with a bit flipped."""
        path = self.train(CONFIG, "whole.h5")
        for place, words, also in (
            ("/runs/run0000/trajectory/loss", "records of run0000 fail their checksum", ()),
            ("/runs/run0000/final/update_gap", "final results of run0000 fail", ()),
            ("/record/run0000/train_inputs", "record of run0000 fail", ("--record",)),
            ("/snapshots/run0000/hidden_weights", "snapshots of run0000 fail", ("--weights",)),
        ):
            with self.subTest(place):
                damaged = self.folder / "damaged.h5"
                shutil.copy(path, damaged)
                with h5py.File(damaged, "r+") as file:
                    values = np.atleast_1d(file[place][()])
                    values.reshape(-1).view(np.uint64)[-1] ^= np.uint64(1)
                    file[place][...] = values.reshape(file[place].shape)
                result = self.succeed("export", damaged, "-o", "copy.h5", *also, code=1)
                self.assertIn(words, result.errors)
                self.assertFalse((self.folder / "copy.h5").exists())
                self.assertFalse((self.folder / "copy.h5.tmp").exists())

    def test_damaged_checkpoint_falls_back(self) -> None:
        """The older checkpoint is taken and said so; when both are damaged there are no weights."""
        path = self.train(CONFIG, "slots.h5")
        with widthwise.open(path) as file:
            newest = file.members[0].page.newest_slot()
        with h5py.File(path, "r+") as file:
            file[f"/state/run0000/checkpoint{newest}/hidden_weights"][7, 3] += 1e-9
        result = self.succeed("export", path, "-o", "copy.h5", "--weights")
        self.assertIn("(step 200) is damaged, that of step 150 is taken", result.output)
        with widthwise.open(self.folder / "copy.h5") as file:
            checkpoint = file.members[0].checkpoint()
            assert checkpoint is not None
            self.assertEqual(checkpoint.step, 150)
        with h5py.File(path, "r+") as file:
            file[f"/state/run0000/checkpoint{1 - newest}/output_weights"][0, 3] += 1e-9
        result = self.succeed("export", path, "-o", "other.h5", "--weights", code=1)
        self.assertIn("both checkpoints of run0000 fail their checksum", result.errors)
        self.succeed("export", path, "-o", "other.h5")

    def test_refusals(self) -> None:
        """Places that are taken, and exports where a run's file belongs."""
        path = self.train(CONFIG, "run.h5", "--until", "50", code=75)
        self.succeed("export", path)
        self.assertTrue((self.folder / "run-export.h5").exists())
        result = self.succeed("export", path, code=2)
        self.assertIn("run-export.h5 exists already", result.errors)
        self.assertNotIn("resume", result.errors)
        self.succeed("export", path, "--force")
        result = self.succeed("export", path, "-o", path, "--force", code=2)
        self.assertIn("would be overwritten by its own export", result.errors)
        for command in ("resume", "show", "verify", "export"):
            result = self.succeed(command, "run-export.h5", code=2)
            self.assertIn("is an export", result.errors)
        self.assertIn("wants the file", self.succeed("export", code=2).errors)

    def test_while_a_job_writes(self) -> None:
        """Each copy is one moment of the run."""
        self.start_endless()
        rows = []
        for number in range(6):
            copy = self.export(self.folder / "long.h5", f"copy{number}.h5", "--weights")
            with widthwise.open(copy) as file:
                run = file.members[0]
                steps = run.trajectory["step"] if run.rows > 0 else np.empty(0)
                np.testing.assert_array_equal(steps, 10 * np.arange(run.rows))
                rows.append(run.rows)
        self.assertEqual(rows, sorted(rows))
        self.assertGreater(rows[-1], rows[0])

    def test_octave_loads_the_whole(self) -> None:
        """Octave's `load` without names gives all of it."""
        if shutil.which("octave-cli") is None:
            self.skipTest("octave is not installed")
        path = self.train(CONFIG, "octave.h5", "--until", "120", code=75)
        self.export(path, "copy.h5", "--weights", "--record")
        script = self.folder / "example.m"
        script.write_text(
            "load('-hdf5', 'copy.h5');\n"
            "run = runs.run0000;\n"
            "printf('%s %d %d %d\\n', run.state, run.rows, run.trajectory.step(end),"
            " run.parameters.width);\n"
            "printf('%.17g\\n', run.trajectory.loss);\n"
            "printf('%d %d\\n', size(weights.run0000.hidden_weights));\n"
            "printf('%d\\n', exist('snapshots'), exist('record'), exist('provenance'));\n",
            encoding="utf-8",
        )
        lines = execute(["octave-cli", "--norc", script], self.folder).output.split("\n")
        self.assertEqual(lines[0], "stopped early 13 120 300")
        with widthwise.open(path) as file:
            losses = file.members[0].trajectory["loss"]
        np.testing.assert_array_equal(np.array(lines[1:14], dtype=float), losses)
        self.assertEqual(lines[14:18], ["20 300", "1", "1", "1"])

    def test_figures_are_drawn_from_a_copy(self) -> None:
        """What draws figures reads exports too."""
        path = self.train(CONFIG, "drawn.h5")
        self.export(path, "copy.h5")
        figures = SOURCE / "analysis" / "figures.py"
        result = execute([sys.executable, figures, "copy.h5", "--out", "out"], self.folder)
        self.assertEqual(result.code, 0, result.text)
        self.assertIn("out/copy-four-panels.png", result.output)


if __name__ == "__main__":
    unittest.main()
