"""Plans against runs of each kind on each of its numbers of ranks."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_plan  # noqa: E402


class EveryPlanTest(test_plan.PlanTest):
    """As test_plan.py, on more numbers of ranks."""

    every_number = True


if __name__ == "__main__":
    unittest.main(defaultTest="EveryPlanTest")
