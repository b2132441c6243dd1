"""--profile: phases that add up, calls of MPI that are all counted, and results that stay the same."""

from __future__ import annotations

import json
import os
import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import ProgramTest, Result, execute, mpi, program  # noqa: E402

import h5py  # noqa: E402
import numpy as np  # noqa: E402

STEPS = 40
CONFIG = f"""
name: profiled
model: li-liang
data: {{train: 60, test: 20, mixture: {{dimension: 12, classes: 3}}}}
network: {{width: 600}}
training: {{batch: 8, steps: {STEPS}, rate: 1.0, engine: dense}}
measure: {{every: 4, quantities: [loss, test_accuracy], final: [update_spectrum], snapshots: [10]}}
output: {{checkpoint_every: 15}}
"""


def by_phase(profile: dict) -> dict[str, dict]:
    """Phases of a profile by their names."""
    return {phase["phase"]: phase for phase in profile["phases"]}


def calls_in(profile: dict, phase: str) -> list[dict]:
    """Calls of one phase."""
    return [call for call in profile["calls"] if call["phase"] == phase]


def calls_of(profile: dict, kind: str, number: str) -> int:
    """Calls (or bytes) of one kind in all phases, of all ranks."""
    calls = [call for call in profile["calls"] if call["call"] == kind]
    return round(profile["ranks"] * sum(call[number]["mean"] for call in calls))


class Profile(ProgramTest):
    """What a user reads and writes."""

    def profiled(
        self, *arguments: str, ranks: Optional[int] = None, name: str = "run", code: int = 0
    ) -> tuple[dict, Result]:
        """A command with --profile=FILE: what is in FILE, and what was printed."""
        path = self.folder / f"{name}.json"
        result = self.succeed(*arguments, f"--profile={path}", ranks=ranks, code=code)
        return json.loads(path.read_text(encoding="utf-8")), result

    def configured(self, text: str = CONFIG, name: str = "run") -> tuple[str, str, str, str]:
        """A run of a configuration, into a file."""
        path = self.folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return "run", str(path), "-o", str(self.folder / f"{name}.h5")

    def check_sums(self, profile: dict) -> None:
        """Phases exclude each other: on each rank, and so on average, they are all of the time."""
        phases = profile["phases"]
        whole = profile["seconds"]
        self.assertAlmostEqual(
            sum(phase["seconds"]["mean"] for phase in phases) / whole["mean"], 1.0, delta=1e-9
        )
        for phase in phases:
            seconds = phase["seconds"]
            in_calls = sum(
                call["seconds"]["mean"] for call in calls_in(profile, phase["phase"])
            )
            self.assertLessEqual(0.0, seconds["min"])
            self.assertLessEqual(seconds["min"], seconds["mean"] * (1 + 1e-12))
            self.assertLessEqual(seconds["mean"], seconds["max"] * (1 + 1e-12))
            self.assertLessEqual(phase["in_calls"]["mean"], seconds["mean"])
            self.assertAlmostEqual(phase["in_calls"]["mean"], in_calls, delta=1e-9)

    def test_phases_are_all_of_the_time(self) -> None:
        """On 1, 2 and 3 ranks; what the command takes as a whole is more."""
        for ranks in (1, 2, 3):
            with self.subTest(ranks=ranks):
                began = os.times().elapsed
                profile, result = self.profiled(
                    *self.configured(), "--force", ranks=ranks, name=f"of{ranks}"
                )
                elapsed = os.times().elapsed - began
                self.assertEqual(profile["ranks"], ranks)
                self.check_sums(profile)
                self.assertLess(profile["seconds"]["max"], elapsed)
                phases = by_phase(profile)
                for name in ("mpi_start", "data", "file", "weights", "steps", "measuring", "results",
                             "checkpoints", "writing"):
                    self.assertGreater(phases[name]["seconds"]["max"], 0.0, name)
                self.assertLess(phases["mpi_start"]["first"]["max"], 1e-9)
                self.assertLess(phases["weights"]["first"]["min"], phases["steps"]["first"]["min"])
                self.assertIn(f"where the time went: seconds of a rank, of {ranks} rank", result.output)
                self.assertIn("in all", result.output)

    def test_a_step_is_one_allreduce(self) -> None:
        """Of as many bytes whatever the width and the dimension."""
        found = []
        for number, settings in enumerate(((600, 12), (1900, 12), (600, 70))):
            width, dimension = settings
            profile, _ = self.profiled(
                *self.configured(),
                "--force",
                f"--set=network.width={width}",
                f"--set=data.mixture.dimension={dimension}",
                ranks=2,
                name=f"shape{number}",
            )
            calls = calls_in(profile, "steps")
            self.assertEqual(len(calls), 1, calls)
            self.assertEqual((calls[0]["call"], calls[0]["for"]), ("Allreduce", "sums"))
            self.assertEqual(calls[0]["calls"]["min"], STEPS)
            self.assertEqual(calls[0]["calls"]["max"], STEPS)
            found.append(calls[0]["bytes"]["max"])
        self.assertEqual(found, [STEPS * 8 * (2 * 8 * 3 + 2)] * 3)

    def test_results_are_the_same(self) -> None:
        """Whether there is a profile or not."""
        plain = self.train(CONFIG, "plain.h5", ranks=2)
        self.profiled(*self.configured(name="watched"), ranks=2)
        with h5py.File(plain) as one, h5py.File(self.folder / "watched.h5") as other:
            for group in ("trajectory", "final"):
                for name, values in one[f"runs/run0000/{group}"].items():
                    np.testing.assert_array_equal(
                        values[()], other[f"runs/run0000/{group}/{name}"][()], name
                    )

    def test_resume_and_gram(self) -> None:
        """Other commands that have it, and without a file: only told."""
        stopped, _ = self.profiled(*self.configured(), "--until", "20", ranks=2, code=75)
        self.check_sums(stopped)
        steps = calls_in(stopped, "steps")[0]
        self.assertEqual(steps["calls"]["max"], 20)
        profile, _ = self.profiled("resume", str(self.folder / "run.h5"), ranks=3, name="resumed")
        self.check_sums(profile)
        self.assertEqual(calls_in(profile, "steps")[0]["calls"]["max"], STEPS - 20)
        self.assertGreater(by_phase(profile)["file"]["seconds"]["min"], 0.0)
        path = self.folder / "gram.h5"
        told = self.succeed(
            "gram", str(self.folder / "run.yaml"), "-o", path, "--profile", ranks=2
        )
        self.assertIn("Gram matrix   ", told.output)
        self.assertNotIn("\n  steps ", told.output)
        self.assertNotIn("profile: ", told.output)

    def test_a_sweep_and_replicas(self) -> None:
        """Crews of ranks count as all ranks do, and each run tells its own part."""
        for text in ("sweep: {seed: [1, 2, 3]}\n", "replicas: 5\n"):
            config = CONFIG.replace(", snapshots: [10]", "") + text
            with self.subTest(text=text):
                profile, result = self.profiled(*self.configured(config), "--force", ranks=2)
                self.check_sums(profile)
                steps = calls_in(profile, "steps")
                members = 3 if text.startswith("sweep") else 5
                self.assertGreaterEqual(sum(call["calls"]["mean"] for call in steps) * 2, members * STEPS)
                if members == 3:
                    for number in (1, 2, 3):
                        self.assertRegex(result.errors, rf"\[{number}/3\].*: .* s \(\d+%\)")

    def test_a_place_that_cannot_be_written(self) -> None:
        """Is said before the job begins."""
        command = [*self.configured(), "--profile=/no/such/folder/profile.json"]
        result = self.succeed(*command, ranks=2, code=2)
        self.assertIn("--profile=/no/such/folder/profile.json cannot be written", result.errors)
        self.assertFalse((self.folder / "run.h5").exists())

    def test_nothing_is_told_unasked(self) -> None:
        """Without --profile."""
        self.assertNotIn("where the time went", self.succeed(*self.configured()).text)

    def test_measuring_has_its_part(self) -> None:
        """Of the run, and beforehand of the plan."""
        said = self.succeed(*self.configured()).errors
        self.assertRegex(said, r"profiled: measuring took \d+% of the time")
        planned = self.succeed("plan", self.folder / "run.yaml").output
        self.assertRegex(planned, r"measuring takes \d+% of the time")
        often = self.succeed(
            *self.configured(name="often"),
            "--set=measure.every=1",
            "--set=data.test=4000",
            "--set=training.steps=200",
        ).errors
        self.assertRegex(often, r"with measure.every: \d+ instead of 1 it would have been \d+%")


