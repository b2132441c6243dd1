"""Jobs that are killed at random moments lose nothing that was acknowledged."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from kills import (  # noqa: E402
    CONFIG,
    DEEP_CONFIG,
    GROUPS_CONFIG,
    SAMPLES_CONFIG,
    SWEEP,
    WINDOW_CONFIG,
    Chains,
)
from program import ProgramTest  # noqa: E402


class KillsTest(ProgramTest):
    """SIGKILL to a whole job or to one of its ranks."""

    def test_kills(self) -> None:
        """A few kills; test_kills_long.py tries hundreds."""
        self.check(CONFIG, kills=10, seed=1)

    def test_kills_of_a_sweep(self) -> None:
        """Several members at once, each with its own commits."""
        self.check(CONFIG + SWEEP, kills=4, seed=3)

    def test_kills_of_engines(self) -> None:
        """Engines whose state is part of the checkpoints, in turn."""
        self.check(WINDOW_CONFIG, SAMPLES_CONFIG, kills=4, seed=5)

    def test_kills_of_groups(self) -> None:
        """Samples divided over groups of ranks, whose number changes from start to start."""
        self.check(GROUPS_CONFIG, kills=4, seed=11)

    def test_kills_of_a_deep_network(self) -> None:
        """Several hidden layers, in single precision."""
        self.check(DEEP_CONFIG, kills=4, seed=7)

    def check(self, *texts: str, kills: int, seed: int) -> None:
        """Chains of kills and restarts end with the bits of a run that was left alone."""
        tally = Chains(self.folder, seed, *texts).run(kills)
        print(f"\n{tally.table()}")
        self.assertEqual(tally.failures, [])
        self.assertEqual(tally.lost, 0)
        self.assertEqual(tally.equal, tally.chains)
        self.assertEqual(tally.opened + tally.before_the_file, tally.kills)
        self.assertLessEqual(tally.launchers, 2 + tally.of_one_rank // 10)


if __name__ == "__main__":
    unittest.main()
