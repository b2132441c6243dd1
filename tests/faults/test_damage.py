"""Files that were damaged on the disk: what is damaged is found and said, what is whole is used."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
from compare import result_differences  # noqa: E402
from processes import start  # noqa: E402
from program import ProgramTest, run_program  # noqa: E402

import widthwise  # noqa: E402

STOPPED = 75
UNTIL = ("--until", "35")

CONFIG = """
name: damage
data: {train: 60, test: 30, mixture: {dimension: 40, classes: 4, components: 2}}
network: {width: 300}
training: {batch: 8, steps: 60, rate: 1.0}
measure:
  every: 5
  quantities: [loss, distance, row_movement]
  final: [update_spectrum]
  snapshots: [5]
output: {checkpoint_every: 10, record: [data, initial-weights]}
"""


class DamageTest(ProgramTest):
    """One bit at a time, and ends that are cut off."""

    FLIPS = 16  # test_damage_long.py takes more of both
    CUTS = 4

    whole: Path
    pristine: Path
    config: Path

    @classmethod
    def setUpClass(cls) -> None:
        """A whole run, and one that was stopped; tests damage copies."""
        scratch = tempfile.TemporaryDirectory(prefix="widthwise-")
        cls.addClassCleanup(scratch.cleanup)
        folder = Path(scratch.name)
        cls.config, cls.whole, cls.pristine = (
            folder / name for name in ("damage.yaml", "whole.h5", "pristine.h5")
        )
        cls.config.write_text(CONFIG, encoding="utf-8")
        for path, until, ranks, code in ((cls.whole, (), 2, 0), (cls.pristine, UNTIL, None, STOPPED)):
            run = ("run", cls.config, "-o", path, "-q", *until)
            result = run_program(*run, folder=folder, ranks=ranks)
            if result.code != code:
                raise AssertionError(result.text)

    def setUp(self) -> None:
        super().setUp()
        self.file = self.folder / "run.h5"
        shutil.copy(self.pristine, self.file)
        with widthwise.open(self.file) as file:
            page = file.members[0].page
            self.newest = page.newest_slot()
            self.newest_step = page.slots[self.newest].step
            self.older_step = page.slots[1 - self.newest].step
            self.newest_page = page.generation % 2
        with h5py.File(self.file, "r", locking=False) as file:
            self.extents: dict[str, tuple[int, int]] = {}
            file.visititems(self.note_extent)

    def note_extent(self, name: str, item: object) -> None:
        """Where a dataset lies in the file."""
        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None:
            self.extents[f"/{name}"] = (item.id.get_offset(), item.id.get_storage_size())

    def flip(self, place: int, bit: int = 4) -> None:
        """Turns one bit of the file round."""
        with self.file.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << bit)]))

    def flip_in(self, dataset: str, skip: int = 1000) -> None:
        """Turns one bit of a dataset round."""
        offset, size = self.extents[dataset]
        self.flip(offset + skip % size)

    def slot(self, number: int) -> str:
        """The hidden weights of a checkpoint slot."""
        return f"/state/run0000/checkpoint{number}/hidden_weights"

    def test_newest_checkpoint(self) -> None:
        """The other slot is used, and that is said; the end has the same bits."""
        self.flip_in(self.slot(self.newest))
        result = self.succeed("verify", self.file, ranks=2, code=1)
        self.assertIn(f"step {self.newest_step}) DAMAGED", result.output)
        self.assertIn(f"newest good checkpoint: slot {1 - self.newest}", result.output)
        result = self.succeed("resume", self.file, ranks=3)
        self.assertIn("fails its checksum", result.errors)
        self.assertIn(f"going on from step {self.older_step} ", result.errors)
        self.assertEqual(result_differences(self.whole, self.file), [])

    def test_older_checkpoint(self) -> None:
        """A spare slot that is damaged does not matter."""
        self.flip_in(self.slot(1 - self.newest))
        result = self.succeed("verify", self.file)
        self.assertIn("not whole", result.output)
        result = self.succeed("resume", self.file, ranks=2)
        self.assertIn(f"going on from step {self.newest_step} ", result.errors)
        self.assertEqual(result_differences(self.whole, self.file), [])

    def test_both_checkpoints(self) -> None:
        """Nothing is left to go on from: said, and what is left is not touched."""
        for number in (0, 1):
            self.flip_in(self.slot(number))
        result = self.succeed("resume", self.file, ranks=3, code=1)
        self.assertEqual(result.errors.count("no checkpoint of run0000 is whole"), 1)
        self.succeed("verify", self.file, code=1)
        with widthwise.open(self.file) as file:  # all that was written is that a start failed
            self.assertEqual(len(file.provenance), 2)
            self.assertEqual(file.members[0].state, widthwise.State.FAILED)
            self.assertEqual(file.members[0].checkpoint().step, self.newest_step)

    def test_carry_and_output_weights(self) -> None:
        """Every part of a checkpoint is under its hash."""
        for part in ("carry", "output_weights"):
            with self.subTest(part):
                shutil.copy(self.pristine, self.file)
                self.flip_in(f"/state/run0000/checkpoint{self.newest}/{part}", 3)
                result = self.succeed("resume", self.file)
                self.assertIn("fails its checksum", result.errors)
                self.assertEqual(result_differences(self.whole, self.file), [])

    def test_commit_pages(self) -> None:
        """The other page counts; without any nothing can be trusted."""
        commit = "/state/run0000/commit"
        self.flip_in(commit, 4096 * self.newest_page + 40)
        result = self.succeed("verify", self.file, ranks=2)
        self.assertIn("one commit page does not check", result.output)
        result = self.succeed("resume", self.file, ranks=2)
        self.assertIn("one of the two commit pages", result.errors)
        self.assertEqual(result_differences(self.whole, self.file), [])
        for number in (0, 1):
            self.flip_in(commit, 4096 * number + 100)
        for command in ("resume", "verify"):
            result = self.succeed(command, self.file, ranks=2, code=1)
            self.assertEqual(result.errors.count("widthwise: "), 1, result.errors)

    def test_rows_results_and_record(self) -> None:
        """What was measured is under a hash as well."""
        for dataset in (
            "/runs/run0000/trajectory/loss",
            "/runs/run0000/trajectory/step",
            "/runs/run0000/final/update_spectrum",
            "/record/run0000/train_inputs",
        ):
            with self.subTest(dataset):
                shutil.copy(self.whole, self.file)
                self.succeed("verify", self.file)
                with h5py.File(self.file, "r", locking=False) as file:
                    offset = file[dataset].id.get_offset()
                self.flip(offset + 17)
                result = self.succeed("verify", self.file, ranks=2, code=1)
                self.assertIn("DAMAGED", result.output)

    def test_measured_before_a_restart(self) -> None:
        """Damaged values are not kept: the run goes back to before them, at last to step 0."""
        for dataset, skip, step in (
            ("trajectory/loss", 8 * 7 + 1, self.older_step),  # that of step 35
            ("trajectory/step", 8 * 7 + 7, self.older_step),
            ("trajectory/row_movement", 8 * 7 + 6, self.older_step),
            ("trajectory/row_movement", 6, -1),
            ("trajectory/step", 9, -1),
        ):
            with self.subTest(f"{dataset} {skip}"):
                shutil.copy(self.pristine, self.file)
                self.flip_in(f"/runs/run0000/{dataset}", skip)
                result = self.succeed("resume", self.file, ranks=2)
                self.assertIn("warning: ", result.errors)
                self.assertIn("fail their checksum", result.errors)
                going_on = f"going on from step {step} " if step >= 0 else "begins anew from step 0"
                self.assertIn(going_on, result.errors)
                self.assertEqual(result_differences(self.whole, self.file), [])
                self.succeed("verify", self.file)

    def test_snapshots_and_record_before_a_restart(self) -> None:
        """They are made anew as well."""
        for dataset, said in (
            ("/snapshots/run0000/hidden_weights", "begins anew from step 0"),
            ("/record/run0000/train_inputs", "it is written again"),
            ("/record/run0000/initial_hidden_weights", "it is written again"),
        ):
            with self.subTest(dataset):
                shutil.copy(self.pristine, self.file)
                self.flip_in(dataset)
                result = self.succeed("resume", self.file, ranks=3)
                self.assertIn(said, result.errors)
                self.assertEqual(result_differences(self.whole, self.file), [])
                self.succeed("verify", self.file)

    def test_under_the_feet_of_a_run(self) -> None:
        """A bit turned round while the job writes: it does not end as if all were well."""
        longer = ("--set", "training.steps=2500", "--set", "measure.every=250")
        longer += ("--set", "output.checkpoint_every=250")
        whole = self.train(CONFIG, "longer.h5", *longer, ranks=2)
        for dataset, said in (
            ("/runs/run0000/trajectory/row_movement", "the records"),
            ("/record/run0000/train_inputs", "what was recorded for a replay"),
        ):
            with self.subTest(dataset):
                self.file.unlink()
                process = start(
                    *("run", self.config, "-o", self.file, "-q", *longer), folder=self.folder, ranks=2
                )
                try:
                    self.wait_for_checkpoint(process)
                    with h5py.File(self.file, "r", locking=False) as file:
                        offset = file[dataset].id.get_offset()
                    self.flip(offset + 6)
                    text, _ = process.communicate(timeout=120)
                finally:
                    process.kill()
                    process.communicate()
                self.assertEqual(process.returncode, 1, text)
                self.assertEqual(text.count(f"{said} fail their checksum"), 1, text)
                self.assertNotIn("complete", text)
                self.succeed("resume", self.file, ranks=2)
                self.assertEqual(result_differences(whole, self.file), [])

    def wait_for_checkpoint(self, process: subprocess.Popen[str]) -> None:
        """Until the file vouches for one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if self.file.exists():
                with widthwise.open(self.file) as file:
                    if file.members[0].checkpoint() is not None:
                        return
            time.sleep(0.005)
        self.fail("no checkpoint came")

    def test_what_the_run_is(self) -> None:
        """A configuration or a fact with one bit turned round would be another run."""
        for dataset in ("config", "label", "parameters/learning_rate", "parameters/model"):
            with self.subTest(dataset):
                shutil.copy(self.pristine, self.file)
                self.flip_in(f"/runs/run0000/{dataset}", 0)
                for command in ("verify", "resume", "export"):
                    result = self.succeed(command, self.file, code=1)
                    self.assertIn("configuration of the file is damaged", result.errors)

    def test_bits_of_the_structure(self) -> None:
        """Bits of HDF5's own structures: found before anything is written, never a crash or a hang."""
        draw = random.Random(1)
        spans = sorted(self.extents.values())
        size = self.pristine.stat().st_size
        places = [
            place
            for place in range(size)
            if not any(offset <= place < offset + length for offset, length in spans)
        ]
        with self.pristine.open("rb") as file:
            content = file.read()
        places = [place for place in places if content[place] != 0]
        outcomes: dict[int, int] = {}
        for _ in range(self.FLIPS):
            shutil.copy(self.pristine, self.file)
            place, bit = draw.choice(places), draw.randrange(8)
            self.flip(place, bit)
            with self.subTest(place=place, bit=bit):
                before = self.file.read_bytes()
                for command in ("verify", "resume"):
                    result = run_program(command, self.file, folder=self.folder, timeout=60)
                    self.assertIn(result.code, (1, 2), result.text)
                    self.assertEqual(result.errors.count("widthwise: "), 1, result.errors)
                    outcomes[result.code] = outcomes.get(result.code, 0) + 1
                self.assertEqual(self.file.read_bytes(), before)
        print(f"\nflips in the structure: {self.FLIPS}, exit codes {outcomes}")

    def test_cut_off(self) -> None:
        """Files that lost their end."""
        size = self.pristine.stat().st_size
        draw = random.Random(2)
        for length in [1, 100, 2048, size - 1, *(draw.randrange(size) for _ in range(self.CUTS))]:
            shutil.copy(self.pristine, self.file)
            with self.file.open("r+b") as file:
                file.truncate(length)
            with self.subTest(length=length):
                for command in ("verify", "show", "resume"):
                    result = run_program(command, self.file, folder=self.folder, timeout=60)
                    self.assertIn(result.code, (1, 2), result.text)
                    self.assertEqual(result.errors.count("widthwise: "), 1, result.errors)


if __name__ == "__main__":
    unittest.main()
