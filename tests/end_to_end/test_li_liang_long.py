"""As test_li_liang.py, with the shipped configurations as they stand."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_li_liang  # noqa: E402


class AsShippedTest(test_li_liang.LiLiangTest):
    """Everything measured as often as it says there, of all seeds."""

    seeds1, settings1 = 5, ()
    seeds5, settings5 = 20, ()


if __name__ == "__main__":
    unittest.main(defaultTest="AsShippedTest")
