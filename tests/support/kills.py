"""Chains of jobs that are killed at random moments and resumed on other numbers of ranks."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from compare import result_differences
from processes import finish, finish_after_kill, kill, kill_all, start, wait_for_ranks
from program import run_program

import widthwise

# Commits after every step and many checkpoints: a random moment is often one of a write.
CONFIG = """
name: kills
data: {train: 60, test: 30, mixture: {dimension: 40, classes: 4, components: 2}}
network: {width: 600}
training: {batch: 8, steps: 90, rate: 1.0}
measure:
  every: 2
  quantities: all
  final: [update_spectrum, accuracy_target]
  snapshots: [0, 30]
output: {checkpoint_every: 3, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
# As CONFIG, with an engine that holds state of its own.
WINDOW_CONFIG = """
name: kills
model: brutzkus
data: {train: 200, test: 60, separable: {dimension: 40, margin: 0.1}}
network: {width: 600}
training: {engine: window, batch: 4, epochs: 0, steps: 90, stop_at_rest: false}
measure:
  every: 2
  quantities: all
  snapshots: [0, 30]
output: {checkpoint_every: 3, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
# As above, with the one that keeps pre-activations and coefficients, in single precision.
SAMPLES_CONFIG = WINDOW_CONFIG.replace("engine: window", "engine: samples") + "precision: single\n"
# As CONFIG, in full batches that several ranks divide: there are more of them than tiles.
GROUPS_CONFIG = """
name: kills
data: {train: 8500, test: 30, mixture: {dimension: 6, classes: 3, components: 2}}
network: {width: 100}
training: {method: gd, steps: 90, rate: 1.0}
measure:
  every: 2
  quantities: [loss, train_accuracy, coupling, coupling_any, distance]
  final: [update_spectrum]
  snapshots: [0, 30]
output: {checkpoint_every: 3, commit_seconds: 0, record: [initial-weights]}
"""
# As CONFIG, with three hidden layers, whose weights are datasets of their own.
DEEP_CONFIG = """
name: kills
model: zou-gu
precision: single
data: {train: 60, test: 30, sphere: {dimension: 12, outputs: 2}}
network: {width: 140, depth: 3}
training: {method: sgd, batch: 8, steps: 90, rate: 0.3}
measure:
  every: 4
  quantities: all
  snapshots: [0, 30]
output: {checkpoint_every: 3, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
LONGER = "training.steps=125"
# Members of unlike width, so that crews of one rank and of several write at once.
SWEEP = "sweep: {network.width: [130, 600], seed: [1, 2]}\n"


@dataclass
class Tally:
    """What was tried, and what came of it."""

    kills: int = 0
    before_the_file: int = 0
    of_one_rank: int = 0
    while_lengthening: int = 0
    launchers: int = 0
    opened: int = 0
    lost: int = 0
    chains: int = 0
    equal: int = 0
    failures: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Two lines."""
        heads = {
            "kills": self.kills,
            "of one rank": self.of_one_rank,
            "lengthening": self.while_lengthening,
            "before the file": self.before_the_file,
            "launchers that stayed": self.launchers,
            "files that opened": self.opened,
            "checkpoints lost": self.lost,
            "runs": self.chains,
            "equal bits": self.equal,
        }
        widths = [max(len(head), 6) + 2 for head in heads]
        return "\n".join(
            "".join(f"{word:>{width}}" for word, width in zip(words, widths))
            for words in (heads.keys(), heads.values())
        )


@dataclass
class Reference:
    """A configuration, and a run of it that was left alone."""

    config: Path
    file: Path
    seconds: dict[bool, float]  # that a start takes, of those that make a run longer and others


def newest_checkpoints(path: Path) -> dict[str, int]:
    """Step of the newest checkpoint of each run that the file vouches for."""
    try:
        with widthwise.open(path) as file:
            found = {run.name: run.checkpoint() for run in file.members}
            return {name: int(slot.step) for name, slot in found.items() if slot is not None}
    except (OSError, widthwise.FormatError, KeyError):
        return {}  # not there yet, or in the middle of a change


class Chains:
    """Runs chains in a folder until a number of kills is reached; each of the next of some
    configurations."""

    def __init__(self, folder: Path, seed: int, *texts: str) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.tally = Tally()
        self.references = [self._reference(number, text) for number, text in enumerate(texts)]

    def _reference(self, number: int, text: str) -> Reference:
        config, file = (self.folder / f"kills{number}.{end}" for end in ("yaml", "h5"))
        config.write_text(text, encoding="utf-8")
        arguments = ("run", config, "-o", file, "-q", "--set", LONGER)
        with start(*arguments, folder=self.folder, ranks=2) as process:
            wait_for_ranks(process, 2)
            began = time.monotonic()  # as for those that are killed
            said = finish(process, 120)
            seconds = time.monotonic() - began
        if process.returncode != 0:
            raise AssertionError(said)
        return Reference(config, file, {False: seconds, True: seconds / 2})

    def run(self, kills: int) -> Tally:
        """Chains until so many kills; the last chain is brought to its end. Each configuration has
        its turn."""
        most = -(-kills // len(self.references))  # kills of a chain
        while self.tally.kills < kills and len(self.tally.failures) < 3:
            self._chain(self.references[self.tally.chains % len(self.references)], most)
        return self.tally

    def _fail(self, what: str, text: str) -> None:
        self.tally.failures.append(f"{what}\n{text}")

    def _chain(self, reference: Reference, most: int) -> None:
        path = self.folder / f"chain{self.tally.chains}.h5"
        self.tally.chains += 1
        lengthened = False
        lives = min(self.random.randint(4, 9), most)  # kills of this chain
        while True:
            if not path.exists():
                arguments = ["run", reference.config, "-o", path]
            elif lengthened:
                arguments = ["resume", path, "--set", LONGER]
            else:
                arguments = ["resume", path]
            seconds = {lengthened: reference.seconds[lengthened]}
            code, text = self._start(arguments, path, seconds, may_die=lives > 0)
            reference.seconds.update(seconds)
            if code is None:
                lives -= 1
                continue
            if code != 0:
                self._fail(f"exit code {code}", text)
                return
            if lengthened:
                break
            lengthened = True
        differences = result_differences(reference.file, path)
        if differences:
            self._fail("bits differ", str(differences))
        else:
            self.tally.equal += 1
        path.unlink()

    def _start(
        self, arguments: list[object], path: Path, seconds: dict[bool, float], may_die: bool
    ) -> tuple[Optional[int], str]:
        """Exit code and output; None for one that was killed and left all in order. `seconds` that
        such a start takes are told, and changed to what was seen."""
        ranks = self.random.randint(1, 4)
        ((lengthened, usual),) = seconds.items()
        with start(*arguments, folder=self.folder, ranks=ranks) as process:
            below = wait_for_ranks(process, ranks)
            began = time.monotonic()
            deadline = began + self.random.uniform(0.0, usual)
            while may_die and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.002)
            if not may_die or process.poll() is not None:
                text = finish(process, 120)
                seconds[lengthened] = time.monotonic() - began
                return process.returncode, text
            # Most kills are to hit, and the last moments of a start to be reached, whatever else the
            # machine has to do: moments are drawn from little more than starts take at the time.
            seconds[lengthened] *= 1.2
            acknowledged = newest_checkpoints(path)
            self.tally.kills += 1
            self.tally.while_lengthening += lengthened
            if ranks > 1 and below and self.random.random() < 0.3:
                self.tally.of_one_rank += 1
                kill(self.random.choice(below))
                text, is_gone = finish_after_kill(process, 60)
                self.tally.launchers += not is_gone
                ended = "complete" in text or "nothing left to do" in text  # before the kill came
                if process.returncode == 0 and not ended:
                    self._fail("a rank was killed and the job says that all is well", text)
            else:
                kill_all(process)
        self._look(path, acknowledged)
        return None, ""

    def _look(self, path: Path, acknowledged: dict[str, int]) -> None:
        """What a kill left: a good file that knows the newest checkpoints, or none."""
        if not path.exists():
            self.tally.before_the_file += 1
            if acknowledged:
                self._fail("the file is gone", "")
            return
        done = run_program("verify", path, folder=self.folder)
        if done.code != 0:
            self._fail("verify finds fault", done.text)
            return
        self.tally.opened += 1
        found = {
            name: int(step)
            for name, step in re.findall(
                r"^(run\d+): .*newest good checkpoint: slot \d, step (\d+)", done.text, re.M
            )
        }
        for name, step in acknowledged.items():
            if found.get(name, -1) < step:
                self.tally.lost += 1
                self._fail(f"the checkpoint of step {step} of {name} is lost", done.text)
