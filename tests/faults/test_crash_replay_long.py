"""A crash after every single write, with several draws of what survives."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crash import CONFIG, DEEP_CONFIG, SAMPLES_CONFIG, WINDOW_CONFIG, LoggedRun, check  # noqa: E402


class EveryCrashTest(unittest.TestCase):
    """All states of one run."""

    def test_every_write(self) -> None:
        """Every record of the log, every mode, three draws."""
        self.check(CONFIG, seeds=3)

    def test_every_write_of_engines(self) -> None:
        """The same of engines whose state is part of the checkpoints."""
        self.check(WINDOW_CONFIG, seeds=1)
        self.check(SAMPLES_CONFIG, seeds=1)

    def test_every_write_of_a_deep_network(self) -> None:
        """The same of several hidden layers."""
        self.check(DEEP_CONFIG, seeds=1)

    def check(self, text: str, seeds: int) -> None:
        """No state of a run of this configuration loses what was acknowledged."""
        with tempfile.TemporaryDirectory(prefix="widthwise-") as scratch:
            findings = check(LoggedRun(Path(scratch), text), every=1, seeds=seeds)
        print(f"\n{findings.table()}")
        self.assertEqual(findings.failures, [])
        self.assertEqual(findings.total("lost"), 0)
        self.assertEqual(findings.total("equal"), findings.total("states"))
        self.assertGreater(findings.total("states"), 5000)


if __name__ == "__main__":
    unittest.main()
