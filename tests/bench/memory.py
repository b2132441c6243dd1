#!/usr/bin/env python3
"""Peak resident memory of a run whose hidden weights W take a given number of gigabytes.

The claim: all ranks together stay under 1.15 x W + 200 MB. Memory is read from the kernel while the
job runs, so nothing the program says is trusted: the high-water mark (VmHWM) of every rank, less what
of its shared memory other ranks have a part in (Rss less Pss of that memory), which a node holds once.

usage: python3 tests/bench/memory.py [--gigabytes 2] [--ranks 2] PROGRAM
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import environment  # (beside this file)


def figure(path: Path, names: tuple[str, ...]) -> int:
    """Bytes in the first line of a file in /proc that begins with one of `names`; 0 without one."""
    for line in path.read_text().splitlines():
        if line.startswith(names):
            return int(line.split()[1]) * 1024
    return 0


def high_water_marks(program: Path) -> dict[int, tuple[int, int]]:
    """VmHWM of every running process that executes `program`, and the part of others in its memory."""
    marks = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if Path(os.readlink(entry / "exe")) != program:
                continue
            shared = figure(entry / "status", ("RssShmem:",))
            part = figure(entry / "smaps_rollup", ("Pss_Shmem:",))
            marks[int(entry.name)] = figure(entry / "status", ("VmHWM:",)), max(shared - part, 0)
        except OSError:
            continue  # it has ended meanwhile
    return marks


def main() -> int:
    """Runs the job and prints what it took; exit code 1 when the claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    dimension = 1000
    width = int(arguments.gigabytes * 1e9 / (8 * dimension))
    with tempfile.TemporaryDirectory() as folder:
        command = ["mpirun", "--oversubscribe", "-n", str(arguments.ranks), str(program), "run",
                   "-o", f"{folder}/memory.h5", "--quiet",
                   "--set", f"network.width={width}", "--set", f"training.steps={arguments.steps}",
                   "--set", "measure.every=2", "--set", "output.checkpoint_every=2",
                   "--set", "measure.quantities=[all]", "--set", "measure.final=[all]"]
        job = subprocess.Popen(command, env=environment())
        peaks: dict[int, tuple[int, int]] = {}
        while job.poll() is None:
            for process, (held, others) in high_water_marks(program).items():
                before = peaks.get(process, (0, 0))
                peaks[process] = max(before[0], held), max(before[1], others)
            time.sleep(0.02)
    if job.returncode != 0:
        print(f"the run failed with exit code {job.returncode}")
        return 1
    weights = 8 * width * dimension
    total = sum(held - others for held, others in peaks.values())
    limit = 1.15 * weights + 200e6
    print(f"W {weights / 1e9:.3f} GB (m = {width}, d = {dimension}), {len(peaks)} ranks, all quantities, "
          f"all results, checkpoints")
    for process, (held, others) in sorted(peaks.items()):
        print(f"  rank process {process}: peak {held / 1e6:.0f} MB, of it {others / 1e6:.0f} MB counted by others")
    print(f"peak of all ranks {total / 1e6:.0f} MB, limit 1.15 W + 200 MB = {limit / 1e6:.0f} MB, "
          f"ratio to W {total / weights:.3f}: {'holds' if total <= limit else 'DOES NOT HOLD'}")
    return 0 if total <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
