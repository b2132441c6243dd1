"""The shipped configurations that take minutes, as they stand, and what they must show.

Prints what was measured beside what is expected: `ctest -L long -R jobs --verbose`.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from shipped_jobs import ShippedJobTest  # noqa: E402

import li_liang  # noqa: E402  (program.py says where it is)
import li_liang_data  # noqa: E402
import widthwise  # noqa: E402


class JobsTest(ShippedJobTest):
    """Runs each on 2 ranks."""

    def test_figure2_on_fashion_mnist(self) -> None:
        """All of Fashion-MNIST, 20000 steps: not MNIST, and harder."""
        (member,) = self.members("figure2-fashion")
        accuracy = np.asarray(member.trajectory["test_accuracy"])
        coupling = np.asarray(member.trajectory["coupling"])
        self.expect("Fashion-MNIST: test accuracy at the end", accuracy[-1], 0.87, 0.91)
        self.expect("Fashion-MNIST: coupling at the end", coupling[-1], 0.35, 0.55)
        distance = float(np.asarray(member.final["distance_at_accuracy"]))
        self.expect("Fashion-MNIST: distance at 85% times sqrt(m)", distance * np.sqrt(1000.0), 7, 25)

    def test_random_labels(self) -> None:
        """The same inputs with random labels need more steps and go farther (LL section 4)."""
        kinds: dict[str, list[tuple[float, float]]] = {"true": [], "random": []}
        for member in self.members("random-labels"):
            kind = "random" if "random" in member.label else "true"
            self.assertGreaterEqual(member.trajectory["train_accuracy"][-1], 0.98, member.label)
            kinds[kind].append(
                (float(member.trajectory["step"][-1]), float(member.trajectory["distance"][-1]))
            )
        steps = {kind: np.mean([pair[0] for pair in pairs]) for kind, pairs in kinds.items()}
        distance = {kind: np.mean([pair[1] for pair in pairs]) for kind, pairs in kinds.items()}
        self.expect("steps to fit: random over true labels", steps["random"] / steps["true"], 10, 1e3)
        self.expect(
            "distance there: random over true labels", distance["random"] / distance["true"], 3, 1e3
        )

    def trainings(self, job: str) -> list[widthwise.Training]:
        """All runs of a job, replicas each for itself."""
        members = self.members(job)
        return [one for member in members for one in member.replica_runs() or [member]]

    def test_figures_4_and_5(self) -> None:
        """Steps to 98% do not depend on m, and the distance there goes like m^-1/2."""
        found = li_liang.targets(self.trainings("figure4"))
        self.assertEqual(len(found), 7 * 20)
        some = [one for one in found if 500 <= one.width <= 8000]
        self.expect("power of m that the steps go like", li_liang.flatness(some).exponent, -0.1, 0.1)
        for what, targets in (("all", found), ("500 to 8000", some)):
            exponent = li_liang.closeness(targets).exponent
            self.expect(f"power of m that the distance goes like, m = {what}", exponent, -0.53, -0.47)

    def test_figures_6_and_7(self) -> None:
        """Accuracy at 20 steps falls with the variance and with the components of a class."""
        for job, key in (("figure6", li_liang_data.VARIANCES), ("figure7", li_liang_data.COMPONENTS)):
            runs = self.trainings(job)
            values = li_liang_data.at_step(runs, key, "test_accuracy", 20)
            means = [float(np.mean(one)) for one in values.values()]
            print(job, dict(zip(values, means)), flush=True)
            self.assertEqual(len(means), 7)
            self.assertTrue(all(np.diff(means) <= 0), means)
            self.assertTrue(all(np.diff(means[1:]) < 0), means)
            self.expect(f"{job}: accuracy at 20 steps, first less last", means[0] - means[-1], 0.3, 0.9)
            if key == li_liang_data.COMPONENTS:
                coupling = li_liang_data.at_step(runs, key, "coupling", 20)
                self.assertTrue(all(np.diff([np.mean(one) for one in coupling.values()]) < 0))

    def test_the_other_jobs_run(self) -> None:
        """The simplified case, exclusive or, and several widths end as they should."""
        for job in ("simplified", "xor", "figure1-widths"):
            for member in self.members(job):
                self.assertEqual(member.state.name.lower(), "done", f"{job} {member.label}")


if __name__ == "__main__":
    unittest.main()
