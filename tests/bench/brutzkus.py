"""Figure 1 of Brutzkus et al. (2018): the program beside a loop in NumPy.

    python3 tests/bench/brutzkus.py build/release/widthwise [--replicas R] [--rounds K] [--whole]

Runs jobs/brutzkus/figure1-fashion.yaml (3000 + 1000 images, leaky units, one sample a step, until
no sample changes a weight) for each of the widths 10, 100 and 1000 alone, with R (4) seeds, on 2
ranks, and the same training written as a loop in NumPy, in 2 processes, taking turns. Both evaluate
train and test error after every epoch, and both end with the last update. Reported: seconds, the
ratio, and the time of a step without and with the update. The limits of the machine: a step that
changes nothing must read W once (8 m d bytes) unless many steps are looked at together, which the
program does.

--whole: instead, the whole job, 40 seeds of all three widths, once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

import widthwise  # noqa: E402
from common import environment, spread  # noqa: E402  (beside this file)
from sweep import run  # noqa: E402

JOB = Path(__file__).resolve().parents[2] / "jobs" / "brutzkus" / "figure1-fashion.yaml"
WIDTHS = (10, 100, 1000)


class Data:
    """The data set that the job chooses, from a run that records it."""

    def __init__(self, program: str, folder: Path) -> None:
        run(
            program, folder, JOB, "-o", "data.h5", "-q", "--set", "sweep={seed: [1]}",
            *("--set", "replicas=1", "--set", "training.epochs=0", "--set", "training.steps=0"),
            *("--set", "output.record=[data]"),
        )
        with widthwise.open(folder / "data.h5") as file:
            record = file.members[0].record
            self.train, self.test = record["train_inputs"], record["test_inputs"]
            self.y, self.test_y = record["train_targets"][:, 0], record["test_targets"][:, 0]


def numpy_run(data: Data, width: int, seed: int, slope: float, rate: float) -> tuple[int, int]:
    """One training, as one would write it down; updates, and steps up to the last of them."""
    draws = np.random.default_rng(seed)
    half, dimension = width // 2, data.train.shape[1]
    v = np.r_[np.ones(half), -np.ones(half)] / np.sqrt(width)
    weights = draws.normal(size=(width, dimension + 2))
    weights /= np.sqrt(width) * np.linalg.norm(weights, axis=1)[:, None]
    weights = np.ascontiguousarray(weights[:, :dimension])
    updates = steps = quiet_since = 0
    while True:
        for index in draws.permutation(len(data.y)):
            x, y = data.train[index], data.y[index]
            z = weights @ x
            positive = z >= 0
            if y * (v @ np.where(positive, z, slope * z)) < 1:
                move = rate * y * v * np.where(positive, 1.0, slope)
                weights += move[:, None] * x
                updates += 1
                quiet_since = steps + 1
            steps += 1
        margins = []
        for inputs, labels in ((data.train, data.y), (data.test, data.test_y)):
            z = inputs @ weights.T
            margins.append(labels * (np.where(z >= 0, z, slope * z) @ v))
        if (margins[0] >= 1).all():
            return updates, quiet_since


def numpy_seconds(data: Data, width: int, replicas: int) -> float:
    """Wall time of the loop for all seeds, in 2 processes."""
    began = time.monotonic()
    with multiprocessing.Pool(2) as pool:
        pool.starmap(
            numpy_run, [(data, width, seed, 0.1, 1.0) for seed in range(replicas)], chunksize=1
        )
    return time.monotonic() - began


def compare(program: str, folder: Path, replicas: int, rounds: int) -> None:
    """Each width in turns."""
    data = Data(program, folder)
    print(f"{replicas} runs on 2 ranks / in 2 processes, median (lowest to highest) of {rounds}:")
    for width in WIDTHS:
        ours, theirs, ratios = [], [], []
        for _ in range(rounds):
            seconds, _, _ = run(
                program, folder, JOB, "-o", "run.h5", "--force", "-q",
                *("--set", f"sweep={{network.width: [{width}]}}", "--set", f"replicas={replicas}"),
            )
            ours.append(seconds)
            theirs.append(numpy_seconds(data, width, replicas))
            ratios.append(theirs[-1] / ours[-1])
        with widthwise.open(folder / "run.h5") as file:
            runs = file.trainings
            steps = statistics.mean(float(one.trajectory["step"][-1]) for one in runs)
            updates = statistics.mean(float(one.trajectory["updates"][-1]) for one in runs)
        print(f"  m = {width}: {steps:.0f} steps, {updates:.0f} updates a run")
        print(f"    program, seconds    {spread(ours)}  (with start, choice of data and file)")
        print(f"    NumPy, seconds      {spread(theirs)}")
        print(f"    NumPy / program     {spread(ratios)}", flush=True)


def whole(program: str, folder: Path) -> None:
    """The job as it is shipped."""
    seconds, used, text = run(program, folder, JOB, "-o", "whole.h5", "-q")
    print(f"40 runs of m = 10, 100, 1000 on 2 ranks: {seconds:.0f} s, {used:.0f} s of processor")
    print(text, end="")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    for name, value in environment().items():
        if name.endswith("NUM_THREADS"):
            assert value == "1"
    with tempfile.TemporaryDirectory() as folder:
        if options.whole:
            whole(program, Path(folder))
        else:
            compare(program, Path(folder), options.replicas, options.rounds)


if __name__ == "__main__":
    import os

    os.environ.update(environment())
    main()
