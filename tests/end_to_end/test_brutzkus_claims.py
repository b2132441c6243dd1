"""What Brutzkus et al. (2018) prove, held against the runs of jobs/brutzkus that take seconds."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from shipped_jobs import ShippedJobTest  # noqa: E402

# Of 36 shares one beyond this many standard deviations comes about once in 4000 times.
DEVIATIONS = 4.5


class ClaimsTest(ShippedJobTest):
    """Theorems 9 and 10."""

    jobs = "brutzkus"
    starts = 250  # of each setting of theorem 9; test_brutzkus_long.py has all

    def test_theorem_10(self) -> None:
        """All runs end in a global minimum, with a count between the two bounds."""
        members = self.members("theorem10")
        self.assertGreaterEqual(len(members), 60)
        closest, widest = np.inf, 0.0
        for member in members:
            trajectory, theory = member.trajectory, member.theory
            updates = trajectory["updates"][-1]
            self.assertEqual(trajectory["loss"][-1], 0.0, member.label)
            self.assertGreaterEqual(updates, theory["update_lower_bound"], member.label)
            self.assertLessEqual(updates, theory["update_bound"], member.label)
            closest = min(closest, updates / theory["update_lower_bound"])
            widest = max(widest, updates / theory["update_bound"])
            # The invariants of the proof: equations (9), (11) and (12), and proposition 1.
            rounding = 1 + 1e-12
            self.assertTrue((trajectory["cosine"] <= rounding).all(), member.label)
            self.assertTrue(
                (trajectory["weight_norm"] <= theory["norm_bound"][: member.rows] * rounding).all()
            )
            slack = 1e-9 * np.abs(trajectory["alignment"])
            self.assertTrue(
                (trajectory["alignment"] + slack >= theory["alignment_bound"][: member.rows]).all()
            )
            self.assertLess(trajectory["descent"][-1], 0.0)
            # ||w*|| is the root of d, and the certificates say so.
            norm = np.sqrt(member.parameters["dimension"])
            self.assertLessEqual(theory["separator_lower"], norm * rounding)
            self.assertGreaterEqual(theory["separator_upper"] * rounding, norm)
        print(f"updates over theorem 10's bound: at least {closest:.3f}")
        print(f"updates over theorem 2's bound: at most {widest:.3f}")

    def test_theorem_9(self) -> None:
        """Shares of successes against the exact probability and both thresholds."""
        members = self.members("theorem9", f"replicas={self.starts}")
        self.assertGreaterEqual(len(members), 36)
        farthest, most = 0.0, 0.0
        below = above = 0
        for member in members:
            theory = member.theory
            failure = float(member.setting("theory.failure_probability") or 0.0)
            half, d = member.parameters["width"] // 2, member.parameters["dimension"]
            exact = (1 - 0.5**half) ** d
            runs = member.replica_runs()
            self.assertEqual(len(runs), self.starts)
            ended = np.array([run.trajectory["violations"][-1] for run in runs]) == 0
            updates = np.array([run.trajectory["updates"][-1] for run in runs])
            # At rest: what is below margin has no active unit, so that no step changes a weight.
            left = np.array([run.trajectory["violations"][-1] for run in runs])
            dead = np.array([run.trajectory["dead_samples"][-1] for run in runs])
            np.testing.assert_array_equal(left, dead)
            deviation = max(np.sqrt(exact * (1 - exact) / len(runs)), 1 / len(runs))
            distance = abs(ended.mean() - exact) / deviation
            farthest = max(farthest, distance)
            self.assertLessEqual(distance, DEVIATIONS, member.label)
            first = theory["units_failure"][0], theory["units_success"][0]
            margin = DEVIATIONS * np.sqrt(failure * (1 - failure) / len(runs))
            if half <= first[0]:
                self.assertLessEqual(ended.mean(), failure + margin, member.label)
                below += 1
            if half >= first[1]:
                self.assertGreaterEqual(ended.mean(), 1 - failure - margin, member.label)
                above += 1
            if ended.any():
                cap = theory["iteration_cap"][0]
                self.assertLessEqual(updates[ended].max(), cap, member.label)
                most = max(most, updates[ended].max() / cap)
        self.assertGreater(below, 0)
        self.assertGreater(above, 0)
        print(f"farthest share from (1 - 2^-k)^d: {farthest:.2f} standard deviations")
        print(f"{below} settings at or below the threshold of failure, {above} above that of success")
        print(f"updates over the cap of theorem 9: at most {most:.3f}")


if __name__ == "__main__":
    unittest.main()
