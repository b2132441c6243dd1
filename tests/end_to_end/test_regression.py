"""Real targets from a user's own HDF5 file: trained, measured and replayed in NumPy, on any number of
ranks, through a restart, and refused where they do not fit."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional, Union

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from compare import differences, result_differences  # noqa: E402
from gram_case import GramCase  # noqa: E402
from program import SOURCE, execute, run_program  # noqa: E402
from test_replay import Replayed  # noqa: E402
from test_replay_zou_gu import DeepReplayed  # noqa: E402

import check_schema  # noqa: E402
import widthwise  # noqa: E402  (program.py says where it is)

ROWS = {"train": 61, "test": 37}  # of the file; runs take fewer
TRAIN, TEST = 53, 31

CONFIG = """
name: own
model: {model}
seed: 3
data:
  source: hdf5
  train: {train}
  test: {test}
  hdf5: {{file: own.h5, train_targets: y{k}, test_targets: z{k}}}
  labels: {{{labels}}}
network: {{width: {width}{network}}}
training: {{steps: 24{training}}}
measure:
  every: 5
  quantities: {quantities}
  final: [{final}]
  spectral_tolerance: 1.0e-9
  snapshots: [0, 9]
output: {{checkpoint_every: 7, record: [data, initial-weights, batches]}}
"""


def regression(
    model: str,
    k: int,
    network: str = "",
    training: str = "",
    labels: str = "",
    quantities: str = "all",
    final: str = "",
    width: int = 262,
) -> str:
    """A configuration on k targets a sample that records all that a replay needs."""
    return CONFIG.format(
        model=model, k=k, network=network, training=training, labels=labels,
        quantities=quantities, final=final, width=width, train=TRAIN, test=TEST,
    )


ARORA = ", rate: 0.01"
ZOU_GU = ", rate: 4.0"


# Settings, and parts of the sentence.
REFUSALS = (
    (["data.hdf5.train_labels=a"], "data.hdf5.train_targets is given, and data.hdf5.train_"
     "labels too, but samples have either real targets or the labels of classes"),
    (["loss=cross-entropy"], "loss is cross-entropy, which is of classes, but the samples"),
    (["loss=hinge"], "loss is hinge, which is of classes, but the samples have real targets"),
    (["model=brutzkus"], "loss is hinge, which is of classes, but the samples have real"),
    (["data.hdf5.test_targets=z3"], "'z3' of '", "has 3 targets a sample, the train set has 1"),
    (["data.hdf5.train_targets=nothing"], "has no dataset 'nothing'; at its top it has 'bad'"),
    (["data.hdf5.train_targets=few"], "has 60 rows of targets, but 'train_inputs' has 61"),
    (["data.hdf5.train_targets=bad"], "target 0 of sample 8 (both counted from 0) in dataset "
     "'bad' of '", "is nan; every target must be finite, so mend it, or take the sample out"),
    (["data.train=62"], "62 samples are asked for, but dataset 'train_inputs' of '"),
    (["measure.quantities=[loss, train_accuracy]"], "`train_accuracy` is of classes, but the"),
    (["measure.quantities=[v_max]"], "`v_max` is of classes, but the samples have real"),
    (["training.stop={test_accuracy: 0.9}"], "training.stop: `test_accuracy` is of classes"),
    (["measure.final=[accuracy_target]"], "`accuracy_target` waits for `test_accuracy`, which"),
    (["data.subset.kind=separable"], "data.subset.kind is separable, which is of two classes"),
    (["network.start=fit", "network.output.kind=halves"], "network.start: fit gives outputs "
     "+1 and -1, but the samples have real targets"),
    (["data.hdf5.train_targets=y3", "data.hdf5.test_targets=z3", "data.labels.kind=worst-case"],
     "is worst-case, which is one number a sample, but dataset 'y3' of '"),
)


class RegressionTest(GramCase):
    """Runs on own.h5, which every test makes in its folder."""

    def setUp(self) -> None:
        """Writes the file: y1 [n], y3 [n, 3] and integers yw [n, 1], and z of the test set."""
        super().setUp()
        numbers = np.random.default_rng(11)
        self.targets: dict[str, np.ndarray] = {}
        with h5py.File(self.folder / "own.h5", "w") as file:
            for part, letter in (("train", "y"), ("test", "z")):
                inputs = numbers.normal(size=(ROWS[part], 6))
                real = np.sin(2 * inputs[:, :3]) + 0.4 * inputs[:, 3:]
                file[f"{part}_inputs"] = inputs
                file[f"{letter}1"] = real[:, 0].astype(np.float32)
                file[f"{letter}3"] = real
                file[f"{letter}w"] = np.round(3 * real[:, :1]).astype(np.int16)
                for name in ("1", "3", "w"):
                    kept = file[letter + name][: TRAIN if part == "train" else TEST]
                    self.targets[letter + name] = kept.reshape(len(kept), -1).astype(float)

    def member(self, config: str, *more: str, ranks: Optional[int] = 2) -> widthwise.Member:
        """Runs a configuration, holds its file to the schema, and opens it."""
        path = self.train(config, "run.h5", *more, "--force", ranks=ranks)
        self.assertEqual(check_schema.check_file(str(path)).violations, [])
        file = widthwise.open(path)
        self.addCleanup(file.close)
        self.assertEqual(file.members[0].state, widthwise.State.DONE)
        return file.members[0]

    def replayed(
        self, config: str, *more: str, ranks: int = 2, deep: bool = False
    ) -> Union[Replayed, DeepReplayed]:
        """Runs a configuration and checks every number against the reference."""
        member = self.member(config, *more, ranks=ranks)
        result = DeepReplayed(self, member) if deep else Replayed(self, member)
        if deep:
            result.check()
        else:
            result.check_trajectory()
            result.check_weights()
        loss = member.trajectory["loss"]
        self.assertLess(loss[-1], 0.95 * loss[0])  # the run does something
        for name in ("train_accuracy", "test_accuracy", "v_max", "train_error", "test_error"):
            self.assertNotIn(name, member.trajectory)
        for name in ("train_labels", "test_labels", "train_components", "test_components"):
            self.assertNotIn(name, member.record)
        return result

    def check_targets(self, member: widthwise.Member, name: str) -> None:
        """What was trained on are the first rows of the file."""
        np.testing.assert_array_equal(member.record["train_targets"], self.targets[f"y{name}"])
        np.testing.assert_array_equal(member.record["test_targets"], self.targets[f"z{name}"])
        self.assertEqual(member.parameters["outputs"], 3 if name == "3" else 1)

    def test_arora_gradient_descent(self) -> None:
        """One target a sample, floats of 32 bits; a sum of squares and signs."""
        result = self.replayed(regression("arora", 1, training=ARORA), ranks=3)
        self.check_targets(result.member, "1")
        self.assertIn("residual", result.member.trajectory)
        record = result.member.record
        outputs = result.member.trajectory["residual"]
        start = np.maximum(record["train_inputs"] @ record["initial_hidden_weights"].T, 0)
        start = start @ record["initial_output_weights"].T
        self.assertAlmostEqual(outputs[0], np.linalg.norm(start - record["train_targets"]), places=9)

    def test_arora_batches_and_three_targets(self) -> None:
        """All engines of one hidden layer, in batches; the output weights trained too."""
        for engine in ("dense", "window"):
            with self.subTest(engine=engine):
                result = self.replayed(
                    regression(
                        "arora", 3, network=", output: {kind: gaussian}",
                        training=f", rate: 0.3, method: sgd, batch: 9, engine: {engine}",
                    ),
                    "--set", "loss_reduction=mean",
                    "--set", f"network.train_output={'true' if engine == 'dense' else 'false'}",
                )
                self.check_targets(result.member, "3")

    def test_zou_gu(self) -> None:
        """The engine of layers: depths 1 and 2, one target and three, descent and batches."""
        for depth, k, more in ((1, 1, ""), (2, 3, ""), (2, 1, ", method: sgd, batch: 9"),
                               (1, 3, ", method: sgd, batch: 9, sampling: replacement")):
            with self.subTest(depth=depth, k=k, more=more):
                result = self.replayed(
                    regression("zou-gu", k, f", depth: {depth}", ZOU_GU + more, width=150,
                               final="network_kernel, gradient_regions"),
                    deep=True,
                )
                self.check_targets(result.member, str(k))
                self.assertAlmostEqual(
                    np.linalg.norm(result.member.record["train_inputs"], axis=1).max(), 1.0, places=14
                )

    def test_integers_and_default_quantities(self) -> None:
        """[n, 1] of integers; the preset's quantities without its accuracies."""
        config = regression("arora", 1, training=ARORA).replace("  quantities: all\n", "")
        config = config.replace("y1", "yw").replace("z1", "zw")
        result = self.replayed(config)
        self.check_targets(result.member, "w")
        self.assertEqual(
            sorted(result.member.trajectory), ["coupling", "distance", "loss", "step", "test_loss"]
        )

    def test_targets_drawn_anew(self) -> None:
        """Some samples get the targets of others; test targets stay unless told."""
        result = self.replayed(
            regression("arora", 3, labels="random_fraction: 0.5", training=ARORA,
                       network=", output: {kind: gaussian}")
        )
        truth, found = self.targets["y3"], result.member.record["train_targets"]
        sources = [np.flatnonzero((truth == row).all(axis=1)) for row in found]
        self.assertTrue(all(len(source) == 1 for source in sources))
        moved = np.mean([source[0] != sample for sample, source in enumerate(sources)])
        self.assertAlmostEqual(moved, 0.5, delta=0.2)
        np.testing.assert_array_equal(result.member.record["test_targets"], self.targets["z3"])

    def test_gram_matrix(self) -> None:
        """True, random and worst-case targets; the kernel limit's error, and no share of classes."""
        quantities = "[loss, train_outputs, row_movement, distance_absolute, residual]"
        config = regression("arora", 1, training=ARORA, quantities=quantities, final="gram")
        member = self.member(config, ranks=3)
        self.check_group(self.folder / "run.h5")
        self.check_initial(member, 0.01, 0.0)
        gram, theory = member.gram, member.theory
        np.testing.assert_array_equal(gram["labels_train"], self.targets["y1"])
        np.testing.assert_array_equal(gram["labels_true"], self.targets["y1"])
        self.assertTrue(np.isin(gram["labels_random"], self.targets["y1"]).all())
        self.assertFalse(np.array_equal(gram["labels_random"], self.targets["y1"]))
        for name in ("limit_test_error", "classification_bound"):
            self.assertNotIn(name, gram)
            self.assertNotIn(name, theory)
        self.assertTrue(np.isfinite(theory["limit_test_absolute_error"]))
        # Whatever a run trains on, the true ones are those of the file.
        for labels in ("kind: random", "kind: worst-case"):
            other = self.member(regression(
                "arora", 1, training=ARORA, quantities=quantities, final="gram", labels=labels))
            np.testing.assert_array_equal(other.gram["labels_true"], self.targets["y1"])
            self.assertFalse(np.array_equal(other.gram["labels_train"], self.targets["y1"]))
            self.check_group(self.folder / "run.h5")
        three = self.member(regression(
            "arora", 3, training=ARORA, quantities="[loss]", final="gram",
            network=", output: {kind: gaussian}"))
        np.testing.assert_array_equal(three.gram["labels_true"], self.targets["y3"])
        self.assertNotIn("labels_worst_case", three.gram)
        self.check_group(self.folder / "run.h5")

    def test_same_bits(self) -> None:
        """Files of 1, 2, 3, 4 and 7 ranks, in turn of either kind of network."""
        configs = (
            regression("arora", 1, training=ARORA, width=600, labels="random_fraction: 0.3"),
            regression("zou-gu", 3, ", depth: 2", ZOU_GU + ", method: sgd, batch: 9", width=300),
        )
        for number, config in enumerate(configs):
            alone = self.train(config, f"{number}.h5")
            for ranks in (2, 3, 4, 7)[number::2]:
                other = self.train(config, f"{number}-{ranks}.h5", ranks=ranks)
                self.assertEqual(differences(alone, other), [], f"1 and {ranks} ranks")

    def test_restart(self) -> None:
        """The same bits after a stop; other targets are refused, but for rows that are not read."""
        for config in (
            regression("zou-gu", 3, ", depth: 2", ZOU_GU, width=300),
            regression("arora", 1, training=ARORA, width=300, labels="kind: random", final="gram"),
        ):
            whole = self.train(config, "whole.h5", "--force")
            parts = self.train(config, "parts.h5", "--force", "--until", "11", code=75)
            name = "y3" if "zou-gu" in config else "y1"
            with h5py.File(self.folder / "own.h5", "r+") as file:
                file[name][TRAIN] = np.nan  # the first row that is not read
                before = file[name][4]
                file[name][4] = before + 1
            result = run_program("resume", parts, folder=self.folder, ranks=3)
            self.assertEqual(result.code, 1, result.text)
            self.assertIn("the data of run0000 are not those that it was begun with", result.text)
            with h5py.File(self.folder / "own.h5", "r+") as file:
                file[name][4] = before
            self.succeed("resume", parts, ranks=1 if "gram" in config else 3)
            self.assertEqual(result_differences(whole, parts), [])

    def test_other_commands(self) -> None:
        """plan, theory, gram, show, verify, export, and the figures."""
        config = self.write(regression("arora", 1, training=ARORA, quantities="[loss, residual]"),
                            "own.yaml")
        plan = self.succeed("plan", config).output
        self.assertIn("k = 1, n = 53 train and 31 test samples", plan)
        self.assertIn("theorem_width", self.succeed("theory", config).output)
        self.succeed("gram", config, "-o", "gram.h5", ranks=2)
        self.succeed("resume", "gram.h5", ranks=2)
        self.assertIn("residual", self.succeed("show", "gram.h5").output)
        self.assertIn("gram.h5: good", self.succeed("verify", "gram.h5").output)
        self.succeed("export", "gram.h5", "-o", "plain.h5", "--record")
        with h5py.File(self.folder / "plain.h5", "r") as file:
            np.testing.assert_array_equal(
                file["record/run0000/train_targets"], self.targets["y1"]
            )
            self.assertNotIn("record/run0000/train_labels", file)
        self.assertEqual(check_schema.check_file(str(self.folder / "plain.h5")).violations, [])
        drawn = execute(
            [sys.executable, SOURCE / "analysis" / "figures.py", "gram.h5", "--out", "out"],
            self.folder,
        )
        self.assertEqual(drawn.code, 0, drawn.text)
        deep = self.write(regression("zou-gu", 3, ", depth: 2"), "deep.yaml")
        self.assertIn("k = 3, n = 53", self.succeed("plan", deep).output)
        self.assertIn("gd_width", self.succeed("theory", deep).output)

    def test_shipped_job(self) -> None:
        """jobs/zou-gu/own-data.yaml, on a file as its header has it."""
        job = (SOURCE / "jobs" / "zou-gu" / "own-data.yaml").read_text(encoding="utf-8")
        recipe = [line[6:] for line in job.splitlines() if line.startswith("#     ")]
        arrays = [
            "import numpy as np",
            "numbers = np.random.default_rng(5)",
            "x, x_test = numbers.normal(size=(40, 5)), numbers.normal(size=(30, 5))",
            "y, y_test = np.sin(x[:, :2]), np.sin(x_test[:, :2])",
        ]
        script = self.write("\n".join([*arrays, *recipe]), "recipe.py")
        (self.folder / "own.h5").unlink()
        written = execute([sys.executable, script], self.folder)
        self.assertEqual(written.code, 0, written.text)
        path = self.train(job, "job.h5", ranks=2)
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.parameters["outputs"], 2)
            loss = member.trajectory["loss"]
            self.assertLess(loss[-1], 0.8 * loss[0])
            self.assertEqual(member.trajectory["step"][-1], 200)

    def test_contradicting_targets(self) -> None:
        """Samples of one direction, whose targets no network without bias has."""
        config = self.write(regression("arora", 1, training=ARORA), "own.yaml")
        with h5py.File(self.folder / "own.h5", "r+") as file:
            file["train_inputs"][7] = 2 * file["train_inputs"][20]
        text = self.succeed("plan", config).output
        self.assertIn("contradicting targets: train samples 7 and 20 coincide", text)
        with h5py.File(self.folder / "own.h5", "r+") as file:
            file["y1"][7] = file["y1"][20]  # on the sphere the samples are the same
        text = self.succeed("plan", config).output
        self.assertIn("coincident samples: 1 of 53", text)
        self.assertNotIn("contradicting", text)
        with h5py.File(self.folder / "own.h5", "r+") as file:
            file["y1"][7] = 2 * file["y1"][20]
        text = self.succeed("plan", config, "--set", "data.normalize=none").output
        self.assertNotIn("contradicting", text)  # outputs grow with the input
        self.assertIn("contradicting targets", self.succeed("plan", config).output)

    def test_replicas_and_a_sweep(self) -> None:
        """Seeds of the weights, and shares of random targets."""
        config = regression("arora", 1, training=ARORA, quantities="[loss, test_loss]")
        config = config.replace("  snapshots: [0, 9]\n", "").replace(
            "record: [data, initial-weights, batches]", "record: []")
        replicas = self.member(config + "replicas: 3\nreplica_seeds: [weights]\n", ranks=2)
        sweep = self.train(config + "sweep: {seeds.weights: [3, 4, 5]}\n", "sweep.h5", ranks=3)
        with widthwise.open(sweep) as file:
            for replica, member in enumerate(file.members):
                np.testing.assert_array_equal(
                    replicas.trajectory["loss"][replica], member.trajectory["loss"]
                )
        sweep = self.train(
            config + "sweep: {data.labels.random_fraction: [0, 0.5, 1]}\n", "noise.h5", ranks=2
        )
        with widthwise.open(sweep) as file:
            starts = {float(member.trajectory["loss"][0]) for member in file.members}
            self.assertEqual(len(starts), 3)

    def test_refused(self) -> None:
        """One sentence, exit code 2 on any number of ranks, and no file."""
        with h5py.File(self.folder / "own.h5", "r+") as file:
            file["few"] = file["y1"][:-1]
            file["bad"] = np.where(np.arange(ROWS["train"]) == 8, np.nan, 1.0)
        config = self.write(regression("arora", 1, training=ARORA, quantities="[loss]"), "own.yaml")
        for settings, *sentence in REFUSALS:
            with self.subTest(settings=settings):
                more = [word for setting in settings for word in ("--set", setting)]
                for ranks in (None, 3):
                    result = run_program(
                        "run", config, "-o", "no.h5", *more, folder=self.folder, ranks=ranks
                    )
                    self.assertEqual(result.code, 2, result.text)
                    for part in sentence:
                        self.assertIn(part, result.errors)
                    lines = [line for line in result.errors.splitlines() if "widthwise: " in line]
                    self.assertEqual(len([x for x in lines if "warning" not in x]), 1, result.errors)
                self.assertFalse((self.folder / "no.h5").exists())


if __name__ == "__main__":
    unittest.main()
