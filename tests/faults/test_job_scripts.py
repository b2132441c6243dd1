"""Job scripts with stand-ins for Slurm's commands and the program: what seldom happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import SOURCE, ProgramTest, environment, mpi  # noqa: E402

# What Slurm tells of a job. It answers after as many refusals as the file `refusals` has lines.
SCONTROL = """#!/usr/bin/env bash
echo "$*" >>calls
if [ -s refusals ]; then
    sed -i 1d refusals
    exit 1
fi
[ "$1" = show ] || exit 0
cat <<END
JobId=7 JobName=widthwise
   JobState=$(cat state) Reason=None Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   StartTime=2026-01-01T00:00:00 EndTime=Unknown Deadline=N/A
   PreemptEligibleTime=2026-01-01T00:00:00 PreemptTime=None
   Command=SCRIPT one.yaml --set Reason=Restarts
END
"""
SRUN = """#!/usr/bin/env bash
while [[ $1 = --* ]]; do shift; done
exec "$@"
"""


class StandInTest(ProgramTest):
    """Starts run.sbatch by itself, as the batch shell of job 7."""

    def setUp(self) -> None:
        """Puts the stand-ins into a folder for the PATH; pauses take no time."""
        super().setUp()
        script = str(SOURCE / "jobs" / "run.sbatch")
        for name, text in (
            ("scontrol", SCONTROL.replace("SCRIPT", script)),
            ("srun", SRUN),
            ("sleep", "#!/bin/sh\n"),
        ):
            path = self.folder / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        self.say("state", "RUNNING")

    def say(self, name: str, text: str) -> None:
        """Writes one of the small files."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *lines: str, code: int = 75) -> str:
        """One start of the job, with a program that does the first of the lines; its log."""
        self.say("one.yaml", "\n".join(lines) + "\n")
        (self.folder / "calls").unlink(missing_ok=True)
        for old in self.folder.glob("one.h5*"):
            old.unlink()
        done = subprocess.run(
            ["bash", str(SOURCE / "jobs" / "run.sbatch"), "one.yaml"],
            cwd=self.folder,
            env=environment(
                {
                    "PATH": f"{self.folder}:{os.environ['PATH']}",
                    "SLURM_JOB_ID": "7",
                    "WIDTHWISE": str(SOURCE / "tests" / "support" / "scripted_program"),
                }
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def wait_for(self, name: str, seconds: float) -> None:
        """Waits for a file, so long at most."""
        deadline = time.monotonic() + seconds
        while not (self.folder / name).exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    def requeues(self) -> int:
        """How often the job was put back."""
        return (self.folder / "calls").read_text(encoding="utf-8").count("requeue 7\n")

    def test_busy_controller(self) -> None:
        """Slurm does not answer at first: when the job begins, at its end, and to the requeue."""
        self.say("refusals", "no\nno\n")
        self.start("printf 'no\\nno\\n' >refusals; exit 75")
        self.assertEqual(self.requeues(), 1)

    def test_busy_requeue(self) -> None:
        """The requeue itself is refused once."""
        text = (self.folder / "scontrol").read_text(encoding="utf-8")
        once = "{ [ -e asked ]; code=$?; touch asked; exit $code; }"
        self.say("scontrol", text.replace("exit 0", once))
        log = self.start("exit 75")
        self.assertEqual(self.requeues(), 2)
        self.assertNotIn("refuses", log)

    def test_silent_controller(self) -> None:
        """It never answers: only a job that was not told to end tries to come back."""
        silence = "yes no | head -n 99 >refusals; "
        self.assertIn("Slurm refuses", self.start(f"{silence} exit 75"))
        self.assertGreater(self.requeues(), 1)
        self.say("refusals", "")
        self.assertIn("does not tell why", self.start(f"{silence} signal_shells TERM; exit 75"))
        self.assertEqual(self.requeues(), 0)

    def test_signal_at_the_end(self) -> None:
        """The exit code is the program's, also when a signal comes to the shell while it ends."""
        for _ in range(10):
            for name in ("USR1", "TERM"):
                self.assertIn("exit code 75", self.start(f"signal_shells {name}; exit 75"))
                self.assertIn("exit code 0", self.start(f"signal_shells {name}; exit 0", code=0))

    def test_mpirun_waits(self) -> None:
        """As site.sh sets it, mpirun leaves ranks the time for a checkpoint after SIGTERM."""
        checkpoint = "kill %1; sleep 3; touch ended; exit 75"
        self.say("two.yaml", f"trap '{checkpoint}' TERM; wait_for_signal\n")
        program = SOURCE / "tests" / "support" / "scripted_program"
        settings = f"REPOSITORY='{SOURCE}'; . '{SOURCE}/jobs/site.sh'; exec \"$@\""
        command = [*mpi(1), str(program), "run", "two.yaml", "-o", "two.h5"]
        with subprocess.Popen(
            ["bash", "-c", settings, "-", *command],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as started:
            self.wait_for("two.h5.rank-0", 60)
            time.sleep(0.5)
            started.terminate()
            self.wait_for("ended", 30)
            started.kill()  # it waits on for nothing
        self.assertTrue((self.folder / "ended").exists())

    def test_cancelled(self) -> None:
        """A requeue would bring it back."""
        self.assertIn("cancelled", self.start("echo COMPLETING >state; exit 75"))
        self.assertEqual(self.requeues(), 0)


if __name__ == "__main__":
    unittest.main()
