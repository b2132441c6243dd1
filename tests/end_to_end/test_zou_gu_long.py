"""What Zou and Gu (2019) prove, held against the shipped configurations that take minutes.

Prints what was measured beside what is expected: `ctest -L long -R zou-gu --verbose`.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import FASHION  # noqa: E402
from shipped_jobs import ShippedJobTest  # noqa: E402

import zou_gu  # noqa: E402  (program.py says where it is)
import zou_gu_data  # noqa: E402
import zou_gu_runs  # noqa: E402
from arora import last_value  # noqa: E402


class ZouGuJobsTest(ShippedJobTest):
    """Runs each on 2 ranks."""

    jobs = "zou-gu"

    def test_rate(self) -> None:
        """Theorem 3.3 and lemma 4.1 at m = 1024."""
        for member in self.members("rate"):
            line = zou_gu_runs.line_of(member)
            self.expect(f"{member.label}: R^2", line.fit, 0.99, 1)
            self.expect(f"{member.label}: rate by the kernel's",
                        line.rate / zou_gu_runs.kernel_rate(member), 0.7, 1.5)
            ratio = member.trajectory["gradient_ratio"]
            self.expect(f"{member.label}: smallest gradient ratio", float(ratio.min()), 3, 1e3)

    def test_width(self) -> None:
        """Lemma 4.2 over m = 256 to 4096."""
        members = self.members("width")
        for depth in (1, 2, 3):
            group = [member for member in members if member.parameters["depth"] == depth]
            for name in ("trajectory_length", "spectral_distance"):
                slope = zou_gu.slope_over_widths(group, last_value(name))
                self.expect(f"L = {depth}: slope of {name}", slope, -0.65, -0.4)
        for member in members:
            # The proof asks for iterates within tau, by far too narrow; the gradient is bounded
            # from below all the same.
            self.assertGreater(member.trajectory["region_ratio"][-1], 1, member.label)
            self.assertGreater(member.trajectory["gradient_ratio"].min(), 1, member.label)
            self.assertLess(member.trajectory["trajectory_ratio"][-1], 1, member.label)
            self.assertEqual(member.final["region_overlap"], 0, member.label)

    def test_top_layer(self) -> None:
        """Section 4.3: with V trained the loss falls faster, by a share that goes like 1 / m."""
        rates: dict[tuple[int, bool], list[float]] = {}
        for member in self.members("top-layer"):
            trained = member.setting("network.train_output") == "true"
            rates.setdefault((member.parameters["width"], trained), []).append(
                zou_gu_runs.line_of(member).rate
            )
        gains = {
            width: float(np.mean(np.divide(rates[width, True], rates[width, False]) - 1))
            for width in (128, 512)
        }
        self.expect("m = 128: gain in rate with V trained", gains[128], 0.005, 0.05)
        self.expect("m = 512: gain in rate with V trained", gains[512], 0.0003, 0.01)
        self.expect("m = 128 over m = 512", gains[128] / gains[512], 2, 50)

    def test_separation(self) -> None:
        """Proposition 3.6: the smallest eigenvalue falls with phi, and the rate with it."""
        members = self.members("separation")
        for samples in (10, 20, 40):
            group = [member for member in members if member.parameters["train_samples"] == samples]
            phi = np.array([float(member.setting("data.sphere.separation")) for member in group])
            for kernel, spread in (("limit", 0.05), ("network", 0.6)):
                least = np.array([float(member.final[f"{kernel}_kernel_least"]) for member in group])
                slope = np.polyfit(np.log(phi), np.log(least), 1)[0]
                what = f"n = {samples}: slope of the {kernel}'s lambda_min against phi"
                self.expect(what, float(slope), 1 - spread, 1 + spread)
                self.assertTrue((least * samples**2 / phi > 1).all())  # C phi / n^2 with C = 1
            shares = np.array([zou_gu_runs.rate_of(run) / zou_gu_runs.kernel_rate(run) for run in group])
            what = f"n = {samples}: rate over that of the kernel"
            self.expect(what + ", phi = 0.5", float(shares[phi == 0.5].mean()), 0.3, 1)
            self.expect(what + ", phi = 0.02", float(shares[phi == 0.02].mean()), 0, 0.2)

    def test_arcs(self) -> None:
        """Nearly parallel samples: narrow networks lag behind their kernel, wide ones do not."""
        shares: dict[int, list[float]] = {}
        narrow: dict[int, int] = {}
        for member in self.members("arcs"):
            width = member.parameters["width"]
            shares.setdefault(width, []).append(zou_gu_runs.rate_of(member) / zou_gu_runs.kernel_rate(member))
            narrow[width] = narrow.get(width, 0) + zou_gu_data.is_too_narrow(member)
        self.expect("m = 256: rate over that of the kernel", float(np.mean(shares[256])), 0, 0.3)
        self.expect("m = 65536: the same", float(np.mean(shares[65536])), 0.5, 1.2)
        self.assertEqual((narrow[256], narrow[65536]), (3, 0))

    def test_sgd(self) -> None:
        """Batches of any size end at a loss of no more than a hundredth."""
        for member in self.members("sgd"):
            loss = member.trajectory["loss"]
            self.expect(f"{member.label}: loss over that at the start", loss[-1] / loss[0], 0, 0.01)

    def test_the_other_jobs_run(self) -> None:
        """Depth, and real images where they are installed, end as they should."""
        for job in ("depth", *(("fashion",) if FASHION.is_dir() else ())):
            for member in self.members(job):
                self.assertEqual(member.state.name.lower(), "done", f"{job} {member.label}")
                loss = member.trajectory["loss"]
                self.assertLess(loss[-1], loss[0], f"{job} {member.label}")


if __name__ == "__main__":
    unittest.main()
