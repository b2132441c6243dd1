"""How busy a sweep keeps its ranks, and what it costs to set one up.

    python3 tests/bench/sweep.py build/release/widthwise [MEMBERS [REPEATS]]

1. A sweep of MEMBERS (40) seeds of figure 1 of Li & Liang (1000 units, 1000 inputs, 1000 samples) on 2
   ranks by crews, and the same members one after the other, each on both ranks, taking turns: the
   share of the time that ranks are at work on runs, as the job reports it; processor time over wall
   time from outside; and the ratio of the two ways. The machine's limit is 2 processors.
2. Set-up: from the start of the program to its complete file, for a sweep of 200 members and for 2000
   replicas in one member, beside that of one run, which is mostly the start of MPI.
"""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import environment, spread  # (beside this file)

CONFIG = """
name: sweep
model: li-liang
data: {train: 1000, test: 1000, mixture: {dimension: 1000, classes: 10, components: 2}}
network: {width: 1000}
training: {steps: 400, batch: 16}
measure: {every: 20, quantities: [test_accuracy, coupling, distance], final: [update_spectrum]}
sweep: {seed: SEEDS}
"""

SMALL = """
name: setup
data: {train: 100, test: 50, mixture: {dimension: 20, classes: 4, components: 2}}
network: {width: 100}
training: {steps: 1000, batch: 8}
measure: {every: 100, quantities: [loss, test_accuracy, distance], final: [update_spectrum]}
"""


def run(program: str, folder: Path, *arguments: object) -> tuple[float, float, str]:
    """Wall and processor seconds of a run on 2 ranks, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        ["mpirun", "-n", "2", program, "run", *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, done.stdout


def compare(program: str, folder: Path, members: int, repeats: int) -> None:
    """Crews beside one member after the other."""
    crews, one_by_one, ratios, busy, shares = [], [], [], [], []
    config = folder / "sweep.yaml"
    config.write_text(CONFIG.replace("SEEDS", str(list(range(1, members + 1)))), encoding="utf-8")
    for _ in range(repeats):
        wall, used, text = run(program, folder, config, "-o", "crews.h5", "--force")
        crews.append(wall)
        busy.append(100.0 * used / wall / 2)
        found = re.search(r"for ([\d.]+)% of the time", text)
        shares.append(float(found[1]) if found is not None else float("nan"))
        alone = 0.0
        for member in range(members):
            alone += run(
                program, folder, config, "--member", member, "-o", "alone.h5", "--force", "-q"
            )[0]
        one_by_one.append(alone)
        ratios.append(alone / wall)
    print(f"{members} members of 1000 units on 2 ranks, {repeats} turns, median (lowest to highest):")
    print(f"  crews, seconds                         {spread(crews)}")
    print(f"  one after the other on both, seconds   {spread(one_by_one)}")
    print(f"  one after the other / crews            {spread(ratios, '{:.2f}')}")
    print(f"  ranks at work, as the job says, %      {spread(shares)}")
    print(f"  processor time / wall / 2, %           {spread(busy)}")


def time_of_setup(program: str, folder: Path, text: str) -> float:
    """Seconds from the start of the program until its file is there."""
    config, output = folder / "setup.yaml", folder / "setup.h5"
    config.write_text(text, encoding="utf-8")
    output.unlink(missing_ok=True)
    began = time.monotonic()
    with subprocess.Popen(
        [program, "run", config, "-o", output, "-q"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as job:
        while not output.exists():
            time.sleep(0.0005)
        seconds = time.monotonic() - began
        job.send_signal(signal.SIGKILL)
    return seconds


def setup(program: str, folder: Path) -> None:
    """Skeletons of many members and of many replicas, beside that of one run."""
    turns = 9
    one = "one run"
    cases = {
        one: SMALL,
        "200 members": SMALL + f"sweep: {{seed: {list(range(200))}}}\n",
        "2000 replicas in one member": SMALL + "replicas: 2000\n",
    }
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(turns):
        for case, text in cases.items():
            seconds[case].append(time_of_setup(program, folder, text))
    print(f"\nset-up until the file is there, {turns} turns, seconds, median (lowest to highest):")
    for case, found in seconds.items():
        more = [whole - alone for whole, alone in zip(found, seconds[one])]
        print(f"  {case:32} {spread(found, '{:.3f}')}", end="")
        print("" if case == one else f"   more than one run: {spread(more, '{:.3f}')}")


def main() -> None:
    """As the words on the command line say."""
    program = str(Path(sys.argv[1]).resolve())
    members = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with tempfile.TemporaryDirectory(prefix="widthwise-bench-") as scratch:
        setup(program, Path(scratch))
        if members > 0:
            compare(program, Path(scratch), members, repeats)


if __name__ == "__main__":
    main()
