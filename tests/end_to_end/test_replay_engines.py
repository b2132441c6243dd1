"""What the engine `samples` trains, and what all engines of one hidden layer train in single
precision, retrained in NumPy from what the file records.

`samples` never has the weights at hand: it keeps pre-activations of the train samples and the
coefficients of all updates. Its runs are held against the same reference as those of other engines
(test_replay.py), to the same tolerance.

A run in single precision is held against a replay in doubles, as close as rounding lets it be.
A weight is a chain of additions, one for each sample of each step, and so is a pre-activation that
is kept; each rounds by u = 2^-24 of what has been added up at most, which is |w| or sum |w_j x_j|.
So after t steps of B samples a weight is off by t B u |w| at most, a pre-activation by (t B + d + 2) u
sum |w_j x_j|: d + 2 for the product itself and its narrowed factors. `samples` adds up n terms more
for a weight. What is off in the derivatives of the loss comes from many units, whose errors do not
know of each other, and so is less than that: twice the bound has room for it. A pattern, or a
margin, is a step of the gradient, so the seeds are such that no pre-activation of the replay is
within its bound of 0, which is looked at. Wrong terms are larger by far; that is looked at as well.
"""

from __future__ import annotations

import sys
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np  # noqa: E402
from program import ProgramTest  # noqa: E402
from reference import Experiment, Replay, batch_patterns, coefficients, outputs  # noqa: E402
from test_replay import Replayed, small  # noqa: E402
from test_replay_arora import ARRAYS, mixture  # noqa: E402
from test_replay_brutzkus import separable  # noqa: E402

import widthwise  # noqa: E402  (program.py says where it is)

SAMPLES = ("--set", "training.engine=samples")
LEAKY = (
    *("--set", "network.activation.kind=leaky-relu"),
    *("--set", "network.activation.slope=0.1"),
)
BATCHES = ("--set", "training.method=sgd", "--set", "training.batch=6")
UNIT_ROUNDOFF = 2.0**-24


class LazyTest(ProgramTest):
    """What `lazy` trains: networks whose output weights stay. The hinge loss is in
    test_replay_brutzkus.py."""

    def replay(self, config: str, *more: str, ranks: Optional[int] = None) -> None:
        """Runs a configuration by `lazy` and checks it against the reference."""
        path = self.train(
            config, "run.h5",
            *("--set", "training.engine=lazy", "--force"), *more,
            *("--set", "measure.final=[]"),
            ranks=ranks,
        )
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.setting("training.engine"), "lazy")
            result = Replayed(self, member)
            result.check_trajectory()
            result.check_weights()
            moved = np.abs(result.last - result.experiment.hidden_weights).max()
            self.assertGreater(moved, 1e-4)

    def test_several_outputs(self) -> None:
        """Full batches, by cross entropy and the squared loss; output weights of any length."""
        gaussian = ("--set", "network.output.kind=gaussian")
        full = ("training: {batch: 16, ", "training: {method: gd, ")
        self.replay(small().replace(*full), ranks=3)
        self.replay(small(components=2).replace(*full), *LEAKY, "--set", "data.train=300")
        self.replay(mixture(classes=3, training=", rate: 0.002", quantities=ARRAYS), ranks=2)
        self.replay(mixture(quantities=ARRAYS), *gaussian, *LEAKY, ranks=2)

    def test_squared_loss(self) -> None:
        """Pairs of units, leaky ones, many samples, on several numbers of ranks and windows."""
        for network, more, ranks in (
            (", hidden: {pairs: antisymmetric, std: 1.0}", (), 2),
            ("", LEAKY, None),
            ("", ("--set", "data.train=700"), 3),
            ("", BATCHES, 2),
            ("", (*BATCHES, *LEAKY, "--set", "training.sampling=replacement"), 1),
        ):
            with self.subTest(network=network, more=more):
                self.replay(mixture(network=network, quantities=ARRAYS), *more, ranks=ranks)


