"""What the tests under Slurm share: a cluster, a run that lasts, and comparisons."""

from __future__ import annotations

import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Optional

import slurm
from compare import result_differences
from program import SOURCE, run_program

import widthwise

# Lasts as long as the number of steps says; rows and checkpoints come often.
CONFIG = """
name: job
data: {{train: 200, test: 100, mixture: {{dimension: 200, classes: 4, components: 2}}}}
network: {{width: 1000}}
training: {{batch: 16, steps: {steps}, rate: 1.0}}
measure: {{every: 500, quantities: [loss, distance], final: [update_spectrum]}}
output: {{checkpoint_every: 500}}
"""

# Checkpoints are so far apart that most of the work is lost unless the end is announced.
SELDOM = CONFIG.replace("checkpoint_every: 500", "checkpoint_every: 1000000, commit_seconds: 0.5")


class SlurmTest(unittest.TestCase):
    """A cluster for all tests of a class."""

    cluster: slurm.Cluster
    folder: Path
    NODES = 3
    CORES = 2

    @classmethod
    def setUpClass(cls) -> None:
        """Starts the cluster, or skips all."""
        reason = slurm.why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)
        scratch = tempfile.TemporaryDirectory(prefix="widthwise-slurm-", ignore_cleanup_errors=True)
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.cluster = slurm.Cluster(cls.folder, nodes=cls.NODES, cores=cls.CORES)
        cls.addClassCleanup(cls.cluster.stop)

    def write_config(self, name: str, steps: int, more: str = "") -> Path:
        """A configuration in the folder that jobs are submitted from."""
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(steps=steps) + more, encoding="utf-8")
        return path

    def write_seldom(self, name: str, steps: int) -> Path:
        """A configuration with one checkpoint at the end only."""
        path = self.folder / f"{name}.yaml"
        path.write_text(SELDOM.format(steps=steps), encoding="utf-8")
        return path

    @staticmethod
    def recorded(path: Path) -> int:
        """Step of the newest record."""
        try:
            with widthwise.open(path) as file:
                return int(file.members[0].trajectory["step"][-1])
        except (OSError, widthwise.FormatError, KeyError, IndexError):
            return -1

    def wait_for_checkpoint(self, path: Path, beyond: int = 0, seconds: float = 90) -> int:
        """Waits until a file has a checkpoint of a step beyond a given one; its step."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            step = self.checkpoint(path)
            if step is not None and step > beyond:
                return step
            time.sleep(0.1)
        jobs = self.cluster.call("squeue", "--long", check=False)
        logs = (f"{log.name}:\n{log.read_text()}" for log in sorted(self.folder.glob("*.log")))
        self.fail("\n".join([f"{path.name} has no checkpoint beyond step {beyond}", jobs, *logs]))

    @staticmethod
    def checkpoint(path: Path) -> Optional[int]:
        """Step of the newest checkpoint."""
        try:
            with widthwise.open(path) as file:
                found = file.members[0].checkpoint()
                return None if found is None else int(found.step)
        except (OSError, widthwise.FormatError, KeyError):
            return None

    @classmethod
    def log_of(cls, job: str, name: str = "widthwise") -> str:
        """The log of a job."""
        path = cls.folder / f"{name}-{job}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def assert_complete(self, config: Path, output: Path, *more: str, log: str = "") -> None:
        """The file is as one that was made without Slurm, in one go."""
        whole = output.with_name(f"whole-{output.name}")
        done = run_program("run", config, "-o", whole, "-q", *more, folder=self.folder, ranks=2)
        self.assertEqual(done.code, 0, done.text)
        self.assertEqual(result_differences(whole, output), [], log)

    @classmethod
    def run_script(cls, script: str, *arguments: object) -> str:
        """Runs a script of jobs/ that is not itself a job."""
        done = subprocess.run(
            [str(SOURCE / "jobs" / script), *map(str, arguments)],
            cwd=cls.folder,
            env=cls.cluster.variables(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout
