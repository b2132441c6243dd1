"""jobs/run-small: small variants of the experiments, their figures and the table of results."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import SOURCE, ProgramTest, Result, execute, program  # noqa: E402

import catalogue  # noqa: E402  (program.py says where it is)
import widthwise  # noqa: E402
from experiments import EXPERIMENTS  # noqa: E402

# Configurations that are no experiment of a paper's, or part of another one.
OTHERS = {
    "li-liang/figure1",  # one width of figure1-widths
    "li-liang/figure5",  # one width of figure4
    "li-liang/simplified",  # quantities that no figure shows
    "arora/figure1-cifar",  # CIFAR-10 is not in Debian
    "arora/wide-gaussian",  # a million units
    "zou-gu/own-data",  # data that a user has
}


class RunSmallTest(ProgramTest):
    """Runs the script as a user would."""

    def run_small(self, *arguments: object, source: Path = SOURCE) -> Result:
        """Runs jobs/run-small with the program under test."""
        command = [sys.executable, source / "jobs" / "run-small", *arguments]
        return execute(command, self.folder, more={"WIDTHWISE": program()})

    def test_table_of_experiments(self) -> None:
        """Every configuration is an experiment or said not to be, and every one has its figure."""
        shipped = {
            str(path.relative_to(SOURCE / "jobs").with_suffix(""))
            for path in (SOURCE / "jobs").glob("*/*.yaml")
        }
        self.assertEqual({one.job for one in EXPERIMENTS} | OTHERS, shipped)
        names = {drawing.name for drawing in catalogue.DRAWINGS}
        self.assertLessEqual({one.drawing for one in EXPERIMENTS}, names)

    def test_settings_are_understood(self) -> None:
        """The program knows every setting of a small variant, in its configuration."""
        listed = self.run_small("--list")
        self.assertEqual(listed.code, 0, listed.text)
        commands = [shlex.split(line) for line in listed.output.splitlines()]
        self.assertEqual(len(commands), len({one.job for one in EXPERIMENTS}))
        for words in commands:
            config = words[words.index("run") + 1]
            settings = words[words.index("--quiet") + 1 :]
            self.succeed("list", "members", config, *settings)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_results(self) -> None:
        """Files, figures and table; a second time nothing is run again."""
        first = self.run_small("brutzkus/theorem10", "--out", "small")
        self.assertEqual(first.code, 0, first.text)
        out = self.folder / "small"
        stem = "brutzkus-theorem10-lower-bound"
        for name in (f"{stem}.png", f"{stem}.pdf"):
            self.assertGreater((out / name).stat().st_size, 8000)
        image = (out / "images" / f"{stem}.png").stat().st_size
        self.assertTrue(3000 < image < 60000, image)
        (row,) = [line for line in (out / "results.md").read_text().splitlines() if "theorem 10" in line]
        self.assertIn("jobs/brutzkus/theorem10.yaml", row)
        self.assertIn(f"images/{stem}.png", row)
        with widthwise.open(out / "brutzkus-theorem10.h5") as file:
            updates = [run.trajectory["updates"][-1] for run in file.members]
            bounds = [float(run.theory["update_lower_bound"]) for run in file.members]
        ratios = [one / bound for one, bound in zip(updates, bounds)]
        said = f"{len(ratios)} runs make {min(ratios):.2g} to {max(ratios):.2g} times the updates"
        self.assertIn(said, row)
        written = os.stat(out / "brutzkus-theorem10.h5").st_mtime_ns
        second = self.run_small("brutzkus/theorem10", "--out", "small")
        self.assertEqual(second.code, 0, second.text)
        self.assertEqual(os.stat(out / "brutzkus-theorem10.h5").st_mtime_ns, written)
        self.assertNotIn("processor time", second.output)

    def test_readme(self) -> None:
        """--readme replaces what is between the marks, and nothing else."""
        copy = self.folder / "copy"
        for part in ("jobs", "analysis"):
            shutil.copytree(SOURCE / part, copy / part)
        readme = (SOURCE / "README.md").read_text(encoding="utf-8")
        (copy / "README.md").write_text(readme, encoding="utf-8")
        result = self.run_small("brutzkus/theorem10", "--out", "small", "--readme", source=copy)
        self.assertEqual(result.code, 0, result.text)
        changed = (copy / "README.md").read_text(encoding="utf-8")
        begin, end = "<!-- results: made by jobs/run-small --readme -->", "<!-- end of results -->"
        self.assertEqual(changed.split(begin)[0], readme.split(begin)[0])
        self.assertEqual(changed.split(end)[1], readme.split(end)[1])
        rows = [line for line in changed.split(begin)[1].split(end)[0].splitlines() if "yaml" in line]
        self.assertEqual(len(rows), 1)
        name = "analysis/images/brutzkus-theorem10-lower-bound.png"
        self.assertIn(f'src="{name}"', rows[0])
        self.assertTrue((copy / name).is_file())

    def test_unknown_name(self) -> None:
        """One sentence."""
        result = self.run_small("li-liang/figure99")
        self.assertEqual((result.code, result.output), (1, ""))
        self.assertEqual(
            result.errors.strip(),
            "run-small: no experiment is named li-liang/figure99; --list tells their names",
        )


if __name__ == "__main__":
    unittest.main()
