"""Jobs that are killed at random moments lose nothing that was acknowledged."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from kills import CONFIG, DEEP_CONFIG, SWEEP, WINDOW_CONFIG, Chains  # noqa: E402
from program import ProgramTest  # noqa: E402


class KillsTest(ProgramTest):
    """SIGKILL to a whole job or to one of its ranks."""

    def test_kills(self) -> None:
        """A few kills; test_kills_long.py tries hundreds."""
        self.check(kills=10, seed=1)

    def test_kills_of_a_sweep(self) -> None:
        """Several members at once, each with its own commits."""
        self.check(kills=4, seed=3, text=CONFIG + SWEEP)

    def test_kills_of_a_window(self) -> None:
        """An engine whose state is part of the checkpoints."""
        self.check(kills=4, seed=5, text=WINDOW_CONFIG)

    def test_kills_of_a_deep_network(self) -> None:
        """Several hidden layers, in single precision."""
        self.check(kills=4, seed=7, text=DEEP_CONFIG)

    def check(self, kills: int, seed: int, text: str = CONFIG) -> None:
        """Chains of kills and restarts end with the bits of a run that was left alone."""
        tally = Chains(self.folder, seed, text).run(kills)
        print(f"\n{tally.table()}")
        self.assertEqual(tally.failures, [])
        self.assertEqual(tally.lost, 0)
        self.assertEqual(tally.equal, tally.chains)
        self.assertEqual(tally.opened + tally.before_the_file, tally.kills)


if __name__ == "__main__":
    unittest.main()
