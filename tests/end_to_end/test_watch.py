"""`widthwise show --watch` follows jobs from outside: into a pipe and on a terminal, live and dead."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Mapping, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402

from processes import kill_all, start  # noqa: E402
from program import Argument, ProgramTest, environment, program, run_program  # noqa: E402
from terminal import Terminal  # noqa: E402

import widthwise  # noqa: E402

FAILED, USAGE, STOPPED = 1, 2, 75
OFD_SETLK = 37  # of Linux
WAIT = 120.0  # seconds, for a machine with much else to do

# Never ends by itself within a test, and commits all the while.
ENDLESS = """
name: watched
data:
  train: 40
  test: 20
  mixture: {dimension: 10, classes: 4, components: 2}
network: {width: 100}
training: {batch: 4, steps: 100000000, rate: 1.0}
measure: {every: 100000, quantities: [loss, test_accuracy], final: []}
output: {checkpoint_every: 0, commit_seconds: 0.1}
"""

SHORT = {"training.steps": 30, "measure.every": 1}
SWEEP = "sweep:\n  seed: [1, 2, 3, 4, 5, 6]\n"

Settings = Mapping[str, object]


def settings(values: Settings) -> list[str]:
    """As options of the program."""
    return [f"--set={key}={value}" for key, value in values.items()]


class Reader:
    """A watch into a pipe, and what it has said so far."""

    def __init__(self, *arguments: Argument, folder: Path, locale: str = "C.UTF-8") -> None:
        self.process = subprocess.Popen(
            [program(), "show", *map(str, arguments)],
            cwd=folder,
            env=environment({"LC_ALL": locale}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.text = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line.decode()

    def wait(self, pattern: str, after: int = 0) -> int:
        """Waits for something to be said, from place `after` on; the place behind it, or -1."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            over = not self._thread.is_alive()
            found = re.compile(pattern).search(self.text, after)
            if found is not None:
                return found.end()
            if over:
                break
            time.sleep(0.02)
        return -1

    def _pauses(self) -> int:
        """How often it has begun to wait."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(dict(line.split(":\t") for line in status.splitlines())["voluntary_ctxt_switches"])

    def wait_for_looks(self) -> None:
        """Waits until it has looked some times more (it pauses ten times a second)."""
        deadline = time.monotonic() + WAIT
        enough = self._pauses() + 20
        while self._pauses() < enough and time.monotonic() < deadline:
            time.sleep(0.05)

    def end(self) -> int:
        """Its exit code, when it ends by itself."""
        code = self.process.wait(WAIT)
        self._thread.join()
        return code

    def close(self) -> None:
        """Ends it where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._thread.join()
        if self.process.stdout is not None:
            self.process.stdout.close()


