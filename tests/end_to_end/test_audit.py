"""--audit and --check-steps: what they say, on any number of ranks and after restarts, what stands in
the file, and what is refused."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from compare import differences, result_differences  # noqa: E402
from program import Argument, ProgramTest  # noqa: E402

import commit_page  # noqa: E402
import widthwise  # noqa: E402
from commit_page import Verdict  # noqa: E402

STOPPED = 75
USAGE = 2

LAZY = """
name: changes
model: arora
data: {train: 170, test: 40, mixture: {dimension: 30, classes: 2, components: 2}, labels: {kind: random}}
network: {width: 900, activation: {kind: leaky-relu, slope: 0.1}}
training: {steps: 90, rate: 0.03, engine: lazy}
measure: {every: 7, quantities: [loss, coupling], final: []}
output: {checkpoint_every: 40}
"""

SGD = """
name: batches
data: {train: 150, test: 90, mixture: {dimension: 50, classes: 5, components: 2}}
network: {width: 300}
training: {batch: 16, steps: 60, rate: 2.0, engine: samples}
measure: {every: 7, quantities: [loss], final: []}
"""

FOUND = "pairs compared, 0 mismatches, 0 undecided by rounding; outputs differ by "


class AuditTest(ProgramTest):
    """Runs that are as they should be."""

    def told(self, *arguments: Argument, ranks: Optional[int] = None, code: int = 0) -> list[str]:
        """Lines of a command that tell of audits, without the name of the run."""
        result = self.succeed(*arguments, ranks=ranks, code=code)
        lines = (line.partition(": ")[2] for line in result.errors.splitlines())
        return [line for line in lines if "audit" in line or "checked against" in line]

    def page(self, path: Path) -> commit_page.CommitPage:
        """The commit page of the first run in a file."""
        with widthwise.open(path) as file:
            page = file.members[0].page
        assert page is not None
        return page

    def test_same_words_on_any_ranks(self) -> None:
        """Words and file are those of one rank, and results those of a run without."""
        plain = self.train(LAZY, "plain.h5")
        text = self.folder / "plain.h5.yaml"
        first: list[str] = []
        for ranks in (None, 2, 3):
            path = self.folder / f"audited{ranks}.h5"
            said = self.told(
                *("run", text, "-o", path, "--audit", "--check-steps", "20"), ranks=ranks
            )
            first = first or said
            self.assertEqual(said, first)
            self.assertEqual(result_differences(plain, path), [])
        self.assertEqual(len(first), 2)
        self.assertTrue(
            first[0].startswith(
                f"steps 0 to 19 checked against the engine dense: {20 * 170 * 900} {FOUND}"
            ),
            first,
        )
        self.assertTrue(first[1].startswith(f"audit after 89 of 90 steps: {170 * 900} {FOUND}"), first)
        self.assertEqual(differences(self.folder / "audited2.h5", path), [])
        page = self.page(path)
        for audit, steps in ((page.audit, (89, 89)), (page.checked, (0, 19))):
            self.assertEqual(audit.verdict, Verdict.HOLDS)
            self.assertEqual((audit.first_step, audit.last_step), steps)
            self.assertEqual((audit.mismatches, audit.undecided), (0, 0))
            self.assertLess(audit.difference, 1e-12)
            self.assertGreater(audit.difference, 0.0)
        shown = self.succeed("show", path).output
        self.assertIn(f"audit         holds after step 89: {170 * 900} {FOUND}", shown)
        self.assertIn("audit         holds steps 0 to 19 against dense: ", shown)
        self.assertEqual(self.page(plain).audit.verdict, Verdict.NONE)

    def test_restarts(self) -> None:
        """The words of an audit are the same after a restart; steps are checked from it on; one that
        ends before all of them tells of those that were."""
        whole = self.train(LAZY, "whole.h5")
        text = self.folder / "whole.h5.yaml"
        said = self.told("run", text, "-o", self.folder / "one.h5", "--audit")
        parts = self.folder / "parts.h5"
        stopped = self.told(
            *("run", text, "-o", parts, "--until", "33", "--audit", "--check-steps", "100"),
            ranks=2, code=STOPPED,
        )
        self.assertEqual(len(stopped), 1)
        self.assertIn("steps 0 to 32 checked against", stopped[0])
        ended = self.told("resume", parts, "--audit", "--check-steps", "10", ranks=3)
        self.assertIn("steps 33 to 42 checked against", ended[0])
        self.assertEqual(ended[1:], said)
        self.assertEqual(result_differences(whole, parts), [])
        # What is done is audited too, and ends as it was.
        again = self.told("resume", parts, "--audit", ranks=2)
        self.assertEqual(len(again), 1)
        self.assertTrue(again[0].startswith(f"audit after 89 of 90 steps: {170 * 900} {FOUND}"), again)
        self.assertEqual(result_differences(whole, parts), [])
        self.succeed("verify", parts)
        self.assertIn("nothing left to do\n", self.succeed("resume", parts).output)

    def test_steps_that_are_too_large(self) -> None:
        """Above 2 / lambda_max small differences grow: outputs go to and fro, and so do patterns."""
        rate = ("--set", "training.rate=0.7", "--set", "measure.every=1")
        path = self.train(LAZY, "large.h5", *rate, "--audit", "--check-steps", "25")
        page = self.page(path)
        self.assertEqual((page.audit.verdict, page.checked.verdict), (Verdict.HOLDS, Verdict.HOLDS))
        with widthwise.open(path) as file:
            loss = file.members[0].trajectory["loss"]
            self.assertGreater(max(loss[1:]), 2.0 * loss[0])

    def test_pairs_of_units_at_zero(self) -> None:
        """Outputs that are 0 at first."""
        path = self.train(
            LAZY, "pairs.h5", "--set", "network.hidden={pairs: antisymmetric, std: 0.01}",
            *("--audit", "--check-steps", "15"), ranks=2,
        )
        page = self.page(path)
        self.assertEqual((page.audit.verdict, page.checked.verdict), (Verdict.HOLDS, Verdict.HOLDS))

    def test_samples(self) -> None:
        """Small batches, in both precisions; the weights of the last step."""
        for precision, largest in (("double", 1e-12), ("single", 1e-3)):
            with self.subTest(precision):
                path = self.train(
                    SGD, f"{precision}.h5", "--set", f"precision={precision}",
                    *("--audit", "--check-steps", "30"), ranks=2,
                )
                page = self.page(path)
                self.assertEqual(page.audit.verdict, Verdict.HOLDS)
                self.assertEqual((page.audit.last_step, page.audit.pairs), (60, 150 * 300))
                self.assertEqual(page.checked.verdict, Verdict.HOLDS)
                self.assertEqual((page.checked.last_step, page.checked.pairs), (29, 30 * 16 * 300))
                self.assertLess(max(page.audit.difference, page.checked.difference), largest)

    def test_a_sweep(self) -> None:
        """Each run says its own; those that keep their weights say that."""
        text = self.folder / "sweep.yaml"
        text.write_text(LAZY + "sweep: {training.engine: [lazy, dense, samples]}\n", encoding="utf-8")
        path = self.folder / "sweep.h5"
        result = self.succeed("run", text, "-o", path, "--audit", ranks=2)
        for words in (
            "training.engine=lazy: audit after 89 of 90 steps: ",
            "training.engine=dense: engine dense keeps the weights themselves, so there is nothing "
            "to audit",
            "training.engine=samples: audit after 90 of 90 steps: ",
        ):
            self.assertIn(words, result.errors)
        with widthwise.open(path) as file:
            verdicts = [member.page.audit.verdict for member in file.members if member.page]
        self.assertEqual(verdicts, [Verdict.HOLDS, Verdict.NONE, Verdict.HOLDS])

    def test_nothing_to_audit(self) -> None:
        """Of a run that is done by an engine that keeps its weights."""
        path = self.train(LAZY, "dense.h5", "--set", "training.engine=dense")
        said = self.succeed("resume", path, "--audit").output
        self.assertIn("nothing left to do; what is done was trained by engines that keep", said)

    def test_refusals(self) -> None:
        """What makes no sense, before anything is written."""
        text = self.folder / "refused.yaml"
        text.write_text(LAZY, encoding="utf-8")
        for words, arguments in (
            ("--check-steps is not for the engine dense", "--set training.engine=dense --check-steps 3"),
            ("--check-steps 0 checks nothing", "--check-steps 0"),
            ("--audit is not for a run with replicas", "--set replicas=2 --audit"),
            ("--check-steps is not for a run with replicas", "--set replicas=2 --check-steps 2"),
            ("--check-steps is not for network.train_output: true",
             "--set training.engine=samples --set network.train_output=true --check-steps 2"),
            ("--check-steps wants a whole number", "--check-steps many"),
        ):
            with self.subTest(words):
                result = self.succeed(
                    "run", text, "-o", "no.h5", *arguments.split(), ranks=2, code=USAGE
                )
                self.assertIn(words, result.errors)
                self.assertFalse((self.folder / "no.h5").exists())
        text.write_text(
            "model: zou-gu\ndata: {train: 20, test: 10}\nnetwork: {width: 20, depth: 2}\n",
            encoding="utf-8",
        )
        result = self.succeed("run", text, "-o", "no.h5", "--check-steps", "2", code=USAGE)
        self.assertIn("--check-steps is not for several hidden layers", result.errors)

    def test_help(self) -> None:
        """Both are told of where they can be given, and only there."""
        for command in ("run", "resume", "gram", "plan"):
            said = self.succeed(command, "--help").output
            for option in ("--audit  ", "--check-steps S  "):
                self.assertEqual(option in said, command in ("run", "resume"), (command, option))


if __name__ == "__main__":
    unittest.main()
