"""The jobs of jobs/brutzkus as they stand, held to what the paper shows."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
import test_brutzkus_claims  # noqa: E402
from program import FASHION  # noqa: E402
from shipped_jobs import ShippedJobTest  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)


def ends(member: widthwise.Member, name: str) -> np.ndarray:
    """Last values of a quantity, one a replica."""
    return np.array([float(run.trajectory[name][-1]) for run in member.replica_runs()])


@unittest.skipUnless(FASHION.is_dir(), "Debian's dataset-fashion-mnist is not installed")
class BrutzkusLongTest(ShippedJobTest):
    """Figures 1 to 3 and corollary 3."""

    jobs = "brutzkus"

    def test_figure_1(self) -> None:
        """Every run ends at zero loss, after as many updates whatever the width."""
        means = []
        for member in self.members("figure1-fashion"):
            self.assertEqual(len(member.replica_runs()), 40)
            updates = ends(member, "updates")
            bound = member.theory["update_bound"]
            width = member.parameters["width"]
            means.append(updates.mean())
            self.assertTrue((ends(member, "loss") == 0.0).all())
            self.assertTrue((updates <= bound).all())
            self.expect(f"updates, m = {width}", updates.mean(), 2000, 8000)
            error = 100 * (1 - ends(member, "test_accuracy").mean())
            self.expect(f"test error in %, m = {width}", error, 0.3, 3.0)
            self.expect(f"updates over theorem 2, m = {width}", (updates / bound).max(), 0.0, 1.0)
        self.expect("most over fewest updates of the widths", max(means) / min(means), 1.0, 1.5)

    def test_figure_2(self) -> None:
        """The same where the second layer is trained too."""
        for member in self.members("figure2-fashion"):
            width = member.parameters["width"]
            self.assertTrue((ends(member, "loss") == 0.0).all())
            error = 100 * (1 - ends(member, "test_accuracy").mean())
            self.expect(f"test error in %, m = {width}", error, 0.3, 3.0)

    def test_figure_3(self) -> None:
        """With small rates no weight of the second layer changes its sign."""
        for member in self.members("figure3-fashion"):
            width = member.parameters["width"]
            self.assertTrue((ends(member, "loss") == 0.0).all())
            lowest = min(float(run.trajectory["output_ratio_min"].min()) for run in member.replica_runs())
            highest = max(float(run.trajectory["output_ratio_max"].max()) for run in member.replica_runs())
            self.expect(f"smallest v_t / v_0, m = {width}", lowest, 0.0, 1.0)
            self.expect(f"largest v_t / v_0, m = {width}", highest, 1.0, 1e3)
            self.assertTrue((ends(member, "updates") <= member.theory["update_bound"]).all())

    def test_rates(self) -> None:
        """Fewer updates at larger rates, always below the bound."""
        counts = []
        for member in self.members("rates"):
            updates = ends(member, "updates")
            self.assertTrue((ends(member, "loss") == 0.0).all())
            self.assertTrue((updates <= member.theory["update_bound"]).all())
            counts.append(updates.mean())
            rate = float(member.parameters["learning_rate"])
            self.expect(f"updates, rate {rate:g}", counts[-1], 1000, 20000)
        self.assertLess(counts[-1], counts[0])


class AllStartsTest(test_brutzkus_claims.ClaimsTest):
    """Theorems 9 and 10, from as many starts as the configurations have."""

    starts = 1000


if __name__ == "__main__":
    unittest.main()
