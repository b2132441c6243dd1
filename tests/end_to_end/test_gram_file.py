"""`widthwise gram` on files: before training, after it, in the middle, and when something goes wrong."""

from __future__ import annotations

import signal
import sys
import time
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from gram_case import SMALL, GramCase  # noqa: E402
from processes import start  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402


class GramFileTest(GramCase):
    """What a file has of the Gram matrix, and how it came there."""

    def on_files(self, name: str) -> tuple[str, Path]:
        """A configuration whose data are in a file that can change, and the file."""
        random = np.random.default_rng(8)
        data = self.folder / f"{name}-data.h5"
        with h5py.File(data, "w") as file:
            file["train_inputs"] = random.normal(size=(40, 7))
            file["test_inputs"] = random.normal(size=(9, 7))
            file["train_labels"], file["test_labels"] = np.arange(40) % 2, np.arange(9) % 2
        config = f"""
name: {name}
model: arora
data: {{source: hdf5, train: 40, test: 9, hdf5: {{file: {data}}}}}
network: {{width: 130}}
training: {{steps: 20, rate: 0.02}}
measure: {{every: 6, quantities: [loss, residual, train_outputs]}}
"""
        return config, data

    @staticmethod
    def take_results_back(path: Path) -> None:
        """Writes the page that a restart writes before it computes results."""
        with h5py.File(path, "r+") as file:
            pages = file["/state/run0000/commit"]
            words = max(pages[()], key=lambda page: page[2]).copy()
            words[2] += 1
            words[3] = int(widthwise.State.RUNNING)
            words[7:11] = 0
            words[511] = zlib.crc32(words[:511].astype("<i8").tobytes())
            pages[words[2] % 2] = words

    def test_before_training(self) -> None:
        """`widthwise gram CONFIG` makes the file that training goes on with, to the same results."""
        config = self.write(SMALL, "before.yaml")
        path = self.folder / "before.h5"
        self.succeed("gram", config, "-o", path, ranks=2)
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].state, widthwise.State.WAITING)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        with widthwise.open(path) as file:  # only what is committed is seen here
            before = {name: file.members[0].gram[name] for name in file.members[0].gram}
            self.assertTrue(np.isfinite(before["eigenvalues"]).all())
            self.assertIsNotNone(file.members[0].eigenvectors)
        result = self.succeed("resume", path, ranks=1)
        self.assertIn("spectrum read", result.text)
        with widthwise.open(path) as file:
            for name, values in before.items():
                self.assertTrue((file.members[0].gram[name] == values).all(), name)
        self.check_group(path)
        self.check_predictions(path)

    def test_added_to_a_run(self) -> None:
        """`widthwise gram FILE` on a run that is over, and once more with other labels."""
        settings = ("--set", "measure.final=[]", "--set", "gram.labels=[]")
        path = self.train(SMALL, "added.h5", *settings, ranks=2)
        with widthwise.open(path) as file:
            outputs = file.members[0].trajectory["train_outputs"]
            self.assertEqual(len(file.members[0].gram), 0)
        self.succeed("gram", path, ranks=1)
        self.check_group(path)
        self.check_predictions(path)
        result = self.succeed("gram", path, "--set", "gram.labels=[true, random, worst-case]", ranks=2)
        self.assertIn("spectrum read", result.text)
        self.check_group(path)
        self.check_predictions(path)
        with widthwise.open(path) as file:
            self.assertEqual(file.members[0].state, widthwise.State.DONE)
            self.assertIn("labels_worst_case", file.members[0].gram)
            self.assertTrue((file.members[0].trajectory["train_outputs"] == outputs).all())
        self.succeed("verify", path)
        again = self.succeed("gram", path)
        self.assertNotIn("spectrum of", again.text)

    def test_export(self) -> None:
        """A plain copy holds what is committed of it, eigenvectors with the weights."""
        path = self.train(SMALL, "whole.h5", ranks=2)
        for more, has_vectors in (((), False), (("--weights",), True)):
            copy = self.folder / "copy.h5"
            self.succeed("export", path, "-o", copy, "--force", *more)
            self.assertEqual(check_schema.check_file(str(copy)).violations, [])
            with widthwise.open(path) as file, widthwise.open(copy) as plain:
                member, twin = file.members[0], plain.members[0]
                self.assertEqual(sorted(member.gram), sorted(twin.gram))
                self.assertTrue((member.gram["eigenvalues"] == twin.gram["eigenvalues"]).all())
                self.assertEqual(twin.eigenvectors is not None, has_vectors)

    def test_a_run_that_is_over_stays_so(self) -> None:
        """What fails, or is killed, while results are computed anew is made good by doing it again."""
        config, data = self.on_files("over")
        path = self.train(config, "over.h5", ranks=2)
        before = path.read_bytes()
        self.succeed("gram", path, "--set", "gram.grid=[3, 3]", code=2, ranks=2)
        self.assertEqual(path.read_bytes(), before)
        refused = self.succeed("gram", path, "--set", "training.steps=40", code=2)
        self.assertIn("trains nothing", refused.text)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] += 0.5
        changed = self.succeed("gram", path, code=1)
        self.assertIn("not those that it was begun with", changed.text)
        with widthwise.open(path) as opened:
            member = opened.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            self.assertEqual(member.trajectory["step"][-1], 20)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] -= 0.5
            inputs = file["train_inputs"][()]
        with h5py.File(data, "r+") as file:  # as it was, to the last bit
            file["train_inputs"][...] = np.random.default_rng(8).normal(size=inputs.shape)
        # As a job leaves it that died after results were taken back: the same command goes on.
        self.succeed("gram", path, ranks=2)
        self.take_results_back(path)
        self.succeed("gram", path, ranks=1)
        with widthwise.open(path) as opened:
            member = opened.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            self.assertIn("residual_limit", member.theory)
            self.assertEqual(member.trajectory["step"][-1], 20)
        self.succeed("verify", path)

    def test_other_data_are_refused(self) -> None:
        """Before training, for worst-case labels, and of a run that is not over."""
        config, data = self.on_files("other")
        text = self.write(config, "other.yaml")
        worst = ("--set", "data.labels.kind=worst-case")
        paths = [self.folder / name for name in ("first.h5", "worst.h5", "stopped.h5")]
        self.succeed("gram", text, "-o", paths[0], ranks=2)
        self.succeed("gram", text, "-o", paths[1], *worst)
        self.succeed("run", text, "-o", paths[2], "--until", "8", code=75)
        with h5py.File(data, "r+") as file:
            file["train_inputs"][:, 2] += 0.5
        for path in paths:
            for command in ("gram", "resume"):
                told = self.succeed(command, path, ranks=2, code=1)
                self.assertIn("not those that it was begun with", told.text)

    def test_end_by_signal(self) -> None:
        """A signal ends it between two pieces with 75, and the file goes on."""
        text = self.write(
            SMALL.replace("train: 90", "train: 250").replace("snapshots: [0, 60]", "snapshots: []")
            + "sweep: {seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}\n",
            "signal.yaml",
        )
        path = self.folder / "signal.h5"
        process = start("gram", text, "-o", path, folder=self.folder)
        while not path.exists() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, told)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        told = self.succeed("gram", path, ranks=2).text
        self.assertIn("`widthwise resume` trains what is left", told)
        with widthwise.open(path) as opened:
            self.assertTrue(all(len(member.gram) > 0 for member in opened.members))
        self.succeed("verify", path)

    def test_refusals(self) -> None:
        """What cannot be is told in one sentence, with exit code 2 and no file."""
        cases = [
            (("--set", "gram.grid=[3, 3]"), "gram.grid"),
            (("--set", "gram.grid=[2]"), "gram.grid"),
            (("--set", "gram.spectrum=values"), "gram.eigenvectors"),
            (("--set", "network.output.kind=gaussian", "--set", "gram.network=true"), "gram.network"),
            (("--set", "replicas=3", "--set", "output.record=[]"), "replicas"),
        ]
        config = self.write(SMALL, "refused.yaml")
        for settings, word in cases:
            with self.subTest(word):
                result = self.succeed(
                    "gram", config, "-o", self.folder / "refused.h5", *settings,
                    ranks=2,
                    code=2,
                )
                self.assertIn(word, result.text)
                self.assertFalse((self.folder / "refused.h5").exists())

    def test_grid_larger_than_the_job(self) -> None:
        """Refused with its line before the file is made or changed, by whatever command."""
        text = SMALL.replace("gram: {", "gram: {grid: [1, 3], ")
        config = self.write(text, "grid.yaml")
        line = text[: text.index("grid:")].count("\n") + 1
        sentence = f"line {line}: gram.grid: a grid of 1 x 3 does not fit on 2 ranks"
        worst = ("--set", "data.labels.kind=worst-case", "--set", "measure.final=[]")
        for command, more in (("run", ()), ("gram", ()), ("run", worst)):
            with self.subTest(command, more=more):
                path = self.folder / "none.h5"
                result = self.succeed(command, config, "-o", path, *more, ranks=2, code=2)
                self.assertIn(sentence, result.errors)
                self.assertEqual(result.errors.count("widthwise: "), 1)
                self.assertFalse(path.exists())
        path = self.train(SMALL, "there.h5", ranks=2)
        before = path.read_bytes()
        self.succeed("gram", path, "--set", "gram.grid=[3, 1]", ranks=2, code=2)
        self.assertTrue(path.read_bytes() == before)


if __name__ == "__main__":
    unittest.main()
