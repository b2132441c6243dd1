"""analysis/widthwise.py on files of all kinds: members by parameter, quantities with their units,
weights by parts, tables, and a file that a job is still writing."""

from __future__ import annotations

import math
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import pandas  # noqa: E402
from every_kind import DEEP, GRAM, KINDS, REPLICAS, SINGLE  # noqa: E402
from processes import kill_all, start  # noqa: E402
from program import ProgramTest  # noqa: E402

import commit_page  # noqa: E402
import widthwise  # noqa: E402

SWEEP = KINDS["sweep"].config


class ReaderTest(ProgramTest):
    """What a file hands out."""

    def open(self, path: Path) -> widthwise.File:
        """Opens a file that is closed when the test ends."""
        file = widthwise.open(path)
        self.addCleanup(file.close)
        return file

    def names(self, members: list[Any]) -> list[str]:
        """Names of runs."""
        return [member.name for member in members]

    def test_members_by_parameter(self) -> None:
        """By what is swept, by any other setting, by facts; what nobody has is said."""
        file = self.open(self.train(SWEEP, "sweep.h5"))
        for wanted, more, expected in (
            ({"network.width": 260}, {}, ["run0002", "run0003"]),
            ({"network.width": 260}, {"seed": 2}, ["run0003"]),
            ({"network.width": "260"}, {"seed": 1.0}, ["run0002"]),
            ({}, {"width": [100, 200]}, ["run0000", "run0001"]),
            ({"network.width": range(200, 300), "training.rate": 1}, {}, ["run0002", "run0003"]),
            ({"data.labels.kind": True}, {"seed": {2}}, ["run0001", "run0003"]),
            ({"data.labels.kind": "random"}, {}, []),
            ({"loss": "cross-entropy"}, {"model": "li-liang", "seed": np.array([1, 3])},
             ["run0000", "run0002"]),
            (None, {}, ["run0000", "run0001", "run0002", "run0003"]),
        ):
            with self.subTest(wanted=wanted, more=more):
                self.assertEqual(self.names(file.select(wanted, **more)), expected)
        self.assertEqual(file.only({"network.width": 100}, seed=2).name, "run0001")
        with self.assertRaisesRegex(KeyError, r"2 members have width=100, not one; these: run0000"):
            file.only(width=100)
        with self.assertRaisesRegex(KeyError, "0 members have seed=7, not one; there are: run0000"):
            file.only(seed=7)
        with self.assertRaisesRegex(KeyError, "neither a setting nor a parameter network.widht; "
                                              "did you mean network.width"):
            file.select({"network.widht": 100})

    def test_quantities(self) -> None:
        """They know what they are; what is computed from them is an ordinary array."""
        path = self.train(SINGLE, "single.h5")
        run = self.open(path).members[0]
        with h5py.File(path, "r", locking=False) as file:
            for name, dataset in file["/runs/run0000/trajectory"].items():
                quantity = run.trajectory[name]
                np.testing.assert_array_equal(quantity, dataset[()])
                self.assertEqual(quantity.name, dataset.name)
                for part in (quantity, quantity[3:], quantity.copy(), quantity.reshape(-1)):
                    for what in ("units", "description", "source"):
                        said = dataset.attrs.get(what, b"")
                        said = said if isinstance(said, str) else said.decode()
                        self.assertEqual(getattr(part, what), said)
        loss, distance = run.trajectory["loss"], run.trajectory["distance"]
        self.assertEqual(loss.units, "nat")
        for computed in (
            loss / (1 + distance), np.log(loss), loss @ loss, np.add.outer(loss, loss),
            loss.mean(), np.concatenate([loss, loss]), np.linalg.svd(np.outer(loss, loss))[0],
            np.linalg.norm(loss), loss.cumsum(), np.divmod(loss, 2)[0], loss > 1,
        ):
            self.assertNotIsInstance(computed, widthwise.Quantity)
        falling = loss.copy()
        falling -= 1  # in place it stays what it is
        self.assertEqual(falling.units, "nat")
        np.testing.assert_array_equal(falling, np.asarray(loss) - 1)
        self.assertIsInstance(run.final["update_gap"], float)
        self.assertEqual(run.facts.units("learning_rate"), "1")
        self.assertEqual(run.facts["width"], run.parameters["width"])

    def test_arrays_in_the_file(self) -> None:
        """Weights, snapshots, records and long trajectories are read as far as asked for."""
        path = self.train(DEEP, "deep.h5", "--until", "11", code=75)
        run = self.open(path).members[0]
        checkpoint = run.checkpoint()
        assert checkpoint is not None
        with h5py.File(path, "r", locking=False) as file:
            slot = file[f"/state/run0000/checkpoint{run.page.newest_slot()}"]
            snapshots, record = file["/snapshots/run0000"], file["/record/run0000"]
            outputs = file["/runs/run0000/trajectory/layer_gradient_norm"]
            for stored, whole in (
                (checkpoint.weights(), slot["hidden_weights"][()]),
                (checkpoint.weights(3), slot["hidden_weights_3"][()]),
                (checkpoint.weights("output"), slot["output_weights"][()]),
                (run.snapshots.weights(1, 2), snapshots["hidden_weights_2"][1]),
                (run.snapshots.weights(0, "output"), snapshots["output_weights"][0]),
                (run.record.stored("train_inputs"), record["train_inputs"][()]),
                (run.trajectory.stored("layer_gradient_norm"), outputs[: run.rows]),
            ):
                with self.subTest(stored.name):
                    self.check_stored(stored, whole)
            np.testing.assert_array_equal(checkpoint.layer_weights(2), slot["hidden_weights_2"])
        self.assertLess(run.rows, len(outputs_of(path)))
        for call, error, words in (
            (lambda: checkpoint.weights(4), KeyError, "no hidden_weights_4; it has hidden"),
            (lambda: run.snapshots.weights(2), IndexError, "snapshot 2 was not taken; there are 2"),
            (lambda: run.trajectory["los"], KeyError, "no los in /runs/run0000/traj"),
            (lambda: run.trajectory.stored("loss")[run.rows], IndexError, "out of bounds"),
            (lambda: run.trajectory.stored("loss")[0, 0], IndexError, "has 1 axes, not 2"),
        ):
            with self.assertRaisesRegex(error, words):
                call()

    def check_stored(self, stored: widthwise.StoredArray, whole: np.ndarray) -> None:
        """Any part is that of the whole, and no more than it is read."""
        self.assertEqual((stored.shape, stored.ndim), (whole.shape, whole.ndim))
        self.assertEqual((len(stored), stored.nbytes), (len(whole), whole.nbytes))
        np.testing.assert_array_equal(np.asarray(stored), whole)
        for key in (0, -1, slice(1, 3), slice(None, None, 2), (slice(None), 0), (..., 1),
                    (slice(-2, None), slice(1, 3)), [0, 2], np.arange(len(whole)) % 2 == 0):
            np.testing.assert_array_equal(stored[key], whole[key], str(key))
        read: list[int] = []
        plainly = h5py.Dataset.__getitem__

        def counted(dataset: h5py.Dataset, key: Any, **more: Any) -> Any:
            values = plainly(dataset, key, **more)
            if dataset.name == stored.name:
                read.append(np.size(values))
            return values

        with mock.patch.object(h5py.Dataset, "__getitem__", counted):
            part = stored[1:3]
            self.assertEqual(read, [whole[1:3].size])
            found = list(stored.blocks(2))
        self.assertEqual((part.units, part.name), (stored.units, stored.name))
        self.assertEqual(max(read), whole[:2].size)
        self.assertEqual([first for first, _ in found], list(range(0, len(whole), 2)))
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), whole)
        self.assertEqual(len(list(stored.blocks())), 1)

    def test_gram(self) -> None:
        """Results and eigenvectors of the Gram matrix."""
        path = self.train(GRAM, "gram.h5")
        run = self.open(path).members[0]
        assert run.eigenvectors is not None
        with h5py.File(path, "r", locking=False) as file:
            np.testing.assert_array_equal(
                run.eigenvectors[:2], file["/gram/run0000/eigenvectors"][:2]
            )
        matrix = (run.eigenvectors[...].T * run.gram["eigenvalues"]) @ run.eigenvectors[...]
        np.testing.assert_allclose(np.linalg.eigvalsh(matrix)[0], run.gram["lambda_min"])
        table = self.open(path).table()
        self.assertEqual(table["gram.lambda_min"], [run.gram["lambda_min"]])
        self.assertNotIn("last.train_outputs", table)

    def test_table(self) -> None:
        """A row for each member, a column for each number; the same as a DataFrame."""
        config = SWEEP.replace("[100, 260], seed: [1, 2]", "[100, 260], training.rate: [1, 1e300]")
        path = self.train(config, "table.h5", code=3)
        file = self.open(path)
        table = file.table()
        self.assertEqual(table["name"], [f"run000{number}" for number in range(4)])
        self.assertEqual(table["network.width"], [100, 100, 260, 260])
        self.assertEqual(table["training.rate"], [1.0, 1e300, 1.0, 1e300])
        self.assertEqual(table["state"], ["done", "diverged"] * 2)
        self.assertEqual(table["rows"], [member.rows for member in file.members])
        self.assertEqual(table["model"], ["li-liang"] * 4)
        for number, run in enumerate(file.members):
            self.assertEqual(table["last.loss"][number], run.trajectory["loss"][-1])
            self.assertEqual(table["last.step"][number], run.trajectory["step"][-1])
            if run.state == widthwise.State.DONE:
                self.assertEqual(table["final.update_gap"][number], run.final["update_gap"])
            else:
                self.assertTrue(math.isnan(table["final.update_gap"][number]))
        self.assertNotIn("final.update_spectrum", table)
        frame = file.frame()
        self.assertIsInstance(frame, pandas.DataFrame)
        self.assertEqual(list(frame.columns), list(table))
        self.assertEqual(frame.dtypes["final.update_gap"], np.float64)
        means = frame.groupby("network.width")["final.update_gap"].mean()
        self.assertEqual(means[260], table["final.update_gap"][2])
        with mock.patch.dict(sys.modules, {"pandas": None}):
            with self.assertRaisesRegex(ImportError, r"needs pandas \(python3-pandas"):
                file.frame()
        copy = self.folder / "copy.h5"
        self.succeed("export", path, "-o", copy)
        for name, column in self.open(copy).table().items():
            np.testing.assert_array_equal(column, table[name], name)

    def test_replicas(self) -> None:
        """A row for each; each is found by its number."""
        file = self.open(self.train(REPLICAS, "replicas.h5"))
        table = file.table()
        self.assertEqual(table["replica"], [*range(30), *range(30)])
        self.assertEqual(table["width"], [20] * 30 + [30] * 30)
        found = widthwise.select(file.trainings, {"network.width": 30}, replica=[3, 4])
        self.assertEqual(self.names(found), ["run0001, replica 3", "run0001, replica 4"])
        for run, row in zip(found, (33, 34)):
            self.assertEqual(table["last.step"][row], run.trajectory["step"][-1])
            self.assertEqual(table["rows"][row], len(run.trajectory["loss"]))
            reached = run.final["steps_to_accuracy"]
            np.testing.assert_array_equal(table["final.steps_to_accuracy"][row], reached)
            self.assertEqual(run.trajectory["loss"].units, "nat")
            self.assertTrue(np.isfinite(run.trajectory["loss"]).all())
        self.assertEqual(self.names(file.select(width=30)), ["run0001"])

    def test_torn_pages(self) -> None:
        """Pages that both were being written while they were read are read again."""
        path = self.train(SINGLE, "torn.h5")
        newest = commit_page.newest
        answers = [None, None]

        def torn_twice(pages: np.ndarray) -> Any:
            return answers.pop() if answers else newest(pages)

        with mock.patch.object(commit_page, "newest", torn_twice):
            self.assertEqual(self.open(path).members[0].state, widthwise.State.DONE)
        self.assertEqual(answers, [])
        with mock.patch.object(commit_page, "newest", lambda pages: None):
            with self.assertRaisesRegex(widthwise.FormatError, "neither commit page of run0000"):
                widthwise.open(path)

    def test_structure_in_the_middle_of_a_change(self) -> None:
        """What a running job changes is waited for; what a dead one left is said."""
        path = self.train(SINGLE, "changing.h5")
        undo = path.with_name("changing.h5.undo")
        undo.write_bytes(b"")
        with mock.patch.object(widthwise, "STRUCTURE_SECONDS", 0.1):
            with self.assertRaisesRegex(widthwise.FormatError, r"changing\.h5\.undo stands beside"):
                widthwise.open(path)
        timer = threading.Timer(0.3, undo.unlink)
        timer.start()
        began = time.monotonic()
        self.assertEqual(len(self.open(path).members), 1)
        self.assertGreater(time.monotonic() - began, 0.2)
        timer.join()

    def test_while_a_job_writes(self) -> None:
        """Rows rise with every look and are committed ones; a checkpoint that was replaced is not
        handed out."""
        config = SINGLE
        for old, new in (
            ("steps: 43", "steps: 1000000"),
            ("every: 15, record: [data, batches, initial-weights]", "every: 200, commit_seconds: 0"),
            ("quantities: all", "quantities: [loss, distance]"),
        ):
            config = config.replace(old, new)
        (self.folder / "long.yaml").write_text(config, encoding="utf-8")
        job = start("run", "long.yaml", "-o", "long.h5", "-q", folder=self.folder, ranks=2)
        self.addCleanup(kill_all, job)
        path = self.folder / "long.h5"
        deadline = time.monotonic() + 60
        while not path.exists():
            self.assertIsNone(job.poll())
            self.assertLess(time.monotonic(), deadline)
        file = self.open(path)
        rows, steps, overtaken = [], [], 0
        while len(rows) < 20 or overtaken == 0:
            self.assertLess(time.monotonic(), deadline)
            run = file.refresh().members[0]
            if run.state == widthwise.State.WAITING:
                continue
            rows.append(run.rows)
            np.testing.assert_array_equal(run.trajectory["step"], 10 * np.arange(run.rows))
            self.assertTrue(np.isfinite(run.trajectory["loss"]).all())
            self.assertEqual((run.state, job.poll()), (widthwise.State.RUNNING, None))
            self.assertEqual(len(run.final), 0)
            checkpoint = run.checkpoint()
            if checkpoint is None:
                continue
            steps.append(checkpoint.step)
            weights = checkpoint.weights()
            try:
                while True:  # until there is a newer one
                    self.assertTrue(np.isfinite(weights[:100]).all())
                    self.assertLess(time.monotonic(), deadline)
            except widthwise.Overtaken as error:
                self.assertIn(f"the checkpoint of step {checkpoint.step} is no long", str(error))
                overtaken += 1
        self.assertEqual((rows, steps), (sorted(rows), sorted(steps)))
        self.assertGreater(rows[-1], rows[0])
        self.assertEqual(file.table()["rows"], [file.members[0].rows])
        kill_all(job)
        found = file.refresh().members[0]
        self.assertGreaterEqual(found.rows, rows[-1])
        checkpoint = found.checkpoint()
        assert checkpoint is not None
        self.assertTrue(np.isfinite(checkpoint.hidden_weights).all())


def outputs_of(path: Path) -> np.ndarray:
    """All rows that a trajectory has room for."""
    with h5py.File(path, "r", locking=False) as file:
        return file["/runs/run0000/trajectory/layer_gradient_norm"][()]


if __name__ == "__main__":
    unittest.main()
