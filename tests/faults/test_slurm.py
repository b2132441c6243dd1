"""The shipped job scripts under a real Slurm: signals, requeues, arrays, lost nodes."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import run_program  # noqa: E402
from slurm_case import SlurmTest  # noqa: E402


class SlurmJobsTest(SlurmTest):
    """What can be tried without waiting for a time limit; test_slurm_long.py does that."""

    def test_signal_requeues_and_the_end_has_equal_bits(self) -> None:
        """SIGUSR1, as Slurm sends it before the limit, then a requeue by hand."""
        config = self.write_config("signal", 12000)
        output = self.folder / "signal.h5"
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=2",))
        self.wait_for_checkpoint(output)
        self.cluster.call("scancel", "--signal=USR1", job)
        self.cluster.wait_for(job, "PENDING")
        self.cluster.wait_for(job, "RUNNING")
        step = self.wait_for_checkpoint(output, self.checkpoint(output) or 0)
        self.cluster.call("scontrol", "requeue", job)
        self.cluster.wait_for(job, "PENDING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED")
        log = self.log_of(job)
        self.assertEqual(log.count("== "), log.count("\n== ") + 1)
        self.assertEqual(log.count(": start "), 3, log)
        self.assertRegex(log, "SIGUSR1|a signal to one of the ranks")
        self.assertIn("going on from step", log)
        self.assertGreaterEqual(step, 500)
        self.assert_complete(config, output, log=log)

    def test_array(self) -> None:
        """Four members, each in a job of its own."""
        config = self.write_config("array", 1000, "sweep: {seed: [1, 2, 3, 4]}\n")
        job = self.cluster.submit("array.sbatch", config, options=("--array=0-3", "--ntasks=1"))
        for member in range(4):
            self.assertEqual(
                self.cluster.wait_for(f"{job}_{member}"),
                "COMPLETED",
                self.log_of(f"{job}_{member}", "widthwise-array"),
            )
        for member in range(4):
            output = self.folder / f"array-{member:04}.h5"
            self.assert_complete(config, output, "--member", str(member))

    def test_scancel(self) -> None:
        """A cancelled job does not come back; its file is good and goes on by hand."""
        config = self.write_config("cancel", 8000)
        output = self.folder / "cancel.h5"
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=2",))
        self.wait_for_checkpoint(output)
        self.cluster.call("scancel", job)
        self.assertEqual(self.cluster.wait_for(job), "CANCELLED")
        self.cluster.wait(
            lambda: run_program("verify", output, folder=self.folder).code == 0,
            "the file is not good",
            20,
        )
        self.assertEqual(self.cluster.state(job), "CANCELLED")
        self.cluster.wait(  # its ranks have had time to end
            lambda: "written by another job"
            not in run_program("resume", output, "--until", "1", folder=self.folder).errors,
            "the lock is never given up",
            20,
        )
        done = run_program("resume", output, "-q", folder=self.folder, ranks=3)
        self.assertEqual(done.code, 0, done.text)
        self.assert_complete(config, output, log=self.log_of(job))

    def test_stop_file(self) -> None:
        """A file named `stop` ends the job for good, with a checkpoint."""
        place = self.folder / "stopped"
        place.mkdir()
        config = self.write_config("stopping", 100_000_000)
        output = place / "run.h5"
        job = self.cluster.submit("run.sbatch", config, "-o", output, options=("--ntasks=1",))
        self.wait_for_checkpoint(output)
        (place / "stop").touch()
        self.assertEqual(self.cluster.wait_for(job), "FAILED")
        self.assertEqual(self.cluster.field(job, "ExitCode"), "75:0")
        self.assertIn("stopped on request", self.log_of(job))

    def test_errors_do_not_come_back(self) -> None:
        """A configuration that is wrong ends the job with its sentence."""
        config = self.write_config("wrong", 100, "netwrok: {width: 3}\n")
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=1",))
        self.assertEqual(self.cluster.wait_for(job), "FAILED")
        self.assertEqual(self.cluster.field(job, "ExitCode"), "2:0")
        self.assertIn("netwrok", self.log_of(job))

    def test_preemption(self) -> None:
        """A job of more priority takes the node; the run goes on after it."""
        config = self.write_config("preempted", 6000)
        output = self.folder / "preempted.h5"
        job = self.cluster.submit(
            "run.sbatch", config, options=("--ntasks=2", "--nodes=1", "--nodelist=n3")
        )
        self.wait_for_checkpoint(output)
        sleep = ("--wrap", "sleep 1", "--output=/dev/null", "--exclusive", "--nodelist=n3")
        self.cluster.call("sbatch", "--partition=high", *sleep)
        self.cluster.wait_for(job, "PENDING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        log = self.log_of(job)
        self.assertIn("going on from step", log)
        self.assert_complete(config, output, log=log)


class LostNodeTest(SlurmTest):
    """A cluster of its own, since it loses a node."""

    NODES = 4

    def test_lost_node(self) -> None:
        """A job over three nodes loses one, is requeued on others, and ends with equal bits."""
        config = self.write_config("lost", 6000)
        output = self.folder / "lost.h5"
        job = self.cluster.submit(
            "run.sbatch", config, options=("--nodes=3", "--ntasks=3", "--nodelist=n2,n3,n4")
        )
        self.wait_for_checkpoint(output)
        self.cluster.lose_node("n3")
        self.cluster.call("scontrol", "update", f"jobid={job}", "nodelist=", check=False)
        self.cluster.wait_for(job, "PENDING", "RUNNING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        log = self.log_of(job)
        self.assertIn("going on from step", log)
        self.assertEqual(log.count(": start "), 2, log)
        self.assert_complete(config, output, log=log)


if __name__ == "__main__":
    unittest.main()
