"""`widthwise plan --tune`: which engines it measures, what it says, and that it changes nothing.

What it measures is time, and no test looks at that.
"""

from __future__ import annotations

import re
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import Argument, ProgramTest, execute, mpi, program  # noqa: E402

BASE = """
name: tuned
data: {train: 60, test: 20}
network: {width: 600}
training: {steps: 100}
measure: {every: 10, quantities: [loss], final: []}
"""
SHORT = "--tune=0.3"
SGD = ("training.batch=4", "data.mixture.dimension=12", "data.mixture.classes=3")
GD = ("model=arora", "data.source=mixture", "data.mixture.dimension=12", "training.rate=1e-4")
DEEP = ("model=zou-gu", "data.source=mixture", "data.mixture.dimension=12")
HINGE = ("model=brutzkus", "training.batch=1", "data.separable.dimension=12")
ROW = re.compile(r"  (double|single) +(\w+)((?: \(\w+\))*) +([\d.]+ [kMGT]?B)  (.*)")
FULL_BATCHES = ["dense", "samples", "lazy", "layers"]
ALL = ["dense", "window", "samples", "layers"]


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    precision: str
    engine: str
    marks: str
    memory: str
    rest: str

    @property
    def ratio(self) -> float:
        """What it takes beside the engine that a run would take."""
        return float(self.rest.split()[-1])


def rows_of(text: str) -> list[Row]:
    """The lines of the table."""
    return [Row(*match.groups()) for match in map(ROW.fullmatch, text.splitlines()) if match]


