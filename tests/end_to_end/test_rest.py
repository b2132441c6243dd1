"""Training ends where no sample changes a weight, at the same step whoever looks when."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import result_differences  # noqa: E402
from program import ProgramTest  # noqa: E402

import check_schema  # noqa: E402
import numpy as np  # noqa: E402
import widthwise  # noqa: E402

STOPPED = 75

SMALL = """
name: rest
model: brutzkus
data: {source: mixture, mixture: {dimension: 80, separation: 1.0}, train: 70, test: 40}
network: {width: 300, train_output: true}
training: {epochs: 60, rate: 0.03}
measure: {every: 37, quantities: [loss, train_accuracy, distance], snapshots: [30, 100, 2000]}
output: {checkpoint_every: 50}
"""


class RestTest(ProgramTest):
    """Hinge loss on data with a hyperplane between the classes."""

    def last_step(self, path: Path) -> int:
        """Of the records; that of the newest checkpoint too."""
        with widthwise.open(path) as file:
            member = file.members[0]
            self.assertEqual(member.state, widthwise.State.DONE)
            last = int(member.trajectory["step"][-1])
            self.assertEqual(member.checkpoint().step, last)
            return last

    def weights(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Of the newest checkpoint."""
        with widthwise.open(path) as file:
            kept = file.members[0].checkpoint()
            return kept.hidden_weights, kept.output_weights

    def test_ends_with_the_last_change(self) -> None:
        """Every margin is reached, and to go on would change nothing."""
        for engine in ("dense", "window"):
            setting = ("--set", f"training.engine={engine}", "--set", "measure.snapshots=[30]")
            path = self.train(SMALL, f"{engine}.h5", *setting)
            last = self.last_step(path)
            self.assertEqual(check_schema.check_file(str(path)).violations, [])
            with widthwise.open(path) as file:
                trajectory = file.members[0].trajectory
                self.assertTrue((np.diff(trajectory["step"]) > 0).all())
                self.assertEqual(trajectory["loss"][-1], 0.0)
                self.assertEqual(trajectory["train_accuracy"][-1], 1.0)
                self.assertTrue((trajectory["loss"][:-1] > 0.0).all())
            on = self.train(
                SMALL, f"{engine}-on.h5", *setting, "--set", "training.stop_at_rest=false"
            )
            self.assertEqual(self.last_step(on), 60 * 70)
            before = self.train(
                SMALL,
                f"{engine}-before.h5",
                *setting,
                *("--set", f"training.steps={last - 1}", "--set", "measure.every=1000"),
            )
            self.assertEqual(self.last_step(before), last - 1)
            for at_rest, later, earlier in zip(*map(self.weights, (path, on, before))):
                self.assertEqual(at_rest.tobytes(), later.tobytes())
                self.assertNotEqual(at_rest.tobytes(), earlier.tobytes())

    def test_engines_agree(self) -> None:
        """Same steps, nearly the same weights."""
        paths = [
            self.train(SMALL, f"{engine}.h5", "--set", f"training.engine={engine}")
            for engine in ("dense", "window")
        ]
        self.assertEqual(self.last_step(paths[0]), self.last_step(paths[1]))
        for dense, window in zip(*map(self.weights, paths)):
            np.testing.assert_allclose(dense, window, rtol=0, atol=1e-11)

    def test_says_so(self) -> None:
        """The last lines tell why it ended."""
        text = self.folder / "said.yaml"
        text.write_text(SMALL, encoding="utf-8")
        result = self.succeed("run", text, "-o", "said.h5")
        last = self.last_step(self.folder / "said.h5")
        self.assertIn(f"at rest after {last} steps", result.text)
        self.assertIn("rest: steps by engine window (auto)\n", result.text)
        self.assertIn("every margin is reached: loss 0", result.text)
        none = ("--set", "measure.quantities=[train_error]")  # which the last lines do not tell
        result = self.succeed("run", text, "-o", "none.h5", *none)
        self.assertIn("every margin is reached\n", result.text)

    def test_show_says_so(self) -> None:
        """Of a run that came to rest, and of no other; and which engine made the steps."""
        path = self.train(SMALL, "rest.h5")
        last = self.last_step(path)
        shown = self.succeed("show", path).output
        self.assertIn(f"run0000  done, at rest after {last} steps of {60 * 70}\n", shown)
        self.assertIn("batches of 1, engine window\n", shown)  # which was chosen
        cases = (
            ("training.stop_at_rest=false", f"done, recorded to step {60 * 70} of {60 * 70}"),
            (f"training.steps={last - 1}", f"done, recorded to step {last - 1} of {last - 1}"),
            ("training.stop={loss: -1.0}", f"done, at rest after {last} steps of {60 * 70}"),
        )
        for setting, said in cases:
            path = self.train(
                SMALL, "other.h5", "--force", "--set", "measure.snapshots=[30]", "--set", setting
            )
            self.assertIn(said, self.succeed("show", path).output, setting)
        path = self.train(SMALL, "reached.h5", "--set", "training.stop={loss: 0.5}")
        reached = self.last_step(path)
        self.assertLess(reached, last)
        shown = self.succeed("show", path).output
        self.assertIn(f"done, recorded to step {reached} of {60 * 70}\n", shown)
        more = ("--until", "50", "--set", "training.engine=dense")
        path = self.train(SMALL, "stopped.h5", *more, code=STOPPED)
        shown = self.succeed("show", path).output
        self.assertIn("recorded to step 37 of", shown)
        self.assertIn("batches of 1, engine dense\n", shown)
        more = ("--set", "replicas=2", "--set", "measure.snapshots=[]")
        shown = self.succeed("show", self.train(SMALL, "replicas.h5", *more)).output
        self.assertIn("done, 2 of 2 replicas\n", shown)
        self.assertIn("engine window\n", shown)

    def test_shows_what_does_not_apply(self) -> None:
        """Theorems 5 and 6 ask for twice as many samples as there are updates, or may be."""
        settings = (
            *("network.train_output=false", "training.rate=1"),
            "measure.quantities=[loss, updates]",
        )
        more = [word for setting in settings for word in ("--set", setting)]
        path = self.train(SMALL, "few.h5", *more)
        shown = self.succeed("show", path).output
        self.assertRegex(shown, r"compression_applies 0\b")
        self.assertRegex(shown, r"compression_bound does not apply\b")
        self.assertRegex(shown, r"compression_bound_corollary does not apply\b")
        self.assertNotRegex(shown, r"\bnan\b")

    def test_margins_of_one(self) -> None:
        """A margin of exactly 1 is reached or not by its last bit: what is said is found."""
        config = """
name: ones
model: brutzkus
data: {source: orthonormal, orthonormal: {dimension: 64}}
network: {hidden: {kind: opposed, radius: 1.0e-20}}
training: {epochs: 40, rate: 10, engine: window}
measure: {quantities: [loss, violations, smallest_margin]}
"""
        text = self.folder / "ones.yaml"
        text.write_text(config, encoding="utf-8")
        counts, margins = [], []
        for width in (66, 96, 130, 190):
            settings = ("--force", "--set", f"network.width={width}")
            result = self.succeed("run", text, "-o", "ones.h5", *settings)
            with widthwise.open(self.folder / "ones.h5") as file:
                trajectory = file.members[0].trajectory
                counts.append(int(trajectory["violations"][-1]))
                margins.append(trajectory["smallest_margin"][-1])
                self.assertGreater(margins[-1], 1.0 - 1e-12)
            said = f" ({counts[-1]} of them but for rounding)" if counts[-1] > 0 else ":"
            self.assertIn(f"every margin is reached{said}", result.text)
        self.assertLess(min(margins), 1.0 + 1e-12)

    def test_not_separable(self) -> None:
        """Training that may not come to rest is warned of, and ends with its last step."""
        settings = ("--set", "data.labels.kind=random", "--set", "data.train=200")
        text = self.folder / "random.yaml"
        text.write_text(SMALL, encoding="utf-8")
        more = ("--set", "training.epochs=2", "--set", "measure.snapshots=[]")
        for ranks in (1, 2):
            result = self.succeed(
                "run", text, "-o", "random.h5", "--force", *settings, *more, ranks=ranks
            )
            self.assertEqual(result.text.count("warning: no hyperplane through 0"), 1)
            self.assertIn("training.steps: 400", result.text)
            self.assertEqual(self.last_step(self.folder / "random.h5"), 400)
        fit = (*settings, *more, "--set", "network.start=fit", "--set", "network.width=64")
        for quiet in (more, fit):  # separable, or at rest from the start
            result = self.succeed("run", text, "-o", "quiet.h5", "--force", *quiet)
            self.assertNotIn("no hyperplane", result.text)

    def test_restarts(self) -> None:
        """Stopped before rest, in the middle of a window, and between the last change and rest."""
        for engine, every in (("dense", 37), ("window", 37), ("window", 1), ("window", 5000)):
            settings = ("--set", f"training.engine={engine}", "--set", f"measure.every={every}")
            whole = self.train(SMALL, "whole.h5", "--force", *settings, ranks=2)
            last = self.last_step(whole)
            for until, first, second in ((45, 3, 1), (last - 1, 1, 7), (last + 3, 2, 4)):
                found = {"code": STOPPED}
                if every == 1 and until > last:  # it is seen at once
                    found = {"code": 0}
                parts = self.train(
                    SMALL,
                    "parts.h5",
                    *("--force", "--until", str(until), *settings),
                    ranks=first,
                    **found,
                )
                if found["code"] == STOPPED:
                    self.succeed("resume", parts, "-q", ranks=second)
                self.assertEqual(result_differences(whole, parts), [], f"{engine} {every} {until}")
                self.succeed("verify", parts)

    def test_longer(self) -> None:
        """A run at rest that is made longer ends at once; one that is not comes to rest."""
        whole = self.train(SMALL, "whole.h5", "--set", "training.epochs=80")
        parts = self.train(SMALL, "parts.h5")
        result = self.succeed("resume", parts, "--set", "training.epochs=80", ranks=2)
        self.assertIn("at rest", result.text)
        self.assertEqual(result_differences(whole, parts), [])
        short = self.train(
            SMALL,
            "short.h5",
            *("--set", "training.steps=101", "--set", "measure.snapshots=[30, 100]"),
        )
        self.assertEqual(self.last_step(short), 101)
        other = self.train(SMALL, "other.h5", "--set", "measure.snapshots=[30, 100]")
        steps = str(60 * 70)
        self.succeed("resume", short, "-q", "--set", f"training.steps={steps}", ranks=3)
        self.assertEqual(self.last_step(short), self.last_step(other))
        for a, b in zip(self.weights(short), self.weights(other)):
            self.assertEqual(a.tobytes(), b.tobytes())

    def test_one_step(self) -> None:
        """A single step may be all that it takes."""
        easy = (
            *("--set", "network.hidden.radius=0.5", "--set", "training.rate=1000"),
            *("--set", "data.train=1", "--set", "data.mixture.dimension=100"),
        )
        path = self.train(SMALL, "easy.h5", *easy, "--set", "measure.snapshots=[]")
        self.assertEqual(self.last_step(path), 1)

    def test_replicas(self) -> None:
        """Each ends as it would alone."""
        config = SMALL.replace(", snapshots: [30, 100, 2000]", "")
        path = self.train(config, "replicas.h5", "--set", "replicas=5", ranks=2)
        with widthwise.open(path) as file:
            for number, replica in enumerate(file.members[0].replica_runs()):
                alone = self.train(config, f"{number}.h5", "--set", f"seed={1 + number}")
                with widthwise.open(alone) as other:
                    expected = other.members[0].trajectory
                    for name in ("step", "loss", "distance"):
                        self.assertEqual(
                            replica.trajectory[name].tobytes(), expected[name].tobytes()
                        )


if __name__ == "__main__":
    unittest.main()
