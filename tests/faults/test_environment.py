"""Faults of the environment: a clear sentence, the same end on all ranks, the last checkpoint intact."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Callable, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import result_differences  # noqa: E402
from processes import finish_after_kill, kill, ranks_of, start, wait_for_ranks  # noqa: E402
from program import (  # noqa: E402
    Argument,
    ProgramTest,
    Result,
    environment,
    execute,
    mpi,
    program,
)

import widthwise  # noqa: E402

STOPPED = 75
SECONDS = 60  # within which every rank has to have ended

CONFIG = """
name: environment
data: {train: 60, test: 30, mixture: {dimension: 100, classes: 4, components: 2}}
network: {width: 600}
training: {batch: 8, steps: 60, rate: 1.0}
measure: {every: 10, quantities: [loss, distance], final: [update_spectrum]}
output: {checkpoint_every: 10, commit_seconds: 0, record: [data]}
"""
# As long as a test needs it to go on.
ENDLESS = ("--set", "training.steps=100000000", "--set", "measure.every=1000")


class FaultTest(ProgramTest):
    """A configuration, and how a fault is told."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "environment.yaml"
        self.config.write_text(CONFIG, encoding="utf-8")
        self.file = self.folder / "run.h5"

    def whole(self) -> Path:
        """A run that was left alone."""
        path = self.folder / "whole.h5"
        self.succeed("run", self.config, "-o", path, "-q", ranks=2)
        return path

    def assert_one_sentence(self, text: str, *words: str) -> None:
        """What the program says of an error: once, not once a rank, in one line, with these words."""
        said = [line for line in text.splitlines() if line.startswith("widthwise: ")]
        said = [line for line in said if "warning" not in line]
        self.assertEqual(len(said), 1, text)
        for word in words:
            self.assertIn(word, said[0])

    def fails(self, *arguments: Argument, words: tuple[str, ...], code: int = 1, ranks: int = 3) -> None:
        """Runs the program and expects an error told in one sentence."""
        result = self.succeed(*arguments, ranks=ranks, code=code, timeout=SECONDS)
        self.assert_one_sentence(result.errors, *words)

    def resume_to_the_end(self, path: Optional[Path] = None) -> None:
        """The file is good, and ends with the bits of a run that was left alone."""
        path = path or self.file
        self.succeed("verify", path)
        self.succeed("resume", path, "-q", ranks=3)
        self.assertEqual(result_differences(self.whole(), path), [])