class SamplesTest(ProgramTest):
    """Every kind of training by `samples`, in double precision."""

    def replayed(self, config: str, *more: str, ranks: Optional[int] = None) -> Replayed:
        """Runs a configuration by `samples` and checks it against the reference."""
        path = self.train(config, "run.h5", *SAMPLES, *more, "--force", ranks=ranks)
        file = widthwise.open(path)
        self.addCleanup(file.close)
        member = file.members[0]
        self.assertEqual(member.state, widthwise.State.DONE)
        self.assertEqual(member.setting("training.engine"), "samples")
        result = Replayed(self, member)
        result.check_trajectory()
        result.check_weights()
        if "update_spectrum" in member.final:
            result.check_spectra()
        self.assertGreater(np.abs(result.last - result.experiment.hidden_weights).max(), 1e-4)
        return result

    def test_cross_entropy(self) -> None:
        """Four steps of sixteen samples fill the columns of updates."""
        self.replayed(small(), ranks=3)

    def test_cross_entropy_of_leaky_units(self) -> None:
        """Samples that come again in the columns; batches that do not fill them."""
        self.replayed(
            small(components=2), *LEAKY,
            *("--set", "training.sampling=replacement"),
            *("--set", "training.batch=7"),
        )

    def test_large_batches(self) -> None:
        """A step that fills the columns by itself, and one of several blocks of samples."""
        for batch, steps in ((90, 12), (600, 5)):
            self.replayed(
                small(),
                *("--set", f"training.batch={batch}"),
                *("--set", f"training.steps={steps}"),
                *("--set", "data.train=700"),
                *("--set", "measure.snapshots=[3]"),
                *("--set", "measure.every=2"),
                *("--set", "measure.quantities=[loss, distance, gradient_norm, coupling]"),
                *("--set", "measure.final=[]"),
            )

    def test_squared_loss(self) -> None:
        """Gradient descent on pairs of units; output weights that are trained as well."""
        pairs = ", hidden: {pairs: antisymmetric, std: 1.0}"
        self.replayed(mixture(network=pairs, quantities=ARRAYS), ranks=2)
        self.replayed(
            mixture(
                network=pairs, training=", rate: 0.001",
                quantities="[loss, residual, distance, gradient_norm]",
            ),
            *("--set", "network.train_output=true"),
            *("--set", "measure.final=[]"),
        )

    def test_squared_loss_of_many_samples(self) -> None:
        """Gradient descent in three blocks, three outputs, leaky units."""
        self.replayed(
            mixture(classes=3, training=", rate: 0.002", quantities=ARRAYS), *LEAKY,
            *("--set", "data.train=1100"),
            *("--set", "training.steps=25"),
            *("--set", "measure.final=[]"),
            ranks=2,
        )

    def test_squared_loss_of_batches(self) -> None:
        """Sums over batches of leaky units in pairs."""
        self.replayed(
            mixture(
                network=", hidden: {pairs: antisymmetric, std: 1.0}, "
                "activation: {kind: leaky-relu, slope: 0.2}",
                training=", method: sgd, batch: 7, rate: 0.02",
                quantities=ARRAYS,
            )
        )

    def test_hinge_loss(self) -> None:
        """Samples one by one, some of which change nothing; batches; both layers; all samples."""
        for network, training, batch in (
            ("", "", 1),
            ("", ", sampling: replacement", 5),
            (", train_output: true", ", rate: 0.7", 1),
            (", activation: {kind: relu}, train_output: true", ", method: gd, rate: 0.7", None),
        ):
            with self.subTest(network=network, training=training, batch=batch):
                size = f", batch: {batch}" if batch is not None else ""
                result = self.replayed(
                    separable(steps=120, network=network, training=training + size)
                )
                updates = result.member.trajectory["updates"][-1]
                self.assertGreater(updates, 10)
                if batch == 1:
                    self.assertLess(updates, 120)

    def test_the_end_where_no_sample_changes_a_weight(self) -> None:
        """It is where it is by other engines."""
        ends = set()
        for engine in ("samples", "dense"):
            path = self.train(
                separable(steps=100000, data=", separable: {dimension: 30, margin: 0.2}"),
                f"{engine}.h5", *("--set", f"training.engine={engine}"),
                *("--set", "measure.quantities=[loss, updates]"),
            )
            with widthwise.open(path) as file:
                trajectory = file.members[0].trajectory
                self.assertEqual(trajectory["loss"][-1], 0.0)
                ends.add((int(trajectory["step"][-1]), float(trajectory["updates"][-1])))
        self.assertEqual(len(ends), 1, ends)


SINGLE = {
    # Both layers, five outputs; windows and columns end in the middle of the run.
    "cross-entropy": """
name: single
seed: 3
precision: single
data: {train: 40, test: 31, mixture: {dimension: 12, classes: 5, components: 1}}
network: {width: 130, train_output: true}
training: {batch: 4, steps: 41, rate: 4.0}
""",
    # Single samples, many of which change nothing.
    "hinge": """
name: single
seed: 3
precision: single
model: brutzkus
data: {source: separable, train: 83, test: 31, separable: {dimension: 12, margin: 0.05}}
network: {width: 132}
training: {batch: 1, steps: 150}
""",
    # The whole train set, leaky units in pairs.
    "squared": """
name: single
seed: 3
precision: single
model: arora
data: {train: 24, test: 31, mixture: {dimension: 12, classes: 2, components: 2}}
network:
  width: 132
  hidden: {pairs: antisymmetric, std: 0.1}
  activation: {kind: leaky-relu, slope: 0.2}
training: {steps: 4, rate: 0.05}
""",
}
MEASURED = """
measure:
  every: {half}
  quantities: [loss, test_loss, train_accuracy, gradient_norm, distance_absolute, row_movement]
  final: []
  snapshots: [0, {half}]
output: {{record: [data, initial-weights, batches]}}
"""


