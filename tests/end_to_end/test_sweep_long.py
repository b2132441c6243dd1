"""Li & Liang's figure 4 as one job, killed twice: bits of each run alone, and the paper's numbers."""

from __future__ import annotations

import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import bits, datasets, newest_checkpoint  # noqa: E402
from processes import kill_all, start  # noqa: E402
from program import SOURCE, ProgramTest  # noqa: E402

import widthwise  # noqa: E402

CONFIG = SOURCE / "jobs" / "li-liang" / "figure4.yaml"
MEMBERS = 35


class FigureFourTest(ProgramTest):
    """7 widths, 5 seeds."""

    def kill_when(self, done: int, *command: object, ranks: int) -> None:
        """Starts a job and kills it when so many members are done, and some are at work."""
        job = start(*command, folder=self.folder, ranks=ranks)
        self.addCleanup(kill_all, job)
        deadline = time.monotonic() + 900
        while True:
            self.assertIsNone(job.poll(), "the job ended before it was killed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
            try:
                with widthwise.open(self.folder / "figure4.h5") as file:
                    states = [run.state for run in file.members]
            except OSError:
                continue  # not there yet
            if states.count(widthwise.State.DONE) >= done and widthwise.State.RUNNING in states:
                break
        kill_all(job)

    def test_killed_twice(self) -> None:
        """Begun on 2 ranks, resumed on 1, and on 3."""
        path = self.folder / "figure4.h5"
        self.kill_when(8, "run", CONFIG, "-o", path, ranks=2)
        self.kill_when(16, "resume", path, ranks=1)
        began = time.monotonic()
        result = self.succeed("resume", path, ranks=3, timeout=1800)
        print(f"\nresumed on 3 ranks in {time.monotonic() - began:.0f} s")
        print(re.findall(r"ranks were at work.*", result.output)[0])
        for index in range(MEMBERS):
            alone = self.folder / "alone.h5"
            self.succeed(
                *("run", CONFIG, "--member", str(index), "-o", alone, "--force", "-q"),
                ranks=(None, 2)[index % 2],
                timeout=1800,
            )
            name = f"run{index:04}"
            with h5py.File(path) as one, h5py.File(alone) as other:
                for place, dataset in datasets(other, f"/runs/{name}").items():
                    self.assertEqual(bits(one[place]), bits(dataset), place)
                self.assertEqual(newest_checkpoint(one, name), newest_checkpoint(other, name))
        print(f"{MEMBERS} runs have the bits that they have alone")
        self.check_figure(path)

    def check_figure(self, path: Path) -> None:
        """Steps are about the same at all widths; distances fall like m^-1/2."""
        steps: dict[int, list[float]] = {}
        distances: dict[int, list[float]] = {}
        with widthwise.open(path) as file:
            for run in file.members:
                width = int(run.parameters["width"])
                steps.setdefault(width, []).append(float(run.final["steps_to_accuracy"]))
                distances.setdefault(width, []).append(
                    float(run.final["distance_at_accuracy"]) * np.sqrt(width)
                )
        print("width, mean steps to 98%, mean distance x sqrt(width):")
        for width, found in steps.items():
            print(f"  {width:6}  {np.mean(found):5.1f}  {np.mean(distances[width]):.3f}")
        wide = [np.mean(found) for width, found in steps.items() if width >= 1000]
        self.assertLess(max(wide), 1.5 * min(wide))
        for width, found in distances.items():
            if width >= 1000:
                self.assertGreater(np.mean(found), 0.5)
                self.assertLess(np.mean(found), 0.8)


if __name__ == "__main__":
    unittest.main()
