"""Sweeps: members share the ranks by crews, and each has the bits that it has alone."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import datasets, bits, newest_checkpoint, result_differences  # noqa: E402
from processes import kill_all, ranks_of, start  # noqa: E402
from program import ProgramTest  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

STOPPED = 75

# Members of very unlike work, among them one that has no rank to itself on few ranks.
MIXED = """
name: mixed
data: {train: 60, test: 30, mixture: {dimension: 30, classes: 3, components: 2}}
network: {width: 300}
training: {batch: 8, steps: 60, rate: 1.0}
measure: {every: 7, quantities: [loss, test_accuracy, coupling, row_movement], final: [update_spectrum]}
output: {checkpoint_every: 25}
sweep:
  network.width: [100, 3000, 500]
  seed: [1, 2]
"""

# Long enough to be cut anywhere.
LONG = """
name: long
data: {train: 100, test: 50, mixture: {dimension: 20, classes: 4, components: 2}}
network: {width: 300}
training: {batch: 8, steps: STEPS, rate: 1.0}
measure: {every: 1000, quantities: [loss, distance], final: [update_spectrum]}
output: {checkpoint_every: 50, commit_seconds: 0.1}
sweep: {seed: [1, 2, 3, 4, 5, 6], network.width: [300, 900]}
"""


class SweepTest(ProgramTest):
    """Experiments of several members in one job."""

    def test_a_mistake_is_told_of_one_member(self) -> None:
        """The first that has it, though all do."""
        config = self.folder / "config.yaml"
        config.write_text(MIXED.replace("coupling", "couplign"), encoding="utf-8")
        message = self.succeed("run", "config.yaml", "-o", "x.h5", ranks=2, code=2).text
        self.assertEqual(message.count("member "), 1, message)
        self.assertIn("member 0 (network.width=100 seed=1): config.yaml", message)

    def assert_like_alone(self, path: Path, config: str, *arguments: object) -> None:
        """Each member has what it has when it runs alone, on another number of ranks."""
        with widthwise.open(path) as file:
            members = [(run.index, run.name) for run in file.members]
        for index, name in members:
            alone = self.train(
                config,
                f"alone{index}.h5",
                *("--member", str(index), *arguments),
                ranks=(None, 3, 2)[index % 3],
            )
            with h5py.File(path) as one, h5py.File(alone) as other:
                for path_in_file, dataset in datasets(other, f"/runs/{name}").items():
                    self.assertEqual(bits(one[path_in_file]), bits(dataset), path_in_file)
                self.assertEqual(newest_checkpoint(one, name), newest_checkpoint(other, name))

    def test_same_bits_however_divided(self) -> None:
        """On 1, 2, 3, 4 and 7 ranks, and each member alone."""
        whole = self.train(MIXED, "ranks1.h5")
        self.assert_like_alone(whole, MIXED)
        for ranks in (2, 3, 4, 7):
            path = self.train(MIXED, f"ranks{ranks}.h5", ranks=ranks)
            self.assertEqual(result_differences(whole, path), [])
        self.assertEqual(check_schema.check_file(str(path)).violations, [])

    def test_without_one_sided_communication(self) -> None:
        """Where MPI has none, members and replicas are divided beforehand: the same bits."""
        none = {"OMPI_MCA_osc": "^rdma,pt2pt,sm,ucx,monitoring"}
        for name, config in (
            ("members", MIXED),
            ("replicas", MIXED.split("sweep:")[0] + "replicas: 50\n"),
        ):
            whole = self.train(config, f"{name}.h5")
            path = self.folder / f"divided-{name}.h5"
            command = ("run", self.folder / f"{name}.h5.yaml", "-o", path)
            with start(*command, folder=self.folder, ranks=3, more=none) as job:
                text, _ = job.communicate(timeout=120)
            self.assertEqual(job.returncode, 0, text)
            self.assertEqual("divided among ranks beforehand" in text, name == "members", text)
            with h5py.File(whole) as one, h5py.File(path) as other:
                for place, dataset in datasets(one, "/runs").items():
                    self.assertEqual(bits(dataset), bits(other[place]), place)

    def test_the_job_tells_how_it_goes(self) -> None:
        """Every member says how it ended, the job how busy its ranks were."""
        config = self.folder / "mixed.yaml"
        config.write_text(MIXED, encoding="utf-8")
        result = self.succeed("run", config, "-o", "mixed.h5", ranks=3)
        for number in range(1, 7):
            self.assertEqual(len(re.findall(rf"\[{number}/6\] .* 60 steps done", result.text)), 1)
        shares = re.search(r"for ([\d.]+)% of the time \((.*)\)", result.output)
        assert shares is not None, result.output
        each = [float(share.rstrip("%")) for share in shares[2].split(", ")]
        self.assertEqual(len(each), 3)
        self.assertAlmostEqual(float(shares[1]), sum(each) / 3, delta=0.1)
        self.assertTrue(all(0 < share <= 100 for share in each))

    def test_one_diverges(self) -> None:
        """It is marked with its reason; everything else is complete; exit code 3."""
        config = MIXED.replace("seed: [1, 2]", "training.rate: [1.0, 1.0e+300, 0.5]").replace(
            "network.width: [100, 3000, 500]", "network.width: [100, 500]"
        )
        path = self.train(config, "diverged.h5", ranks=2, code=3)
        with widthwise.open(path) as file:
            states = {run.setting("training.rate"): run.state for run in file.members}
            self.assertEqual(len(file.members), 6)
            for run in file.members:
                if float(run.setting("training.rate")) > 1e9:
                    self.assertEqual(run.state, widthwise.State.DIVERGED)
                    self.assertRegex(run.page.reason, "diverged at step [0-9]+: .*training.rate")
                else:
                    self.assertEqual((run.state, run.page.reason), (widthwise.State.DONE, ""))
                    self.assertEqual(run.rows, 10)
        self.assertEqual(len(states), 3)
        self.assertIn("diverged at step", self.succeed("show", path).output)
        self.assertIn("diverged at step", self.succeed("verify", path).output)
        self.succeed("resume", path, "-q", ranks=3, code=3)  # there is nothing left to do

    def test_one_fails(self) -> None:
        """A data set that is no good fails its member alone; mended, `resume` completes it."""
        rng = np.random.default_rng(5)
        for name in ("good", "bad"):
            with h5py.File(self.folder / f"{name}.h5", "w") as file:
                for part, count in (("train", 60), ("test", 30)):
                    inputs = rng.standard_normal((count, 10))
                    file[f"{part}_inputs"] = inputs
                    file[f"{part}_labels"] = rng.integers(0, 3, count)
        good = (self.folder / "good.h5").read_bytes()
        with h5py.File(self.folder / "bad.h5", "r+") as file:
            file["train_inputs"][7, 3] = np.nan
        config = """
