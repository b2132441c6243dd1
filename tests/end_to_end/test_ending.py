"""A run that is asked to end early leaves a checkpoint, says so by its exit code, and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Callable, Mapping, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import result_differences  # noqa: E402
from processes import ranks_of, start  # noqa: E402
from program import ProgramTest  # noqa: E402

import widthwise  # noqa: E402

STOPPED = 75

# Long enough never to end by itself within a test; runs are compared after they were cut.
ENDLESS = """
name: ending
data:
  train: 100
  test: 50
  mixture: {dimension: 20, classes: 4, components: 2}
network: {width: 300}
training: {batch: 8, steps: 100000000, rate: 1.0}
measure: {every: 1000000, quantities: [loss, distance], final: []}
output: {checkpoint_every: 0}
"""

# Results take some seconds, each of the two.
RESULTS = """
name: ending
data: {train: 50, test: 50, mixture: {dimension: 1500, classes: 4, components: 2}}
network: {width: 2000}
training: {batch: 8, steps: 3, rate: 1.0}
measure: {every: 1, quantities: [loss], final: [update_spectrum, weight_spectrum]}
output: {checkpoint_every: 0}
"""

Act = Callable[[subprocess.Popen[str], Path], None]


def signal_launcher(number: signal.Signals) -> Act:
    """Sends a signal to what was started: the program, or the launcher above it."""
    return lambda process, folder: process.send_signal(number)


def signal_last_rank(number: signal.Signals) -> Act:
    """Sends a signal to one rank alone, that of the highest process number."""
    return lambda process, folder: os.kill(ranks_of(process)[-1], number)


def touch_stop(process: subprocess.Popen[str], folder: Path) -> None:
    """Makes or touches the file `stop` beside the output."""
    (folder / "stop").touch()


def wait(process: subprocess.Popen[str], folder: Path) -> None:
    """Does nothing: the wall time ends the job."""


class EndingTest(ProgramTest):
    """Every way to end, each on a run and on a run that was itself a restart."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "ending.yaml"
        self.config.write_text(ENDLESS, encoding="utf-8")
        self.file = self.folder / "ending.h5"

    def committed_step(self) -> int:
        """Step of the newest checkpoint."""
        with widthwise.open(self.file) as file:
            return int(file.members[0].checkpoint().step)

    def ended(
        self,
        act: Act,
        *arguments: str,
        ranks: Optional[int] = None,
        more: Optional[Mapping[str, str]] = None,
    ) -> str:
        """Starts the program, waits until it makes steps, acts, and expects exit code 75."""
        with start(*arguments, folder=self.folder, ranks=ranks, more=more) as process:
            try:
                self.wait_for_steps()
                act(process, self.folder)
                text, _ = process.communicate(timeout=60)
            finally:
                if process.poll() is None:
                    process.kill()
        self.assertEqual(process.returncode, STOPPED, text)
        self.assertEqual(text.count("with a checkpoint"), 1, text)
        return text

    def wait_for_steps(self) -> None:
        """Waits until this start has committed that it goes on: from then on it makes steps."""
        before = self.generation
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with widthwise.open(self.file) as file:
                    self.generation = file.members[0].page.generation
                    running = file.members[0].state == widthwise.State.RUNNING
                if running and self.generation > before:
                    time.sleep(0.3)
                    return
            except OSError:
                pass  # not there yet
            time.sleep(0.05)
        self.fail("the program never began")

    generation = -1

    def twice(
        self,
        act: Act,
        reason: str,
        ranks: Optional[int],
        options: Callable[[], list[str]] = list,
        more: Callable[[], dict[str, str]] = dict,
    ) -> None:
        """Ends a run, then its restart, the same way; the result is that of a run of such length."""
        self.generation = -1
        begin = ("run", str(self.config), "-o", str(self.file))
        self.assertIn(
            reason, self.ended(act, *begin, *options(), ranks=ranks, more=more())
        )
        first = self.committed_step()
        self.assertGreater(first, 0)
        self.assertIn(
            reason,
            self.ended(act, "resume", str(self.file), *options(), ranks=ranks, more=more()),
        )
        second = self.committed_step()
        self.assertGreater(second, first)
        whole = self.folder / "whole.h5"
        self.succeed(
            *("run", self.config, "-o", whole, "-q", "--until", str(second)), code=STOPPED
        )
        self.assertEqual(result_differences(whole, self.file), [])

    def test_sigterm(self) -> None:
        """SIGTERM to a process without launcher."""
        self.twice(signal_launcher(signal.SIGTERM), "SIGTERM", None)

    def test_interrupt(self) -> None:
        """Ctrl-C."""
        self.twice(signal_launcher(signal.SIGINT), "SIGINT", None)

    def test_signal_through_the_launcher(self) -> None:
        """SIGUSR1 to mpirun, which hands it on."""
        self.twice(signal_launcher(signal.SIGUSR1), "SIGUSR1", 2)

    def test_signal_to_one_rank(self) -> None:
        """A signal that reaches one rank of three ends all of them."""
        self.twice(signal_last_rank(signal.SIGTERM), "checkpoint: ", 3)

    def test_wall_time(self) -> None:
        """The wall time; it is over before the limit."""
        self.twice(wait, "the end of the wall time", 2, options=lambda: ["--wall-time", "0:02"])

    def test_scheduler_tells_the_wall_time(self) -> None:
        """The end of the job as Slurm tells it."""
        self.twice(
            wait,
            "the end of the wall time",
            None,
            more=lambda: {"SLURM_JOB_END_TIME": str(int(time.time()) + 3)},
        )

    def test_stop_file(self) -> None:
        """A file named `stop`: the one that is left from the first time does not end the second."""
        self.twice(touch_stop, "the file `stop`", 2)

    def test_wall_time_that_is_none(self) -> None:
        """Wrong durations are refused before anything is made."""
        for text in ("0", "ten", "1:2:3:4", "-3"):
            result = self.succeed(
                *("run", self.config, "-o", self.file, f"--wall-time={text}"), code=2
            )
            self.assertEqual(result.errors.count("--wall-time"), 1, result.errors)
            self.assertFalse(self.file.exists())

    def test_a_second_signal(self) -> None:
        """Whoever asks twice gets the same exit code."""

        def signal_twice(process: subprocess.Popen[str], folder: Path) -> None:
            for _ in range(20):
                process.send_signal(signal.SIGUSR1)
                time.sleep(0.005)
                process.send_signal(signal.SIGTERM)
                if process.poll() is not None:
                    break

        self.ended(signal_twice, "run", str(self.config), "-o", str(self.file))

    def test_a_signal_while_it_starts(self) -> None:
        """A job that is told to end before its first step has a file to go on with."""
        with start("run", str(self.config), "-o", str(self.file), folder=self.folder) as process:
            deadline = time.monotonic() + 60
            while not self.catches(process.pid, signal.SIGTERM):
                self.assertLess(time.monotonic(), deadline)
            process.send_signal(signal.SIGTERM)
            text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, STOPPED, text)
        until = ("-q", "--until", "10")
        self.succeed("resume", self.file, *until, ranks=2, code=STOPPED)
        whole = self.folder / "whole.h5"
        self.succeed("run", self.config, "-o", whole, *until, code=STOPPED)
        self.assertEqual(result_differences(whole, self.file), [])

    @staticmethod
    def catches(process: int, number: signal.Signals) -> bool:
        """Whether a process has a handler for a signal by now."""
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
        return False

    def test_results_that_take_long(self) -> None:
        """The end may come when only results are left to be computed."""
        self.config.write_text(RESULTS, encoding="utf-8")
        begin = ("run", str(self.config), "-o", str(self.file))
        with start(*begin, folder=self.folder, ranks=2) as process:
            deadline = time.monotonic() + 120
            while True:
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(process.poll())
                time.sleep(0.02)
                try:
                    if self.committed_step() == 3:
                        break
                except (OSError, AttributeError):
                    pass  # no file, no checkpoint yet
            process.send_signal(signal.SIGUSR1)
            text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, STOPPED, text)
        self.assertIn("results are still to be computed: SIGUSR1", text)
        self.succeed("resume", self.file, "-q", ranks=3)
        whole = self.folder / "whole.h5"
        self.succeed("run", self.config, "-o", whole, "-q")
        self.assertEqual(result_differences(whole, self.file), [])

    def test_announced_too_early(self) -> None:
        """SIGUSR1 before the first step: a job with so short a limit would come back for ever."""
        with start("run", str(self.config), "-o", str(self.file), folder=self.folder) as process:
            deadline = time.monotonic() + 60
            while not self.catches(process.pid, signal.SIGUSR1):
                self.assertLess(time.monotonic(), deadline)
            process.send_signal(signal.SIGUSR1)
            text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, text)
        self.assertIn("no step was made", text)

    def test_no_time_at_all(self) -> None:
        """A start that brings nothing forward is a failure: else a job would come back for ever."""
        over = {"SLURM_JOB_END_TIME": str(int(time.time()) - 1)}
        for command in (("run", str(self.config), "-o", str(self.file)), ("resume", str(self.file))):
            with start(*command, folder=self.folder, ranks=2, more=over) as process:
                text, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, text)
            self.assertEqual(text.count("no step was made before the end of the wall time was near"), 1, text)

    def test_members_that_wait(self) -> None:
        """The members of a sweep that follow wait for the restart, which ends with the same bits."""
        self.config.write_text(ENDLESS + "sweep: {seed: [1, 2, 3]}\n", encoding="utf-8")
        self.ended(
            signal_launcher(signal.SIGTERM), *("run", str(self.config), "-o", str(self.file))
        )
        with widthwise.open(self.file) as file:
            states = [member.state for member in file.members]
        self.assertEqual(
            states, [widthwise.State.STOPPED, widthwise.State.WAITING, widthwise.State.WAITING]
        )
        until = ("-q", "--until", str(self.committed_step() + 10))
        whole = self.folder / "whole.h5"
        self.succeed("resume", self.file, *until, ranks=3, code=STOPPED)
        self.succeed("run", self.config, "-o", whole, *until, ranks=2, code=STOPPED)
        self.assertEqual(result_differences(whole, self.file), [])


if __name__ == "__main__":
    unittest.main()
