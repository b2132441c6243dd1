"""The benchmarks, all or some groups of them: the program beside its peers and the machine's limits.

    python3 tests/bench/run.py build/release [--only sgd,gd] [--rounds 5] [--quick] [--json FILE]

BUILD is a build folder with tests/bench_*. Groups: {groups}
(without --only all but {long}).
Sides of a case take turns, round by round, another one beginning each time, and the machine itself is
one of them: how fast it copies memory, and how fast it multiplies square matrices. The table has a
line for each comparison: what the program reached and what its peer did, medians of the rounds; how
many times as fast the program is, median (lowest to highest) of the rounds; and what part of the
machine's limit it reached. All numbers of all rounds go into a JSON file, with machine and versions,
which is written anew after every case. tests/bench/README.md tells what each group measures.

`model` predicts steps on up to 10^4 ranks from rates that it calibrates: a plan, not a measurement.
--quick: small sizes and 2 rounds, about 3 minutes, to see that all works; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

from common import FOLDER, amount, environment, output_of, said_by, spread, whole_number

if __name__ == "__main__":
    os.environ.update(environment())  # one thread, before NumPy is loaded

try:
    import groups  # noqa: E402
    import lazy  # noqa: E402
    import lazy_widths  # noqa: E402
    import model  # noqa: E402
    from groups import Bench, Case, Row, Samples  # noqa: E402
except ImportError as missing:
    sys.exit(f"{missing}: run this by a Python with NumPy and SciPy, as Debian's /usr/bin/python3")

GROUPS = groups.GROUPS | lazy.GROUPS
NAMES = (*GROUPS, "model")
FORMAT_VERSION = 1


def first_line(*command: str) -> str:
    """What a program says first, or nothing where there is no such program."""
    try:
        return output_of(list(command), seconds=60).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.SubprocessError):
        return ""


def describe_machine() -> dict[str, object]:
    """Processor, caches, memory, and what else it does."""
    fields: dict[str, str] = {}
    try:
        text = output_of(["lscpu"], seconds=60)
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    except (OSError, subprocess.SubprocessError):
        pass
    return {
        "processor": fields.get("Model name", platform.processor()).strip(),
        "processors": len(os.sched_getaffinity(0)),
        "caches": {
            name: fields[name].strip() for name in sorted(fields) if name.endswith("cache")
        },
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "load_at_start": os.getloadavg()[0],
    }


def version_of(module: str) -> str:
    """Of a package of Python; empty where it is not there."""
    code = f"import {module}; print({module}.__version__)"
    return first_line(sys.executable, "-c", code)


def describe_versions(build: Path) -> dict[str, str]:
    """The program, with its commit, and what it stands on and beside."""
    versions = {module: version_of(module) for module in ("numpy", "scipy", "torch")}
    return versions | {
        "widthwise": first_line(str(build / "widthwise"), "--version"),
        "mpi": first_line("mpirun", "--version"),
        "python": platform.python_version(),
        "commit_of_scripts": first_line("git", "-C", str(FOLDER), "rev-parse", "HEAD"),
    }


def clock_of(row: Row, rounds: list[Samples], asked: str) -> str:
    """That by which all have been timed: the one that is asked for, if they were by that."""
    if row.clock:
        return row.clock
    labels = (row.ours, *row.peers)
    has_it = all(asked in found[label] for found in rounds for label in labels)
    return asked if has_it else next(iter(rounds[0][row.ours]))


def summarize(row: Row, rounds: list[Samples], asked: str) -> dict[str, object]:
    """A row's numbers, round by round."""
    clock = clock_of(row, rounds, asked)
    is_time = row.unit == "s"
    better = min if is_time else max
    ours, theirs, faster = [], [], []
    reached: dict[str, list[float]] = {name: [] for name in row.limits}
    for found in rounds:

        def read(label: str, found: Samples = found) -> float:
            return found[label][clock]

        value = read(row.ours)
        ours.append(value)
        if row.peers:
            theirs.append(better(read(peer) for peer in row.peers))
            faster.append(theirs[-1] / value if is_time else value / theirs[-1])
        for name, limit in row.limits.items():
            reached[name].append(limit(read) / value if is_time else value / limit(read))
    return {
        "what": row.what, "unit": row.unit, "clock": clock, "ours": ours, "peer": row.peer,
        "theirs": theirs, "times_as_fast": faster, "part_of_limit": reached,
    }


def print_row(row: dict[str, object]) -> None:
    """A line of the table."""
    unit = str(row["unit"])
    theirs, faster = "", ""
    if row["theirs"]:
        theirs = f"{amount(statistics.median(row['theirs']), unit)} {row['peer']}"
        faster = spread(row["times_as_fast"], "{:.2f}")
    parts = row["part_of_limit"]
    limits = ", ".join(f"{100 * statistics.median(part):.0f}% {name}" for name, part in parts.items())
    ours = amount(statistics.median(row["ours"]), unit)
    print(f"  {row['what']:42s} {ours:>12s}  {theirs:36s} {faster:22s} {limits}".rstrip(), flush=True)


def run_case(case: Case, rounds: int, asked: str) -> dict[str, object]:
    """Rounds in turns, and the rows of the case."""
    record: dict[str, object] = {
        "group": case.group, "name": case.name, "problem": case.problem, "rounds": [], "rows": [],
    }
    print(f"\n{case.group}: {case.name}", flush=True)
    found: list[Samples] = []
    for number in range(rounds):
        first = number % len(case.sides)
        order = case.sides[first:] + case.sides[:first]
        samples: Samples = {}
        for side in order:
            try:
                samples |= side.run()
            except subprocess.CalledProcessError as failure:
                record["failure"] = f"{side.name}: {said_by(failure)}"
            except (subprocess.TimeoutExpired, OSError, RuntimeError, SystemExit) as failure:
                record["failure"] = f"{side.name}: {failure}"
            if "failure" in record:
                print(f"  FAILED: {record['failure']}", flush=True)
                return record
        record["rounds"].append({"order": [side.name for side in order], "samples": samples})
        found.append(samples)
    record["rows"] = [summarize(row, found, asked) for row in case.rows]
    for row in record["rows"]:
        print_row(row)
    return record


