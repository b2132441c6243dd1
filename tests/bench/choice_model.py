"""The model of costs behind `training.engine: auto` against what choice.py measured.

    python3 tests/bench/choice_model.py FILE... [--constants MEMORY=0.33 ...] [--fit]

FILEs are those of choice.py --json. The model is that of src/train/choice.c, for losses other than
the hinge loss. It is held against the measured times: how many shapes get an engine that takes more
than 1.2 times as long as the best, the mean factor, and how far predicted ratios of times are off.
Then the same with the constants given, or with those that --fit finds: each constant in turn goes
through a list of factors, as long as the mean factor of the choices and the error of the ratios
together fall.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

WINDOW, COLUMNS, WORSE = 128, 64, 1.2
# As in src/train/choice.c: nanoseconds in double precision, and sizes.
SOURCE = {
    "PRODUCT": 0.0385, "SUM": 0.0286, "MEMORY": 0.33, "DRAWING": 5.0, "LEAST_WEIGHTS": 1 << 14,
    "CLEARLY": 0.85,
}
# What choice.c had before, with a cache for so many numbers from which none are moved.
BEFORE = dict(SOURCE, MEMORY=0.63, CACHED=1 << 22, LEAST_WEIGHTS=1 << 18)
FACTORS = (0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
Constants = dict[str, float]


def times_of(constants: Constants, row: dict) -> dict[str, float]:
    """Nanoseconds of a step and unit by each engine, in double precision (find_times)."""
    shape = row["shape"]
    m, d, n, batch = (float(shape[name]) for name in ("m", "d", "n", "B"))
    product, adding = constants["PRODUCT"], constants["SUM"]
    memory = 0.0 if m * d < constants.get("CACHED", 0) else constants["MEMORY"]
    work = batch * d * (product + adding)
    moving = 2.0 * d * memory
    steps = max(WINDOW / batch, 1.0)
    record = d * (n * adding + constants["DRAWING"]) / row["every"]
    is_gd = shape["method"] == "gd"
    moves = 4.0 * n * memory if is_gd else (
        batch * (0.5 * COLUMNS * product + 4.0 * memory)
        + 2.0 * n * memory * batch / max(batch, COLUMNS)
    )
    times = {"dense": max(work, moving), "samples": batch * n * adding + record + moves}
    if not is_gd and batch <= 512:
        times["window"] = work + moving / steps + batch * (
            0.5 * WINDOW * product + (0.5 * WINDOW / batch + 3.0) * memory
        )
    return times


def choice_of(constants: Constants, row: dict) -> str:
    """The engine that `auto` stands for (choose)."""
    shape, by = row["shape"], times_of(constants, row)
    if shape["m"] * shape["d"] < constants["LEAST_WEIGHTS"]:
        return "dense"
    best, window = constants["CLEARLY"] * by["dense"], by.get("window", math.inf)
    if shape["n"] <= 2 * shape["d"] and by["samples"] < min(best, window):
        return "samples"
    return "window" if window < best else "dense"


def factor_of(constants: Constants, row: dict) -> float:
    """By which the engine that is chosen takes longer than the best."""
    took = {name: time for name, time in row["engines"].items() if name != "layers"}
    return took[choice_of(constants, row)] / min(took.values())


def error_of(constants: Constants, row: dict) -> float:
    """Mean |log| of measured ratios of engines to `dense` over predicted ones: what decides."""
    by, took = times_of(constants, row), row["engines"]
    errors = [abs(math.log(took[name] / took["dense"] * by["dense"] / by[name]))
              for name in by if name != "dense" and name in took]
    return sum(errors) / max(len(errors), 1)


def summary(constants: Constants, rows: list[dict]) -> tuple[int, float, float]:
    """Shapes with a bad choice, mean factor, and mean error."""
    factors = [factor_of(constants, row) for row in rows]
    return (
        sum(factor > WORSE for factor in factors),
        math.exp(sum(map(math.log, factors)) / len(factors)),
        sum(error_of(constants, row) for row in rows) / len(rows),
    )


def tell(title: str, constants: Constants, rows: list[dict]) -> None:
    """A line, and the shapes with a bad choice."""
    bad, factor, error = summary(constants, rows)
    print(f"\n{title}: {bad} of {len(rows)} more than {WORSE} times the best, mean factor "
          f"{factor:.3f}, ratios of times off by {error:.2f} (|log|)")
    print("  " + ", ".join(f"{name} {value:g}" for name, value in constants.items()))
    for row in rows:
        if factor_of(constants, row) > WORSE:
            took = ", ".join(f"{name} {1e3 * time:.3g}" for name, time in row["engines"].items())
            print(f"  {' '.join(map(str, row['shape'].values()))}, a record every {row['every']}: "
                  f"{choice_of(constants, row)}, {factor_of(constants, row):.2f} times the best of "
                  f"{took} ms")


def fit(rows: list[dict]) -> Constants:
    """Better constants, from those of the source on, as long as any factor helps."""
    found = dict(SOURCE)

    def badness(constants: Constants) -> float:
        _, factor, error = summary(constants, rows)
        return math.log(factor) + 0.1 * error

    improves = True
    while improves:
        improves = False
        for name in ("PRODUCT", "SUM", "MEMORY", "DRAWING", "LEAST_WEIGHTS"):
            for by in FACTORS:
                tried = dict(found)
                tried[name] = found[name] * by
                if badness(tried) < badness(found) - 1e-4:
                    found, improves = tried, True
    return found


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--constants", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    rows = [row for path in options.files for row in json.loads(path.read_text(encoding="utf-8"))]
    for row in rows:  # of what was measured, which may be a part of the width
        row["shape"]["m"] = int(row["width"])
    tell("before, with caches that nothing is moved from", BEFORE, rows)
    tell("as in the source", SOURCE, rows)
    given = dict(text.split("=") for text in options.constants)
    if given:
        own = {name: float(value) for name, value in given.items()}
        tell("as given", dict(SOURCE, **own), rows)
    if options.fit:
        tell("fitted", fit(rows), rows)


if __name__ == "__main__":
    main()