class WatchTest(ProgramTest):
    """What all tests here start; it ends with them."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "watched.yaml"
        self.config.write_text(ENDLESS, encoding="utf-8")
        self.file = self.folder / "w.h5"

    def job(
        self, *arguments: Argument, ranks: Optional[int] = None
    ) -> subprocess.Popen[str]:
        """A job in the background."""
        process = start(*arguments, "--quiet", folder=self.folder, ranks=ranks)
        self.addCleanup(kill_all, process)
        return process

    def endless(self, *more: str, ranks: Optional[int] = None) -> subprocess.Popen[str]:
        """One that runs until it is told to stop."""
        return self.job("run", self.config, "-o", self.file, *more, ranks=ranks)

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Ends a job that runs, with a checkpoint."""
        (self.folder / "stop").touch()
        text, _ = process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, STOPPED, text)

    def watch(self, *arguments: Argument, locale: str = "C.UTF-8") -> Reader:
        """A watch into a pipe."""
        reader = Reader(*arguments, folder=self.folder, locale=locale)
        self.addCleanup(reader.close)
        return reader

    def terminal(self, rows: int, columns: int) -> Terminal:
        """A watch on a terminal."""
        terminal = Terminal(
            "show", "--watch=0.1", self.file, folder=self.folder, rows=rows, columns=columns,
            more={"LC_ALL": "C.UTF-8"},
        )
        self.addCleanup(terminal.close)
        return terminal

    def says(self, reader: Reader, pattern: str, after: int = 0) -> int:
        """Expects something to be said; the place behind it."""
        place = reader.wait(pattern, after)
        self.assertGreaterEqual(place, 0, f"{pattern!r} is not said:\n{reader.text}")
        return place

    def done(self, **more: object) -> Path:
        """A file with a run that has ended."""
        self.succeed("run", self.config, "-o", self.file, "-q", *settings({**SHORT, **more}))
        return self.file

    def digest(self) -> str:
        """Of all bytes of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


class PipeTest(WatchTest):
    """What is appended to a pipe."""

    def test_from_the_queue_to_the_end(self) -> None:
        """The file is waited for, then steps are told, with their rate, until the run has ended."""
        reader = self.watch("--watch=0.1", "w.h5")
        self.says(reader, r"\Awaiting for w\.h5, which is not there yet\n")
        job = self.endless()
        self.says(reader, r"T[0-9:]+Z  w\.h5: 1 run, 1 running\n")
        place = self.says(reader, r"step \d+00000 of 100000000, [0-9.e+]+ steps/s, .* left\n")
        self.says(reader, r"  loss  +[0-9.]+ to [0-9.e-]+ +[▁-█ ]+\n  test_accuracy  ", place)
        self.stop(job)
        self.assertEqual(reader.end(), 0, reader.text)
        self.says(reader, r"w\.h5: 1 run, 1 stopped early\n")
        self.assertTrue(
            reader.text.endswith(
                "all runs have ended, 1 of them early; `widthwise resume w.h5` goes on\n\n"
            )
        )
        self.assertEqual(reader.text.count("waiting for"), 1)
        self.assertNotIn("\033", reader.text)
        # Only what is new is told: steps have been made since the block before.
        steps = re.findall(r"1 running\n.*\n\n.* step (\d+) of .*, [0-9.e+]+ steps/s", reader.text)
        self.assertEqual(len(steps), len(set(steps)), reader.text)

    def test_killed_job(self) -> None:
        """That nobody writes is told once, the file is left as it is, and a restart is followed."""
        job = self.endless()
        reader = self.watch("--watch=0.1", "w.h5")
        self.says(reader, "1 running\n")
        self.says(reader, r"step \d+00000 of")
        kill_all(job)
        self.says(
            reader,
            "no program is writing to it: its job has ended or died, and `widthwise resume w.h5` "
            "goes on\n",
        )
        self.says(reader, "1 run, 1 interrupted\n")
        before, said = self.digest(), len(reader.text)
        reader.wait_for_looks()
        self.assertEqual(reader.text[said:].strip(), "")
        self.assertEqual(self.digest(), before)
        again = self.job("resume", self.file)
        self.says(reader, r"1 running\n  went on .*, start 2 of it\n", said)
        self.stop(again)
        self.assertEqual(reader.end(), 0, reader.text)
        self.assertEqual(reader.text.count("no program is writing"), 1)

    def test_longer_run(self) -> None:
        """A run that was made longer is not over while its job is at it, whatever its state."""
        self.done(**{"measure.every": 100000})
        again = self.job("resume", self.file, *settings({"training.steps": 100000000}))
        deadline = time.monotonic() + WAIT
        works = re.compile(r"step \d+00000 of")
        while works.search(run_program("show", self.file, folder=self.folder).output) is None:
            self.assertLess(time.monotonic(), deadline)
        self.stop(again)
        with open(self.file, "rb+") as job:
            # As a job that goes on does, which has not come to the run yet.
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)
            fcntl.fcntl(job, OFD_SETLK, lock)
            reader = self.watch("--watch=0.1", "w.h5")
            self.says(reader, r"w\.h5: 1 run, 1 stopped early\n")
            for _ in range(3):  # longer than a watch waits for a job that is about to begin
                reader.wait_for_looks()
            self.assertNotIn("ended", reader.text)
            self.assertIsNone(reader.process.poll())
        self.assertEqual(reader.end(), 0, reader.text)
        self.says(reader, "all runs have ended, 1 of them early; `widthwise resume w.h5` goes on")

    def test_stopped_run(self) -> None:
        """A job may be about to go on with what was stopped: it is over only a moment later."""
        job = self.endless()
        reader = self.watch("--watch=0.1", "w.h5")
        self.says(reader, r"step \d+00000 of")
        self.stop(job)
        self.assertEqual(reader.end(), 0, reader.text)
        began = time.monotonic()
        reader = self.watch("--watch=0.1", "w.h5")
        self.assertEqual(reader.end(), 0, reader.text)
        self.assertGreater(time.monotonic() - began, 3.0)
        self.assertEqual(reader.text.count("1 run, 1 stopped early"), 2, reader.text)
        self.assertEqual(reader.text.count("all runs have ended"), 1, reader.text)

    def test_pipe_instead_of_a_file(self) -> None:
        """A pipe of that name is refused, and nobody waits for its other end."""
        os.mkfifo(self.file)
        for words in (("--watch",), ()):
            told = run_program("show", *words, "w.h5", folder=self.folder)
            self.assertEqual((told.code, told.output), (USAGE, ""), told.text)
            self.assertIn("cannot read w.h5: it is a pipe", told.errors)

    def test_letters(self) -> None:
        """Blocks where the locale has them, else plain letters."""
        self.done()
        for locale, bar in (("C.UTF-8", "▕" + "█" * 32 + "▏ 100.0%"), ("C", f"[{'#' * 32}] 100.0%")):
            reader = self.watch("--watch", self.file, locale=locale)
            self.assertEqual(reader.end(), 0, reader.text)
            self.assertIn(f"  {bar}  step 30 of 30, done\n", reader.text)
            self.assertEqual(reader.text.isascii(), locale == "C")

    def test_curves(self) -> None:
        """Curves begin and end with values of the file; accuracies are drawn from 0 to 1, losses
        over the decades that they cover."""
        reader = self.watch("--watch", self.done())
        self.assertEqual(reader.end(), 0)
        with widthwise.open(self.file) as file:
            for name in ("loss", "test_accuracy"):
                values = file.members[0].trajectory[name][:]
                heights = np.asarray(values)
                if name == "loss":
                    heights = np.log(values / values.min()) / np.log(values.max() / values.min())
                curve = "".join("▁▂▃▄▅▆▇█"[min(int(8 * height), 7)] for height in heights)
                line = f"  {name:14}  {values[0]:9.4g} to {values[-1]:<9.4g} {curve}\n"
                self.assertIn(line, reader.text)

    def test_bad_ends(self) -> None:
        """A run that diverged ends the watch as well, and its reason is told."""
        self.succeed(
            "run", self.config, "-o", self.file, "-q",
            *settings({**SHORT, "training.rate": 1e300}), code=3,
        )
        reader = self.watch("--watch", self.file)
        self.assertEqual(reader.end(), 0, reader.text)
        self.assertIn("1 run, 1 diverged\n", reader.text)
        self.assertRegex(reader.text, r"  run0000  diverged: .*finite")

    def test_change_of_structure(self) -> None:
        """What is being changed is waited for, and never put back."""
        path = self.done()
        journal = path.with_name("w.h5.undo")
        journal.write_bytes(b"")
        reader = self.watch("--watch=0.1", path)
        self.says(reader, "waiting: the structure of .*w.h5 is being changed")
        reader.wait_for_looks()
        self.assertEqual(reader.text.count("\n"), 1, reader.text)
        self.assertIsNone(reader.process.poll())
        self.assertTrue(journal.exists())
        journal.unlink()
        self.assertEqual(reader.end(), 0, reader.text)

    def test_damage(self) -> None:
        """What waiting does not cure ends it with the sentence and the exit code of `show`."""
        path = self.done()
        path.write_bytes(path.read_bytes()[:5000])
        shown = run_program("show", path, folder=self.folder)
        watched = run_program("show", "--watch=0.1", path, folder=self.folder)
        self.assertEqual(watched.code, FAILED)
        self.assertEqual(watched.errors, shown.errors)
        path.write_text("no HDF5", encoding="utf-8")
        watched = run_program("show", "--watch=0.1", path, folder=self.folder)
        self.assertEqual((watched.code, watched.output), (USAGE, ""))
        self.assertIn("is not an HDF5 file", watched.errors)

    def test_file_that_goes(self) -> None:
        """A file that is removed is waited for again."""
        job = self.endless()
        reader = self.watch("--watch=0.1", "w.h5")
        self.says(reader, "1 running\n")
        kill_all(job)
        place = self.says(reader, "no program is writing")
        self.file.unlink()
        place = self.says(reader, "waiting for w.h5, which is not there yet\n", place)
        self.done()
        self.assertEqual(reader.end(), 0, reader.text)
        self.says(reader, "1 run, 1 done\n", place)

    def test_reader_that_goes(self) -> None:
        """Nobody reads any more: it ends, while nothing new is to be said."""
        with subprocess.Popen(
            [program(), "show", "--watch=100", "nowhere.h5"],
            cwd=self.folder, env=environment(), stdout=subprocess.PIPE, text=True,
        ) as process:
            assert process.stdout is not None
            self.assertIn("waiting", process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(WAIT), STOPPED)

    def test_full_disk(self) -> None:
        """What cannot be written is an error."""
        with open("/dev/full", "wb") as full:
            told = subprocess.run(
                [program(), "show", "--watch", self.done()], cwd=self.folder, env=environment(),
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=WAIT, check=False,
            )
        self.assertEqual(told.returncode, FAILED)
        self.assertRegex(told.stderr, r"^widthwise: cannot write .*: No space left on device; .*\n$")

    def test_signals(self) -> None:
        """SIGINT and SIGTERM end it in the midst of a pause, also where it has several ranks."""
        for ranks in (None, 3):
            for number in (signal.SIGINT, signal.SIGTERM):
                process = start(
                    "show", "--watch=1000", "nowhere.h5", folder=self.folder, ranks=ranks
                )
                self.addCleanup(kill_all, process)
                assert process.stdout is not None
                self.assertIn("waiting", process.stdout.readline())
                process.send_signal(number)
                text, _ = process.communicate(timeout=WAIT)
                self.assertNotEqual(process.returncode, 0, text)
                if ranks is None:
                    self.assertEqual((process.returncode, text), (STOPPED, ""))

    def test_several_ranks(self) -> None:
        """One of them speaks."""
        self.done()
        shown = self.succeed("show", "--watch", self.file, ranks=3)
        self.assertEqual(shown.output.count("1 run, 1 done"), 1)

    def test_options(self) -> None:
        """Wrong options get one sentence."""
        for words, said in (
            (("--watch=x", "w.h5"), "show: --watch wants a number of seconds above 0, not `x`"),
            (("--watch=0", "w.h5"), "show: --watch wants a number of seconds above 0, not `0`"),
            (("--watch=0.01", "w.h5"), "show: --watch wants at least 0.1 seconds, not 0.01"),
            (("--watch=", "w.h5"), "show: --watch wants a number of seconds above 0, not ``"),
            (("--watch",), "show wants the file to tell of"),
            (("--watch", ""), "show: the name of the file is empty"),
            (("",), "show: the name of the file is empty"),
            (("--wacth", "w.h5"), "did you mean `--watch`"),
        ):
            told = run_program("show", *words, folder=self.folder)
            self.assertEqual((told.code, told.output), (USAGE, ""), told.text)
            self.assertIn(said, told.errors)
            self.assertEqual(told.errors.count("\n"), 1)


class TerminalTest(WatchTest):
    """What stands on a terminal."""

    def check_picture(self, terminal: Terminal) -> None:
        """Each line once, nothing left of pictures before, and nothing scrolled away."""
        screen = terminal.screen
        self.assertEqual(screen.scrolled, 0)
        self.assertTrue(screen.wraps)
        shown = screen.shown()
        self.assertLess(len(shown), screen.rows)
        self.assertEqual(sum("w.h5: " in line for line in shown), 1, shown)

    def test_in_place(self) -> None:
        """It is drawn again in place, also in another size, and Ctrl-C leaves all tidy."""
        terminal = self.terminal(20, 70)
        screen = terminal.screen
        self.assertTrue(terminal.wait(lambda: "waiting for" in screen.lines[0]))
        self.endless()
        moves = re.compile(r"  ▕.*▏ .*%  step \d+00000 of 100000000, .* steps/s")
        self.assertTrue(terminal.wait(lambda: moves.match(screen.lines[3]) is not None), screen.lines)
        frames = screen.frames
        self.assertTrue(terminal.wait(lambda: screen.frames > frames + 2))
        self.check_picture(terminal)
        narrow = screen.lines[3].index("▏ ")
        terminal.resize(9, 110)
        frames = screen.frames
        self.assertTrue(
            terminal.wait(lambda: screen.frames > frames and screen.lines[3].find("▏ ") > narrow),
            screen.lines,
        )
        self.check_picture(terminal)
        terminal.press(b"\x03")
        self.assertEqual(terminal.end(), STOPPED)
        self.check_picture(terminal)
        self.assertEqual((screen.lines[screen.row], screen.column), ("", 0))
        self.assertFalse(any("^C" in line for line in screen.lines), screen.lines)

    def test_more_runs_than_rows(self) -> None:
        """A line each, those that run first, the rest as numbers; then the end."""
        self.config.write_text(ENDLESS + SWEEP, encoding="utf-8")
        job = self.endless(ranks=4)
        for rows in (16, 9):
            terminal = self.terminal(rows, 100)
            screen = terminal.screen
            self.assertTrue(terminal.wait(lambda: "4 running, 2 not begun" in screen.lines[0]))
            frames = screen.frames
            self.assertTrue(terminal.wait(lambda: screen.frames > frames + 2))
            self.check_picture(terminal)
            lines = screen.shown()
            self.assertRegex(lines[1], r"%  of all work")
            self.assertRegex(lines[4], r"^  run +of +progress +left +loss +accuracy")
            runs = [line for line in lines if re.match(r"  run\d{4}  seed=\d  ▕", line)]
            self.assertEqual(len(runs), 4 if rows == 16 else 2, lines)
            self.assertEqual("  and 2 more running" in lines, rows == 9, lines)
            if rows == 9:
                (self.folder / "stop").touch()
                # Those that have not begun stay so, and nobody is left to begin them.
                note = "  no program is writing to it"
                self.assertTrue(
                    terminal.wait(lambda: any(line.startswith(note) for line in screen.lines)),
                    screen.lines,
                )
                self.assertIn("2 not begun, 4 stopped early", screen.lines[0])
                self.check_picture(terminal)
        job.communicate(timeout=WAIT)
        self.assertEqual(job.returncode, STOPPED)

    def test_end(self) -> None:
        """It ends with the last run, and the picture stays."""
        self.done()
        terminal = self.terminal(24, 80)
        self.assertEqual(terminal.end(), 0)
        self.check_picture(terminal)
        shown = terminal.screen.shown()
        self.assertIn("step 30 of 30, done", shown[3])
        self.assertIn("all runs have ended", " ".join(shown[-2:]))

    def test_after_a_pause(self) -> None:
        """Once it goes on after Ctrl-Z it stands below what was written meanwhile."""
        terminal = self.terminal(24, 80)
        screen = terminal.screen
        self.assertTrue(terminal.wait(lambda: screen.frames > 2))
        self.assertEqual(len(screen.shown()), 1)
        os.kill(terminal.process, signal.SIGSTOP)
        os.kill(terminal.process, signal.SIGCONT)
        self.assertTrue(terminal.wait(lambda: len(screen.shown()) > 1))
        frames = screen.frames
        self.assertTrue(terminal.wait(lambda: screen.frames > frames + 2))
        self.assertEqual(len(screen.shown()), 2)

    def test_without_cursor(self) -> None:
        """A terminal that cannot move its cursor gets plain blocks."""
        self.done()
        terminal = Terminal(
            "show", "--watch", self.file, folder=self.folder, rows=50, columns=120,
            more={"LC_ALL": "C", "TERM": "dumb"},
        )
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.screen.frames, 0)
        self.assertIn("100.0%", "".join(terminal.screen.lines))


if __name__ == "__main__":
    unittest.main()
