"""What the program is compared with in NumPy and SciPy. Run by gram.py and run.py.

    python3 tests/bench/numpy_peers.py assembly|spectrum|values [--samples N]
    python3 tests/bench/numpy_peers.py evaluation [--width M] [--dimension D] [--samples N] [--outputs K]
    python3 tests/bench/numpy_peers.py normals

Each as one would write it down. Prints a line, `what: seconds processor`, for each; of normals, which
are as many as bench_normals has, millions a second of either clock instead. The number of threads
comes from OPENBLAS_NUM_THREADS, which also goes for SciPy.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import time
from typing import Callable

import numpy

IMAGES = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
RECORDS = ("outputs", "outputs, coupling", "outputs, coupling, distance")
NORMALS = ("PCG64", "Philox", "PCG64, weights", "Philox, weights", "PCG64, uniforms", "Philox, uniforms")
DRAWN = 128 * 784  # as tests/bench/normals.c has it, and so often:
TIMES = 20


def samples(count: int) -> numpy.ndarray:
    """The first images, on the unit sphere; normals where Debian's data set is not installed."""
    if os.path.exists(IMAGES):
        with gzip.open(IMAGES) as stream:
            stream.read(16)
            pixels = numpy.frombuffer(stream.read(count * 784), numpy.uint8)
        inputs = pixels.reshape(count, 784).astype(float)
    else:
        inputs = numpy.random.default_rng(1).standard_normal((count, 784))
    return inputs / numpy.linalg.norm(inputs, axis=1, keepdims=True)


def gram(inputs: numpy.ndarray) -> numpy.ndarray:
    """Equation (3) of Arora et al. as one writes it in NumPy."""
    cosines = numpy.clip(inputs @ inputs.T, -1.0, 1.0)
    return cosines * (numpy.pi - numpy.arccos(cosines)) / (2.0 * numpy.pi)


def solvers() -> dict[str, Callable[[numpy.ndarray], object]]:
    """What SciPy does with the matrix."""
    import scipy.linalg  # pylint: disable=import-outside-toplevel  # not for all that is here

    return {
        "spectrum": lambda matrix: scipy.linalg.eigh(matrix, driver="evd"),
        "values": scipy.linalg.eigvalsh,
    }


class Evaluation:
    """The records of bench_evaluation: outputs, loss and accuracy of n train and n test samples, the
    share of activation patterns that differ from those at first, which are kept, and how far the
    weights are from the first, which are kept too."""

    def __init__(self, width: int, dimension: int, count: int, outputs: int) -> None:
        draws = numpy.random.default_rng(1)
        self.first = draws.standard_normal((width, dimension)) / width**0.5
        self.weights = self.first + 1e-3 * draws.standard_normal((width, dimension)) / width**0.5
        self.top = draws.standard_normal((outputs, width))
        self.sets = []
        for _ in range(2):
            inputs = draws.standard_normal((count, dimension))
            inputs /= numpy.linalg.norm(inputs, axis=1, keepdims=True)
            self.sets.append((inputs, draws.integers(max(outputs, 2), size=count)))
        self.patterns = self.first @ self.sets[0][0].T > 0

    def record(self, what: str) -> list[float]:
        """All that the record has."""
        values = []
        for number, (inputs, labels) in enumerate(self.sets):
            before = self.weights @ inputs.T
            if number == 0 and "coupling" in what:
                values.append(float(numpy.mean((before > 0) != self.patterns)))
            scores = self.top @ numpy.maximum(before, 0.0, out=before)
            top = scores.max(axis=0)
            chosen = scores[labels % len(scores), numpy.arange(len(labels))]
            values.append(float(numpy.mean(numpy.log(numpy.exp(scores - top).sum(axis=0)) + top - chosen)))
            values.append(float(numpy.mean(scores.argmax(axis=0) == labels)))
        if "distance" in what:
            values.append(float(numpy.linalg.norm(self.weights - self.first)))
        return values


def seconds_of(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Medians by both clocks; more than one of them come after one that is not counted."""
    found = []
    for number in range(times + (times > 1)):
        began, used = time.perf_counter(), time.process_time()
        work()
        if number > 0 or times == 1:
            found.append((time.perf_counter() - began, time.process_time() - used))
    wall, processor = zip(*found)
    return statistics.median(wall), statistics.median(processor)


def rate_of_normals(name: str) -> tuple[float, float]:
    """Normals drawn, weights (a factor beside) or uniforms, in millions a second."""
    kind, _, what = name.partition(", ")
    generator = numpy.random.Generator(getattr(numpy.random, kind)(1))
    out = numpy.empty(DRAWN)

    def work() -> None:
        for _ in range(TIMES):
            if what == "uniforms":
                generator.random(out=out)
            else:
                generator.standard_normal(out=out)
            if what == "weights":
                numpy.multiply(out, 0.01, out=out)

    wall, processor = seconds_of(work, 3)
    return 1e-6 * DRAWN * TIMES / wall, 1e-6 * DRAWN * TIMES / processor


def tell(name: str, values: tuple[float, float]) -> None:
    """A line for who reads it."""
    print(f"{name}: {values[0]:.6f} {values[1]:.6f}", flush=True)


def main() -> None:
    """As the words on the command line say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    tasks = ("assembly", "spectrum", "values", "evaluation", "normals")
    parser.add_argument("task", choices=tasks)
    for name, value in (
        ("width", 20000), ("dimension", 784), ("samples", 1000), ("outputs", 10), ("times", 3),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    if options.task == "normals":
        for name in NORMALS:
            tell(name, rate_of_normals(name))
    elif options.task == "evaluation":
        problem = Evaluation(options.width, options.dimension, options.samples, options.outputs)
        for name in RECORDS:
            tell(name, seconds_of(lambda what=name: problem.record(what), options.times))
    elif options.task == "assembly":
        inputs = samples(options.samples)
        tell("assembly", seconds_of(lambda: gram(inputs), 1))
    else:
        matrix, solve = gram(samples(options.samples)), solvers()[options.task]
        tell(options.task, seconds_of(lambda: solve(matrix), 1))


if __name__ == "__main__":
    main()
