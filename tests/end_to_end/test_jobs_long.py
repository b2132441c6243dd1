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

    def test_the_other_jobs_run(self) -> None:
        """The simplified case, exclusive or, and several widths end as they should."""
        for job in ("simplified", "xor", "figure1-widths"):
            for member in self.members(job):
                self.assertEqual(member.state.name.lower(), "done", f"{job} {member.label}")


if __name__ == "__main__":
    unittest.main()
