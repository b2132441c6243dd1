"""As test_damage.py, with hundreds of bits and ends."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_damage  # noqa: E402


class MuchDamageTest(test_damage.DamageTest):
    """More flips and cuts."""

    FLIPS = 300
    CUTS = 60


if __name__ == "__main__":
    unittest.main(defaultTest="MuchDamageTest")
