#!/usr/bin/env python3
"""Gram matrices of Fashion-MNIST against NumPy and SciPy, on the same two cores.

    python3 tests/bench/gram.py BUILD [--rounds 5] [--tasks TASK...] [--large]

BUILD is a build folder with tests/bench_gram. Both sides take turns, so that what else the machine
does meets both alike; ratios are taken round by round, and their median and spread are printed.

    assembly   ww_gram_limit_fill on 2 ranks, against X @ X.T, clip, arccos of NumPy on 2 threads:
               to be at most 0.5 of its time
    spectrum   all eigenvalues and eigenvectors on 2 ranks, against scipy.linalg.eigh(driver="evd")
               on 2 threads: to be at most 1.3 of its time
    elpa       the same by ELPA, where it is built in
    values     eigenvalues alone, against scipy.linalg.eigvalsh
    --large    one solve and both ends of the spectrum for n = 20000: to take at most 120 s, and
               2.5 GiB on each rank
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

from common import environment  # (beside this file)

os.environ["OPENBLAS_NUM_THREADS"] = "2"
from numpy_peers import gram, samples, solvers  # noqa: E402  (NumPy reads it when it is loaded)


def run(build, task, path, inputs, block, grid=(1, 2)):
    """One run of bench_gram on two ranks; its names and numbers."""
    # The cores may be shared with others.
    variables = dict(environment(), OMPI_MCA_mpi_yield_when_idle="1")
    command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "2",
               os.path.join(build, "tests", "bench_gram"), task, path, *map(str, inputs.shape),
               str(block), *map(str, grid)]
    output = subprocess.run(command, env=variables, check=True, capture_output=True, text=True,
                            timeout=1800).stdout.split()
    return dict(zip(output[::2], map(float, output[1::2])))


def timed(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def report(name, ours, theirs, limit):
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    median = statistics.median(ratios)
    verdict = "" if limit is None else f", at most {limit}: " + ("ok" if median <= limit else "MISSED")
    print(f"{name:9s} {statistics.median(ours):8.3f} s against {statistics.median(theirs):8.3f} s: "
          f"ratio {median:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}){verdict}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--block", type=int, default=32)
    parser.add_argument("--solve-block", type=int, default=64)
    parser.add_argument("--tasks", nargs="*", default=["assembly", "spectrum", "elpa", "values"])
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    inputs = samples(options.samples)
    with tempfile.NamedTemporaryFile() as stream:
        inputs.tofile(stream.name)

        def ours(task):
            return run(options.build, task, stream.name, inputs, options.block)

        matrix, solve = gram(inputs), solvers()
        theirs = {"assembly": lambda: gram(inputs),
                  "spectrum": lambda: solve["spectrum"](matrix),
                  "elpa": lambda: solve["spectrum"](matrix),
                  "values": lambda: solve["values"](matrix)}
        print(f"n = {options.samples}, 2 ranks against 2 threads, {options.rounds} rounds")
        limits = {"assembly": 0.5, "spectrum": 1.3}
        for task in options.tasks:
            pairs = []
            for _ in range(options.rounds):
                try:
                    pairs.append((ours(task)["seconds"], timed(theirs[task])))
                except subprocess.CalledProcessError as failure:
                    print(f"{task:9s} fails: {failure.stderr.strip()}")
                    break
            if pairs:
                report(task, *zip(*pairs), limits.get(task))
    if options.large:
        inputs = samples(20000)
        with tempfile.NamedTemporaryFile() as stream:
            inputs.tofile(stream.name)
            found = run(options.build, "solve", stream.name, inputs, options.solve_block)
        print("n = 20000, one solve and both ends of the spectrum on 2 ranks: "
              + ", ".join(f"{name} {value:g}" for name, value in found.items()))
        print("at most 120 s and 2.5 GiB a rank: "
              + ("ok" if found["seconds"] <= 120 and found["peak_GiB"] <= 2.5 else "MISSED"))


if __name__ == "__main__":
    main()
