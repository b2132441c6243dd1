"""`widthwise merge`: the files of a job array become the file that one job would have made."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import differences, result_differences  # noqa: E402
from processes import kill_all, start  # noqa: E402
from program import Argument, ProgramTest, environment, program  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

FAILED = 1
USAGE = 2
DIVERGED = 3
STOPPED = 75

SWEEP = """
name: swept
data: {train: 100, test: 60, mixture: {dimension: 30, classes: 4, components: 2}}
network: {width: 140}
training: {batch: 10, steps: 30, rate: 5.0}
measure:
  every: 4
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 11]
output: {checkpoint_every: 10, record: [data, initial-weights, batches]}
sweep: {network.width: [100, 140], seed: [1, 2]}
"""
MEMBERS = 4


class MergeTest(ProgramTest):
    """A sweep whose members run alone."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "swept.yaml"
        self.config.write_text(SWEEP, encoding="utf-8")
        self.merged = self.folder / "merged.h5"

    def element(
        self, member: int, *more: Argument, ranks: Optional[int] = None, code: int = 0
    ) -> Path:
        """Runs one member, as an element of a job array does."""
        run = ("run", self.config, "--member", str(member), "-q", *more)
        self.succeed(*run, ranks=ranks, code=code)
        return self.folder / f"swept-{member:04}.h5"

    def whole(self, *settings: str) -> Path:
        """All members in one job."""
        path = self.folder / "whole.h5"
        self.succeed("run", self.config, "-o", path, "-q", *settings, ranks=2)
        return path

    def contents(self) -> dict[str, bytes]:
        """All files of the folder."""
        return {
            path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()
        }

    def merge(self, *files: Path, said: str, ranks: Optional[int] = None) -> Path:
        """Merges files, and holds the outcome against all that can be held against it."""
        before = self.contents()
        result = self.succeed("merge", *files, "-o", self.merged, ranks=ranks)
        self.assertIn(f"{self.merged}: {said}", result.output)
        after = self.contents()
        after.pop(self.merged.name)
        self.assertEqual(sorted(after), sorted(before))
        self.assertTrue(after == before, "the inputs were changed")
        self.assert_sound(self.merged)
        return self.merged

    def assert_sound(self, path: Path) -> None:
        """The file holds to the schema and to its own checksums."""
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        self.succeed("verify", path, ranks=2)

    def refuse(
        self,
        *arguments: Argument,
        said: tuple[str, ...],
        code: int = USAGE,
        ranks: Optional[int] = None,
    ) -> None:
        """Expects one sentence, and that no file was touched."""
        before = self.contents()
        result = self.succeed("merge", *arguments, ranks=ranks, code=code)
        self.assertEqual(result.output, "")
        told = [line for line in result.errors.splitlines() if line.startswith("widthwise: ")]
        self.assertEqual(len(told), 1, result.text)
        for words in said:
            self.assertIn(words, told[0])
        after = self.contents()
        self.assertEqual(sorted(after), sorted(before))
        self.assertTrue(after == before, "a file was changed")

    def start(self, *arguments: Argument, ranks: Optional[int] = None) -> subprocess.Popen[str]:
        """Starts the program, and ends it when the test ends if it has not ended before."""
        job = start(*arguments, folder=self.folder, ranks=ranks)
        self.addCleanup(lambda: job.returncode is None and kill_all(job))
        return job

    def wait_for(self, path: Path, job: subprocess.Popen[str]) -> None:
        """Waits until a job has made its file."""
        deadline = time.monotonic() + 60
        while not path.exists():
            self.assertIsNone(job.poll())
            self.assertLess(time.monotonic(), deadline)


