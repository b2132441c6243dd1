"""A crash after every single write, with several draws of what survives."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crash import (  # noqa: E402
    CHECKPOINTS,
    CONFIG,
    DEEP_CONFIG,
    MODES,
    SAMPLES_CONFIG,
    WINDOW_CONFIG,
    LoggedRun,
    check,
)

WEIGHTS = ("hidden_weights", "output_weights")


class EveryCrashTest(unittest.TestCase):
    """All states of one run."""

    def test_every_write(self) -> None:
        """Every record of the log, every mode, three draws."""
        self.check(CONFIG, *WEIGHTS, seeds=3)

    def test_every_write_of_engines(self) -> None:
        """The same of engines whose state is part of the checkpoints."""
        for text in (WINDOW_CONFIG, SAMPLES_CONFIG):
            self.check(text, *WEIGHTS, "engine_state", seeds=1)

    def test_every_write_of_a_deep_network(self) -> None:
        """The same of several hidden layers."""
        self.check(DEEP_CONFIG, *WEIGHTS, "hidden_weights_2", "hidden_weights_3", seeds=1)

    def check(self, text: str, *parts: str, seeds: int) -> None:
        """No state of a run of this configuration, whose checkpoints have these parts beside what
        quantities carry along, loses what was acknowledged."""
        with tempfile.TemporaryDirectory(prefix="widthwise-") as scratch:
            run = LoggedRun(Path(scratch), text)
            states = seeds * (run.count() + 1)  # of a mode: before each record, and after the last
            self.check_log(run, parts)
            findings = check(run, every=1, seeds=seeds)
        print(f"\n{findings.table()}", flush=True)
        self.assertEqual(findings.failures, [])
        self.assertEqual(tuple(findings.counts), MODES)
        for mode, counts in findings.counts.items():
            with self.subTest(mode):
                self.assertEqual(counts["states"], states)
                self.assertEqual(counts["equal"], states)
                self.assertEqual(counts["lost"], 0)
                self.assertGreater(counts["without_file"], 0)
                for name in ("opened", "verified", "resumed"):
                    self.assertEqual(counts[name], states - counts["without_file"], name)

    def check_log(self, run: LoggedRun, parts: tuple[str, ...]) -> None:
        """The log tells of every checkpoint, whole, in turn in both slots."""
        writes = run.checkpoint_writes()
        slots = {"checkpoint0": (CHECKPOINTS + 1) // 2, "checkpoint1": CHECKPOINTS // 2}
        self.assertEqual(
            set(writes), {f"{slot}/{part}" for slot in slots for part in ("carry", *parts)}
        )
        for slot, checkpoints in slots.items():
            self.assertEqual(writes[f"{slot}/carry"], checkpoints)  # one write of rank 0 each
            for part in parts:
                self.assertGreaterEqual(writes[f"{slot}/{part}"], checkpoints, f"{slot}/{part}")


if __name__ == "__main__":
    unittest.main()
