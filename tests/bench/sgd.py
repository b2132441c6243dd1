"""A step of SGD of one hidden layer: the program beside PyTorch, on one thread each, in turns.

    python3 tests/bench/sgd.py build/release/tests/bench_engine [--width 50000] [--dimension 1000]
                               [--samples 1000] [--outputs 10] [--batch 16] [--rounds 5] [--steps 8]

The same step on both sides, in double precision: m hidden units, d inputs, k outputs, softmax and
cross entropy of a batch of B, hidden weights move. PyTorch makes it in two ways, of which the faster
of each round counts: autograd and torch.optim.SGD; and by hand, derivatives written down and weights
changed in place by addmm_. The time of a round is that of its fastest step, on either side. Beside
them stand the limits of this machine, measured in the same round: the rate at which memory is copied,
bytes read and written, and that of square products on one thread. The engine streams its weights once,
8 m d bytes read and as many written, and has 4 m B (d + k) flop: what these take one after the other
is the sum of limits, the larger of them the floor. PyTorch is Debian's python3-torch.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from common import (  # (beside this file)
    FOLDER, copy_rate, environment, output_of, peak, ratios, say,
)

SIZES = ("width", "dimension", "samples", "outputs", "batch", "steps")


def torch_steps(options: argparse.Namespace) -> dict[str, float]:
    """Seconds of a step in PyTorch by each way, in a process of its own."""
    words = [word for size in SIZES for word in (f"--{size}", str(getattr(options, size)))]
    text = output_of([sys.executable, str(FOLDER / "torch_steps.py"), *words])
    pairs = (line.rsplit(": ", 1) for line in text.splitlines())
    return {name: float(values.split()[0]) for name, values in pairs}


def program_step(options: argparse.Namespace, ranks: int) -> float:
    """Seconds of a step of the program."""
    sizes = [str(getattr(options, size)) for size in SIZES if size != "batch"]
    text = output_of(
        ["mpirun", "-n", str(ranks), options.program, *sizes, "model=li-liang",
         f"training.batch={options.batch}"]
    )
    found = re.search(r"step ([\d.]+) s", text)
    if found is None:
        raise SystemExit(f"{options.program} told no time:\n{text}")
    return float(found[1])


def compare(options: argparse.Namespace) -> None:
    """Rounds in turns."""
    m, d, k, batch = options.width, options.dimension, options.outputs, options.batch
    work, moved = 4.0 * m * batch * (d + k), 16.0 * m * d
    print(f"m = {m}, d = {d}, k = {k}, B = {batch}, n = {options.samples}, double precision")
    one, two, sums, floors = [], [], [], []
    ways: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {"copy, GB/s": [], "products, Gflop/s": []}
    for _ in range(options.rounds):
        copied, multiplied = copy_rate(), peak("double", 2048)
        rates["copy, GB/s"].append(1e-9 * copied)
        rates["products, Gflop/s"].append(1e-9 * multiplied)
        sums.append(moved / copied + work / multiplied)
        floors.append(max(moved / copied, work / multiplied))
        one.append(program_step(options, 1))
        for name, seconds in torch_steps(options).items():
            ways.setdefault(name, []).append(seconds)
        two.append(program_step(options, 2))
    print(f"\nmedian (lowest to highest) of {options.rounds} rounds:")
    for name, values in rates.items():
        say(name, values, "{:.1f}")
    say("program, 1 rank, seconds of a step", one, "{:.4f}")
    for name, values in ways.items():
        say(f"PyTorch, {name}, seconds", values, "{:.4f}")
    for name, values in ways.items():
        say(f"PyTorch, {name} / program", ratios(values, one))
    say("PyTorch's fastest / program", ratios([min(both) for both in zip(*ways.values())], one))
    say("program / sum of limits", ratios(one, sums))
    say("program / larger limit", ratios(one, floors))
    say("program, 2 ranks, seconds", two, "{:.4f}")
    say("program, 1 rank / 2 ranks", ratios(one, two))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("program", help="tests/bench_engine of a build")
    defaults = {"width": 50000, "dimension": 1000, "samples": 1000, "outputs": 10, "batch": 16}
    for name, value in (defaults | {"rounds": 5, "steps": 8}).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    options.program = str(Path(options.program).resolve())
    os.environ.update(environment())  # one thread, before NumPy is loaded
    compare(options)


if __name__ == "__main__":
    main()
