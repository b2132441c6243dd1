"""Logs a run, and checks all that a crash could have left of it. See crash_replay.c."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

import h5py
from program import environment, execute, mpi, program, run_program

MODES = ("kill", "power", "nodes", "torn")

# Rows are committed after every step, checkpoints lie between records and on them, and the last
# record is off the grid: every kind of write comes between every two others.
CONFIG = """
name: crash
data: {train: 60, test: 30, mixture: {dimension: 20, classes: 4, components: 2}}
network: {width: 300}
training: {batch: 8, steps: 40, rate: 1.0}
measure:
  every: 3
  quantities: all
  final: [update_spectrum, accuracy_target, gram]
  snapshots: [0, 20]
gram: {grid: [1, 1], eigenvectors: true}
output: {checkpoint_every: 7, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
# As CONFIG, with an engine that holds state of its own: its windows of sixteen steps end between checkpoints.
WINDOW_CONFIG = """
name: crash
model: brutzkus
data: {train: 60, test: 30, separable: {dimension: 20, margin: 0.1}}
network: {width: 300}
training: {engine: window, batch: 8, epochs: 0, steps: 40, stop_at_rest: false}
measure:
  every: 3
  quantities: all
  snapshots: [0, 20]
output: {checkpoint_every: 7, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
# The one that keeps pre-activations and coefficients moves them every eight steps.
SAMPLES_CONFIG = WINDOW_CONFIG.replace("engine: window", "engine: samples") + "precision: single\n"
# As CONFIG, with three hidden layers, whose weights are datasets of their own.
DEEP_CONFIG = """
name: crash
model: zou-gu
data: {train: 60, test: 30, sphere: {dimension: 12, outputs: 2}}
network: {width: 140, depth: 3, train_output: true}
training: {method: sgd, batch: 8, steps: 40, rate: 0.3}
measure:
  every: 3
  quantities: all
  snapshots: [0, 20]
output: {checkpoint_every: 7, commit_seconds: 0, record: [data, initial-weights, batches]}
"""
LONGER = "training.steps=50"
# Those of LoggedRun, by steps: every seventh, where it stops, and where it ends.
CHECKPOINTS = len({*range(7, 51, 7), 17, 23, 40, 50})


def tests_folder() -> Path:
    """Where the test programs were built."""
    return Path(program()).parent / "tests"


class Record(NamedTuple):
    """A record of the log: what write_log.c saw a process do."""

    kind: int
    path: str
    offset: int
    size: int


WRITE = 2  # the kind of a record that tells of a write


@dataclass
class LoggedRun:
    """A run with two restarts, the second of which makes it longer; its log, and references."""

    folder: Path
    text: str = CONFIG
    config: Path = field(init=False)
    log: Path = field(init=False)
    output: Path = field(init=False)
    reference: Path = field(init=False)
    longer: Path = field(init=False)
    longer_from: int = field(init=False)  # records of the log before the last restart

    def __post_init__(self) -> None:
        self.log = self.folder / "log"
        self.output = self.folder / "logged"
        self.output.mkdir()
        self.reference = self.folder / "reference.h5"
        self.longer = self.folder / "longer.h5"
        self.config = config = self.folder / "crash.yaml"
        config.write_text(self.text, encoding="utf-8")
        for path, more in ((self.reference, ()), (self.longer, ("--set", LONGER))):
            self._expect(
                run_program("run", config, "-o", path, "-q", *more, folder=self.folder, ranks=2)
            )
        file = self.output / "run.h5"
        self._logged(2, 75, "run", config, "-o", file, "-q", "--until", "17")
        self._logged(3, 75, "resume", file, "-q", "--until", "23")
        self._logged(1, 0, "resume", file, "-q")
        self.longer_from = self.count()
        self._logged(2, 0, "resume", file, "-q", "--set", LONGER)

    @staticmethod
    def _expect(result, code: int = 0) -> None:
        if result.code != code:
            raise AssertionError(f"exit code {result.code}, not {code}\n{result.text}")

    def _logged(self, ranks: int, code: int, *arguments: object) -> None:
        """Runs the program with the library preloaded into its ranks alone."""
        settings = {
            "LD_PRELOAD": str(tests_folder() / "libwrite_log.so"),
            "WRITE_LOG": str(self.log),
            "WRITE_LOG_FOLDER": str(self.output),
        }
        command = [*mpi(ranks), "env", *(f"{key}={value}" for key, value in settings.items())]
        self._expect(execute([*command, program(), *map(str, arguments)], self.folder), code)

    def count(self) -> int:
        """Records of the log so far."""
        return sum(1 for _ in self.records())

    def records(self) -> Iterator[Record]:
        """All of the log, in order."""
        content = self.log.read_bytes()
        place = 0
        while place < len(content):
            words = [
                int.from_bytes(content[place + 8 * word : place + 8 * word + 8], "little")
                for word in range(8)
            ]
            path = content[place + 64 : place + 64 + words[5] - 1].decode()
            yield Record(kind=words[1], path=path, offset=words[3], size=words[4])
            place += 64 + sum(words[4:7])

    def checkpoint_writes(self) -> Counter[str]:
        """How many writes went to each dataset of the two checkpoints, such as
        "checkpoint0/hidden_weights". They stay where they are as long as the file lives."""
        path = self.output / "run.h5"
        writes = [
            record
            for record in self.records()
            if record.kind == WRITE and record.path == str(path)
        ]
        found: Counter[str] = Counter()
        with h5py.File(path) as file:
            for slot in ("checkpoint0", "checkpoint1"):
                for part, dataset in file[f"state/run0000/{slot}"].items():
                    begin = dataset.id.get_offset()
                    end = begin + dataset.id.get_storage_size()
                    found[f"{slot}/{part}"] = sum(
                        write.offset < end and begin < write.offset + write.size for write in writes
                    )
        return found


def scratch_base() -> str | None:
    """A folder in memory where there is one: thousands of small files are made and synced."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass
class Findings:
    """What one or several checks counted, by mode."""

    counts: dict[str, dict[str, int]]
    failures: list[str]

    def table(self) -> str:
        """One line a mode."""
        heads = ("states", "without file", "opened", "verified", "lost", "resumed", "equal bits")
        lines = ["".join([f"{'crash':8}", *(f"{head:>14}" for head in heads)])]
        for mode, counts in self.counts.items():
            lines.append("".join([f"{mode:8}", *(f"{value:14d}" for value in counts.values())]))
        return "\n".join(lines)

    def total(self, name: str) -> int:
        """A count over all modes."""
        return sum(counts[name] for counts in self.counts.values())


def check(
    run: LoggedRun,
    modes: Sequence[str] = MODES,
    every: int = 1,
    seeds: int = 1,
    without_sync: bool = False,
    workers: int = 2,
) -> Findings:
    """Checks the states after every `every`-th record, divided over processes."""

    def part(worker: int) -> subprocess.CompletedProcess[str]:
        scratch = Path(tempfile.mkdtemp(prefix="widthwise-crash-", dir=scratch_base()))
        command = [
            *(tests_folder() / "crash_replay", run.log, run.output, "run.h5", scratch),
            *(run.config, run.reference, "--modes", ",".join(modes), "--every", every * workers),
            *("--phase", worker * every, "--seeds", seeds, "--longer", run.longer),
            *("--longer-from", run.longer_from, "--setting", LONGER),
            *(("--without-sync",) if without_sync else ()),
        ]
        try:
            return subprocess.run(
                [str(word) for word in command],
                env=environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=3000,
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            Path(f"{scratch}.said").unlink(missing_ok=True)

    findings = Findings({}, [])
    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(part, range(workers)):
            if done.returncode != 0:
                findings.failures.append(done.stderr[-6000:])
            for line in done.stdout.splitlines():
                mode, *words = line.split()
                counts = findings.counts.setdefault(mode, {})
                for name, value in zip(words[::2], words[1::2]):
                    counts[name] = counts.get(name, 0) + int(value)
    return findings
