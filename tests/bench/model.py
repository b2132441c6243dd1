"""A model of the time of a step on many ranks, from rates that are measured here. A plan, no measurement.

    python3 tests/bench/run.py build/release --only model [--latency US] [--bandwidth GBPS]
                               [--ranks-per-node P] [--memory-per-node GB]

    step = fixed + units of the fullest rank * larger limit of a unit / part of it that is reached
         + sum over ranks

The larger limit of a unit of hidden weights is the time to read and write them once, or that of their
4 B (d + k) flop, at the rates of a rank while all processors here are at work. What part of it an
engine reaches, and what a step takes beside (fixed: it does not shrink with more ranks), come from
steps of the engine with two numbers of units a rank; a third one, between them, is predicted and
measured, as a check. Units lie on ranks as the program puts them, in tiles.

A sum over ranks is the one Allreduce of a step: two words of 8 bytes for each output of the batch, and
two more. Within a node it takes the latency and the bandwidth that are measured here over two ranks,
between nodes those of the options: ceil(log2 R) * (latency + bytes / bandwidth), or, where that is
less, 2 ceil(log2 R) * latency + 2 (R - 1) / R * bytes / bandwidth.

Memory of a rank and flop of a step are those of `widthwise plan`.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
from dataclasses import dataclass, field, replace

from common import amount, copy_rates, mpirun, output_of, product_rates, said_by, tiling, whole_number
from groups import Bench, Problem, engine_step

WIDTHS = (10**5, 10**6, 10**7, 10**8, 10**9)
RANKS = (1, 10, 100, 1000, 10000)
BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}
PRECISION = "double"
TILE = 256  # of the widths that are measured: from 2^13 units on


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of the cluster that is planned for."""

    def above_zero(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0.0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
        return value

    group = parser.add_argument_group("the cluster that `model` predicts for")
    group.add_argument("--latency", type=above_zero, default=2.0, metavar="US",
                       help="microseconds of a message between nodes (2)")
    group.add_argument("--bandwidth", type=above_zero, default=12.0, metavar="GBPS",
                       help="gigabytes a second between nodes, of a node (12: a link of 100 Gb/s)")
    group.add_argument("--ranks-per-node", type=whole_number, default=64,
                       metavar="P", help="ranks, one thread each (64)")
    group.add_argument("--memory-per-node", type=above_zero, default=256.0, metavar="GB",
                       help="gigabytes; what does not fit is said (256)")


@dataclass(frozen=True)
class Link:
    """Messages: seconds of one without bytes, and bytes a second."""

    latency: float
    bandwidth: float

    def allreduce(self, ranks: int, size: float) -> float:
        """Seconds of a sum of that many bytes, by the better of two ways."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        whole = rounds * (self.latency + size / self.bandwidth)
        parts = 2.0 * rounds * self.latency + 2.0 * (ranks - 1) / ranks * size / self.bandwidth
        return min(whole, parts)


@dataclass(frozen=True)
class Machine:
    """Rates of one rank while as many are at work as there are processors; links within a node and
    between nodes."""

    ranks: int
    copy: float
    products: float
    inside: Link
    between: Link
    ranks_per_node: int

    def allreduce(self, ranks: int, size: float) -> float:
        """Within each node, and then among nodes."""
        on_node = min(ranks, self.ranks_per_node)
        nodes = -(-ranks // self.ranks_per_node)
        return self.inside.allreduce(on_node, size) + self.between.allreduce(nodes, size)


@dataclass(frozen=True)
class Kind:
    """A kind of training, and the engine that makes it; `problem` is of any width."""

    name: str
    engine: str
    problem: Problem

    def at(self, width: int) -> Problem:
        """The problem of that width."""
        return replace(self.problem, width=width)

    def limit(self, machine: Machine) -> float:
        """Seconds of a unit: its weights read and written once, or its flops."""
        unit = self.at(1)
        return max(unit.moved(PRECISION) / machine.copy, unit.flops / machine.products)

    def summed(self) -> float:
        """Bytes of the sum over ranks of a step."""
        return 8.0 * (2 * self.problem.columns * self.problem.outputs + 2)


@dataclass(frozen=True)
class Fit:
    """How an engine does here."""

    fixed: float  # seconds of a step
    part: float  # of the larger limit

    def step(self, kind: Kind, machine: Machine, width: int, ranks: int) -> tuple[float, float]:
        """Seconds of a step on the fullest rank, and of the sum over ranks."""
        units, _, tiles = tiling(width, ranks)
        compute = self.fixed + min(units * tiles, width) * kind.limit(machine) / self.part
        return compute, machine.allreduce(ranks, kind.summed())


def fit_line(sizes: list[float], seconds: list[float]) -> Link:
    """Latency and bandwidth: seconds = latency + size / bandwidth, with the least squares of relative
    errors."""
    weights = [1.0 / value**2 for value in seconds]
    total = sum(weights)
    mean = sum(w * x for w, x in zip(weights, sizes)) / total
    middle = sum(w * y for w, y in zip(weights, seconds)) / total
    above = sum(w * (x - mean) * (y - middle) for w, x, y in zip(weights, sizes, seconds))
    slope = above / sum(w * (x - mean) ** 2 for w, x in zip(weights, sizes))
    if slope <= 0.0:
        raise RuntimeError("sums of more bytes took no longer here: repeat this on an idle machine")
    return Link(max(middle - slope * mean, min(seconds) / 2.0), 1.0 / slope)


def measure_sums(bench: Bench) -> dict[float, float]:
    """Seconds of an Allreduce over two ranks on this machine, by bytes."""
    words = [bench.program("bench_allreduce"), str(bench.pick(20, 5))]
    text = output_of([*mpirun(2), *words])
    pairs = re.findall(r"bytes (\d+) seconds ([\d.]+)", text)
    if len(pairs) < 2:
        raise RuntimeError(f"bench_allreduce told no times: {text}")
    return {float(size): float(seconds) for size, seconds in pairs}


def kinds(bench: Bench) -> list[Kind]:
    """What is predicted."""
    stochastic = Problem(1, bench.pick(1000, 200), bench.pick(1000, 200), 10, 16,
                         bench.pick(8, 3))
    full = Problem(1, bench.pick(784, 196), bench.pick(1000, 200), 1, 0, bench.pick(5, 2))
    every = [
        Kind("sgd", "dense", stochastic), Kind("sgd", "window", stochastic),
        Kind("gd", "dense", full), Kind("gd", "samples", full),
    ]
    return [every[0], every[3]] if bench.quick else every


def units_measured(bench: Bench) -> tuple[int, int, int]:
    """Of a rank: whole tiles, from few to more than caches hold."""
    fewest = TILE * -(-(1 << 13) // (TILE * bench.processors))
    most = bench.pick(25600, 4 * fewest)
    return fewest, TILE * round((fewest + most) / 2 / TILE), most


@dataclass
class Measured:
    """By rounds. Of each the fastest counts: what other work on the machine disturbs least."""

    copy: list[float] = field(default_factory=list)
    products: list[float] = field(default_factory=list)
    sums: dict[float, list[float]] = field(default_factory=dict)
    steps: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def machine(self, ranks: int, options: argparse.Namespace) -> Machine:
        """Rates and links."""
        inside = fit_line(list(self.sums), [min(seconds) for seconds in self.sums.values()])
        between = Link(1e-6 * options.latency, 1e9 * options.bandwidth)
        return Machine(ranks, max(self.copy), max(self.products), inside, between,
                       options.ranks_per_node)


def calibrate(bench: Bench, rounds: int, clock: str) -> Measured:
    """Everything that is measured, in turns; sums over ranks by wall time."""
    ranks, times = bench.processors, bench.pick(5, 2)
    found = Measured()
    for _ in range(rounds):
        found.copy.append(copy_rates(ranks, bench.pick(1 << 28, 1 << 26), times)[clock] / ranks)
        rates = product_rates(PRECISION, ranks, bench.pick(2048, 1024), times)
        found.products.append(rates[clock] / ranks)
        for size, seconds in measure_sums(bench).items():
            found.sums.setdefault(size, []).append(seconds)
        for kind in kinds(bench):
            steps = found.steps.setdefault(f"{kind.name} {kind.engine}", {})
            for units in units_measured(bench):
                step = engine_step(bench.program("bench_engine"), kind.at(units * ranks),
                                   kind.engine, PRECISION, ranks)
                steps.setdefault(units, []).append(step[clock])
    return found


def fit_engine(kind: Kind, machine: Machine, steps: dict[int, list[float]]) -> tuple[Fit, dict]:
    """From the fewest and the most units; the number between them is the check."""
    seconds = {units: min(values) for units, values in steps.items()}
    few, some, many = sorted(seconds)
    slope = (seconds[many] - seconds[few]) / (many - few)
    if slope <= 0.0:
        raise RuntimeError(
            f"{kind.name} {kind.engine}: more units took no longer here: repeat this on an idle "
            "machine"
        )
    messages = machine.inside.allreduce(machine.ranks, kind.summed())
    fixed = max(seconds[few] - slope * few - messages, 0.0)
    fit = Fit(fixed, kind.limit(machine) / slope)
    foretold = fixed + slope * some + messages
    return fit, {"units": some, "predicted": foretold, "measured": seconds[some]}


def ask_plan(bench: Bench, kind: Kind, width: int, ranks: int, a_node: int) -> dict[str, float]:
    """Memory of a rank at its peak, without program and libraries; flop of a step of all ranks; and
    how units lie on ranks."""
    problem = kind.at(width)
    settings = [
        *problem.settings(), f"network.width={width}", f"training.engine={kind.engine}",
        f"precision={PRECISION}", "data.source=mixture", f"data.train={problem.samples}",
        f"data.test={problem.samples}", f"data.mixture.dimension={problem.dimension}",
        f"data.mixture.classes={max(problem.outputs, 2)}", "measure.quantities=[loss]",
        "measure.final=[]",
    ]
    words = [word for setting in settings for word in ("--set", setting)]
    text = output_of([bench.program("widthwise"), "plan", "--no-calibration", "--ranks", str(ranks),
                      "--ranks-per-node", str(a_node), *words])
    memory = re.search(r"in all, without program and libraries +([\d.]+) (\w+)", text)
    flops = re.search(r"products.*: ([\d.e+]+) flop a step", text)
    tiles = re.search(r"tiles of (\d+) units.*\); \d+: (\d+) tile", text)
    shape = f"d = {problem.dimension}, k = {problem.outputs}, n = {problem.samples} "
    if memory is None or flops is None or tiles is None or shape not in text:
        raise RuntimeError(f"widthwise plan told no memory, no work, or another problem: {text}")
    units, _, fullest = tiling(width, ranks)
    if (int(tiles[1]), int(tiles[2])) != (units, fullest):
        raise RuntimeError(f"m = {width} on {ranks} ranks: {fullest} tiles of {units} units here, "
                           f"{tiles[2]} of {tiles[1]} by widthwise plan")
    return {"memory": float(memory[1]) * BYTES[memory[2]], "flops": float(flops[1])}


def predict(bench: Bench, kind: Kind, fit: Fit, machine: Machine, node_bytes: float) -> list[dict]:
    """All widths on all numbers of ranks, and each told as a line."""
    lines = []
    problem = kind.problem
    columns = f"B = {problem.batch}" if problem.batch > 0 else "all samples"
    print(f"\n  {kind.name}, engine {kind.engine}, d = {problem.dimension}, k = {problem.outputs}, "
          f"n = {problem.samples}, {columns}, {PRECISION}: PREDICTED, seconds of a step")
    print(f"  {'m':>8s} {'ranks':>6s} {'units':>10s} {'step':>9s} {'compute':>9s} {'sum':>9s} "
          f"{'efficiency':>10s} {'memory a rank':>14s}")
    for width in bench.pick(WIDTHS, WIDTHS[::2]):
        alone = sum(fit.step(kind, machine, width, 1))
        for ranks in RANKS:
            units, tiles, fullest = tiling(width, ranks)
            compute, message = fit.step(kind, machine, width, ranks)
            on_node = min(ranks, machine.ranks_per_node)
            told = ask_plan(bench, kind, width, ranks, on_node)
            notes = []
            if told["memory"] * on_node > node_bytes:
                notes.append("DOES NOT FIT")
            if ranks > tiles:
                notes.append(f"{ranks - tiles} ranks IDLE")
            line = {
                "width": width, "ranks": ranks, "units": min(units * fullest, width),
                "step": compute + message, "compute": compute, "sum": message,
                "efficiency": alone / (ranks * (compute + message)), "memory": told["memory"],
                "flops": told["flops"], "fits": "DOES NOT FIT" not in notes,
                "idle": max(ranks - tiles, 0),
            }
            if kind.engine == "dense":
                own = kind.at(width).flops
                if abs(told["flops"] / own - 1.0) > 0.01:
                    raise RuntimeError(f"m = {width} on {ranks} ranks: {own:.4g} flop here, "
                                       f"{told['flops']:.4g} by widthwise plan")
            lines.append(line)
            print(f"  {width:8.0e} {ranks:6d} {line['units']:10d} {line['step']:9.3g} "
                  f"{compute:9.3g} {message:9.3g} {100.0 * line['efficiency']:9.0f}% "
                  f"{amount(told['memory'], 'B'):>14s}  {', '.join(notes)}".rstrip(), flush=True)
    return lines


def tell_machine(machine: Machine) -> None:
    """What it is made from."""
    print("\nmodel: PREDICTED step times of a cluster, from rates of this machine; not measured")
    print(f"  a rank of {machine.ranks} at work: {1e-9 * machine.copy:.3g} GB/s copied, "
          f"{1e-9 * machine.products:.3g} Gflop/s")
    for name, link in (
        ("within a node, measured here", machine.inside), ("between nodes, as given", machine.between)
    ):
        print(f"  messages {name}: {1e6 * link.latency:.3g} us, "
              f"{1e-9 * link.bandwidth:.3g} GB/s")
    print(f"  {machine.ranks_per_node} ranks a node")


def run(bench: Bench, options: argparse.Namespace) -> dict[str, object]:
    """Calibrates, predicts and prints; what it found, for the file."""
    result: dict[str, object] = {"is_prediction": True}
    try:
        found = calibrate(bench, options.rounds, options.clock)
        machine = found.machine(bench.processors, options)
        tell_machine(machine)
        result |= {
            "machine": {
                "ranks": machine.ranks, "copy": machine.copy, "products": machine.products,
                "inside": machine.inside.__dict__, "between": machine.between.__dict__,
                "ranks_per_node": machine.ranks_per_node,
            },
            "raw": found.__dict__, "kinds": [],
        }
        for kind in kinds(bench):
            fit, check = fit_engine(kind, machine, found.steps[f"{kind.name} {kind.engine}"])
            lines = predict(bench, kind, fit, machine, 1e9 * options.memory_per_node)
            print(f"  {100.0 * fit.part:.0f}% of the larger limit, and {1e3 * fit.fixed:.3g} ms beside; "
                  f"check with {check['units']} units a rank: predicted "
                  f"{1e3 * check['predicted']:.3g} ms, measured {1e3 * check['measured']:.3g} ms")
            result["kinds"].append({
                "name": kind.name, "engine": kind.engine, "problem": kind.problem.told(),
                "fixed": fit.fixed, "part": fit.part, "check": check, "lines": lines,
            })
    except subprocess.CalledProcessError as failure:
        result["failure"] = said_by(failure)
    except (subprocess.TimeoutExpired, OSError, RuntimeError) as failure:
        result["failure"] = str(failure)
    if "failure" in result:
        print(f"  FAILED: {result['failure']}", flush=True)
    return result
