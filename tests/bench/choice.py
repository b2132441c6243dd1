"""Whether `training.engine: auto` chooses well: a grid of shapes, each by `widthwise plan --tune`.

    python3 tests/bench/choice.py build/release/widthwise [--shapes 60] [--seed 1] [--seconds 5]
                                  [--every 100000] [--clock processor] [--worse 1.2] [--json FILE]

Shapes (m, d, n, B, k; sgd and gd; both precisions) are drawn from lists, the same for a --seed. Of
each it tells by what factor a step (with its part of a record) by the engine that `auto` chooses
takes longer than by the fastest one; those where that is more than --worse are marked, and at the
end stands how many there are and the mean factor. Engines are measured in turns in one process;
with --clock wall that is the time on the wall, which means little on a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import subprocess
from typing import Optional

from common import output_of, said_by, whole_number  # (beside this file)

LISTS = {
    "m": (300, 1000, 3000, 10000, 30000),
    "d": (10, 50, 200, 784, 3000),
    "n": (50, 200, 1000, 4000),
    "B": (1, 4, 16, 64, 256),
    "k": (1, 10),
    "method": ("sgd", "sgd", "gd"),
    "precision": ("double", "single"),
}
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
TIME = r"([\d.e+-]+ [um]?s)"
ROW = re.compile(
    rf"  (double|single) +(\w+)( \(auto\))?.*? +{TIME} +{TIME} +{TIME} \({TIME} to {TIME}\) +{TIME}"
)
CUT = re.compile(r"WITH (\d+) UNITS")
Shape = dict[str, "int | str"]


def seconds_of(text: str) -> float:
    """Of "12.3 ms"."""
    number, unit = text.split()
    return float(number) * UNITS[unit]


def draw_shapes(count: int, seed: int) -> list[Shape]:
    """Different ones that can be trained, and whose products of samples take no minutes."""
    source = random.Random(seed)
    shapes: list[Shape] = []
    while len(shapes) < count:
        shape = {name: source.choice(values) for name, values in LISTS.items()}
        if shape["method"] == "gd":
            shape["B"] = shape["n"]
        fits = int(shape["B"]) <= int(shape["n"])
        if fits and shape not in shapes and int(shape["m"]) * int(shape["d"]) <= 30_000_000:
            shapes.append(shape)
    return shapes


def settings_of(shape: Shape, every: int) -> list[str]:
    """Of the program: classes apart in space, one output by the squared loss."""
    classes = max(2, int(shape["k"]))
    model = "arora" if shape["k"] == 1 else "li-liang"
    settings = [
        f"model={model}", f"network.width={shape['m']}", f"data.train={shape['n']}",
        "data.test=50", "data.source=mixture", f"data.mixture.dimension={shape['d']}",
        f"data.mixture.classes={classes}", f"precision={shape['precision']}",
        f"training.method={shape['method']}", "training.rate=1e-6", f"measure.every={every}",
        "training.steps=1000000", "measure.quantities=[loss]", "measure.final=[]",
    ]
    return settings + ([f"training.batch={shape['B']}"] if shape["method"] == "sgd" else [])


def measure(options: argparse.Namespace, shape: Shape) -> Optional[dict]:
    """Seconds of a step by each engine, and which one `auto` chooses; None: it failed."""
    words = [word for text in settings_of(shape, options.every) for word in ("--set", text)]
    try:
        text = output_of([options.program, "plan", f"--tune={options.seconds}", *words])
    except subprocess.CalledProcessError as failure:
        print(f"{shape}: {said_by(failure)}", flush=True)
        return None
    column = 9 if options.clock == "processor" else 6
    rows = [match for match in ROW.finditer(text) if match[1] == shape["precision"]]
    engines = {match[2]: seconds_of(match[column]) for match in rows}
    chosen = next((match[2] for match in rows if match[3]), None)
    if chosen is None:
        return None
    cut = CUT.search(text)
    return {"shape": shape, "auto": chosen, "engines": engines, "every": options.every,
            "width": int(cut[1]) if cut else shape["m"]}


def tell(found: dict, worse: float) -> float:
    """A line, and the factor. What is measured for comparison only is never chosen: `layers`."""
    engines = {name: took for name, took in found["engines"].items() if name != "layers"}
    best = min(engines, key=lambda name: engines[name])
    factor = engines[found["auto"]] / engines[best]
    shape = " ".join(f"{value!s:>6}" for value in found["shape"].values())
    times = " ".join(f"{1e3 * engines.get(name, math.nan):9.4g}"
                     for name in ("dense", "window", "samples"))
    print(f"{shape} {found['width']:>6} {times}  {found['auto']:8s} {best:8s} {factor:5.2f}"
          f"{'  <--' if factor > worse else ''}", flush=True)
    return factor


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--shapes", type=whole_number, default=60)
    parser.add_argument("--seed", type=whole_number, default=1)
    parser.add_argument("--seconds", type=whole_number, default=5)
    parser.add_argument("--every", type=whole_number, default=100000)
    parser.add_argument("--clock", choices=("wall", "processor"), default="processor")
    parser.add_argument("--worse", type=float, default=1.2)
    parser.add_argument("--json")
    options = parser.parse_args()
    print(f"milliseconds of a step with 1/{options.every} record, {options.clock} time")
    print(" ".join(f"{name[:6]:>6}" for name in LISTS), " of m",
          " ".join(f"{name:>9}" for name in ("dense", "window", "samples")),
          " auto     best     factor")
    results, factors = [], []
    for shape in draw_shapes(options.shapes, options.seed):
        found = measure(options, shape)
        if found is not None:
            results.append(found)
            factors.append(tell(found, options.worse))
    if factors:
        print(f"{sum(factor > options.worse for factor in factors)} of {len(factors)} more than "
              f"{options.worse} times the best; mean factor "
              f"{math.exp(sum(map(math.log, factors)) / len(factors)):.3f}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
