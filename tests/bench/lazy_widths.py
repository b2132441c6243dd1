"""What a step takes against the width, from the group `lazy-widths` of run.py.

    python3 tests/bench/lazy_widths.py RESULTS.json FIGURE.png

RESULTS.json is the file of run.py. Told are exponents of power laws, fitted to each round by least squares
of logarithms, and stand in the figure too; drawn are medians of the rounds. Seconds are by the clock that the run was asked for.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from common import FOLDER, spread

GROUP = "lazy-widths"
SIDES = ("lazy", "dense", "samples", "PyTorch, autograd")
Series = dict[int, list[float]]  # by width: seconds of each round


def problem_of(case: dict[str, Any]) -> str:
    """All but the width."""
    problem = case["problem"]
    return f"{problem['data']}, n = {problem['n']}, d = {problem['d']}"


def collect(results: dict[str, Any]) -> dict[str, dict[str, Series]]:
    """By problem and side. A side that was left out at some width has the others."""
    found: dict[str, dict[str, Series]] = {}
    for case in results["cases"]:
        if case["group"] != GROUP or "failure" in case:
            continue
        of = found.setdefault(problem_of(case), {})
        for side in SIDES:
            times = [entry["samples"][side][results["clock"]] for entry in case["rounds"]
                     if side in entry["samples"]]
            if times:
                of.setdefault(side, {})[case["problem"]["m"]] = times
    return found


def exponents(series: Series) -> list[float]:
    """Of each round: the slope of log seconds over log width. Needs two widths."""
    if len(series) < 2:
        return []
    logs = [math.log(width) for width in series]
    return [
        statistics.linear_regression(logs, [math.log(seconds) for seconds in times]).slope
        for times in zip(*series.values())
    ]


def tell(results: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Prints the exponents; they are for the file."""
    found = {
        problem: {side: exponents(series) for side, series in sides.items()}
        for problem, sides in collect(results).items()
    }
    for problem, sides in found.items():
        print(f"\n{problem}: a step takes a power of m, {results['clock']} time")
        for side, powers in sides.items():
            if powers:
                print(f"  {side:42s} {spread(powers, '{:.2f}')}", flush=True)
    return found


def draw(results: dict[str, Any], path: Path) -> None:
    """A panel for each problem."""
    sys.path.insert(0, str(FOLDER.parents[1] / "analysis"))
    import style  # pylint: disable=import-outside-toplevel  # chooses Matplotlib's backend

    style.use()
    found = collect(results)
    figure, axes = style.panels(len(found))
    for number, (panel, (problem, sides)) in enumerate(zip(axes, found.items())):
        for side, series in sides.items():
            place = SIDES.index(side)
            widths = sorted(series)
            times = [1e3 * statistics.median(series[width]) for width in widths]
            powers = exponents(series)
            power = f": $m^{{{statistics.median(powers):.2f}}}$" if powers else ""
            panel.plot(widths, times, **style.curve(place, len(SIDES)), label=f"{side}{power}",
                       marker=style.MARKERS[place], markersize=4)
        panel.set(xscale="log", yscale="log", xlabel="hidden units $m$", ylabel="ms a step",
                  title=f"{style.letter(number)} {problem}")
        panel.set_ylim(top=100.0 * panel.get_ylim()[1])  # room for the legend above the curves
        panel.legend(loc="upper left")
    figure.savefig(path)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8"))
    if not collect(results):
        parser.error(f"{options.results} has nothing of the group {GROUP}: run.py --only {GROUP}")
    tell(results)
    draw(results, options.figure)


if __name__ == "__main__":
    main()
