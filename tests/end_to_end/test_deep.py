"""Networks of several hidden layers: their files, restarts, sweeps and replicas."""

from __future__ import annotations

import shutil
import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import bits, datasets, differences, result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402

STOPPED = 75
USAGE = 2
RANKS = (2, 3, 4, 7)
WIDTH = 300  # three tiles, the last one short: some ranks have none

DEEP_GD = f"""
name: deep
model: zou-gu
data: {{train: 70, test: 30, sphere: {{dimension: 12, outputs: 3}}}}
network: {{width: {WIDTH}, depth: 3}}
training: {{steps: 20, rate: 0.3}}
measure:
  every: 3
  quantities: [all, layer_gradient_norm, layer_spectral_distance, layer_trajectory_length]
  final: [network_kernel, gradient_regions]
  snapshots: [0, 8]
output: {{checkpoint_every: 5, record: [data, initial-weights, batches]}}
"""
DEEP = DEEP_GD.replace("{steps", "{method: sgd, batch: 16, steps")

# Method, depth, precision and what else is trained.
KINDS = (
    (DEEP_GD, ("network.depth=2", "precision=double")),
    (DEEP, ("network.depth=2", "precision=single", "network.train_output=true")),
    (DEEP, ("network.depth=3", "precision=double", "network.train_output=true")),
    (DEEP_GD, ("network.depth=3", "precision=single")),
)


def options(settings: tuple[str, ...]) -> list[str]:
    """Words of a command line."""
    return [word for setting in settings for word in ("--set", setting)]


