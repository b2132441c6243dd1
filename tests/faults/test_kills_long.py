"""Hundreds of jobs that are killed at random moments."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_kills  # noqa: E402
from kills import CONFIG, DEEP_CONFIG, SAMPLES_CONFIG, SWEEP, WINDOW_CONFIG  # noqa: E402


class ManyKillsTest(test_kills.KillsTest):
    """As test_kills.py, more often."""

    def test_kills(self) -> None:
        """At least 300 kills."""
        self.check(CONFIG, kills=300, seed=2)

    def test_kills_of_a_sweep(self) -> None:
        """At least 100 while several members are written."""
        self.check(CONFIG + SWEEP, kills=100, seed=4)

    def test_kills_of_engines(self) -> None:
        """At least 100 of engines whose state is part of the checkpoints."""
        self.check(WINDOW_CONFIG, SAMPLES_CONFIG, kills=100, seed=6)

    def test_kills_of_a_deep_network(self) -> None:
        """At least 100 of several hidden layers."""
        self.check(DEEP_CONFIG, kills=100, seed=8)


if __name__ == "__main__":
    unittest.main(defaultTest="ManyKillsTest")
