"""Files of all kinds hold to hdf5-schema/schema.json, broken ones do not, and the examples run."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from program import SOURCE, ProgramTest, execute  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402
from schema import EXPORT_PATH, SCHEMA_PATH, Schema  # noqa: E402

SMALL = """
name: small
data:
  train: 100
  test: 60
  mixture: {dimension: 30, classes: 4, components: 2, spread: 1.0, separation: 4.0}
network: {width: 140}
training: {batch: 10, steps: 30, rate: 5.0}
"""

FULL = """
measure:
  every: 4
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 11]
output: {checkpoint_every: 10, record: [data, initial-weights, batches]}
"""


class SchemaTest(ProgramTest):
    """What the program writes, against what the schema says."""

    def violations(self, path: Path) -> list[str]:
        """What the checker finds."""
        return check_schema.check_file(str(path)).violations

    def test_plain_run(self) -> None:
        """Default quantities, no record, no snapshots."""
        path = self.train(SMALL, "plain.h5")
        self.assertEqual(self.violations(path), [])
        with h5py.File(path, "r") as file:
            self.assertNotIn("record", file)
            self.assertNotIn("snapshots", file)

    def test_everything(self) -> None:
        """All quantities, results and records."""
        path = self.train(SMALL + FULL, "full.h5", ranks=2)
        self.assertEqual(self.violations(path), [])
        with h5py.File(path, "r") as file:
            self.assertIn("record/run0000/batches", file)
            self.assertIn("snapshots/run0000/hidden_weights", file)

    def test_sweep_and_one_member(self) -> None:
        """All members, and one alone under its own number."""
        sweep = SMALL + FULL + "sweep: {network.width: [100, 140], seed: [1, 2]}\n"
        path = self.train(sweep, "sweep.h5")
        self.assertEqual(self.violations(path), [])
        with widthwise.open(path) as file:
            groups = widthwise.group_members(file.members)
            self.assertEqual(list(groups), ["network.width=100", "network.width=140"])
            self.assertEqual([len(members) for members in groups.values()], [2, 2])
            parameters = [member.parameters["width"] for member in file.members]
            self.assertEqual(parameters, [100, 100, 140, 140])
            settings = [member.setting("network.width") for member in file.members]
            self.assertEqual(settings, ["100", "100", "140", "140"])
            self.assertEqual(file.members[0].setting("data.mixture.dimension"), "30")
            self.assertIsNone(file.members[0].setting("data.mixture.colour"))
        path = self.train(sweep, "member.h5", "--member", "3")
        self.assertEqual(self.violations(path), [])
        with widthwise.open(path) as file:
            self.assertEqual([member.name for member in file.members], ["run0003"])
            self.assertEqual(file.members[0].label, "network.width=140 seed=2")

    def test_stopped_and_resumed(self) -> None:
        """A file in between is a good one too."""
        path = self.train(SMALL + FULL, "parts.h5", "--until", "13", code=75)
        self.assertEqual(self.violations(path), [])
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.trajectory["step"].tolist(), [0, 4, 8, 12])
            self.assertEqual((len(member.final), len(member.theory)), (0, 0))
            self.assertEqual(member.snapshots.steps.tolist(), [0, 11])
        self.succeed("resume", path, ranks=2)
        self.assertEqual(self.violations(path), [])

    def test_diverged(self) -> None:
        """Exit code 3, the rows up to there and a checkpoint are kept, and the file is good."""
        path = self.train(SMALL, "diverged.h5", "--set", "training.rate=1e300", code=3)
        self.assertEqual(self.violations(path), [])
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].state, widthwise.State.DIVERGED)
            self.assertGreaterEqual(file.members[0].rows, 1)
            self.assertTrue(np.isfinite(file.members[0].trajectory["loss"]).all())

    def test_gradient_descent(self) -> None:
        """A batch is the whole set and is not recorded."""
        settings = ("--set", "training.method=gd")
        config = (SMALL + FULL).replace("batch: 10, ", "")
        path = self.train(config, "gd.h5", *settings)
        self.assertEqual(self.violations(path), [])

    def test_targets_and_arrays(self) -> None:
        """The squared loss with several outputs: targets, and quantities with axes of their own."""
        full = FULL.replace("quantities: all", "quantities: [loss, train_outputs, test_outputs]")
        config = (SMALL + full).replace("data:", "model: arora\ndata:").replace("batch: 10, ", "")
        path = self.train(config, "targets.h5", "--set", "training.rate=0.01", ranks=2)
        self.assertEqual(self.violations(path), [])
        copy = self.folder / "copy.h5"
        self.succeed("export", path, "-o", copy, "--record")
        self.assertEqual(self.violations(copy), [])
        self.succeed("verify", path)
        with h5py.File(path, "r") as file, h5py.File(copy, "r") as exported:
            for name, shape in (
                ("record/run0000/train_targets", (100, 4)),
                ("record/run0000/test_targets", (60, 4)),
                ("runs/run0000/trajectory/train_outputs", (9, 100, 4)),
            ):
                self.assertEqual(file[name].shape, shape)
                np.testing.assert_array_equal(file[name], exported[name])
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].trajectory.units("loss"), "1")

    def test_violations_are_found(self) -> None:
        """A file that was tampered with does not pass."""
        path = self.train(SMALL + FULL, "good.h5")
        rest = [
            ("matches 0 patterns", lambda file: file.create_group("/runs/run0000/extra")),
            ("is missing", lambda file: file.pop("/runs/run0000/label")),
            ("is missing", lambda file: file.pop("/runs/run0000/parameters/width")),
            ("exactly when", lambda file: file.pop("/record/run0000/test_labels")),
            ("belongs to no run", lambda file: file.move("/record/run0000", "/record/run0001")),
            ("no attribute units", lambda file: file["/runs/run0000/label"].attrs.pop("units")),
            ("extents", self.shorten),
            ("is not contiguous", self.compress),
            ("string of variable length", self.vary),
            ("neither page checks", self.break_pages),
            ("beyond the committed rows", self.take_back_a_row),
            ("words without name", self.use_unnamed_word),
        ]
        for expected, damage in rest:
            with self.subTest(expected):
                copy = self.folder / "copy.h5"
                shutil.copy(path, copy)
                with h5py.File(copy, "r+") as file:
                    damage(file)
                self.assertIn(expected, "\n".join(self.violations(copy)))

    @staticmethod
    def shorten(file: h5py.File) -> None:
        """Replaces a quantity by one with fewer rows."""
        del file["/runs/run0000/trajectory/loss"]
        file["/runs/run0000/trajectory/loss"] = np.zeros(2)

    @staticmethod
    def compress(file: h5py.File) -> None:
        """Replaces weights by compressed ones."""
        weights = file["/state/run0000/checkpoint0/hidden_weights"][()]
        del file["/state/run0000/checkpoint0/hidden_weights"]
        file.create_dataset(
            "/state/run0000/checkpoint0/hidden_weights", data=weights, compression="gzip"
        )

    @staticmethod
    def vary(file: h5py.File) -> None:
        """Replaces a text by one of variable length."""
        del file["/runs/run0000/label"]
        file["/runs/run0000/label"] = "text"

    @staticmethod
    def break_pages(file: h5py.File) -> None:
        """Flips a bit in both pages."""
        file["/state/run0000/commit"][:, 100] ^= 1

    @staticmethod
    def rewrite_page(file: h5py.File, **words: int) -> None:
        """Changes words of the pages that check and makes them check again."""
        pages = file["/state/run0000/commit"][()]
        for page in pages:
            if page[0] != 0:
                for name, value in words.items():
                    page[int(name[1:])] = value
                page[511] = zlib.crc32(page[:511].tobytes())
        file["/state/run0000/commit"][...] = pages

    def take_back_a_row(self, file: h5py.File) -> None:
        """Commits a row less than there are."""
        rows = len(file["/runs/run0000/trajectory/step"])
        step = int(file["/runs/run0000/trajectory/step"][rows - 2])
        self.rewrite_page(file, w4=rows - 1, w6=step)

    def use_unnamed_word(self, file: h5py.File) -> None:
        """Puts a value where nothing means anything."""
        self.rewrite_page(file, w200=1)

    def test_patterns_exclude_each_other(self) -> None:
        """No path that a file may have is of two forms."""
        examples = {"run": "run0012", "slot": "1", "fact": "width", "quantity": "loss",
                    "result": "update_gap", "prediction": "coupling_bound", "layer": "12"}
        for schema in (Schema(SCHEMA_PATH), Schema(EXPORT_PATH)):
            for pattern in schema.patterns:
                path = re.sub(r"\{([a-z]+)\}", lambda name: examples[name[1]], pattern.path)
                self.assertEqual([other.path for other in schema.matching(path)], [pattern.path])

    def test_reader_of_a_running_job_sees_committed_rows(self) -> None:
        """With the newest page torn the reader takes the one before."""
        path = self.train(SMALL + FULL, "torn.h5")
        with widthwise.open(path) as file:
            whole = file.members[0].page
        with h5py.File(path, "r+") as file:
            pages = file["/state/run0000/commit"]
            newest = int(np.argmax(pages[:, 2]))
            pages[newest, 511] ^= 1
        with widthwise.open(path) as file:
            before = file.members[0]
            self.assertLess(before.page.generation, whole.generation)
            self.assertEqual(len(before.trajectory["loss"]), before.page.rows)

    def test_examples_of_the_format_page(self) -> None:
        """The Python and Octave examples of hdf5-schema/README.md run as they stand."""
        self.train(SMALL, "figure1.h5")
        (self.folder / "results").mkdir()
        shutil.move(self.folder / "figure1.h5", self.folder / "results" / "figure1.h5")
        os.symlink(SOURCE / "analysis", self.folder / "analysis")
        self.succeed("export", "results/figure1.h5", "--weights")
        text = (SOURCE / "hdf5-schema" / "README.md").read_text(encoding="utf-8")
        examples = re.findall(r"```(python|octave)\n(.*?)```", text, flags=re.DOTALL)
        self.assertEqual([kind for kind, _ in examples], ["python", "python", *["octave"] * 3])
        for kind, code in examples:
            if kind == "octave":
                if shutil.which("octave-cli") is None:
                    continue
                (self.folder / "example.m").write_text(code, encoding="utf-8")
                command = ["octave-cli", "--norc", "example.m"]
            else:
                (self.folder / "example.py").write_text(code, encoding="utf-8")
                command = [sys.executable, "example.py"]
            with self.subTest(kind):
                result = execute(command, self.folder)
                self.assertEqual(result.code, 0, result.text)

    def test_figures(self) -> None:
        """What can be drawn is drawn, without empty panels."""
        sweep = SMALL + FULL + "sweep: {data.labels.kind: [true, random], seed: [1, 2]}\n"
        self.train(SMALL, "single.h5")
        self.train(sweep, "labels.h5")
        for name, drawn in (
            ("single", ["four-panels"]),
            ("labels", ["four-panels", "random-labels"]),
        ):
            result = execute(
                [sys.executable, SOURCE / "analysis" / "figures.py", f"{name}.h5", "--out", "out"],
                self.folder,
            )
            self.assertEqual(result.code, 0, result.text)
            kinds = ("png", "pdf")
            expected = [f"out/{name}-{figure}.{kind}" for figure in drawn for kind in kinds]
            self.assertEqual(result.output.split(), expected)
            for path in expected:
                self.assertGreater((self.folder / path).stat().st_size, 5000)


if __name__ == "__main__":
    unittest.main()