def run_group(
    name: str, bench: Bench, options: argparse.Namespace
) -> Iterator[dict[str, object]]:
    """Case by case; a group whose cases cannot even be made is a failed one."""
    try:
        cases = GROUPS[name](bench) if name in GROUPS else []
    except (subprocess.SubprocessError, OSError, RuntimeError) as failure:
        is_told = isinstance(failure, subprocess.CalledProcessError)
        text = said_by(failure) if is_told else str(failure)
        print(f"\n{name}\n  FAILED: {text}", flush=True)
        yield {"group": name, "name": name, "rounds": [], "rows": [], "failure": text}
        return
    for case in cases:
        yield run_case(case, options.rounds, options.clock)


def save(path: Path, results: dict[str, object]) -> None:
    """Whole, or as it was."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def find_faults(results: dict[str, object]) -> list[str]:
    """What is not as it should be in what was written: each case with all its rounds, begun by one
    side after the other, and rows of numbers above zero."""
    faults = []
    for case in results["cases"]:
        name = f"{case['group']}, {case['name']}"
        if "failure" in case:
            faults.append(f"{name} failed")
            continue
        orders = [entry["order"] for entry in case["rounds"]]
        sides = orders[0]
        turned = [sides[i % len(sides):] + sides[: i % len(sides)] for i in range(len(orders))]
        if len(orders) != results["rounds"] or orders != turned:
            faults.append(f"{name}: sides did not take turns")
        for row in case["rows"]:
            lists = [row["ours"], *row["part_of_limit"].values()]
            lists += [row["theirs"], row["times_as_fast"]] if row["peer"] else []
            values = [value for part in lists for value in part]
            if len(values) != len(lists) * len(orders) or not all(
                0.0 < value < math.inf for value in values
            ):
                faults.append(f"{name}, {row['what']}: numbers are missing, or not above zero")
    if "failure" in results.get("prediction", {}):
        faults.append("model failed")
    return faults


def chosen(text: str) -> list[str]:
    """Groups of a list with commas."""
    names = text.split(",")
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"no group {name}: there are {', '.join(NAMES)}")
    return [name for name in NAMES if name in names]


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.format(groups=", ".join(NAMES), long=", ".join(lazy.LONG)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("build", type=Path, help="a build folder, as build/release")
    parser.add_argument("--only", type=chosen, metavar="GROUP,...",
                        default=[name for name in NAMES if name not in lazy.LONG])
    parser.add_argument("--rounds", type=whole_number, help="of each case; 5, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument(
        "--cores", type=whole_number, help="ranks of a thread, and threads of peers, in cases of\n"
        "several; 2, where there are as many processors"
    )
    parser.add_argument(
        "--clock", choices=("wall", "processor"), default="wall",
        help="that the table goes by, where both are known (the file has both). Processor time\n"
        "leaves out when others had the processor",
    )
    parser.add_argument("--json", type=Path, default=Path("widthwise-bench.json"), metavar="FILE")
    parser.add_argument(
        "--folder", type=Path, default=Path("."), help="where checkpoints are written (here)"
    )
    model.add_options(parser)
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.rounds = options.rounds or (2 if options.quick else 5)
    processors = len(os.sched_getaffinity(0))
    options.cores = options.cores or min(2, processors)
    if options.cores > processors:
        parser.error(f"--cores {options.cores}: this machine has {processors}")
    if not (options.build / "tests" / "bench_engine").exists():
        parser.error(f"{options.build} has no tests/bench_engine: configure with -DWIDTHWISE_TESTS=ON")
    for folder in (options.folder, options.json.resolve().parent):
        if not os.access(folder, os.W_OK):
            parser.error(f"nothing can be written to {folder}")
    return options


def main() -> int:
    """Runs what is asked; 1 where something failed."""
    options = parse()
    results: dict[str, object] = {
        "format": "widthwise-bench", "version": FORMAT_VERSION,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "quick": options.quick, "rounds": options.rounds, "clock": options.clock,
        "cores": options.cores,
        "machine": describe_machine(), "versions": describe_versions(options.build), "cases": [],
    }
    machine, versions = results["machine"], results["versions"]
    print(f"{versions['widthwise']}; {machine['processor']}, {machine['processors']} processors, "
          f"load {machine['load_at_start']:.1f}; {options.rounds} rounds, {options.clock} time")
    if not versions["torch"]:
        print("PyTorch is left out: this Python has none (Debian: python3-torch)")
    print(f"\n  {'what':42s} {'program':>12s}  {'peer':36s} {'times as fast':22s} of the limit")
    with tempfile.TemporaryDirectory(prefix="widthwise-bench-", dir=options.folder) as scratch:
        bench = Bench(options.build, Path(scratch).resolve(), options.quick,
                      bool(versions["torch"]), machine["processors"], options.cores)
        for name in options.only:
            for record in run_group(name, bench, options):
                results["cases"].append(record)
                save(options.json, results)
        if "lazy-widths" in options.only:
            results["exponents"] = lazy_widths.tell(results)
            save(options.json, results)
        if "model" in options.only:
            results["prediction"] = model.run(bench, options)
            save(options.json, results)
    faults = find_faults(json.loads(options.json.read_text(encoding="utf-8")))
    print(f"\nall numbers: {options.json}")
    for fault in faults:
        print(f"NOT AS IT SHOULD BE: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