class DeepTest(ProgramTest):
    """Runs with two and three hidden layers."""

    def assert_sound(self, path: Path) -> None:
        """Hashes and schema hold."""
        self.succeed("verify", path, ranks=2)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])

    def test_same_bits_on_any_number_of_ranks(self) -> None:
        """Whole files, checkpoints of every layer included.

        Each kind on two numbers of ranks, each number with two kinds: tests/parallel has them all.
        """
        for kind, (config, settings) in enumerate(KINDS):
            with self.subTest(settings=settings):
                alone = self.train(config, "alone.h5", "--force", *options(settings))
                for ranks in RANKS[kind % 2 :: 2]:
                    other = self.train(
                        config, "other.h5", "--force", *options(settings), ranks=ranks
                    )
                    self.assertEqual(differences(alone, other), [], f"1 and {ranks} ranks")
                self.assert_sound(alone)

    def test_restarts(self) -> None:
        """Stopped twice, on other numbers of ranks, between checkpoints and records."""
        for config, settings in KINDS:
            with self.subTest(settings=settings):
                whole = self.train(config, "whole.h5", "--force", *options(settings), ranks=2)
                parts = self.train(
                    config,
                    "parts.h5",
                    *("--force", "--until", "7"),
                    *options(settings),
                    ranks=3,
                    code=STOPPED,
                )
                self.succeed("resume", parts, "-q", "--until", "14", ranks=4, code=STOPPED)
                self.succeed("resume", parts, "-q")
                self.assertEqual(result_differences(whole, parts), [])
                self.assert_sound(parts)

    def test_longer(self) -> None:
        """A run that is made longer is one that always was as long."""
        for config, settings in KINDS[1:3]:
            with self.subTest(settings=settings):
                whole = self.train(config, "whole.h5", "--force", *options(settings))
                more = ("--set", "training.steps=12", "--force")
                parts = self.train(config, "parts.h5", *options(settings), *more, ranks=2)
                self.succeed("resume", parts, "-q", "--set", "training.steps=20", ranks=3)
                self.assertEqual(result_differences(whole, parts), [])
                self.assert_sound(parts)

    def test_what_the_file_holds(self) -> None:
        """Every layer under its own name and shape; in single precision doubles that are floats."""
        shapes = {"": (WIDTH, 12), "_2": (WIDTH, WIDTH), "_3": (WIDTH, WIDTH)}
        for precision in ("double", "single"):
            with self.subTest(precision):
                setting = ("--force", "--set", f"precision={precision}")
                path = self.train(DEEP, "run.h5", *setting, ranks=2)
                with h5py.File(path, "r", locking=False) as file:
                    parameters = file["/runs/run0000/parameters"]
                    self.assertEqual(parameters["depth"][()], 3)
                    self.assertEqual(parameters["precision"][()].decode("ascii"), precision)
                    for layer, shape in shapes.items():
                        start = file[f"/record/run0000/initial_hidden_weights{layer}"][()]
                        kept = file[f"/snapshots/run0000/hidden_weights{layer}"][()]
                        self.assertEqual((start.shape, kept.shape), (shape, (2, *shape)))
                        np.testing.assert_array_equal(kept[0], start)
                        self.assertTrue((kept[1] != start).any())
                        floats = np.float64(np.float32(kept)) == kept
                        self.assertEqual(floats.all(), precision == "single")
                        if layer != "":  # He's weights; three deviations of what was drawn
                            self.assertLess(abs(start.std() * np.sqrt(WIDTH / 2) - 1), 3 / WIDTH)
                    self.assertNotIn("hidden_weights_4", file["/state/run0000/checkpoint0"])

    def test_export(self) -> None:
        """Plain copies have the weights of every layer."""
        path = self.train(DEEP, "run.h5", "--until", "10", ranks=2, code=STOPPED)
        copy = self.folder / "copy.h5"
        self.succeed("export", path, "-o", copy, "--weights", "--record")
        self.assertEqual(check_schema.check_file(str(copy)).violations, [])
        with widthwise.open(path) as file:
            slot = file.members[0].page.newest_slot()
        with h5py.File(path, "r", locking=False) as file, h5py.File(copy, "r") as exported:
            for layer in ("", "_2", "_3"):
                self.assertEqual(
                    bits(file[f"/state/run0000/checkpoint{slot}/hidden_weights{layer}"]),
                    bits(exported[f"/weights/run0000/hidden_weights{layer}"]),
                )
                for name in (
                    f"/snapshots/run0000/hidden_weights{layer}",
                    f"/record/run0000/initial_hidden_weights{layer}",
                ):
                    self.assertEqual(bits(file[name]), bits(exported[name]))

    def test_sweep_over_depth_and_merge(self) -> None:
        """Members of unlike depth in one file, and as the elements of a job array."""
        sweep = DEEP + "sweep: {network.depth: [1, 2, 3]}\n"
        path = self.train(sweep, "sweep.h5", ranks=2)
        self.assert_sound(path)
        config = self.folder / "sweep.h5.yaml"
        elements = []
        for member in range(3):
            elements.append(self.folder / f"element{member}.h5")
            self.succeed(
                *("run", config, "-o", elements[-1], "-q", "--member", str(member)), ranks=3
            )
        merged = self.folder / "merged.h5"
        self.succeed("merge", *elements, "-o", merged)
        self.assertEqual(result_differences(path, merged), [])
        self.assert_sound(merged)
        with h5py.File(path, "r", locking=False) as file:
            for run in range(3):
                names = [
                    name
                    for name in file[f"/state/run{run:04}/checkpoint0"]
                    if name.startswith("hidden")
                ]
                self.assertEqual(len(names), run + 1)
        # The shallow member of the sweep is the run that its configuration gives alone.
        alone = self.train(DEEP, "alone.h5", "--set", "network.depth=1")
        with h5py.File(path, "r", locking=False) as one, h5py.File(alone, "r") as other:
            for name, dataset in datasets(other, "/runs/run0000/trajectory").items():
                self.assertEqual(bits(dataset), bits(one[name]), name)

    def test_replicas(self) -> None:
        """Each is the run that its seeds give alone."""
        settings = ("measure.snapshots=[]", "output.record=[]", "precision=single")
        path = self.train(
            DEEP + "seed: 3\nreplicas: 4\n", "replicas.h5", *options(settings), ranks=2
        )
        self.assert_sound(path)
        for replica in (0, 3):
            alone = self.train(
                *(DEEP, f"alone{replica}.h5", *options(settings)),
                *("--set", f"seed={3 + replica}"),
                ranks=2,
            )
            with h5py.File(path, "r", locking=False) as one, h5py.File(alone, "r") as other:
                for group in ("trajectory", "final"):
                    for name, dataset in datasets(other, f"/runs/run0000/{group}").items():
                        found = np.ascontiguousarray(one[name][replica]).tobytes()
                        self.assertEqual(found, bits(dataset), name)

    def test_weights_that_overflow(self) -> None:
        """A step to weights that are not finite is a divergence even where nothing else shows it,
        on every rank, and no checkpoint has them."""
        settings = ("precision=single", "training.rate=1e42", "training.rate_scaling=none",
                    "output.checkpoint_every=1", "measure.quantities=[trajectory_length]")
        for ranks in (1, 3):
            path = self.train(DEEP, f"overflow{ranks}.h5", *options(settings), ranks=ranks, code=3)
            self.assertIn("a weight is not finite", self.succeed("show", path).output)
            with h5py.File(path) as file:
                for slot in file["/state/run0000"].values():
                    for name in slot if isinstance(slot, h5py.Group) else ():
                        if "weights" in name:
                            self.assertTrue(np.isfinite(slot[name][()]).all(), name)

    def test_gram_matrix(self) -> None:
        """That of the limit; the finite network's own, which is of one layer, is left out."""
        more = ("--set", "measure.final=[gram]")
        path = self.train(DEEP, "run.h5", *more, ranks=3)
        self.succeed("gram", path, "-q")
        self.assert_sound(path)
        with h5py.File(path, "r", locking=False) as file:
            self.assertNotIn("final", file["/runs/run0000"])
            names = list(file["/runs/run0000/gram"])
            self.assertIn("lambda_min", names)
            self.assertEqual([name for name in names if name.startswith("initial")], [])

    def test_damaged_layers(self) -> None:
        """A bit in a layer of the newest checkpoint: the older one is used, to the same end."""
        whole = self.train(DEEP, "whole.h5", ranks=2)
        stopped = self.train(DEEP, "stopped.h5", "--until", "18", ranks=2, code=STOPPED)
        path = self.folder / "run.h5"
        with widthwise.open(stopped) as file:
            newest = file.members[0].page.newest_slot()
        for layer in ("", "_3"):
            places = (
                (f"/state/run0000/checkpoint{newest}/hidden_weights{layer}", "going back to the"),
                (f"/snapshots/run0000/hidden_weights{layer}", "begins anew from step 0"),
                (f"/record/run0000/initial_hidden_weights{layer}", "it is written again"),
            )
            for name, said in places:
                with self.subTest(name):
                    shutil.copy(stopped, path)
                    self.flip(path, name)
                    self.succeed("verify", path, ranks=2, code=1)
                    result = self.succeed("resume", path, ranks=3)
                    self.assertIn(said, result.errors)
                    self.assertEqual(result_differences(whole, path), [])
        # The bits of both checkpoints: nothing is left, and nothing is touched.
        shutil.copy(stopped, path)
        for slot in (0, 1):
            self.flip(path, f"/state/run0000/checkpoint{slot}/hidden_weights_3")
        result = self.succeed("resume", path, ranks=3, code=1)
        self.assertEqual(result.errors.count("no checkpoint of run0000 is whole"), 1)

    @staticmethod
    def flip(path: Path, name: str) -> None:
        """Turns a bit of the last value of a dataset round."""
        with h5py.File(path, "r", locking=False) as file:
            place = file[name].id.get_offset() + file[name].id.get_storage_size() - 3
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 16]))

    def test_damage_before_any_checkpoint_holds(self) -> None:
        """Damaged weights were read over those of t = 0: all of them are drawn again."""
        whole = self.train(DEEP, "whole.h5")
        path = self.train(DEEP, "run.h5", "--until", "7", code=STOPPED)
        with widthwise.open(path) as file:
            newest = file.members[0].page.newest_slot()
        self.flip(path, f"/state/run0000/checkpoint{newest}/hidden_weights_2")
        self.flip_row(path)
        result = self.succeed("resume", path, ranks=2)
        self.assertIn("begins anew from step 0", result.errors)
        self.assertEqual(result_differences(whole, path), [])

    @staticmethod
    def flip_row(path: Path) -> None:
        """Turns a bit of the first loss round."""
        with h5py.File(path, "r", locking=False) as file:
            place = file["/runs/run0000/trajectory/loss"].id.get_offset()
        with path.open("r+b") as file:
            file.seek(place + 2)
            byte = file.read(1)[0]
            file.seek(place + 2)
            file.write(bytes([byte ^ 16]))

    def test_what_is_told(self) -> None:
        """`show` and `plan` name depth and precision."""
        path = self.train(DEEP, "run.h5", "--set", "precision=single")
        text = self.succeed("show", path).output
        self.assertIn(f"L = 3, m = {WIDTH}, ", text)
        self.assertIn("engine layers in single precision", text)  # which was chosen
        config = self.folder / "run.h5.yaml"
        text = self.succeed("plan", config, "--set", "precision=single").output
        self.assertIn(f"L = 3, m = {WIDTH}, d = 12, k = 3", text)
        self.assertIn("engine layers (auto) in single precision", text)
        text = self.succeed("plan", config, "--no-calibration", "--set", "network.depth=1").output
        self.assertNotIn("L = ", text)

    def test_what_is_refused(self) -> None:
        """One sentence for what only one hidden layer has."""
        config = self.folder / "deep.yaml"
        config.write_text(DEEP, encoding="utf-8")
        path = self.train(DEEP, "run.h5")
        built = ("--set", "model=brutzkus", "--set", "network.depth=2")
        begin = ("--set", "network.start=file", "--set", f"network.start_file={path}")
        refused: tuple[tuple[str, tuple[str, ...], Optional[int]], ...] = (
            ("only weights of one hidden layer", ("construct", "fit", *built), None),
            ("only weights of one hidden layer", ("run", str(config), *begin), 2),
            (
                "has 3 hidden layers; weights can begin a run of one only",
                ("run", str(config), *begin, *("--set", "network.depth=1", "--set", "measure.final=[]")),
                3,
            ),
            ("gram.network is true", ("run", str(config), "--set", "gram.network=true"), None),
        )
        for said, words, ranks in refused:
            with self.subTest(said=said, words=words):
                result = self.succeed(*words, "-o", "none.h5", ranks=ranks, code=USAGE)
                self.assertIn(said, result.errors)
                self.assertEqual(result.errors.count("widthwise: "), 1, result.errors)
                self.assertFalse((self.folder / "none.h5").exists())


if __name__ == "__main__":
    unittest.main()
