"""How long it takes from the command to the first step of the built-in job, and what of that is not ours.

    python3 tests/bench/startup.py build/release/widthwise [--ranks 2] [--rounds 15] [-- OPTION...]

In turns, by plain mpirun and by the transport of one node (jobs/common.sh): `mpirun true`, a program
that does nothing but MPI_Init and MPI_Finalize, and the program itself, which says by --profile when
it began, when MPI was there, when the weights were (the network at step 0 is measured then), and when
the first step began. Milliseconds from the command on: the median of all rounds, the quartiles, and the
fastest, which is what other work on the machine disturbs least. Below them what the time between MPI
and the first step went to, the mean of the ranks. Options behind -- go to `widthwise run`. MPICC names
the compiler of the bare program.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import environment  # (beside this file)

BARE = r"""
#include <mpi.h>
#include <stdio.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(int count, char **words)
{
    const double began = now();
    MPI_Init(&count, &words);
    const double there = now();
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Finalize();
    if (rank == 0)
        printf("%.6f %.6f\n", began, there);
    return 0;
}
"""

TRANSPORTS = {
    "plain mpirun": [],
    "one node": ["--mca", "pml", "ob1", "--mca", "btl", "self,vader"],
}
BEFORE = ("start_up", "data", "file", "weights", "measuring")


def run(command: list[str], folder: Path) -> tuple[float, float, str]:
    """When a command began and when it ended, and what it printed."""
    began = time.time()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    ended = time.time()
    if done.returncode not in (0, 75):  # 75: stopped after the first step, as asked
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return began, ended, done.stdout


def compile_bare(folder: Path) -> Path:
    """The program that only starts MPI."""
    source, program = folder / "bare.c", folder / "bare"
    source.write_text(BARE, encoding="utf-8")
    compiler = os.environ.get("MPICC", "mpicc")
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return program


def profile_times(profile: dict, began: float) -> dict[str, float]:
    """Times of a run in seconds from the command on, and of the phases before the first step."""
    phases = {phase["phase"]: phase for phase in profile["phases"]}
    main = profile["began"] - began
    times = {"widthwise: its main": main}
    for name, phase in (
        ("widthwise: MPI is there", "start_up"),
        ("widthwise: its weights are there", "measuring"),
        ("widthwise: FIRST STEP", "steps"),
    ):
        times[name] = main + phases[phase]["first"]["max"]
    for phase in BEFORE:
        times[f"  {phase}"] = phases[phase]["seconds"]["mean"]
    return times


def one_round(
    mpirun: list[str], program: str, bare: Path, folder: Path, options: list[str]
) -> dict[str, float]:
    """All programs once."""
    began, ended, _ = run([*mpirun, "true"], folder)
    times = {"mpirun true, to its end": ended - began}
    began, ended, text = run([*mpirun, str(bare)], folder)
    main, there = (float(word) - began for word in text.split())
    times |= {"bare program: its main": main, "bare program: MPI is there": there}
    times["bare program, to its end"] = ended - began
    (folder / "startup.h5").unlink(missing_ok=True)
    command = [*mpirun, program, "run", "-q", "-o", "startup.h5", "--until", "1"]
    began, _, _ = run([*command, "--profile=startup.json", *options], folder)
    profile = json.loads((folder / "startup.json").read_text(encoding="utf-8"))
    return times | profile_times(profile, began)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program, widthwise")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("options", nargs="*", help="options of widthwise run, behind --")
    given = parser.parse_args()
    program = str(Path(given.program).resolve())
    found: dict[str, list[dict[str, float]]] = {name: [] for name in TRANSPORTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = compile_bare(folder)
        for number in range(given.rounds + 1):
            for transport, options in TRANSPORTS.items():
                mpirun = ["mpirun", *options, "-n", str(given.ranks)]
                times = one_round(mpirun, program, bare, folder, given.options)
                if number > 0:  # the first brings programs and libraries into memory
                    found[transport].append(times)
    for transport, rounds in found.items():
        print(f"\n{transport}, {given.ranks} ranks: milliseconds, of {given.rounds} rounds")
        for what in rounds[0]:
            values = [1e3 * times[what] for times in rounds]
            low, middle, high = statistics.quantiles(values, n=4)
            print(f"  {what:34} {middle:7.1f}  ({low:.1f} .. {high:.1f})  fastest {min(values):.1f}")


if __name__ == "__main__":
    main()