class LimitedDiskTest(FaultTest):
    """A disk that is full."""

    # So large that the limit is not met by what Open MPI itself needs.
    LARGE = ("--set", "network.width=4000", "--set", "data.mixture.dimension=500")

    def limited(self, command: list[Argument], bytes_of_file: int) -> Result:
        """Runs a command that cannot make any file larger than so many bytes."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_of_file, bytes_of_file))

        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            preexec_fn=limit,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def test_file_that_may_not_grow(self) -> None:
        """A limit on the size of files, at creation: nothing is left."""
        run = [program(), "run", self.config, "-o", self.file, "-q", *self.LARGE]
        for launcher in ([], mpi(3)):
            result = self.limited([*launcher, *run], 20_000_000)
            self.assertEqual(result.code, 1, result.text)
            self.assert_one_sentence(result.errors, "File too large", "run.h5")
            self.assertEqual(sorted(path.name for path in self.folder.glob("run.h5*")), [])

    def test_limit_while_running(self) -> None:
        """The same for a file that is there already: a checkpoint fails, the last one stays."""
        run = ("run", self.config, "-o", self.file, "-q", *self.LARGE)
        self.succeed(*run, "--until", "15", code=STOPPED)
        size = self.file.stat().st_size
        for ranks in (1, 3):
            command = [*mpi(ranks), program(), "resume", self.file, "-q"]
            result = self.limited(command, size * 2 // 3)
            self.assertEqual(result.code, 1, result.text)
            self.assert_one_sentence(result.errors, "cannot write", "widthwise resume")
        self.succeed("resume", self.file, "-q", ranks=3)
        whole = self.folder / "whole.h5"
        self.succeed("run", self.config, "-o", whole, "-q", *self.LARGE, ranks=2)
        self.assertEqual(result_differences(whole, self.file), [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
    def test_full_file_system(self) -> None:
        """A file system that fills up while the job runs, and one that is too small from the start."""
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=False)
        self.fails(
            *("run", self.config, "-o", disk / "big.h5", "-q", "--set", "network.width=3000"),
            words=("big.h5 needs", "GiB free"),
        )
        self.assertEqual(list(disk.iterdir()), [])
        path = disk / "run.h5"
        self.succeed("run", self.config, "-o", path, "-q", "--until", "5", code=STOPPED)
        with (disk / "other").open("wb", buffering=0) as other:
            try:
                while True:
                    other.write(bytes(4096))
            except OSError:
                pass
        self.fails("resume", path, "-q", words=("No space left", "widthwise resume"))
        self.fails(
            *("resume", path, "-q", "--set", "training.steps=70"),
            words=("nothing was changed",),
        )
        self.succeed("verify", path)
        (disk / "other").unlink()
        self.resume_to_the_end(path)


class LimitedMemoryTest(FaultTest):
    """Memory that is short, for all ranks or for one of them."""

    # Pre-activations and coefficients of all samples: 0.24 GB each on a rank. Program and libraries
    # have more than half of the limit to themselves.
    LARGE = (
        *("--set", "training.engine=samples", "--set", "data.train=1000"),
        *("--set", "data.mixture.dimension=8", "--set", "measure.final=[]"),
    )
    KILOBYTES = 750_000

    def run_limited(self, width: int, all_ranks: Sequence[int], *limited: int) -> None:
        """Runs on processes of mpirun of so many ranks each; some of these have a limit."""
        run = [program(), "run", self.config, "-o", self.file, "-q", "--force", *self.LARGE]
        run += ["--set", f"network.width={width}"]
        shell = ["sh", "-c", f'ulimit -v {self.KILOBYTES}; exec "$@"', "sh"]
        command: list[Argument] = mpi(0)[:-2]
        for part, ranks in enumerate(all_ranks):
            command += [":"] * (part > 0)
            command += ["-n", str(ranks), *(shell if part in limited else []), *run]
        result = execute(command, self.folder, SECONDS)
        self.assertEqual(result.code, 1, result.text)
        self.assert_one_sentence(
            result.errors, "out of memory", "GiB on one rank for the", "of all samples",
        )
        self.succeed("verify", self.file)

    def test_all_ranks(self) -> None:
        """What `samples` keeps does not fit."""
        self.run_limited(60_000, [2], 0)

    def test_one_rank(self) -> None:
        """It fits on two ranks, and all three leave by the same way."""
        self.run_limited(90_000, [1, 1, 1], 1)


class PlaceTest(FaultTest):
    """Folders and files that are not what they should be."""

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
    def test_read_only_file_system(self) -> None:
        """A file system that is read-only, for root too."""
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=False)
        path = disk / "run.h5"
        self.succeed("run", self.config, "-o", path, "-q", "--until", "15", code=STOPPED)
        remount = ["mount", "-o", "remount,ro", str(disk)]
        subprocess.run(remount, check=True, capture_output=True)
        words = ("Read-only file system",)
        self.fails("run", self.config, "-o", disk / "new.h5", words=words, code=2)
        self.fails("resume", path, words=words)
        self.succeed("verify", path, ranks=2)
        self.succeed("show", path)
        remount[2] = "remount,rw"
        subprocess.run(remount, check=True, capture_output=True)
        self.resume_to_the_end(path)

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_read_only_folder(self) -> None:
        """A folder and a file without permission to write."""
        self.succeed("run", self.config, "-o", self.file, "-q", "--until", "15", code=STOPPED)
        self.file.chmod(0o444)
        self.fails("resume", self.file, words=("Permission denied",))
        self.file.chmod(0o644)
        self.folder.chmod(0o555)
        self.addCleanup(self.folder.chmod, 0o755)
        self.fails("run", self.config, "-o", self.folder / "new.h5", words=("Permission",), code=2)

    def test_files_that_are_not_ours(self) -> None:
        """Nothing, a folder, text, an empty file, another program's file, a newer schema."""
        import h5py

        other = self.folder / "other.h5"
        with h5py.File(other, "w") as file:
            file["numbers"] = [1, 2, 3]
        newer = self.folder / "newer.h5"
        self.succeed("run", self.config, "-o", newer, "-q", "--until", "5", code=STOPPED)
        with h5py.File(newer, "r+") as file:
            file.attrs.modify("schema_version", 1000)
        (self.folder / "empty.h5").touch()
        for name, word in (
            ("none.h5", "No such file"),
            (".", ""),
            ("environment.yaml", "not an HDF5 file"),
            ("empty.h5", "not an HDF5 file"),
            ("other.h5", "another program"),
            ("newer.h5", "schema version 1000"),
        ):
            for command in ("resume", "verify", "show"):
                with self.subTest(f"{command} {name}"):
                    before = {path: path.read_bytes() for path in self.folder.glob("*.*")}
                    result = self.succeed(
                        command, self.folder / name, ranks=2, code=2, timeout=SECONDS
                    )
                    self.assert_one_sentence(result.errors, word)
                    after = {path: path.read_bytes() for path in self.folder.glob("*.*")}
                    self.assertEqual(before, after)


