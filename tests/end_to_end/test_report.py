"""analysis/report.py: one page that stands for itself, and says what the file says."""

from __future__ import annotations

import base64
import sys
import unittest
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import SOURCE, ProgramTest, Result, execute  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

SWEEP = """
name: page
model: li-liang
data:
  {train: 100, test: 100, mixture: {dimension: 20, classes: 3, components: 2}}
network: {width: 128}
training: {steps: 20}
measure: {every: 10, quantities: [loss, test_accuracy, distance], final: [separation]}
sweep: {data.mixture.spread: [1, 4], seed: [1, 2, 3]}
"""

STARTS = """
model: brutzkus
data: {source: orthonormal, orthonormal: {dimension: 8}}
training: {rate: 0.1, epochs: 50}
replicas: 6
"""

# Elements that have no end tag.
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Texts, images and tables of a page; an end tag that does not fit is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[list[str]] = []
        self.titles: list[str] = []
        self.figures: list[str] = []
        self.configuration = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        found = dict(attrs)
        self.addresses += [found[key] for key in ("src", "href", "data", "action") if key in found]
        if tag == "figure":
            self.figures.append(found["id"])
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.titles.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        place = self.open[-1] if self.open else ""
        if place in ("td", "th"):
            self.cells[-1][-1] += data
        elif place in ("h1", "h2", "h3"):
            self.titles[-1] += data
        elif place == "pre":
            self.configuration += data

    def row(self, *start: str) -> list[str]:
        """The one row that begins with these cells."""
        (found,) = [row for row in self.cells if row[: len(start)] == list(start)]
        return found


class ReportTest(ProgramTest):
    """Pages of small runs."""

    def report(self, *arguments: object) -> Result:
        """Runs report.py."""
        command = [sys.executable, SOURCE / "analysis" / "report.py", *arguments]
        return execute(command, self.folder)

    def page(self, config: str, name: str) -> tuple[Page, str, widthwise.File]:
        """The page of a run, as parsed and as written, and the file."""
        path = self.train(config, name, ranks=2)
        result = self.report(path)
        self.assertEqual((result.code, result.errors), (0, ""))
        written = path.with_suffix(".html")
        self.assertEqual(result.output.strip(), str(written))
        text = written.read_text(encoding="utf-8")
        file = widthwise.open(path)
        self.addCleanup(file.close)
        return Page(text), text, file

    def test_page(self) -> None:
        """Figures inside, nothing from elsewhere, numbers and texts as in the file."""
        page, text, file = self.page(SWEEP, "a & <b>.h5")
        self.assertEqual(page.open, [])
        self.assertEqual(page.titles[0], "a & <b>.h5")
        self.assertEqual(page.figures, ["four-panels", "overview"])
        self.assertEqual(len(page.addresses), 2)
        for address in page.addresses:
            start, _, image = address.partition(",")
            self.assertEqual(start, "data:image/png;base64")
            content = base64.b64decode(image, validate=True)
            self.assertEqual(content[:8], b"\x89PNG\r\n\x1a\n")
            self.assertGreater(len(content), 5000)
        for elsewhere in ("http:", "https:", "url(", "@import", "<script", "<link"):
            self.assertNotIn(elsewhere, text)
        self.assertEqual(page.configuration.strip(), file.members[0].config.strip())
        (attempt,) = file.provenance
        for key, value in attempt.items():
            self.assertEqual(page.row(key), [key, str(value)])
        for member in file.members:
            row = [member.name, member.label, "done", "20"]
            self.assertEqual(page.row(member.name), row)
        groups = widthwise.group_members(file.trainings)
        self.assertEqual(len(groups), 2)
        for label in groups:
            self.assertIn(label, page.titles)
        rows = [row for row in page.cells if row[:2] == ["loss", "last record"]]
        self.assertEqual(len(rows), 2)
        for row, members in zip(rows, groups.values()):
            mean, deviation = map(float, row[2].split(" ± "))
            losses = [member.trajectory["loss"][-1] for member in members]
            np.testing.assert_allclose(mean, np.mean(losses), rtol=1e-3)
            np.testing.assert_allclose(deviation, np.std(losses, ddof=1), rtol=0.05)
            self.assertEqual(row[3:5], ["nat", "3"])
            self.assertIn(members[0].trajectory.description("loss"), row[5])

    def test_replicas_and_a_run_before_its_end(self) -> None:
        """Of replicas there are numbers over all; a run that stopped early shows how far it came."""
        page, _, file = self.page(STARTS, "starts.h5")
        self.assertEqual(page.row("run0000")[3], "6 of 6 replicas")
        self.assertEqual(page.row("updates", "last record")[4], "6")
        self.train(SWEEP, "early.h5", "--until", "10", code=75)
        result = self.report("early.h5", "-o", "there/early.html")
        self.assertEqual((result.code, result.output.strip()), (0, "there/early.html"))
        early = Page((self.folder / "there" / "early.html").read_text(encoding="utf-8"))
        self.assertIn("10", {row[3] for row in early.cells if row[0] == "run0000"})

    def test_errors(self) -> None:
        """One sentence, and no page."""
        (self.folder / "no.h5").write_text("not HDF5", encoding="utf-8")
        for name in ("missing.h5", "no.h5"):
            result = self.report(name)
            self.assertEqual((result.code, result.output), (1, ""))
            self.assertEqual(len(result.errors.strip().splitlines()), 1, result.errors)
            self.assertIn(name, result.errors)
            self.assertFalse((self.folder / name).with_suffix(".html").exists())


if __name__ == "__main__":
    unittest.main()
