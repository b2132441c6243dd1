"""The shipped job scripts under a real Slurm, where time limits strike; they have a grain of a minute."""

from __future__ import annotations

import resource
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import result_differences  # noqa: E402
from program import run_program  # noqa: E402
from slurm_case import SlurmTest  # noqa: E402


class TimeLimitTest(SlurmTest):
    """Four jobs at once, each longer than its time limit of a minute."""

    NODES = 3
    LIMIT = ("--time=1", "--ntasks=1", "--nodes=1")

    def steps_of(self, seconds: float) -> int:
        """Steps that one run makes here in about so much time of a processor, whatever else the
        machine has to do meanwhile."""
        config = self.write_seldom("measure", 100_000_000)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_program(
            *("run", config, "-o", "measure.h5", "-q", "--wall-time", "0:0:10"), folder=self.folder
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertEqual(done.code, 75, done.text)
        steps = self.checkpoint(self.folder / "measure.h5")
        assert steps is not None
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return int(steps * seconds / spent)

    def test_the_limit_strikes(self) -> None:
        """A signal before it, the time the program knows of, the limit itself, and a chain."""
        # Well above two time limits: cores that others use too take more of their time for a step, so
        # that too few were counted.
        steps = self.steps_of(150)
        told = self.write_seldom("told", steps)
        knows = self.write_seldom("knows", steps)
        struck = self.write_seldom("struck", steps)
        chained = self.write_seldom("chained", steps)
        # Slurm sends a signal up to a minute early, so that one of 20 s comes within the minute.
        signal = self.cluster.submit(
            *("run.sbatch", told, "--wall-time", "none"),
            options=(*self.LIMIT, "--signal=USR1@20"),
        )
        timed = self.cluster.submit(
            "run.sbatch", knows, options=(*self.LIMIT, "--signal=USR1@0")
        )
        hit = self.cluster.submit(
            *("run.sbatch", struck, "--wall-time", "none"),
            options=(*self.LIMIT, "--signal=USR1@0"),
        )
        chain = self.run_script("chain.sh", 15, *self.LIMIT, "--signal=USR1@0", "--", chained)
        links = [line.split()[1] for line in chain.splitlines()]
        self.assertEqual(len(links), 15)

        for job, least in ((signal, 2), (timed, 2), (hit, 1)):
            self.cluster.wait(
                lambda: "exit code 0" in self.log_of(job), f"{job} is never done", 1200
            )
            # Slurm looks at the time seldom, and says TIMEOUT of what was done just after it.
            self.assertIn(self.cluster.wait_for(job), ("COMPLETED", "TIMEOUT"), self.log_of(job))
            log = self.log_of(job)
            self.assertGreaterEqual(log.count("back into the queue"), least, log)
            self.assertEqual(log.count(": start "), 1 + log.count("back into the queue"), log)
        self.assertRegex(self.log_of(signal), "SIGUSR1")
        self.assertIn("wall time", self.log_of(timed))
        self.assertRegex(self.log_of(hit), "SIGTERM")
        self.assertIn("DUE TO TIME LIMIT", self.log_of(hit))

        states = [self.cluster.wait_for(job, seconds=1200) for job in links]
        logs = "\n".join(self.log_of(job) for job in links)
        done = states.index("CANCELLED") - 1
        self.assertGreaterEqual(done, 2, logs)
        self.assertEqual(set(states[:done]), {"FAILED"}, logs)
        self.assertIn(states[done], ("COMPLETED", "TIMEOUT"), logs)
        self.assertEqual(set(states[done + 1 :]), {"CANCELLED"}, logs)
        self.assertIn("the next job of the chain goes on", logs)

        # All configurations are the same but for the names of their files.
        whole = self.folder / "whole.h5"
        made = run_program("run", told, "-o", whole, "-q", folder=self.folder, timeout=1200)
        self.assertEqual(made.code, 0, made.text)
        for config in (told, knows, struck, chained):
            output = self.folder / f"{config.stem}.h5"
            self.assertEqual(result_differences(whole, output), [], output.name)


if __name__ == "__main__":
    unittest.main()
