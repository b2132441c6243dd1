"""A crash at any write, rebuilt from a log of all writes: nothing that was acknowledged is lost."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crash import CONFIG, DEEP_CONFIG, LoggedRun, check  # noqa: E402


class CrashReplayTest(unittest.TestCase):
    """A sample of all states, of an engine whose own state is in the checkpoints beside all else;
    test_crash_replay_long.py takes every one, of every engine."""

    run_under_test: LoggedRun

    @classmethod
    def setUpClass(cls) -> None:
        """Logs the run once."""
        scratch = tempfile.TemporaryDirectory(prefix="widthwise-")
        cls.addClassCleanup(scratch.cleanup)
        text = CONFIG.replace("training: {", "training: {engine: samples, ")
        cls.run_under_test = LoggedRun(Path(scratch.name), text)

    def test_every_crash_can_be_resumed(self) -> None:
        """Kill, power loss on one and on several nodes, torn writes."""
        findings = check(self.run_under_test, every=17)
        print(f"\n{findings.table()}")
        self.assertEqual(findings.failures, [])
        self.assertEqual(findings.total("lost"), 0)
        self.assertEqual(findings.total("equal"), findings.total("states"))
        with_file = findings.total("states") - findings.total("without_file")
        self.assertEqual(findings.total("opened"), with_file)
        self.assertGreater(with_file, 200)
        self.assertGreater(findings.total("without_file"), 20)

    def test_crashes_of_a_deep_network(self) -> None:
        """Several hidden layers: a few of the states."""
        with tempfile.TemporaryDirectory(prefix="widthwise-") as scratch:
            findings = check(LoggedRun(Path(scratch), DEEP_CONFIG), every=61)
        print(f"\n{findings.table()}")
        self.assertEqual(findings.failures, [])
        self.assertEqual(findings.total("lost"), 0)
        self.assertEqual(findings.total("equal"), findings.total("states"))

    def test_the_check_finds_what_syncs_are_for(self) -> None:
        """As if no sync ever came, states must be found that are damaged."""
        findings = check(
            self.run_under_test, modes=["power"], every=40, without_sync=True, workers=1
        )
        self.assertRegex("".join(findings.failures), "power, record [0-9]+ of [0-9]+, seed")


if __name__ == "__main__":
    unittest.main()