name: failing
data: {source: hdf5, train: all, test: all, hdf5: {file: good.h5}}
network: {width: 200}
training: {batch: 8, steps: 30, rate: 1.0}
measure: {every: 10, quantities: [loss], final: []}
sweep: {data.hdf5.file: [good.h5, bad.h5], seed: [1, 2]}
"""
        path = self.train(config, "failing.h5", ranks=2, code=1)
        with widthwise.open(path) as file:
            self.assertEqual(
                [run.state.name for run in file.members], ["DONE", "DONE", "FAILED", "FAILED"]
            )
            for run in file.members[2:]:
                self.assertRegex(run.page.reason, "member [23] .*coordinate 3 of sample 7")
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        self.assertIn("coordinate 3 of sample 7", self.succeed("show", path).output)
        self.succeed("verify", path)
        again = self.succeed("resume", path, ranks=3, code=1)
        self.assertEqual(again.errors.count("coordinate 3 of sample 7"), 2, again.text)
        (self.folder / "bad.h5").write_bytes(good)
        self.succeed("resume", path, "-q", ranks=2)
        with widthwise.open(path) as file:
            self.assertEqual({run.state.name for run in file.members}, {"DONE"})
            self.assertEqual({run.page.reason for run in file.members}, {""})
            np.testing.assert_array_equal(  # the same data by another name
                file.members[0].trajectory["loss"], file.members[2].trajectory["loss"]
            )

    def start_long(self, steps: int, name: str, ranks: int):  # type: ignore[no-untyped-def]
        """Starts a long sweep and waits until two members at least have begun."""
        config = self.folder / "long.yaml"
        config.write_text(LONG.replace("STEPS", str(steps)), encoding="utf-8")
        job = start("run", config, "-o", name, folder=self.folder, ranks=ranks)
        self.addCleanup(kill_all, job)
        self.wait_for_members(self.folder / name, 2)
        return job

    def wait_for_members(self, path: Path, count: int) -> None:
        """Waits until so many members have a checkpoint."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with widthwise.open(path) as file:
                    if sum(run.checkpoint() is not None for run in file.members) >= count:
                        return
            except OSError:
                pass  # not there yet
            time.sleep(0.02)
        self.fail("the members never began")

    def test_a_signal_ends_all_crews(self) -> None:
        """Also one that reaches a single rank; what was done and what was not goes on elsewhere."""
        job = self.start_long(100_000_000, "long.h5", ranks=3)
        os.kill(ranks_of(job)[1], signal.SIGUSR1)
        text, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, text)
        self.assertIn("SIGUSR1", text)
        self.assertIn("what made other ranks end", text)
        with widthwise.open(self.folder / "long.h5") as file:
            states = [run.state.name for run in file.members]
        self.assertEqual(states.count("STOPPED") + states.count("WAITING"), 12)
        self.assertGreaterEqual(states.count("STOPPED"), 2)

    def test_killed_twice(self) -> None:
        """Resumed on 1 and then on 3 ranks: bits of a sweep that nothing happened to."""
        whole = self.train(LONG.replace("STEPS", "4000"), "whole.h5", ranks=2)
        path = self.folder / "killed.h5"
        kill_all(self.start_long(4000, "killed.h5", ranks=2))
        job = start("resume", path, folder=self.folder, ranks=1)
        self.wait_for_members(path, 4)
        kill_all(job)
        with widthwise.open(path) as file:
            states = [run.state.name for run in file.members]
        self.assertIn("RUNNING", states)  # the kill came in the middle
        result = self.succeed("resume", path, ranks=3)
        self.assertIn("going on from step", result.text)
        self.assertEqual(result_differences(whole, path), [])

    def test_another_file_in_its_place(self) -> None:
        """The job ends, and never writes into the file that stands there now."""
        path = self.folder / "long.h5"
        job = self.start_long(20_000, "long.h5", ranks=2)
        other = self.train(LONG.replace("STEPS", "20000"), "other.h5", "--until", "1", code=STOPPED)
        content = other.read_bytes()
        os.replace(other, path)
        text, _ = job.communicate(timeout=120)
        self.assertEqual(job.returncode, 1, text)
        self.assertIn("was replaced by another file", text)
        self.assertLessEqual(text.count("was replaced by another file"), 2, text)
        self.assertTrue(path.read_bytes() == content, "the other file was written to")

    def test_some_stopped_and_one_diverged(self) -> None:
        """There is work left for `resume`: that is what the exit code says."""
        config = LONG.replace("STEPS", "100000000").replace(
            "network.width: [300, 900]", "training.rate: [1.0, 1.0e+300]"
        )
        (self.folder / "both.yaml").write_text(config, encoding="utf-8")
        job = start("run", "both.yaml", "-o", "both.h5", folder=self.folder, ranks=2)
        self.addCleanup(kill_all, job)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with widthwise.open(self.folder / "both.h5") as file:
                    if any(run.state.name == "DIVERGED" for run in file.members):
                        break
            except OSError:
                pass
            time.sleep(0.05)
        job.send_signal(signal.SIGUSR1)
        text, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, text)
        self.assertIn("some runs failed or diverged", text)

    def test_gram_matrices_take_ranks(self) -> None:
        """Two networks of one tile on four ranks: all work, for their Gram matrices."""
        text = """
name: narrow
model: arora
data: {train: 600, test: 50, mixture: {dimension: 20, classes: 2, components: 2}}
network: {width: 100}
training: {steps: 2, rate: 0.001}
measure: {every: 2, quantities: [loss], final: [gram]}
gram: {network: false}
sweep: {seed: [1, 2]}
"""
        config = self.folder / "narrow.yaml"
        config.write_text(text, encoding="utf-8")
        listed = self.succeed("list", "members", config, "--ranks", "4").output
        self.assertIn("crews of 2 ranks", listed)
        result = self.succeed("gram", config, "-o", "narrow.h5", ranks=4)
        shares = re.search(r"of the time \((.*)\)", result.output)
        assert shares is not None, result.output
        for share in shares[1].split(", "):
            # How much of the time it was is for the machine to say: a crew may be done long before
            # the other.
            self.assertGreater(float(share.rstrip("%")), 0, result.output)
        self.assertNotIn("idle", result.errors)
        one = ("--set", "sweep={}")
        # Training alone has work for one rank: then that is said, and what others do.
        result = self.succeed("run", config, *one, "-o", "one.h5", ranks=3)
        self.assertIn(
            "1 tile of 128 units, so 2 of 3 ranks idle in training, and work on the Gram matrix",
            result.errors,
        )
        peak = re.search(r"peak memory ([\d.]+) GB", result.output)
        assert peak is not None
        one_place = self.succeed(
            *("run", config, *one, "--set", "gram.grid=[1, 1]", "-o", "place.h5"), ranks=3
        )
        self.assertNotIn("Gram matrix after", one_place.errors)

    def test_list_members(self) -> None:
        """The table: every member once, ranks that add up, memory that limits."""
        config = self.folder / "mixed.yaml"
        config.write_text(MIXED, encoding="utf-8")
        text = self.succeed("list", "members", config, "--ranks", "4").output
        self.assertIn("6 runs on 4 ranks", text)
        self.assertEqual(re.findall(r"^  run(\d{4}) ", text, re.M), [f"{i:04}" for i in range(6)])
        self.assertIn("network.width=3000 seed=2", text)
        work = {
            label: float(number)
            for number, label in re.findall(r"run\d{4} +(\S+) .*(network.width=\d+) seed=1", text)
        }
        self.assertGreater(work["network.width=3000"], 4 * work["network.width=500"])
        crowded = self.succeed(
            *("list", "members", config, "--ranks", "4", "--memory-per-node", "0.003"),
            *("--set", "network.width=20000", "--ranks-per-node", "1"),
        ).output
        self.assertIn("crew of 4 ranks", crowded)
        self.succeed("list", "members", "missing.yaml", code=2)
        self.succeed("list", "members", config, "--memory-per-node", "much", code=2)


if __name__ == "__main__":
    unittest.main()
