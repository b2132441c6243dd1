"""Three hundred jobs that are killed at random moments."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_kills  # noqa: E402


class ManyKillsTest(test_kills.KillsTest):
    """As test_kills.py, more often."""

    def test_kills(self) -> None:
        """At least 300 kills."""
        self.check(kills=300, seed=2)


if __name__ == "__main__":
    unittest.main(defaultTest="ManyKillsTest")
