"""What a user can do wrong ends with one sentence, exit code 2 on every rank, nothing written.

Every case runs on one rank and on three. Under mpirun each rank runs in a little shell script that
notes its exit code, so that a rank that hangs or ends otherwise than the others is seen.
"""

from __future__ import annotations

import gzip
import os
import struct
import sys
import unittest
from pathlib import Path
from typing import Callable, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from program import ProgramTest, Result, execute, mpi, program, run_program  # noqa: E402

USAGE = 2

NOTE_CODE = """#!/bin/sh
"$@"
echo $? > "codes/$OMPI_COMM_WORLD_RANK"
"""

IMAGES = """
data:
  source: idx
  train: {train}
  test: 5
  idx: {{train_images: train-images, train_labels: train-labels,
         test_images: test-images, test_labels: test-labels}}
training: {{batch: 4, steps: 3}}
network: {{width: 20}}
"""

ARRAYS = """
data:
  source: hdf5
  train: all
  test: all
  normalize: none
  hdf5: {file: data.hdf5}
training: {batch: 4, steps: 3}
network: {width: 20}
"""


def idx(values: np.ndarray) -> bytes:
    """An array of bytes in the IDX format."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


class UsageTest(ProgramTest):
    """Everything that ends with exit code 2."""

    def contents(self) -> dict[str, bytes]:
        """All files of the working folder."""
        folder = self.folder / "work"
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def on_ranks(self, ranks: int, *arguments: str) -> tuple[Result, list[int]]:
        """Runs under mpirun; the exit codes of all ranks."""
        folder = self.folder / "work"
        script = self.folder / "note-code"
        script.write_text(NOTE_CODE, encoding="utf-8")
        script.chmod(0o755)
        codes = folder / "codes"
        codes.mkdir(exist_ok=True)
        result = execute([*mpi(ranks), script, program(), *arguments], folder, timeout=60)
        found = [int((codes / str(rank)).read_text()) for rank in range(ranks)]
        for path in codes.iterdir():
            path.unlink()
        codes.rmdir()
        return result, found

    def refuse(self, *arguments: str, said: tuple[str, ...]) -> None:
        """Expects one sentence with all of `said` in it, exit code 2, and no file touched."""
        folder = self.folder / "work"
        folder.mkdir(exist_ok=True)
        before = self.contents()
        alone = run_program(*arguments, folder=folder, timeout=60)
        self.assertEqual(alone.code, USAGE, alone.text)
        several, codes = self.on_ranks(3, *arguments)
        self.assertEqual(codes, [USAGE] * 3, several.text)
        for result in (alone, several):
            self.assertEqual(result.output, "")
            sentences = [line for line in result.errors.splitlines() if line.strip()]
            self.assertEqual(len(sentences), 1, result.text)
            self.assertTrue(sentences[0].startswith("widthwise: "), sentences[0])
            for phrase in said:
                self.assertIn(phrase, sentences[0])
        self.assertEqual(self.contents(), before)

    def refuse_config(self, text: str, *said: str) -> None:
        """The same for a configuration."""
        folder = self.folder / "work"
        folder.mkdir(exist_ok=True)
        (folder / "job.yaml").write_text(text, encoding="utf-8")
        self.refuse("run", "job.yaml", said=said)

    def test_unknown_key(self) -> None:
        self.refuse_config(
            "network:\n  widht: 5\n", "job.yaml", "line 2", "network.widht", "network.width"
        )

    def test_duplicate_key(self) -> None:
        self.refuse_config("seed: 1\nname: a\nseed: 2\n", "line 3", "seed", "line 1")

    def test_missing_key(self) -> None:
        self.refuse_config("data:\n  source: idx\n", "line 2", "data.idx.train_images")

    def test_value_out_of_range(self) -> None:
        self.refuse_config("network:\n  width: 0\n", "line 2", "network.width", "at least 1", "0")

    def test_wrong_type(self) -> None:
        self.refuse_config("training: {rate: fast}\n", "line 1", "training.rate", "fast")

    def test_unknown_choice(self) -> None:
        self.refuse_config("data:\n  normalize: spere\n", "line 2", "spere", "sphere")

    def test_malformed_yaml(self) -> None:
        self.refuse_config("seed: 1\nnetwork: [1\n", "job.yaml", "line", "YAML")

    def test_unknown_quantity(self) -> None:
        self.refuse_config("measure:\n  quantities: [losss]\n", "line 2", "losss", "`loss`")

    def test_unknown_result(self) -> None:
        self.refuse_config(
            "measure:\n  final: [update_spectra]\n", "line 2", "update_spectra", "update_spectrum"
        )

    def test_unknown_quantity_to_stop_at(self) -> None:
        self.refuse_config("training: {stop: {los: 0.1}}\n", "training.stop", "los", "`loss`")

    def test_no_samples(self) -> None:
        self.refuse_config("data: {train: 0}\n", "line 1", "data.train", "at least 1")

    def test_fewer_samples_than_a_batch(self) -> None:
        self.refuse_config(
            "data: {train: 10}\ntraining: {batch: 16}\n", "data.train", "10", "training.batch", "16"
        )

    def test_more_steps_than_can_be_counted(self) -> None:
        most = "steps: 9223372036854775807"
        self.refuse_config(
            f"training: {{{most}}}\n", "line 1", "training.steps", "no more than 4294967296"
        )
        self.refuse_config(
            f"training: {{{most}, sampling: replacement}}\nmeasure: {{every: 1}}\n",
            "does not fit in 64 bits",
        )

    def test_settings(self) -> None:
        self.refuse("run", "--set", "network.widht=3", said=("--set", "network.width"))
        self.refuse("run", "--set", "network.width", said=("--set", "key=value"))
        self.refuse("run", "--set", "training.batch=many", said=("--set", "integer", "many"))

    def test_member_out_of_range(self) -> None:
        self.refuse("run", "--member", "4", said=("--member 4", "1 member"))

    def test_unreadable_configuration(self) -> None:
        self.refuse("run", "nowhere.yaml", said=("nowhere.yaml", os.strerror(2)))

    def test_unknown_command_and_option(self) -> None:
        self.refuse("rum", said=("`rum`",))
        self.refuse("run", "--focre", said=("--focre", "--force"))
        self.refuse("list", "quantites", said=("quantites", "quantities"))

    def test_theory_of_nothing(self) -> None:
        self.refuse("theory", "nowhere.yaml", said=("nowhere.yaml", os.strerror(2)))
        self.refuse("theory", "--member", "1", said=("--member 1", "1 member"))
        self.refuse("theory", "--grm", said=("--grm", "--gram"))
        self.refuse("theory", "--set", "theory.target_los=1", said=("theory.target_loss",))

    def test_samples_that_find_no_place(self) -> None:
        sphere = ("--set", "model=zou-gu", "--set", "data.train=30", "--set")
        for setting, said in (
            ("data.sphere.separation=1.5", ("data.sphere.separation", "1.5", "30 are wanted")),
            ("data.sphere.separation=1.99", ("data.sphere.separation", "more than 1.9")),
            ("data.sphere.dimension=2", ("data.sphere.dimension", "at least 3")),
            ("data.subset.kind=separable", ("data.subset.kind", "sphere")),
        ):
            for command in ("run", "theory"):
                self.refuse(command, *sphere, setting, said=said)

    def test_output_that_exists(self) -> None:
        folder = self.folder / "work"
        folder.mkdir()
        (folder / "there.h5").write_bytes(b"precious")
        self.refuse("run", "-o", "there.h5", said=("there.h5", "exists", "--force"))

    def test_output_in_no_folder(self) -> None:
        self.refuse("run", "-o", "nowhere/a.h5", said=("nowhere/a.h5", os.strerror(2)))

    def test_files_of_others(self) -> None:
        folder = self.folder / "work"
        folder.mkdir()
        (folder / "text.h5").write_text("no HDF5", encoding="utf-8")
        with h5py.File(folder / "other.h5", "w") as file:
            file["x"] = 1.0
        for command in ("show", "verify", "resume"):
            self.refuse(command, "text.h5", said=("text.h5", "not an HDF5 file"))
            self.refuse(command, "other.h5", said=("other.h5",))
            self.refuse(command, "nowhere.h5", said=("nowhere.h5", os.strerror(2)))

    # Data in files of the IDX format.

    def write_images(self, count: int = 20) -> Path:
        """Good files of `count` train and 5 test images; the working folder."""
        folder = self.folder / "work"
        folder.mkdir(exist_ok=True)
        draws = np.random.default_rng(1)
        for kind, number in (("train", count), ("test", 5)):
            images = draws.integers(1, 256, size=(number, 3, 3))
            (folder / f"{kind}-images").write_bytes(idx(images))
            (folder / f"{kind}-labels").write_bytes(idx(np.arange(number) % 2))
        return folder

    def refuse_images(
        self, change: Callable[[Path], object], *said: str, train: str = "20"
    ) -> None:
        """Changes one of the good files and expects a refusal."""
        change(self.write_images())
        self.refuse_config(IMAGES.format(train=train), *said)

    def test_images_missing(self) -> None:
        self.refuse_images(
            lambda folder: (folder / "train-labels").unlink(), "train-labels", os.strerror(2)
        )

    def test_images_truncated(self) -> None:
        def cut(folder: Path) -> None:
            path = folder / "train-images"
            path.write_bytes(path.read_bytes()[:-7])

        self.refuse_images(cut, "train-images")

    def test_images_of_another_format(self) -> None:
        self.refuse_images(
            lambda folder: (folder / "train-images").write_bytes(b"\x89PNG" + bytes(200)),
            "train-images",
        )

    def test_images_corrupt_gzip(self) -> None:
        def corrupt(folder: Path) -> None:
            path = folder / "test-images"
            content = bytearray(gzip.compress(path.read_bytes()))
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(bytes(content))

        self.refuse_images(corrupt, "test-images")

    def test_more_images_than_labels(self) -> None:
        self.refuse_images(
            lambda folder: (folder / "train-labels").write_bytes(idx(np.arange(19) % 2)),
            "20",
            "19",
            "train-labels",
        )

    def test_fewer_images_than_asked(self) -> None:
        self.refuse_images(lambda folder: None, "data.train", "20", "21", train="21")

    def test_empty_files(self) -> None:
        def empty(folder: Path) -> None:
            (folder / "train-images").write_bytes(idx(np.zeros((0, 3, 3))))
            (folder / "train-labels").write_bytes(idx(np.zeros(0)))

        self.refuse_images(empty, "train-", "holds no", train="all")

    def test_image_of_zeros_cannot_be_normalised(self) -> None:
        def blacken(folder: Path) -> None:
            images = np.full((20, 3, 3), 9)
            images[13] = 0
            (folder / "train-images").write_bytes(idx(images))

        self.refuse_images(blacken, "13", "normalize")

    # Data in HDF5 files.

    def refuse_arrays(
        self, *said: str, without: Optional[str] = None, **changed: np.ndarray
    ) -> None:
        """Writes a data file, good but for what is changed, and expects a refusal."""
        folder = self.folder / "work"
        folder.mkdir()
        draws = np.random.default_rng(2)
        arrays = {
            "train_inputs": draws.normal(size=(12, 4)),
            "train_labels": np.arange(12) % 3,
            "test_inputs": draws.normal(size=(6, 4)),
            "test_labels": np.arange(6) % 3,
        }
        arrays.update(changed)
        with h5py.File(folder / "data.hdf5", "w") as file:
            for name, values in arrays.items():
                if name != without:
                    file[name] = values
        self.refuse_config(ARRAYS, "data.hdf5", *said)

    def test_arrays_with_nan(self) -> None:
        inputs = np.ones((12, 4))
        inputs[7, 2] = np.nan
        self.refuse_arrays("train", "7", "2", train_inputs=inputs)

    def test_array_missing(self) -> None:
        self.refuse_arrays("test_labels", without="test_labels")

    def test_arrays_of_unequal_length(self) -> None:
        self.refuse_arrays("12", "11", "train_labels", train_labels=np.arange(11) % 3)

    def test_arrays_of_unequal_dimension(self) -> None:
        self.refuse_arrays("test_inputs", test_inputs=np.ones((6, 5)))

    def test_labels_that_are_no_classes(self) -> None:
        self.refuse_arrays("train_labels", train_labels=np.arange(12) - 1)

    def test_labels_that_are_no_integers(self) -> None:
        self.refuse_arrays("train_labels", train_labels=np.arange(12) / 2)

    def test_not_an_hdf5_file(self) -> None:
        folder = self.folder / "work"
        folder.mkdir()
        (folder / "data.hdf5").write_text("numbers", encoding="utf-8")
        self.refuse_config(ARRAYS, "data.hdf5", "HDF5")


class HelpTest(ProgramTest):
    """What the program tells of itself."""

    def test_help(self) -> None:
        """Every command has its help, on the standard output."""
        listed = self.succeed("--help").output
        for command in ("run", "resume", "theory", "show", "verify", "list"):
            self.assertIn(f"  {command} ", listed)
            told = self.succeed(command, "--help")
            self.assertIn(f"usage: widthwise {command}", told.output)
            self.assertEqual(told.errors, "")

    def test_lists(self) -> None:
        """All lists name what they ought to."""
        for what, known in (
            ("quantities", ("test_accuracy", "coupling", "pseudo_gradient_norm", "v_max", "residual")),
            ("results", ("update_spectrum", "accuracy_target", "separation", "eigenvalues")),
            ("keys", ("network.width", "training.stop", "output.record", "measure.snapshots")),
            ("models", ("li-liang", "arora")),
            ("sources", ("mixture", "xor-balls", "points", "idx", "cifar10", "hdf5", "function",
                         "separable", "orthonormal", "sphere")),
        ):
            told = self.succeed("list", what).output
            for name in known:
                self.assertIn(name, told)

    def test_no_command(self) -> None:
        """Without a command the usage, as an error."""
        told = self.succeed(code=USAGE)
        self.assertEqual(told.output, "")
        self.assertIn("usage: widthwise COMMAND", told.errors)

    def test_output_is_told_once(self) -> None:
        """Several ranks do not repeat what one says; results are named; a file can be replaced."""
        run = ("run", "--set", "training.steps=20", "--set", "network.width=140")
        self.assertEqual(self.succeed(*run, ranks=3).output.count("figure1.h5: complete"), 1)
        self.succeed(*run, ranks=3, code=USAGE)
        self.succeed(*run, "--force", ranks=3)
        shown = self.succeed("show", "figure1.h5", ranks=3).output
        self.assertEqual(shown.count("run0000"), 1)
        self.assertIn("20 of 20", shown)
        verified = self.succeed("verify", "figure1.h5", ranks=3).output
        self.assertEqual(verified.count("figure1.h5: good"), 1)


if __name__ == "__main__":
    unittest.main()