class SingleReplay:
    """A replay in doubles of a run in single precision, with bounds of what it can be off by."""

    def __init__(self, test: unittest.TestCase, member: widthwise.Member) -> None:
        self.test, self.member = test, member
        drawn = Experiment.of(member)
        self.experiment = replace(
            drawn,
            hidden_weights=drawn.hidden_weights.astype(np.float32).astype(float),
            output_weights=drawn.output_weights.astype(np.float32).astype(float),
        )
        self.batches = self.experiment.batches(member)
        self.replay = Replay(self.experiment, self.batches)

    def bound(self, step: int, weights: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """What pre-activations [samples, m] of the weights after `step` steps are off by."""
        terms = step * self.batches.shape[1] + self.experiment.train_inputs.shape[1] + 2
        inputs = np.abs(self.experiment.train_inputs[samples])
        return 2 * terms * UNIT_ROUNDOFF * (inputs @ np.abs(weights).T)

    def check(self) -> None:
        """Weights at all snapshots and at the end, and what is measured of them."""
        kept = self.member.checkpoint()
        found = {kept.step: (kept.hidden_weights, kept.output_weights)}
        snapshots = self.member.snapshots
        trains_output = self.experiment.train_output
        for index, step in enumerate(snapshots.steps):
            by_output = self.experiment.output_weights
            if trains_output:
                by_output = snapshots.output_weights(index)
            found[int(step)] = (snapshots.hidden_weights(index), by_output)
        for step, weights in self.replay.trajectory():
            self.look_for_steps(step, weights)
            if step in found:
                self.check_weights(step, weights, *found[step])
        self.check_measured(found)

    def look_for_steps(self, step: int, weights: np.ndarray) -> None:
        """No pattern and no margin of a batch may be in doubt, or the bounds would not hold."""
        now, batch = self.replay.now, self.batches[step]
        preactivations = now.train_inputs[batch] @ weights.T
        bound = self.bound(step, weights, batch)
        self.test.assertTrue(
            (np.abs(preactivations) > bound).all(), f"step {step}: take another seed"
        )
        if now.hinge:
            values = outputs(now, preactivations, preactivations >= 0)
            margins = now.train_targets[batch] * values
            off = bound @ np.abs(now.output_weights).T
            self.test.assertTrue((np.abs(margins - 1) > off).all(), f"step {step}: another seed")

    def check_weights(
        self, step: int, weights: np.ndarray, hidden: np.ndarray, by_output: np.ndarray
    ) -> None:
        """Of both layers; and the bound is one that no single term of an update hides below."""
        experiment, now = self.experiment, self.replay.now
        np.testing.assert_array_equal(hidden, hidden.astype(np.float32))
        batch = self.batches.shape[1]
        terms = step * batch + (len(experiment.train_inputs) if step > 0 else 0)
        tolerance = 2 * terms * UNIT_ROUNDOFF * np.abs(weights).max()
        np.testing.assert_allclose(hidden, weights, rtol=0, atol=tolerance, err_msg=f"step {step}")
        outer = 2 * terms * UNIT_ROUNDOFF * np.abs(now.output_weights).max()
        if not experiment.train_output:
            outer = UNIT_ROUNDOFF * np.abs(now.output_weights).max()  # as it was narrowed
        np.testing.assert_allclose(by_output, now.output_weights, rtol=0, atol=outer)
        # One sample's part in one unit, of those that have one: the median of its largest number.
        every = np.arange(len(experiment.train_inputs))
        parts = coefficients(now, weights, every, batch_patterns(now, weights, every))
        parts = np.abs(parts) * np.abs(experiment.train_inputs).max(axis=1)[:, None]
        term = experiment.rate * np.median(parts[parts > 0]) if (parts > 0).any() else np.inf
        self.test.assertGreater(term if experiment.total else term / batch, 10 * tolerance)

    def check_measured(self, found: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        """Records are made in doubles, of the very weights that were kept."""
        trajectory = self.member.trajectory
        compared = 0
        for row, step in enumerate(trajectory["step"].tolist()):
            if step not in found:
                continue
            hidden, self.replay.now = found[step][0], replace(
                self.experiment, output_weights=found[step][1]
            )
            expected = self.replay.measure(step, hidden)
            for name in trajectory:
                if name == "step":
                    continue
                np.testing.assert_allclose(
                    trajectory[name][row], expected[name], rtol=1e-6 if row == 0 else 1e-9,
                    atol=1e-12, err_msg=f"{name} at step {step}",
                )
                compared += 1
        self.test.assertGreaterEqual(compared, 18)


class SinglePrecisionTest(ProgramTest):
    """Replays of runs in single precision."""

    def test_every_engine(self) -> None:
        """Every loss by every engine."""
        for loss, text in SINGLE.items():
            engines = ("dense", "samples") if loss == "squared" else ("dense", "window", "samples")
            for engine in engines:  # `window` has no gradient descent
                with self.subTest(loss, engine=engine):
                    self.check(loss, text, engine)

    def check(self, loss: str, text: str, engine: str) -> None:
        """Runs and replays."""
        half = {"cross-entropy": 21, "hinge": 75, "squared": 2}[loss]
        path = self.train(
            text + MEASURED.format(half=half), "run.h5", "--force",
            *("--set", f"training.engine={engine}"),
        )
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            SingleReplay(self, member).check()
            loss_values = member.trajectory["loss"]
            self.assertLess(loss_values[-1], 0.9 * loss_values[0])


if __name__ == "__main__":
    unittest.main()