class OutcomeTest(MergeTest):
    """What is in the merged file."""

    def test_an_array_is_a_sweep(self) -> None:
        """Elements on several numbers of ranks, in any order, are the sweep of one job."""
        files = [self.element(i, ranks=ranks) for i, ranks in enumerate((None, 3, 2, 1))]
        files = [files[2], files[0], files[3], files[1]]
        self.merge(*files, said="4 runs of 4 files\n", ranks=3)
        self.assertEqual(differences(self.whole(), self.merged), [])
        with widthwise.open(self.merged) as file:
            self.assertEqual([row["first_run"] for row in file.provenance], [2, 0, 3, 1])
            self.assertEqual([row["ranks"] for row in file.provenance], [2, 1, 1, 3])
        marks = set()
        for path in (*files, self.merged):
            with h5py.File(path, "r") as opened:
                marks.add(tuple(opened["/provenance/file_mark"][()].tolist()))
                self.assertEqual(opened["/provenance/attempts/host"].shape, (256,))
        self.assertEqual(len(marks), 5)
        self.succeed("show", self.merged)
        self.succeed("resume", self.merged)
        copy = self.folder / "copy.h5"
        self.succeed("export", self.merged, "-o", copy, "--weights", "--record")
        self.assertEqual(check_schema.check_file(str(copy)).violations, [])

    def test_unfinished_members_go_on(self) -> None:
        """One is done, one stopped, one stopped before its first step, one is missing."""
        done = self.element(0)
        stopped = self.element(1, "--until", "15", ranks=2, code=STOPPED)
        begun = self.element(3, "--until", "0", code=STOPPED)
        said = "3 runs of 3 files (missing between them: 2)\n"
        self.merge(done, stopped, begun, said=said)
        again = self.succeed("merge", done, stopped, begun, "-o", self.merged, "--force")
        self.assertIn("2 runs are not finished (run0001, run0003); `widthwise resume", again.output)
        with widthwise.open(self.merged) as file:
            states = [member.state for member in file.members]
        wanted = [widthwise.State.DONE, widthwise.State.STOPPED, widthwise.State.STOPPED]
        self.assertEqual(states, wanted)
        result = self.succeed("resume", self.merged, "-q", ranks=3)
        self.assertIn("complete", result.output)
        self.assert_sound(self.merged)
        whole = self.whole()
        with h5py.File(whole, "r+") as file:
            for group in ("runs", "state", "snapshots", "record"):
                del file[f"{group}/run0002"]
        self.assertEqual(result_differences(whole, self.merged), [])
        with widthwise.open(self.merged) as file:
            rows = [(row["first_run"], row["first_step"]) for row in file.provenance]
        self.assertEqual(rows, [(0, 0), (1, 0), (3, 0), (1, 15)])

    def test_members_that_have_not_begun(self) -> None:
        """A sweep that was stopped in its first member: the others wait, in the new file too."""
        part = self.folder / "part.h5"
        longer = ("--set", "training.steps=1500", "--set", "measure.every=300")
        job = self.start("run", self.config, "-o", part, "-q", *longer)
        self.wait_for(part, job)
        job.send_signal(signal.SIGTERM)
        output, _ = job.communicate(timeout=60)
        self.assertEqual(job.returncode, STOPPED, output)
        with widthwise.open(part) as file:
            self.assertEqual(file.members[3].state, widthwise.State.WAITING)
        self.merge(part, said="4 runs of 1 file\n")
        self.assertEqual(differences(part, self.merged), [])
        self.succeed("resume", self.merged, "-q", ranks=2)
        self.assertEqual(result_differences(self.whole(*longer), self.merged), [])

    def test_a_diverged_member(self) -> None:
        """It stays as it is, and is not told to be unfinished."""
        rates = self.folder / "rates.yaml"
        text = SWEEP[: SWEEP.index("sweep:")] + "sweep: {training.rate: [5, 1e300]}\n"
        rates.write_text(text, encoding="utf-8")
        files = [self.folder / f"rate{member}.h5" for member in (0, 1)]
        for member, code in ((0, 0), (1, DIVERGED)):
            run = ("run", rates, "--member", str(member), "-o", files[member], "-q")
            self.succeed(*run, code=code)
        result = self.succeed("merge", *files, "-o", self.merged)
        self.assertNotIn("not finished", result.output)
        whole = self.folder / "whole.h5"
        self.succeed("run", rates, "-o", whole, "-q", code=DIVERGED)
        self.assertEqual(differences(whole, self.merged), [])
        with widthwise.open(self.merged) as file:
            self.assertEqual(file.members[1].state, widthwise.State.DIVERGED)
        self.assert_sound(self.merged)

    def test_made_longer(self) -> None:
        """`resume --set` on a merged file, whose structure then changes."""
        files = [self.element(member) for member in range(MEMBERS)]
        self.merge(*files, said="4 runs of 4 files\n")
        longer = ("--set", "training.steps=50")
        self.succeed("resume", self.merged, "-q", *longer, ranks=2)
        self.assert_sound(self.merged)
        self.assertEqual(result_differences(self.whole(*longer), self.merged), [])

    def test_a_restart_may_have_changed_keys(self) -> None:
        """A member that was given fewer steps is still one of the sweep."""
        files = [self.element(0), self.element(1, "--set", "training.steps=20")]
        self.merge(*files, said="2 runs of 2 files\n")
        with widthwise.open(self.merged) as file:
            self.assertEqual([int(m.trajectory["step"][-1]) for m in file.members], [30, 20])

    def test_merged_files_are_merged(self) -> None:
        """In parts, and then the parts."""
        files = [self.element(member) for member in range(MEMBERS)]
        odd, even = self.folder / "odd.h5", self.folder / "even.h5"
        self.succeed("merge", files[3], files[1], "-o", odd)
        self.succeed("merge", files[0], files[2], "-o", even)
        self.merge(odd, even, said="4 runs of 2 files\n")
        self.assertEqual(differences(self.whole(), self.merged), [])
        with widthwise.open(self.merged) as file:
            self.assertEqual([row["first_run"] for row in file.provenance], [3, 1, 0, 2])

    def test_what_is_missing(self) -> None:
        """Numbers without a file, as far as they can be known."""
        sweep = ("--set", "sweep={seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}")
        files = [self.element(member, *sweep) for member in (2, 4, 8, 9)]
        self.merge(
            *files,
            said="4 runs of 4 files (missing before them: 0-1; missing between them: 3, 5-7)\n",
        )

    def test_a_spare_checkpoint_that_is_not_whole(self) -> None:
        """A job that died while writing it leaves it so: the file is good, and so is the merge."""
        path = self.element(0)
        with widthwise.open(path) as file:
            spare = 1 - file.members[0].page.newest_slot()
        with h5py.File(path, "r+") as file:
            file[f"/state/run0000/checkpoint{spare}/hidden_weights"][7, 3] += 1e-9
        self.merge(path, self.element(1), said="2 runs of 2 files\n")

    def test_rows_of_provenance(self) -> None:
        """More starts than a new file has room for."""
        files = [self.element(member) for member in range(3)]
        for path, rows in zip(files, (256, 200, 60)):
            with h5py.File(path, "r+") as file:
                attempts = file["/provenance/attempts"]
                attempts["ranks"][:rows] = 5
                attempts["first_step"][:rows] = np.arange(rows)
        self.merge(*files, said="3 runs of 3 files\n")
        with h5py.File(self.merged, "r") as file:
            for column in file["/provenance/attempts"].values():
                self.assertEqual(column.shape, (1024,))
        with widthwise.open(self.merged) as file:
            steps = [row["first_step"] for row in file.provenance]
        self.assertEqual(steps, [*range(256), *range(200), *range(60)])
        self.succeed("resume", self.merged, "-q", "--set", "training.steps=40")
        with widthwise.open(self.merged) as file:
            self.assertEqual(len(file.provenance), 517)

    def test_unlike_arithmetic_is_told(self) -> None:
        """Files of unlike processors are merged, and the user is told."""
        files = [self.element(member) for member in range(2)]
        with h5py.File(files[1], "r+") as file:
            file["/provenance/attempts/arithmetic"][0] = b"OpenBLAS kernel Abacus"
        result = self.succeed("merge", *files, "-o", self.merged)
        self.assertIn(f"{files[1]} with `OpenBLAS kernel Abacus`", result.output)

    def test_few_open_files(self) -> None:
        """Each input is an open file: a soft limit is raised, a hard one is told."""
        files = [self.element(member) for member in range(2)]

        def merge_within(soft: int, hard: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program(), "merge", *map(str, files), "-o", str(self.merged)],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
            )

        done = merge_within(100, 100)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("the limit is 100 (ulimit -n); raise it, or merge some", done.stderr)
        self.assertFalse(self.merged.exists())
        done = merge_within(100, 1000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_sound(self.merged)


class RefusalTest(MergeTest):
    """What cannot be merged, and is left as it is."""

    def test_a_member_twice(self) -> None:
        """In two files, or in one file under two names."""
        path = self.element(0)
        copy = self.folder / "copy.h5"
        shutil.copy(path, copy)
        words = (f"run0000 is in {path} and in {copy}",)
        self.refuse(path, copy, "-o", self.merged, said=words)
        link = self.folder / "link.h5"
        os.link(path, link)
        self.refuse(path, link, "-o", self.merged, said=("link.h5 are the same file",))
        link.unlink()
        link.symlink_to(path)
        self.refuse(link, path, "-o", self.merged, said=("swept-0000.h5 are the same file",))

    def test_other_experiments(self) -> None:
        """Another value, another sweep, the same sweep in another order, a single run."""
        path = self.element(0)
        other = self.element(1, "--set", "training.rate=2")
        words = (f"training.rate is 5.0 in run0000 of {path} and 2.0 in run0001 of {other}",)
        self.refuse(path, other, "-o", self.merged, said=words, ranks=3)
        other = self.folder / "reversed.h5"
        turned = ("--set", "sweep={network.width: [140, 100], seed: [1, 2]}")
        self.succeed("run", self.config, "--member", "2", "-o", other, "-q", *turned)
        words = ("run0000 of ", "run0002 of ", "the same member (network.width=100 seed=1)")
        self.refuse(path, other, "-o", self.merged, said=words)
        other = self.folder / "seeds.h5"
        run = ("run", self.config, "--member", "1", "-o", other, "-q", "--set")
        self.succeed(*run, "sweep={seed: [1, 2]}")
        words = (f"run0000 of {path} is of a sweep that varies network.width, and run0001 of",)
        self.refuse(other, path, "-o", self.merged, said=words)
        single = self.train(SWEEP[: SWEEP.index("sweep:")], "single.h5")
        other = self.element(3)
        self.refuse(single, other, "-o", self.merged, said=("varies seed", "single.h5 is not"))

    def test_what_is_no_file_of_ours(self) -> None:
        """Exports, other files, no files, folders."""
        path = self.element(0)
        copy = self.folder / "copy.h5"
        self.succeed("export", path, "-o", copy)
        self.refuse(path, copy, "-o", self.merged, said=("copy.h5 is an export",))
        with h5py.File(self.folder / "other.h5", "w") as file:
            file["x"] = 1
        self.refuse("other.h5", path, "-o", self.merged, said=("file of another program",))
        (self.folder / "text.h5").write_text("text", encoding="ascii")
        self.refuse("text.h5", path, "-o", self.merged, said=("is not an HDF5 file",))
        self.refuse("none.h5", path, "-o", self.merged, said=("cannot open none.h5",))
        (self.folder / "folder").mkdir()
        self.refuse("folder", path, "-o", self.merged, said=("is a folder",))

    def test_the_command_line(self) -> None:
        """Without files, or without a name for the new one."""
        path = self.element(0)
        self.refuse("-o", self.merged, said=("wants the files to be merged",))
        self.refuse(path, said=("wants the name of the file to make",))
        self.assertIn("-o MERGED", self.succeed("merge", "--help").output)

    def test_places_that_are_taken(self) -> None:
        """A file that exists, and the inputs by whatever name."""
        files = [self.element(member) for member in range(2)]
        self.merged.write_text("kept", encoding="ascii")
        self.refuse(*files, "-o", self.merged, said=("merged.h5 exists already", "--force"))
        for name in ("same", "hard", "soft"):
            target = self.folder / f"{name}.h5"
            if name == "same":
                target = files[1]
            elif name == "hard":
                os.link(files[1], target)
            else:
                target.symlink_to(files[1].name)
            words = (f"{files[1]} is one of the files to be merged",)
            for force in ((), ("--force",)):
                self.refuse(*files, "-o", target, *force, said=words)
        temporary = self.folder / "new.h5.tmp"
        files[1].rename(temporary)
        words = ("new.h5.tmp is one of the files to be merged",)
        self.refuse(files[0], temporary, "-o", self.folder / "new.h5", said=words)
        self.succeed("merge", files[0], temporary, "-o", self.merged, "--force")
        self.assert_sound(self.merged)
        words = ("check the folder and its permissions",)
        self.refuse(files[0], "-o", self.folder / "none" / "merged.h5", said=words)

    def test_damage(self) -> None:
        """A bit of a checkpoint, of rows, of a snapshot, of the record, of a configuration."""
        path = self.element(0)
        other = self.element(1)
        with widthwise.open(path) as file:
            newest = file.members[0].page.newest_slot()
        extents: dict[str, int] = {}
        with h5py.File(path, "r") as file:
            for place in (
                f"/state/run0000/checkpoint{newest}/hidden_weights",
                "/runs/run0000/trajectory/loss",
                "/runs/run0000/final/update_spectrum",
                "/snapshots/run0000/hidden_weights",
                "/record/run0000/train_inputs",
                "/runs/run0000/config",
            ):
                extents[place] = file[place].id.get_offset()
        sound = path.read_bytes()
        words = ("newest checkpoint", "records", "final results", "snapshots", "record", "")
        for (place, offset), part in zip(extents.items(), words):
            with self.subTest(place):
                damaged = bytearray(sound)
                damaged[offset + 9] ^= 16
                path.write_bytes(damaged)
                said = (f"{path}: ", "backup")
                if part:
                    said += ("run0000 (done", part, "DAMAGED", "leave it out of the merge")
                ranks = 3 if part == "record" else None
                self.refuse(other, path, "-o", self.merged, said=said, code=FAILED, ranks=ranks)

    def test_no_room(self) -> None:
        """A file system that is too small for the new file, which is told beforehand."""
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small file system")
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=False)
        files = [self.element(member) for member in range(MEMBERS)]
        words = (f"{disk}/merged.h5 needs 0.001 GiB", "0.001 GiB free")
        self.refuse(*files, "-o", disk / "merged.h5", said=words, code=FAILED)
        self.assertEqual(list(disk.iterdir()), [])