class RunningTest(FaultTest):
    """What happens to a file, or to a rank, while a job writes."""

    def begin(self, ranks: int, *more: Argument) -> subprocess.Popen[str]:
        """Starts an endless run and waits for its first checkpoint."""
        self.file.unlink(missing_ok=True)
        process = start(
            *("run", self.config, "-o", self.file, "-q", *ENDLESS, *more),
            folder=self.folder,
            ranks=ranks,
        )
        self.addCleanup(self.end, process)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with widthwise.open(self.file) as file:
                    if file.members[0].checkpoint() is not None:
                        return process
            except OSError:
                pass
            time.sleep(0.02)
        self.fail(f"no checkpoint came\n{process.communicate()[0]}")

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        """Whatever became of it."""
        if process.poll() is None:
            kill(process.pid, *ranks_of(process))
        process.communicate()

    def ends(self, process: subprocess.Popen[str], *words: str) -> None:
        """The job ends by itself with code 1 and one sentence."""
        text, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 1, text)
        self.assert_one_sentence(text, *words)

    def replace(self) -> None:
        """Puts another file in the place of the one that is written."""
        other = self.folder / "other"
        shutil.copy(self.file, other)
        os.replace(other, self.file)

    def cut(self) -> None:
        """Cuts the end of the file off."""
        os.truncate(self.file, self.file.stat().st_size // 2)

    def test_under_the_feet(self) -> None:
        """The file is removed, renamed, replaced or cut off while a job writes it."""
        acts: tuple[tuple[Callable[[], object], str], ...] = (
            (self.file.unlink, "was removed or renamed"),
            (lambda: self.file.rename(self.folder / "moved.h5"), "was removed or renamed"),
            (self.replace, "was replaced by another file"),
            (self.cut, "was cut off"),
        )
        for act, word in acts:
            with self.subTest(word):
                process = self.begin(2)
                act()
                self.ends(process, "run.h5", word)
        moved = self.folder / "moved.h5"  # what was renamed is as good as ever
        self.succeed("verify", moved, ranks=2)
        self.fails("verify", self.file, words=("run.h5", "restore the file from a backup"))

    def test_one_rank_dies(self) -> None:
        """One rank is killed while the others go on: all end, the last checkpoint stands."""
        for ranks in (2, 3, 7):
            with self.subTest(ranks=ranks):
                process = self.begin(ranks)
                victim = wait_for_ranks(process, ranks)[ranks // 2]
                kill(victim)
                finish_after_kill(process, SECONDS)
                self.assertNotEqual(process.returncode, 0)
                with widthwise.open(self.file) as file:
                    step = file.members[0].checkpoint().step
                until = ("-q", "--until", str(step + 3))
                self.succeed("resume", self.file, *until, ranks=2, code=STOPPED)
                whole = self.folder / "whole.h5"
                self.succeed(
                    *("run", self.config, "-o", whole, "--force", *ENDLESS, *until), code=STOPPED
                )
                self.assertEqual(result_differences(whole, self.file), [])

    def test_second_writer(self) -> None:
        """Two jobs on one file: the second is refused, the first is not disturbed."""
        process = self.begin(2)
        words = ("is being written by another job",)
        self.fails("resume", self.file, words=words, ranks=2)
        self.fails("run", self.config, "-o", self.file, "--force", words=words, ranks=2)
        self.fails("run", self.config, "-o", self.file, words=("exists already",), code=2, ranks=2)
        self.assertIsNone(process.poll())
        self.succeed("verify", self.file)  # readers may come at any time
        kill(process.pid)
        process.communicate(timeout=SECONDS)
        self.resume_after_kill()

    def test_waiting_for_the_first_writer(self) -> None:
        """A resume that waits goes on when the first job ends, or gives up when its time is over."""
        process = self.begin(2)
        begun = ("resume", self.file, "-q", "--until", "1", "--wait-lock")
        words = ("is being written by another job (the newest start in it is of host ",)
        result = self.succeed(*begun, "1", ranks=2, code=1, timeout=SECONDS)
        said = [line for line in result.errors.splitlines() if line.startswith("widthwise: ")]
        self.assertEqual(len(said), 2, result.errors)
        self.assertIn("waiting up to 1 s for that to end", said[0])
        self.assertIn(words[0], said[1])
        waiting = start(*begun, "50", folder=self.folder, ranks=2)
        time.sleep(2)
        self.assertIsNone(waiting.poll())
        kill(*ranks_of(process), process.pid)
        process.communicate(timeout=SECONDS)
        text, _ = waiting.communicate(timeout=SECONDS)
        self.assertEqual(waiting.returncode, STOPPED, text)
        self.assertEqual(text.count("waiting up to 50 s"), 1, text)

    def resume_after_kill(self) -> None:
        """The lock ends with the processes that held it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            result = self.run_quietly("resume", self.file, "-q", "--until", "1")
            if result.code == STOPPED:
                return
            self.assertIn("is being written by another job", result.errors)
            time.sleep(0.1)
        self.fail("the lock was never given up")

    def run_quietly(self, *arguments: Argument) -> Result:
        """Runs the program, whatever comes of it."""
        from program import run_program

        return run_program(*arguments, folder=self.folder)

    def test_verify_beside_a_fast_writer(self) -> None:
        """A job that writes a checkpoint every step: nothing is wrong, whatever moment is looked at."""
        process = self.begin(2, "--set", "output.checkpoint_every=1")
        codes = set()
        for _ in range(10):
            result = self.run_quietly("verify", self.file)
            self.assertIn(result.code, (0, STOPPED), result.text)
            self.assertEqual(result.code == 0, "run0000: good: " in result.output, result.text)
            self.assertEqual(result.code == STOPPED, "faster than they can" in result.output)
            codes.add(result.code)
        self.assertIsNone(process.poll())
        print(f"\nverify beside a fast writer: exit codes {sorted(codes)}")

    def test_readers_do_not_disturb(self) -> None:
        """A reader that holds the file open, with HDF5's own lock, while jobs start and write."""
        import h5py

        self.succeed("run", self.config, "-o", self.file, "-q", "--until", "15", code=STOPPED)
        with h5py.File(self.file, "r") as file:
            self.assertIn("runs", file)
            self.succeed("resume", self.file, "-q", "--until", "25", ranks=2, code=STOPPED)
            self.succeed(
                *("resume", self.file, "-q", "--until", "30", "--set", "training.steps=90"),
                ranks=2,
                code=STOPPED,
            )
            self.succeed("resume", self.file, "-q", "--set", "training.steps=60", ranks=2)
        self.assertEqual(result_differences(self.whole(), self.file), [])


if __name__ == "__main__":
    unittest.main()