class Counts(ProgramTest):
    """The profile beside a library that counts the calls that the program really makes."""

    def check(self, arguments: list[str], ranks: int) -> set[str]:
        """Runs a command that way, and compares; returns the kinds of calls that there were."""
        library = Path(program()).resolve().parent / "tests" / "libcount_calls.so"
        if not library.exists():
            self.skipTest("the library is not built with sanitizers")
        path = self.folder / "profile.json"
        counts = self.folder / "counts-"
        preload = {"LD_PRELOAD": str(library), "COUNT_CALLS": str(counts)}
        result = execute(
            [*mpi(ranks), program(), *arguments, f"--profile={path}"], self.folder, more=preload
        )
        self.assertEqual(result.code, 0, result.text)
        profile = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, list[int]] = {}
        for rank in range(ranks):
            for line in Path(f"{counts}{rank}").read_text(encoding="utf-8").splitlines():
                kind, calls, size = line.split()
                sums = found.setdefault(kind, [0, 0])
                sums[0] += int(calls)
                sums[1] += int(size)
        # What brings the profiles of the ranks together: an agreement, and three reductions.
        found["Allreduce"][0] -= ranks
        found["Allreduce"][1] -= 4 * ranks
        found["Reduce"][0] -= 3 * ranks
        del found["Reduce"][1:]  # of as many bytes as a profile has numbers
        self.assertEqual(found.pop("others"), [0, 0])
        for kind, (calls, *size) in found.items():
            self.assertEqual(calls_of(profile, kind, "calls"), calls, kind)
            if size:
                self.assertEqual(calls_of(profile, kind, "bytes"), size[0], kind)
        self.assertGreater(found["Allreduce"][0], 0)
        return {kind for kind, (calls, *_) in found.items() if calls > 0}

    def test_a_run(self) -> None:
        """Steps, records, results, Gram matrix, checkpoints."""
        path = self.folder / "run.yaml"
        path.write_text(CONFIG, encoding="utf-8")
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                self.check(["run", str(path), "-o", "run.h5", "--force", "-q"], ranks)

    def test_several_layers_and_a_gram_matrix(self) -> None:
        """Rows and sums in parts; eigenvalues and solves."""
        deep = """
            name: deep
            model: zou-gu
            data: {train: 20, test: 10}
            network: {width: 300, depth: 3}
            training: {steps: 3, stop: {}}
        """
        path = self.folder / "deep.yaml"
        path.write_text(deep, encoding="utf-8")
        kinds = self.check(["run", str(path), "-o", "deep.h5", "-q"], 2)
        self.assertTrue({"Allgatherv", "Reduce_scatter"} <= kinds, kinds)
        gram = self.folder / "gram.yaml"
        gram.write_text(CONFIG, encoding="utf-8")
        self.assertIn("Reduce", self.check(["gram", str(gram), "-o", "gram.h5", "-q"], 3))


if __name__ == "__main__":
    unittest.main()
