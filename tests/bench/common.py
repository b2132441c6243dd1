"""What the scripts of this folder share: how programs are run, the limits of the machine, and ratios.

Who imports it before NumPy and wants one thread says so to NumPy's BLAS beforehand, by environment().
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

FOLDER = Path(__file__).resolve().parent
CLOCKS = ("wall", "processor")
PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def environment(threads: int = 1) -> dict[str, str]:
    """So many threads a process, and Open MPI as root where we are root."""
    count = str(threads)
    variables = dict(os.environ, OPENBLAS_NUM_THREADS=count, OMP_NUM_THREADS=count)
    if os.geteuid() == 0:
        variables |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return variables


def output_of(
    command: list[str], threads: int = 1, seconds: float = 3600.0, progress: bool = False
) -> str:
    """What a command prints, its progress too if asked for; where it fails, CalledProcessError has
    what it said."""
    done = subprocess.run(
        command,
        env=environment(threads),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=True,
    )
    return done.stdout + done.stderr if progress else done.stdout


def said_by(failure: subprocess.CalledProcessError) -> str:
    """The first line that a command that failed had to say, or that it failed."""
    said = (failure.stderr or "").strip() or (failure.stdout or "").strip() or str(failure)
    lines = [line for line in said.splitlines() if line.strip("- ")]
    return lines[0].strip() if lines else str(failure)


def mpirun(ranks: int, threads: int = 1) -> list[str]:
    """The words before a program: bound to cores only where a core is all that a rank wants."""
    words = ["mpirun", "-n", str(ranks)]
    processors = len(os.sched_getaffinity(0))
    if ranks > processors:
        words.append("--oversubscribe")
    if threads > 1 or ranks > processors:
        words += ["--bind-to", "none"]
    return words


def spread(values: list[float], form: str = "{:.1f}") -> str:
    """Median with the lowest and the highest."""
    shown = [form.format(value) for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Round by round."""
    return [left / right for left, right in zip(above, below)]


def say(what: str, values: list[float], form: str = "{:.2f}") -> None:
    """A line of a report."""
    print(f"  {what:50s} {spread(values, form)}", flush=True)


def amount(value: float, unit: str) -> str:
    """With three digits and a unit of fitting size."""
    if unit == "s":
        return f"{value:.3g} s" if value >= 0.1 else f"{1e3 * value:.3g} ms"
    size, prefix = next((pair for pair in PREFIXES if value >= pair[0]), PREFIXES[-1])
    return f"{value / size:.3g} {prefix}{unit}"


def whole_number(text: str) -> int:
    """Of a command line: at least one."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number of at least 1")
    return int(text)


def timed(works: list[Callable[[], object]], times: int) -> dict[str, float]:
    """Seconds of works that threads do at once, by each clock: the least of some times. Processor
    time is the mean of the threads."""
    best = dict.fromkeys(CLOCKS, float("inf"))
    for _ in range(times):
        used: list[float] = []

        def one(work: Callable[[], object], used: list[float] = used) -> None:
            began = time.thread_time()
            work()
            used.append(time.thread_time() - began)

        others = [threading.Thread(target=one, args=(work,)) for work in works[1:]]
        began = time.perf_counter()
        for thread in others:
            thread.start()
        one(works[0])
        for thread in others:
            thread.join()
        best["wall"] = min(best["wall"], time.perf_counter() - began)
        best["processor"] = min(best["processor"], statistics.fmean(used))
    return best


def copy_rates(threads: int = 1, size: int = 1 << 28, times: int = 5) -> dict[str, float]:
    """Bytes read and written a second by threads that copy at once, all together, by each clock."""
    import numpy as np  # pylint: disable=import-outside-toplevel  # reads the environment

    def copy() -> Callable[[], object]:
        target, source = np.zeros(size // 8), np.ones(size // 8)
        target.fill(0.0)  # so that its memory is there
        return lambda: np.copyto(target, source)

    best = timed([copy() for _ in range(threads)], times)
    return {clock: 2.0 * size * threads / seconds for clock, seconds in best.items()}


def product_rates(
    precision: str, threads: int = 1, size: int = 2048, times: int = 5
) -> dict[str, float]:
    """Flops a second of square products, one a thread at once, all together, by each clock. NumPy has
    to be on one thread itself."""
    import numpy as np  # pylint: disable=import-outside-toplevel  # reads the environment

    kind = np.float32 if precision == "single" else np.float64
    draws = np.random.default_rng(0)
    left, right = (draws.random((size, size)).astype(kind) for _ in range(2))

    def multiply() -> Callable[[], object]:
        out = np.zeros((size, size), dtype=kind)
        return lambda: np.matmul(left, right, out=out)

    best = timed([multiply() for _ in range(threads)], times)
    return {clock: 2.0 * size**3 * threads / seconds for clock, seconds in best.items()}


def copy_rate(size: int = 1 << 28) -> float:
    """Bytes read and written a second by a copy on one thread: best of five."""
    return copy_rates(size=size)["wall"]


def peak(precision: str, size: int = 4096) -> float:
    """Rate of square products on one thread, in flops a second of processor time: best of five."""
    return product_rates(precision, size=size)["processor"]


def tiling(width: int, ranks: int) -> tuple[int, int, int]:
    """Units of a tile, tiles in all, and tiles on the fullest rank, as src/parallel/tiling.c has it."""
    units = 128 if width < 1 << 13 else 256
    while (width - 1) // units >= 1 << 14:
        units *= 2
    tiles = -(-width // units)
    return units, tiles, -(-tiles // ranks)
