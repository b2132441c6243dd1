"""Runs the configurations of jobs/, and holds what comes out to bounds."""

from __future__ import annotations

from program import SOURCE, ProgramTest

import widthwise  # program.py puts analysis/ on the path


class ShippedJobTest(ProgramTest):
    """A test of jobs/li-liang, or of another folder of jobs/."""

    jobs = "li-liang"

    def members(self, job: str, *settings: str) -> list[widthwise.Member]:
        """All runs of a job, done on 2 ranks."""
        path = self.folder / f"{job}.h5"
        config = SOURCE / "jobs" / self.jobs / f"{job}.yaml"
        words = [word for setting in settings for word in ("--set", setting)]
        self.succeed("run", config, "-o", path, "--quiet", *words, ranks=2, timeout=3000)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        return list(file.members)

    def expect(self, what: str, value: float, low: float, high: float) -> None:
        """Says a value with its bounds, and holds it to them."""
        print(f"{what:58s} {value:9.4f}   expected {low:g} to {high:g}", flush=True)
        self.assertGreaterEqual(value, low, what)
        self.assertLessEqual(value, high, what)