class OtherJobsTest(MergeTest):
    """Jobs that write inputs, and merges that die."""

    # The weights of a run take 64 MB, so that a merge takes long enough to be met in the middle.
    LARGE = ("--set", "data.mixture.dimension=500", "--set", "training.steps=2")
    LARGE += ("--set", "sweep={seed: [1, 2]}", "--set", "network.width=8000")
    LARGE += ("--set", "measure={quantities: [loss], final: [], snapshots: []}")
    LARGE += ("--set", "output={checkpoint_every: 1, record: []}")

    def large(self) -> list[Path]:
        """Two runs."""
        return [self.element(member, *self.LARGE) for member in range(2)]

    def test_an_input_that_a_job_writes(self) -> None:
        """It is refused, and the job is not disturbed."""
        endless = ("--set", "measure.every=1000", "--set", "output.record=[data]")
        path = self.element(0, *endless)
        writing = self.folder / "swept-0001.h5"
        endless += ("--set", "training.steps=10000000")
        job = self.start("run", self.config, "--member", "1", "-q", *endless, ranks=2)
        self.wait_for(writing, job)
        result = self.succeed("merge", path, writing, "-o", self.merged, code=FAILED)
        self.assertIn(f"{writing} is being written by another job", result.errors)
        self.assertFalse(self.merged.exists())
        self.assertIsNone(job.poll())
        kill_all(job)
        self.merge(path, writing, said="2 runs of 2 files\n")  # run0001 is as of a job that died
        with widthwise.open(self.merged) as file:
            self.assertEqual(file.members[1].state, widthwise.State.RUNNING)

    def test_a_merge_keeps_jobs_out_and_may_die(self) -> None:
        """While it copies no input can be written; when it is killed there is no file."""
        files = self.large()
        before = [path.read_bytes() for path in files]
        temporary = self.folder / "merged.h5.tmp"
        merge = self.start("merge", *files, "-o", self.merged)
        while not temporary.exists() or temporary.stat().st_size < 50_000_000:
            self.assertIsNone(merge.poll())
            self.assertFalse(self.merged.exists())
        os.kill(merge.pid, signal.SIGSTOP)
        self.assertFalse(self.merged.exists())
        for path in files:
            result = self.succeed("resume", path, code=FAILED)
            self.assertIn("is being written by another job", result.errors)
        kill_all(merge)
        self.assertEqual(merge.returncode, -signal.SIGKILL)
        self.assertFalse(self.merged.exists())
        self.assertTrue(temporary.exists())
        self.assertTrue([path.read_bytes() for path in files] == before, "an input was changed")
        self.succeed("merge", *files, "-o", self.merged)  # takes over what was left
        self.assertFalse(temporary.exists())
        self.assert_sound(self.merged)
        self.assertEqual(differences(self.whole(*self.LARGE), self.merged), [])


if __name__ == "__main__":
    unittest.main()
