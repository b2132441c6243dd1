"""Weights that are built, and runs that begin with them or with those of another run."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy  # noqa: E402
from compare import differences, result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402

import widthwise  # noqa: E402

RANKS = (2, 3, 4, 7)
STOPPED = 75

# Two classes in the unit ball; that they are separable counts for local-minimum alone.
CONFIG = """
name: built
model: brutzkus
data: {source: mixture, train: 60, test: 40, mixture: {dimension: 30, separation: 3.0}}
network: {activation: {kind: leaky-relu, slope: 0.2}}
training: {batch: 1, rate: 0.5, sampling: permutation}
measure: {every: 10, quantities: [loss, train_accuracy, test_accuracy, distance]}
output: {record: [data]}
"""
RELU = CONFIG.replace("{kind: leaky-relu, slope: 0.2}", "{kind: relu}")


def outputs(hidden: numpy.ndarray, output: numpy.ndarray, inputs: numpy.ndarray, slope: float):
    """The network evaluated plainly: hidden [m, d], output [1, m], inputs [n, d]."""
    places = inputs @ hidden.T
    return (numpy.where(places >= 0, places, slope * places) @ output.T)[:, 0]


class ConstructTest(ProgramTest):
    """The command, its file, and what is made of it."""

    def construct(
        self, kind: str, config: str, *more: str, ranks: Optional[int] = None, name: str = "built"
    ) -> Path:
        """Builds into NAME.h5 and returns its path."""
        text = self.folder / "config.yaml"
        text.write_text(config, encoding="utf-8")
        path = self.folder / f"{name}.h5"
        result = self.succeed("construct", kind, text, "-o", path, *more, ranks=ranks)
        self.printed = result.text
        return path

    def refuse(self, kind: str, config: str, *parts: str, more: tuple[str, ...] = ()) -> None:
        """Expects exit code 2, a sentence with all parts, the same on 3 ranks, and no file."""
        text = self.folder / "config.yaml"
        text.write_text(config, encoding="utf-8")
        path = self.folder / "refused.h5"
        for ranks in (None, 3):
            result = self.succeed(
                "construct", kind, text, "-o", path, *more, ranks=ranks, code=2
            )
            for part in parts:
                self.assertIn(part, result.errors)
            self.assertFalse(path.exists())

    def weights(self, path: Path) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Hidden and output weights of the newest checkpoint."""
        with widthwise.open(path) as file:
            checkpoint = file.members[0].checkpoint()
            return checkpoint.hidden_weights, checkpoint.output_weights

    def recorded(self, path: Path) -> dict[str, numpy.ndarray]:
        """What the file records for an outside check."""
        with h5py.File(path, "r") as file:
            return {name: data[()] for name, data in file["/record/run0000"].items()}

    def final(self, path: Path) -> dict[str, float]:
        """Final results."""
        with h5py.File(path, "r") as file:
            return {name: float(data[()]) for name, data in file["/runs/run0000/final"].items()
                    if data.shape == ()}

    def margins(self, path: Path, which: str, slope: float) -> numpy.ndarray:
        """y N(x) on the train or test set."""
        record = self.recorded(path)
        labels = numpy.where(record[f"{which}_labels"] == 0, 1.0, -1.0)
        return labels * outputs(*self.weights(path), record[f"{which}_inputs"], slope)

    def test_fit(self) -> None:
        """Random labels are fitted; the file is an ordinary one."""
        random = CONFIG.replace("mixture: {dim", "labels: {kind: random}, mixture: {dim")
        path = self.construct("fit", random, "--set", "network.width=12")
        margins = self.margins(path, "train", 0.2)
        self.assertGreaterEqual(margins.min(), 1.0 - 1e-12)
        self.assertLess(margins.max(), 1.0 + 1e-6)
        self.assertIn("built weights that fit 60 samples, with 12 of 12 units", self.printed)
        self.assertIn("train loss 0, train error 0%", self.printed)
        final = self.final(path)
        self.assertEqual(final["gradient_norm"], 0.0)
        self.assertEqual(final["neighbours"], 100)
        self.assertGreaterEqual(final["neighbour_lowest"], 0.0)
        self.succeed("verify", path)
        self.succeed("show", path)

    def test_width_is_what_is_needed(self) -> None:
        """The default width is raised where it is too small, one that is given never."""
        data = "{source: mixture, train: 900, test: 2, mixture: {dimension: 4}}"
        start = CONFIG.index("data: {")
        wide = CONFIG[:start] + f"data: {data}\n" + CONFIG[CONFIG.index("network:"):]
        path = self.construct("fit", wide)
        with h5py.File(path, "r") as file:
            self.assertEqual(file["/runs/run0000/parameters/width"][()], 4 * 300)
        self.assertGreaterEqual(self.margins(path, "train", 0.2).min(), 1.0 - 1e-6)
        self.refuse(
            "fit", wide, "--set network.width is 1198", "takes 1200 units", "1200 or more",
            more=("--set", "network.width=1198"),
        )
        text = self.folder / "config.yaml"
        result = self.succeed("run", text, "--set", "network.start=fit", code=2)
        self.assertIn("network.width is 1000, but network.start: fit takes 1200", result.errors)

    def test_bad_fit(self) -> None:
        """Zero train loss, and every test sample wrong."""
        path = self.construct("bad-fit", CONFIG)
        self.assertGreaterEqual(self.margins(path, "train", 0.2).min(), 1.0 - 1e-12)
        self.assertLessEqual(self.margins(path, "test", 0.2).max(), -1.0 + 1e-12)
        self.assertIn("train loss 0, train error 0%, test error 100%", self.printed)

    def test_bad_fit_of_a_sample_in_both_sets(self) -> None:
        """A test sample that is a train sample is named."""
        with h5py.File(self.folder / "data.h5", "w") as file:
            inputs = numpy.random.default_rng(1).normal(size=(12, 5))
            file["train_inputs"] = inputs[:8]
            file["train_labels"] = numpy.arange(8) % 2
            file["test_inputs"] = numpy.concatenate([inputs[8:], 3 * inputs[5:6]])
            file["test_labels"] = numpy.array([0, 1, 0, 1, 1])
        data = (
            "data: {source: hdf5, train: all, test: all, hdf5: {file: data.h5, "
            "train_inputs: train_inputs, train_labels: train_labels, "
            "test_inputs: test_inputs, test_labels: test_labels}}\n"
        )
        start = CONFIG.index("data: {")
        config = CONFIG[:start] + data + CONFIG[CONFIG.index("network:"):]
        self.refuse(
            "bad-fit", config, "train sample 5 and test sample 4 lie in the same direction",
            "the same label",
        )
        self.construct("fit", config)

    def test_local_minimum(self) -> None:
        """Half of the loss or more, no gradient, no lower point nearby, no step that changes it."""
        path = self.construct("local-minimum", RELU, "--set", "network.width=20")
        margins = self.margins(path, "train", 0.0)
        self.assertTrue(((margins == 0) | (margins > 1.5)).all())
        self.assertGreaterEqual((margins == 0).mean(), 0.5)
        final = self.final(path)
        self.assertEqual(final["gradient_norm"], 0.0)
        self.assertGreater(final["flat_radius"], 0.0)
        self.assertEqual(final["neighbour_lowest"], 0.0)
        with widthwise.open(path) as file:
            loss = file.members[0].trajectory["loss"][0]
        self.assertAlmostEqual(loss, (margins == 0).mean(), 15)
        # SGD from there changes nothing.
        after = self.train(
            RELU, "after.h5", *self.begin_with(path), "--set", "network.width=20",
            "--set", "training.steps=200", "--set", "training.stop_at_rest=false",
        )
        self.assertTrue((self.weights(after)[0] == self.weights(path)[0]).all())

    def test_local_minimum_of_separable_data(self) -> None:
        """The preset's own source, with a small margin."""
        data = "{source: separable, train: 300, test: 50, separable: {dimension: 25, margin: 0.01}}"
        start = RELU.index("data: {")
        config = RELU[:start] + f"data: {data}\n" + RELU[RELU.index("network:"):]
        path = self.construct("local-minimum", config, ranks=3)
        margins = self.margins(path, "train", 0.0)
        self.assertTrue(((margins == 0) | (margins > 1.5)).all())
        self.assertGreaterEqual((margins == 0).mean(), 0.5)
        self.assertEqual(self.final(path)["gradient_norm"], 0.0)
        self.assertGreater(self.final(path)["flat_radius"], 0.5)

    def begin_with(self, path: Path) -> tuple[str, ...]:
        """Settings of a run that begins with the weights of a file."""
        return ("--set", "network.start=file", "--set", f"network.start_file={path}")

    def compare_ranks(self, *cases: tuple[str, str]) -> None:
        """Builds on several numbers of ranks, and runs from what was built on two of them."""
        for case, (kind, config) in enumerate(cases):
            width = ("--set", "network.width=500")
            alone = self.construct(kind, config, *width, name="alone")
            for ranks in RANKS:
                other = self.construct(kind, config, *width, ranks=ranks, name=f"{ranks}")
                self.assertEqual(differences(alone, other), [], f"{kind}, {ranks} ranks")
                other.unlink()
            more = (*self.begin_with(alone), *width, "--set", "training.steps=60")
            first = self.train(config, "first.h5", *more)
            for ranks in RANKS[case % 2 :: 2]:
                other = self.train(config, f"{ranks}.h5", *more, ranks=ranks)
                self.assertEqual(differences(first, other), [], f"{kind}, {ranks} ranks")
                other.unlink()
            alone.unlink()
            first.unlink()

    def test_same_bits_of_fits_on_any_number_of_ranks(self) -> None:
        """Both, and runs from them."""
        self.compare_ranks(("fit", CONFIG), ("bad-fit", CONFIG))

    def test_same_bits_of_a_local_minimum_on_any_number_of_ranks(self) -> None:
        """Likewise."""
        self.compare_ranks(("local-minimum", RELU))

    def test_run_from_a_file_that_is_gone(self) -> None:
        """A run keeps what it began with: a restart needs the other file no more."""
        begun = self.construct("fit", CONFIG, "--set", "network.width=300")
        hidden, output = self.weights(begun)
        more = (
            *self.begin_with(begun), "--set", "network.width=300", "--set", "training.steps=90",
            "--set", "training.stop_at_rest=false", "--set", "data.labels.kind=random",
            "--set", "measure.final=[update_spectrum, neighbourhood]",
        )
        whole = self.train(CONFIG, "whole.h5", *more)
        parts = self.train(CONFIG, "parts.h5", *more, "--until", "30", ranks=3, code=STOPPED)
        begun.unlink()
        self.succeed("resume", parts, "--quiet", "--until", "55", ranks=4, code=STOPPED)
        self.succeed("resume", parts, "--quiet", ranks=2)
        self.assertEqual(result_differences(whole, parts), [])
        record = self.recorded(parts)
        self.assertTrue((record["initial_hidden_weights"] == hidden).all())
        self.assertTrue((record["initial_output_weights"] == output).all())
        with widthwise.open(parts) as file:
            distance = file.members[0].trajectory["distance"]
        moved = numpy.linalg.norm(self.weights(parts)[0] - hidden) / numpy.linalg.norm(hidden)
        self.assertEqual(distance[0], 0.0)
        self.assertGreater(distance[-1], 0.0)
        self.assertAlmostEqual(distance[-1] / moved, 1.0, 9)
        self.succeed("verify", parts)

    def test_restart_of_a_built_start(self) -> None:
        """network.start: fit is built again by a restart."""
        more = (
            "--set", "network.start=fit", "--set", "network.width=140", "--set",
            "training.steps=50", "--set", "loss=squared",
        )
        whole = self.train(CONFIG, "whole.h5", *more)
        parts = self.train(CONFIG, "parts.h5", *more, "--until", "20", ranks=2, code=STOPPED)
        self.succeed("resume", parts, "--quiet", ranks=3)
        self.assertEqual(result_differences(whole, parts), [])

    def test_damaged_record_of_the_initial_weights(self) -> None:
        """It is read again from the other file while that is there and the same."""
        begun = self.construct("fit", CONFIG, "--set", "network.width=20")
        more = (
            *self.begin_with(begun), "--set", "network.width=20", "--set", "training.steps=40",
            "--set", "training.stop_at_rest=false",
        )
        parts = self.train(CONFIG, "parts.h5", *more, "--until", "10", code=STOPPED)
        with h5py.File(parts, "r") as file:
            place = file["/record/run0000/initial_hidden_weights"].id.get_offset()
        content = bytearray(parts.read_bytes())
        content[place + 9] ^= 0xFF
        damaged = bytes(content)
        parts.write_bytes(damaged)
        result = self.succeed("resume", parts)
        self.assertIn("warning: what was recorded for a replay fails its checksum", result.errors)
        self.assertEqual(
            result_differences(self.train(CONFIG, "whole.h5", *more), parts), []
        )
        parts.write_bytes(damaged)
        self.construct("fit", CONFIG, "--set", "network.width=20", "--set", "seed=5", "--force")
        result = self.succeed("resume", parts, ranks=2, code=1)
        self.assertIn("the weights that it begins with are others now", result.errors)
        parts.write_bytes(damaged)
        begun.unlink()
        result = self.succeed("resume", parts, ranks=2, code=2)
        self.assertIn("the initial weights of run0000 fail their checksum", result.errors)
        self.assertIn("No such file", result.errors)

    def test_every_sentence_about_a_start_file(self) -> None:
        """What is wrong with it is said before a file is made."""
        begun = self.construct("fit", CONFIG, "--set", "network.width=20", name="begun")
        text = self.folder / "config.yaml"
        (self.folder / "empty.h5").write_bytes(b"")
        replicas = self.train(
            CONFIG.replace("output: {record: [data]}\n", ""), "replicas.h5",
            *("--set", "replicas=3", "--set", "training.steps=2", "--set", "network.width=20"),
        )
        waiting = self.folder / "waiting.h5"
        self.succeed("gram", text, "-o", waiting, "--set", "network.width=20")
        cases = (
            (("network.start_file=nowhere.h5",), "nowhere.h5: No such file"),
            (("network.start_file=empty.h5",), "empty.h5"),
            ((f"network.start_file={begun}", "network.start_run=2"), "has no run0002"),
            ((f"network.start_file={begun}", "network.width=22"), "has 20 hidden units"),
            ((f"network.start_file={begun}", "data.mixture.dimension=29"), "has 30 inputs"),
            (
                (f"network.start_file={begun}", "loss=squared", "data.mixture.classes=3"),
                "has 1 outputs",
            ),
            ((f"network.start_file={replicas}",), "has replicas, which keep no weights"),
            ((f"network.start_file={waiting}",), "has no checkpoint yet"),
            ((f"network.start_file={begun}", "replicas=3", "output.record=[]"), "sweep over seeds"),
        )
        for settings, part in cases:
            more = [word for setting in settings for word in ("--set", setting)]
            has_width = any("network.width" in setting for setting in settings)
            width = [] if has_width else ["--set", "network.width=20"]
            for ranks in (None, 3):
                result = self.succeed(
                    *("run", text, "-o", "refused.h5", "--set", "network.start=file"),
                    *(*more, *width), ranks=ranks, code=2,
                )
                self.assertIn(part, result.errors)
                self.assertFalse((self.folder / "refused.h5").exists())
        before = begun.read_bytes()
        result = self.succeed(
            *("run", text, "-o", begun, "--force", "--set", "network.width=20"),
            *self.begin_with(begun), code=2,
        )
        self.assertIn("which this run would be written to", result.errors)
        self.assertEqual(begun.read_bytes(), before)

    def test_every_sentence_of_the_command(self) -> None:
        """What the command refuses."""
        self.refuse("best-fit", CONFIG, "fit, bad-fit or local-minimum, not `best-fit`")
        self.refuse("local-minimum", CONFIG, "only the ReLU loss has spurious ones")
        mixed = RELU.replace("mixture: {dim", "labels: {kind: random}, mixture: {dim")
        self.refuse("local-minimum", mixed, "that a hyperplane through 0 separates", "none was")
        squared = RELU.replace("training:", "loss: squared\ntraining:")
        self.refuse("local-minimum", squared, "which is looked for with loss: hinge")
        signs = CONFIG.replace("network: {", "network: {output: {kind: signs}, ")
        self.refuse("fit", signs, "is not halves, but network.start: fit")
        entropy = CONFIG.replace("training:", "loss: cross-entropy\ntraining:")
        self.refuse("fit", entropy, "2 outputs", "choose loss: hinge")
        self.refuse(
            "fit", CONFIG, "--set training.steps=3: construct sets training.steps=0 itself",
            more=("--set", "training.steps=3"),
        )
        self.refuse(
            "fit", CONFIG, "construct sets network.start=fit itself",
            more=("--set", "network.start=bad-fit"),
        )
        result = self.succeed("construct", code=2)
        self.assertIn("wants to know what to build", result.errors)

    def test_a_sweep(self) -> None:
        """One file with a member for each seed, and its member as a start."""
        sweep = CONFIG + "sweep: {seed: [1, 2]}\n"
        path = self.construct("fit", sweep, "--set", "network.width=24", ranks=2)
        self.assertIn("run0000: train loss 0", self.printed)
        self.assertIn("run0001: train loss 0", self.printed)
        run = self.train(
            CONFIG, "run.h5", *self.begin_with(path), "--set", "network.start_run=1",
            *("--set", "network.width=24", "--set", "seed=2", "--set", "training.steps=0"),
        )
        with h5py.File(path, "r") as built, h5py.File(run, "r") as begun:
            names = [f"/state/run0001/checkpoint{slot}/hidden_weights" for slot in (0, 1)]
            ours = begun["/record/run0000/initial_hidden_weights"][()]
            self.assertTrue(any((built[name][()] == ours).all() for name in names))
            loss = begun["/runs/run0000/trajectory/loss"][0]
        self.assertEqual(loss, 0.0)

    def test_the_first_of_replicas(self) -> None:
        """Jobs with replicas are taken as they are: the weights are those of a run alone."""
        width = ("--set", "network.width=24", "--set", "output.record=[]")
        alone = self.construct("fit", CONFIG, *width, name="alone")
        self.assertNotIn("replicas", self.printed)
        first = self.construct(
            "fit", CONFIG + "replicas: 3\nreplica_seeds: [weights]\n", *width, name="first", ranks=2
        )
        self.assertEqual(self.printed.count("run0000: the weights of the first of 3 replicas"), 1)
        for ours, others in zip(self.weights(alone), self.weights(first)):
            self.assertEqual(ours.tobytes(), others.tobytes())
        run = self.train(CONFIG, "run.h5", *self.begin_with(first), "--set", "network.width=24")
        with widthwise.open(run) as file:
            self.assertEqual(file.members[0].trajectory["loss"][0], 0.0)

    def test_one_member(self) -> None:
        """Of a sweep it is as in the file of all."""
        config = CONFIG + "sweep: {seed: [1, 2, 3]}\n"
        width = ("--set", "network.width=24")
        every = self.construct("fit", config, *width, name="every")
        text = self.folder / "config.yaml"
        result = self.succeed("construct", "fit", text, *width, "--member", "2", ranks=2)
        self.assertIn("run0002: train loss 0", result.text)
        self.assertNotIn("run0001: train loss", result.text)
        with widthwise.open(every) as all_of, widthwise.open(
            self.folder / "built-fit-0002.h5"
        ) as alone:
            ours, others = (
                file.member("run0002").checkpoint().hidden_weights for file in (all_of, alone)
            )
            self.assertTrue((ours == others).all())
        self.refuse(
            "fit", config, "--member 3: the experiment has 3 members",
            more=(*width, "--member", "3"),
        )

    def test_local_minimum_of_one_sample(self) -> None:
        """No unit is active on it, so there is no margin to tell of."""
        one = ("--set", "data.train=1", "--set", "network.width=4")
        path = self.construct("local-minimum", RELU, *one)
        self.assertIn("none is active on the one train sample, so the loss is 1", self.printed)
        self.assertNotIn("inf", self.printed)
        self.assertEqual(self.margins(path, "train", 0.0).tolist(), [0.0])

    def test_plan_counts_it(self) -> None:
        """Weights that are held, and the room to build them."""
        text = self.folder / "config.yaml"
        text.write_text(CONFIG, encoding="utf-8")
        sizes = []
        for start in ("drawn", "fit"):
            result = self.succeed(
                *("plan", text, "--no-calibration", "--set", "network.width=100000"),
                *("--set", f"network.start={start}"),
            )
            line = next(x for x in result.output.splitlines() if x.startswith("  weights "))
            number, unit = line.split()[-2:]
            sizes.append(float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit])
        self.assertAlmostEqual(sizes[1] - sizes[0], 100000 * 30 * 8, delta=2e5)


if __name__ == "__main__":
    unittest.main()
