"""Replicas: many small runs inside one member, each the run that its seeds give alone."""

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
from compare import bits, committed, datasets, newest_words  # noqa: E402
from processes import kill_all, ranks_of, start  # noqa: E402
from program import ProgramTest  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

STOPPED = 75

# Some reach the accuracy, at unlike steps, and some do not; the last record is off the grid.
CONFIG = """
name: replicas
seed: 5
data: {train: 40, test: 20, mixture: {dimension: 10, classes: 3, components: 2}}
network: {width: 20}
training: {batch: 4, steps: 25, rate: 0.5, stop: {test_accuracy: 0.9}}
measure: {every: 10, quantities: [loss, test_accuracy, row_movement], final: [update_spectrum, accuracy_target]}
replicas: 60
"""

# Long enough to be cut.
LONG = """
name: long
data: {train: 100, test: 50, mixture: {dimension: 20, classes: 4, components: 2}}
network: {width: 100}
training: {batch: 8, steps: 2000, rate: 1.0}
measure: {every: 500, quantities: [loss, distance], final: []}
output: {commit_seconds: 0.3}
replicas: 100000
"""


class ReplicasTest(ProgramTest):
    """Members with replicas."""

    def assert_equal_results(self, one: Path, other: Path) -> None:
        """All of /runs, and what the commit pages vouch for."""
        with h5py.File(one) as a, h5py.File(other) as b:
            left, right = datasets(a, "/runs"), datasets(b, "/runs")
            self.assertEqual(sorted(left), sorted(right))
            for path, dataset in left.items():
                self.assertEqual(bits(dataset), bits(right[path]), path)
            for run in a["/runs"]:
                pages = [file[f"/state/{run}/commit"][()] for file in (a, b)]
                self.assertEqual(committed(pages[0]), committed(pages[1]))

    def assert_like_alone(self, path: Path, replica: int, *settings: str) -> None:
        """A replica has the bits of the run with those settings."""
        alone = self.folder / f"alone{replica}.h5"
        options = [word for setting in settings for word in ("--set", setting)]
        self.succeed(
            *("run", self.folder / f"{path.name}.yaml", "-o", alone, "-q"),
            *("--set", "replicas=1", *options),
            ranks=(None, 2)[replica % 2],
        )
        with widthwise.open(path) as file, widthwise.open(alone) as single:
            run, other = file.members[0], single.members[0]
            for group in ("trajectory", "final", "theory"):
                self.assertEqual(list(getattr(run, group)), list(getattr(other, group)))
            with h5py.File(path, locking=False) as one, h5py.File(alone, locking=False) as two:
                for name, dataset in datasets(two, "/runs/run0000").items():
                    if name.split("/")[3] in ("trajectory", "final", "theory"):
                        expected = np.ascontiguousarray(dataset[()]).tobytes()
                        found = np.ascontiguousarray(one[name][replica]).tobytes()
                        self.assertEqual(found, expected, name)
            self.assertEqual(run.replica["state"][replica], other.state)

    def test_each_is_a_run_of_its_own(self) -> None:
        """Seeds raised by the number of the replica, on any number of ranks."""
        path = self.train(CONFIG, "one.h5")
        for replica in (0, 1, 17, 59):
            self.assert_like_alone(path, replica, f"seed={5 + replica}")
        for ranks in (2, 3, 7):
            self.assert_equal_results(path, self.train(CONFIG, f"{ranks}.h5", ranks=ranks))
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        with widthwise.open(path) as file:
            run = file.members[0]
            self.assertEqual((run.state, run.rows), (widthwise.State.DONE, 60))
            steps = run.replica["steps"]
            self.assertTrue({10, 25} <= set(steps.tolist()))
            for replica in run.replica_runs():
                self.assertEqual(replica.trajectory["step"][-1], steps[replica.number])
        self.assertIn("60 of 60 replicas ok", self.succeed("verify", path, ranks=2).output)
        shown = self.succeed("show", path).output
        self.assertIn("60 of 60 replicas", shown)
        with widthwise.open(path) as file:  # means and deviations over the ends of all
            runs = file.members[0].replica_runs()
            ends = np.array([replica.trajectory["distance"][-1] for replica in runs])
        found = re.search(r"distance ([\d.e-]+) \+- ([\d.e-]+)", shown)
        assert found is not None, shown
        self.assertAlmostEqual(float(found[1]) / ends.mean(), 1, delta=1e-5)
        self.assertAlmostEqual(float(found[2]) / ends.std(ddof=1), 1, delta=0.06)

    def test_arrays(self) -> None:
        """Quantities with an axis of their own, in front of one that predictions follow."""
        config = CONFIG.replace("name: replicas\n", "name: replicas\nmodel: arora\n")
        config = config.replace("classes: 3", "classes: 2").replace("batch: 4, ", "")
        config = config.replace("rate: 0.5", "rate: 0.02").replace(
            "[loss, test_accuracy, row_movement]",
            "[test_accuracy, row_movement, contraction, train_outputs, test_outputs]",
        )
        path = self.train(config.replace("replicas: 60", "replicas: 9"), "arrays.h5", ranks=3)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        for replica in (0, 7):
            self.assert_like_alone(path, replica, f"seed={5 + replica}")
        with widthwise.open(path) as file:
            replica = next(iter(file.members[0].replica_runs()))
            rows = len(replica.trajectory["step"])
            self.assertEqual(replica.trajectory["test_outputs"].shape, (rows, 20))

    def test_seeds_that_stay(self) -> None:
        """Only what replica_seeds names differs."""
        config = CONFIG + "replica_seeds: [weights, batches]\n"
        path = self.train(config, "shared.h5", ranks=2)
        self.assert_like_alone(path, 9, "seeds.weights=14", "seeds.batches=14")
        self.assert_equal_results(path, self.train(config, "alone.h5"))

    def test_replicas_that_diverge(self) -> None:
        """They are told apart; where all do, the run has diverged."""
        config = CONFIG.replace("rate: 0.5", "rate: 1.0e+20").replace("stop: {test_accuracy: 0.9}", "")
        path = self.train(config.replace("replicas: 60", "replicas: 8"), "wild.h5", ranks=2, code=3)
        with widthwise.open(path) as file:
            run = file.members[0]
            self.assertEqual((run.state, run.rows), (widthwise.State.DIVERGED, 8))
            self.assertIn("every replica diverged", run.page.reason)
            self.assertIn(widthwise.State.DIVERGED, run.replica["state"])
            wild = int(np.flatnonzero(run.replica["state"] == widthwise.State.DIVERGED)[0])
            self.assertLess(run.replica["steps"][wild], 25)
            self.assertTrue(np.isnan(run.final["update_spectrum"][wild]).all())
        self.assertEqual(check_schema.check_file(str(path)).violations, [])

    def test_in_a_sweep(self) -> None:
        """Members with replicas beside each other."""
        config = CONFIG + "sweep: {network.width: [10, 20, 40]}\n"
        path = self.train(config, "sweep.h5", ranks=3)
        self.assert_equal_results(path, self.train(config, "alone.h5"))
        text = self.succeed("list", "members", self.folder / "sweep.h5.yaml", "-n", "2").output
        self.assertEqual(len(re.findall(r"^  run\d{4} ", text, re.M)), 3)

    def test_more_of_them(self) -> None:
        """A restart may ask for more, and for nothing else."""
        whole = self.train(CONFIG, "whole.h5")
        path = self.train(CONFIG.replace("replicas: 60", "replicas: 13"), "grown.h5", ranks=2)
        self.succeed("resume", path, "--set", "replicas=60", "-q", ranks=3)
        self.assert_equal_results(whole, path)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        for setting, sentence in (
            ("replicas=59", "fewer replicas than the 60"),
            ("replicas=1", "cannot get them, nor lose them"),
            ("training.steps=50", "their number (replicas)"),
        ):
            refused = self.succeed("resume", path, "--set", setting, code=2)
            self.assertIn(sentence, refused.errors)
        single = self.train(CONFIG.replace("replicas: 60", ""), "single.h5")
        self.succeed("resume", single, "--set", "replicas=4", code=2)

    def test_refused(self) -> None:
        """What replicas have no place for."""
        for more, sentence in (
            ("measure.snapshots=[0]", "measure.snapshots"),
            ("output.record=[data]", "output.record"),
            ("replica_seeds=[]", "replica_seeds is empty"),
            ("replicas=0", "replicas"),
            ("sweep={seed: [1, 60]}", "replica 59 of member 0 (seed=1) is the same run as replica 0"),
            ("sweep={seed: [200, 141]}", "is the same run as replica 59 of member 1"),
        ):
            config = self.folder / "refused.yaml"
            config.write_text(CONFIG, encoding="utf-8")
            refused = self.succeed("run", config, "-o", "refused.h5", "--set", more, code=2)
            self.assertIn(sentence, refused.errors)
            self.assertFalse((self.folder / "refused.h5").exists())
        self.succeed(
            *("run", self.folder / "refused.yaml", "-o", "apart.h5", "-q"),
            *("--set", "sweep={seed: [1, 61], network.width: [10, 20]}"),
        )

    def test_export(self) -> None:
        """Those that are done, and a plain file."""
        path = self.train(CONFIG, "cut.h5", "--until", "20", code=STOPPED)
        self.succeed("export", path, "-o", "plain.h5", "--weights")
        self.assertEqual(check_schema.check_file(str(self.folder / "plain.h5")).violations, [])
        with h5py.File(path) as one, h5py.File(self.folder / "plain.h5") as two:
            for name in ("trajectory/loss", "final/update_spectrum", "replica/steps"):
                whole, plain = one[f"/runs/run0000/{name}"], two[f"/runs/run0000/{name}"]
                np.testing.assert_array_equal(whole[:20], plain[()])

    def start_long(self, ranks: int):  # type: ignore[no-untyped-def]
        """Starts a long run and waits until some replicas are committed."""
        config = self.folder / "long.yaml"
        config.write_text(LONG, encoding="utf-8")
        path = self.folder / "long.h5"
        command = ("resume", path) if path.exists() else ("run", config, "-o", path)
        before = self.committed(path)
        job = start(*command, folder=self.folder, ranks=ranks)
        self.addCleanup(kill_all, job)
        deadline = time.monotonic() + 120
        while self.committed(path) <= before:
            self.assertIsNone(job.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        return job

    @staticmethod
    def committed(path: Path) -> int:
        """Replicas that count, 0 before there is a file."""
        try:
            with h5py.File(path, "r", locking=False) as file:
                return int(newest_words(file["/state/run0000/commit"][()])[4])
        except (OSError, ValueError):
            return 0

    def test_killed_signalled_and_resumed(self) -> None:
        """SIGKILL, a signal to one rank, and other numbers of ranks: the same bits, in order."""
        path = self.folder / "long.h5"
        kill_all(self.start_long(ranks=3))
        self.assertIn("good", self.succeed("verify", path).output)
        killed = self.committed(path)
        job = self.start_long(ranks=2)
        os.kill(ranks_of(job)[1], signal.SIGUSR1)
        text, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, text)
        self.assertIn(f"going on after {killed} of 100000 replicas", text)
        done = self.committed(path)
        self.assertGreater(done, killed)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        whole = self.folder / "whole.h5"
        self.succeed(
            *("run", self.folder / "long.yaml", "-o", whole, "-q", "--until", str(done)),
            code=STOPPED,
        )
        self.assert_equal_results(whole, path)

    def test_damage_is_noticed(self) -> None:
        """A flipped bit in a replica that counts: said, and all are run again."""
        whole = self.train(CONFIG, "whole.h5")
        path = self.train(CONFIG, "hurt.h5", "--until", "30", ranks=2, code=STOPPED)
        with h5py.File(path, "r+") as file:
            loss = file["/runs/run0000/trajectory/loss"]
            loss[7, 1] = np.nextafter(loss[7, 1], 10.0)
        self.assertIn("DAMAGED", self.succeed("verify", path, code=1).text)
        text = self.succeed("resume", path, "-q", ranks=2).text
        self.assertIn("the 30 replicas of run0000 that were done fail their checksum", text)
        self.assert_equal_results(whole, path)


if __name__ == "__main__":
    unittest.main()