class TuneTest(ProgramTest):
    """Tables of engines."""

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "tuned.yaml"
        self.config.write_text(BASE, encoding="utf-8")

    def words(self, *settings: str) -> list[Argument]:
        """The command line with settings."""
        return ["plan", self.config, *(word for text in settings for word in ("--set", text))]

    def tune(
        self, *settings: str, ranks: int = 1, threads: int = 1, time: str = SHORT
    ) -> str:
        """What it prints; it leaves the folder as it was."""
        before = {path: path.read_bytes() for path in self.folder.iterdir()}
        result = self.succeed(*self.words(*settings), time, ranks=ranks, threads=threads)
        self.assertEqual(result.errors, "")
        after = {path: path.read_bytes() for path in self.folder.iterdir()}
        self.assertEqual(before, after, "the folder has changed")
        return result.output

    def check(self, text: str, engines: list[str]) -> list[Row]:
        """Lines of these engines in double precision, one in single, with what `auto` chooses
        marked once in each; all are measured."""
        rows = rows_of(text)
        own = [row for row in rows if row.precision == "double"]
        other = [row for row in rows if row.precision == "single"]
        self.assertEqual([row.engine for row in own], engines, text)
        self.assertEqual(["(auto)" in row.marks for row in own].count(True), 1, text)
        self.assertEqual(["(auto)" in row.marks for row in other], [True], text)
        for row in rows:
            self.assertGreater(row.ratio, 0.0, text)
        self.assertIn("nothing was changed", text)
        return own

    def test_engines(self) -> None:
        """Those that can train a configuration, and no others."""
        for settings, engines in (
            ((*SGD[1:], "training.batch=60"), ALL),
            ((*SGD[1:], "training.batch=600", "data.train=700"), ["dense", "samples", "layers"]),
            (GD, FULL_BATCHES),
            ((*GD, "data.mixture.classes=3", "network.output.kind=gaussian"), FULL_BATCHES),
            ((*DEEP, "network.depth=2"), ["layers"]),
            ((*DEEP, "training.method=sgd"), ALL),
            (HINGE, ["dense", "window", "samples", "lazy", "layers"]),  # of one output
        ):
            with self.subTest(settings):
                self.check(self.tune(*settings), engines)

    def test_a_quantity_that_one_engine_has(self) -> None:
        """Then only that one is a choice."""
        self.check(
            self.tune(*DEEP, "measure.quantities=[loss, layer_trajectory_length]"), ["layers"]
        )

    def test_engines_that_measure_other_things(self) -> None:
        """They are not held against each other."""
        rows = rows_of(self.tune(*DEEP, "measure.quantities=[all]"))
        self.assertEqual([row.engine for row in rows], [*FULL_BATCHES, "layers"])
        for row in rows:
            is_other = row.engine != "layers"
            self.assertEqual("all has other quantities with it" in row.rest, is_other, row)

    def test_choice_and_memory_are_those_of_plan(self) -> None:
        """What `auto` comes to, and what a rank takes by each engine, without program."""
        for settings, ranks in ((SGD, 1), (GD, 3)):
            words = self.words(*settings, "network.width=40000")
            text = self.tune(*settings, "network.width=40000", ranks=ranks)
            for row in rows_of(text):
                with self.subTest(row=row):
                    plan = self.succeed(
                        *words, "--set", f"training.engine={row.engine}",
                        "--set", f"precision={row.precision}", "--no-calibration", ranks=ranks,
                    ).output
                    memory = re.search(r"in all, without program and libraries +(.*)", plan)
                    assert memory is not None
                    self.assertEqual(row.memory, memory[1], text)
                    planned = self.succeed(
                        *words, "--set", f"precision={row.precision}", "--no-calibration",
                        ranks=ranks,
                    ).output
                    chosen = re.search(r"engine (\w+) \(auto\)", planned)
                    assert chosen is not None
                    self.assertEqual("(auto)" in row.marks, row.engine == chosen[1], text)

    def test_what_the_configuration_has(self) -> None:
        """It is marked, and the others are held against it."""
        rows = self.check(self.tune(*SGD, "training.engine=samples"), ALL)
        marks = {row.engine: row.marks for row in rows}
        self.assertEqual(marks["samples"], " (configured)")
        self.assertEqual(marks["dense"], " (auto)")
        self.assertEqual([row.engine for row in rows if row.ratio == 1.0][:1], ["samples"])
        single = self.tune(*SGD, "precision=single")
        rows = rows_of(single)
        self.assertEqual([row.precision for row in rows], ["single"] * 4 + ["double"], single)
        self.assertEqual(rows[0].ratio, 1.0, single)

    def test_ranks_and_threads(self) -> None:
        """Any number of either, more than there are tiles too."""
        for ranks, threads in ((1, 2), (2, 1), (3, 2), (4, 1), (7, 1)):
            with self.subTest(ranks=ranks, threads=threads):
                text = self.tune(*SGD, ranks=ranks, threads=threads)
                self.check(text, ALL)
        self.assertIn("5 ranks would do as much at a time as 7: there are 5 tiles", text)

    def test_a_part_of_the_network(self) -> None:
        """Where the time is short it is said which part was measured: whole tiles of each rank."""
        for ranks in (1, 3):
            text = self.tune(*SGD, "network.width=300000", ranks=ranks)
            self.check(text, ALL)
            said = re.search(
                r"WITH (\d+) UNITS INSTEAD OF 300000, for lack of time: (\d+) tiles? of (\d+) "
                r"units on a rank instead of (\d+) of 256",
                text,
            )
            assert said is not None, text
            width, tiles, units, whole = map(int, said.groups())
            self.assertEqual(width, tiles * units * ranks)
            self.assertEqual(whole, -(-1172 // ranks))

    def test_what_does_not_fit(self) -> None:
        """More than there is memory for: said, and not tried."""
        for ranks in (1, 2):
            text = self.tune(*SGD, "network.width=2000000000", ranks=ranks)
            rows = rows_of(text)
            self.assertEqual([row.engine for row in rows][:4], ALL)
            for row in rows:
                self.assertRegex(row.rest, r"not measured: DOES NOT FIT: a rank can have .* GB")
            self.assertIn("no suggestion", text)

    def test_divergence(self) -> None:
        """A rate with which training diverges is no reason not to measure."""
        for ranks in (1, 2):
            text = self.tune(*GD[:-1], "training.rate=1e30", ranks=ranks)
            self.check(text, FULL_BATCHES)
            self.assertRegex(text, r"training diverges at step \d+: measured with a rate next to 0")

    def test_hinge(self) -> None:
        """Steps that change nothing are told of."""
        self.assertRegex(self.tune(*HINGE), r"\d+% of these steps changed weights")
        self.assertNotIn("changed weights", self.tune(*SGD))

    def test_sweep(self) -> None:
        """Members with the same work are measured once, and the largest first."""
        self.config.write_text(
            BASE + "sweep: {seed: [1, 2, 3], network.width: [200, 900]}\n", encoding="utf-8"
        )
        text = self.tune(*SGD, time="--tune=6")
        self.assertEqual(text.count("and 2 more runs of the same work"), 2, text)
        self.assertEqual(len(rows_of(text)), 10, text)
        self.assertLess(text.index("m = 900"), text.index("m = 200"))
        self.assertNotIn("not measured", text)
        text = self.tune(*SGD, ranks=2)
        self.assertEqual(len(rows_of(text)), 5, text)
        self.assertRegex(text, r"not measured: 1 other kind of runs.*--tune=6 measures all")

    def test_replicas(self) -> None:
        """One on each rank, side by side."""
        for seeds in ("weights", "data"):
            text = self.tune(*SGD, "replicas=10", f"replica_seeds=[{seeds}]", ranks=3)
            self.check(text, ALL)
            self.assertIn("3 at once, each on 1 rank, as in a run", text)

    def test_an_engine_that_cannot_be_made(self) -> None:
        """Memory that one rank alone is short of: all ranks leave that engine out."""
        run = [program(), *self.words(*SGD, "data.train=8000"), SHORT]
        limit = ["sh", "-c", 'ulimit -v 700000; exec "$@"', "sh"]  # less than 8000^2 numbers more
        for limited in (None, 1):
            command: list[Argument] = mpi(0)[:-2]
            for part in range(3):
                shell = limit if part == limited else []
                command += [":"] * (part > 0) + ["-n", "1", *shell, *run]
            result = execute(command, self.folder)
            self.assertEqual(result.code, 0, result.text)
            rest = {row.engine: row.rest for row in reversed(rows_of(result.output))}
            lacks = "not measured: out of memory"
            self.assertEqual(rest["samples"].startswith(lacks), limited is not None, result.text)
            for engine in ("dense", "window", "layers"):
                self.assertNotIn("not measured", rest[engine])

    def test_refusals(self) -> None:
        """What is wrong is said in a sentence, and nothing is measured."""
        for words, sentence in (
            (("--tune=0",), "--tune wants a number of seconds above 0, not `0`"),
            (("--tune=long",), "--tune wants a number of seconds above 0, not `long`"),
            (("--tune=",), "--tune wants a number of seconds above 0, not ``"),
            (("--tune", "--ranks", "4"), "leave --ranks out"),
            (("--tune", "--ranks-per-node", "4"), "leave --ranks-per-node out"),
            (("--tune", "--memory-per-node", "4"), "leave --memory-per-node out"),
            (("--tune", "--no-calibration"), "leave --no-calibration out"),
            (("--tune", "--set", "training.engine=windw"), "training.engine"),
            (("--tune", "--set", "measure.quantities=[los]"), "did you mean `loss`"),
        ):
            with self.subTest(words):
                result = self.succeed("plan", self.config, *words, ranks=2, code=2)
                self.assertEqual(result.errors.count("widthwise: "), 1)
                self.assertIn(sentence, result.errors)
                self.assertEqual(result.output, "")


if __name__ == "__main__":
    unittest.main()
