"""What run.py measures: cases, the sides that take turns in each, and the rows that are made of them.

A side is a program that runs once and tells one number or more, each by a clock or two; a round of a
case runs every side once. A row compares one of the numbers with those of peers and with what the
machine allows, within each round.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Callable

import numpy_peers
import startup
import torch_steps
from common import FOLDER, copy_rates, mpirun, output_of, product_rates

Samples = dict[str, dict[str, float]]  # label: clock: seconds, or a rate
Reader = Callable[[str], float]  # of a label, in one round and by one clock

EVALUATED = (
    "[loss, train_accuracy, test_accuracy]",
    "[loss, test_accuracy, coupling]",
    "[loss, test_accuracy, coupling, distance]",
)


@dataclass(frozen=True)
class Side:
    """One of those that take turns."""

    name: str
    run: Callable[[], Samples]


@dataclass(frozen=True)
class Row:
    """A line of the table. `limits` are what the machine would allow, in the unit of the row."""

    what: str
    ours: str
    peers: tuple[str, ...] = ()  # the best of each round counts
    peer: str = ""
    limits: dict[str, Callable[[Reader], float]] = field(default_factory=dict)
    unit: str = "s"  # seconds, of which fewer are better; all else is a rate
    clock: str = ""  # where there is but one


@dataclass(frozen=True)
class Case:
    """Sides that take turns with each other."""

    group: str
    name: str
    problem: dict[str, object]
    sides: list[Side]
    rows: list[Row]


@dataclass(frozen=True)
class Bench:
    """What cases are made for."""

    build: Path
    folder: Path  # for files
    quick: bool
    has_torch: bool
    processors: int
    ranks: int  # of one thread, where a case has several: two, unless asked for others

    def program(self, name: str) -> str:
        """A program of the build."""
        return str(self.build / ("widthwise" if name == "widthwise" else f"tests/{name}"))

    def pick(self, whole: object, small: object) -> object:
        """A size, or that of a quick run."""
        return small if self.quick else whole


@dataclass(frozen=True)
class Problem:
    """Training of one hidden layer, as bench_engine takes it. `batch` 0: all samples."""

    width: int
    dimension: int
    samples: int
    outputs: int
    batch: int
    steps: int
    sample_groups: int = 0  # of ranks; 0: left open

    @property
    def columns(self) -> int:
        """Samples of a step."""
        return self.batch if self.batch > 0 else self.samples

    @property
    def flops(self) -> float:
        """Of a step, as `widthwise plan` has them for `dense`: forward and update, and both ways
        through the output weights."""
        return 4.0 * self.width * self.columns * (self.dimension + self.outputs)

    def moved(self, precision: str) -> float:
        """Bytes when the weights are read and written once."""
        return (8.0 if precision == "single" else 16.0) * self.width * self.dimension

    def settings(self) -> list[str]:
        """Of the program."""
        if self.batch > 0:
            return ["model=li-liang", f"training.batch={self.batch}"]
        groups = [f"sample-groups={self.sample_groups}"] if self.sample_groups > 0 else []
        return ["model=arora", "training.method=gd", *groups]

    def told(self) -> dict[str, object]:
        """For who reads the results."""
        return {
            "m": self.width, "d": self.dimension, "n": self.samples, "k": self.outputs,
            "batch": self.columns, "flops": self.flops,
        }


def threads_text(count: int) -> str:
    """A count in words."""
    return f"{count} thread" + ("s" if count > 1 else "")


def ranks_text(count: int) -> str:
    """A count in words."""
    return f"{count} rank" + ("s" if count > 1 else "")


# The machine itself: one of the sides.


def machine(bench: Bench, precisions: list[str], threads: list[int]) -> Side:
    """How fast memory is copied, and how fast square matrices are multiplied."""

    def run() -> Samples:
        found: Samples = {}
        times = bench.pick(5, 2)
        for count in threads:
            found[f"copy x{count}"] = copy_rates(count, bench.pick(1 << 28, 1 << 26), times)
            for precision in precisions:
                found[f"products {precision} x{count}"] = product_rates(
                    precision, count, bench.pick(2048, 1024), times
                )
        return found

    return Side("machine", run)


def machine_rows(precisions: list[str], threads: list[int]) -> list[Row]:
    """What the machine reached."""
    rows = []
    for count in threads:
        text = threads_text(count)
        rows.append(Row(f"machine: bytes copied, {text}", f"copy x{count}", unit="B/s"))
        for precision in precisions:
            rows.append(
                Row(f"machine: products, {precision}, {text}", f"products {precision} x{count}",
                    unit="flop/s")
            )
    return rows


def step_limits(
    problem: Problem, precision: str, threads: int
) -> dict[str, Callable[[Reader], float]]:
    """Seconds that the machine would need: its memory and its products one after the other; the
    larger of the two; and the products alone."""

    def memory(read: Reader) -> float:
        return problem.moved(precision) / read(f"copy x{threads}")

    def products(read: Reader) -> float:
        return problem.flops / read(f"products {precision} x{threads}")

    limits = {
        "sum": lambda read: memory(read) + products(read),
        "larger": lambda read: max(memory(read), products(read)),
    }
    return limits if problem.batch > 0 else limits | {"products": products}


# Steps.


def engine_step(
    program: str, problem: Problem, engine: str, precision: str, ranks: int = 1, threads: int = 1
) -> dict[str, float]:
    """Seconds of a step of an engine, by both clocks."""
    sizes = (problem.width, problem.dimension, problem.samples, problem.outputs, problem.steps)
    text = output_of(
        [*mpirun(ranks, threads), program, *map(str, sizes), *problem.settings(),
         f"training.engine={engine}", f"precision={precision}"],
        threads,
    )
    found = re.search(rf"engine {engine}\b.*: step ([\d.]+) s, processor ([\d.]+) s", text)
    if found is None or float(found[1]) <= 0.0:
        raise RuntimeError(f"{program} told no time: {text}")
    return {"wall": float(found[1]), "processor": float(found[2])}


def engine_side(
    bench: Bench, label: str, problem: Problem, engine: str, precision: str, ranks: int = 1,
    threads: int = 1,
) -> Side:
    """A step of the program under that label."""
    step = partial(engine_step, bench.program("bench_engine"), problem, engine, precision, ranks,
                   threads)
    return Side(label, lambda: {label: step()})


def read_pairs(text: str, prefix: str) -> Samples:
    """Lines `label: wall processor` of a peer."""
    found: Samples = {}
    for line in text.splitlines():
        label, values = line.rsplit(": ", 1)
        wall, processor = map(float, values.split())
        found[prefix + label] = {"wall": wall, "processor": processor}
    return found


def torch_side(problem: Problem, precision: str, threads: int = 1) -> Side:
    """A step in PyTorch, by each way. Processor time is that of a thread, as it is of a rank."""
    sizes = {
        "width": problem.width, "dimension": problem.dimension, "samples": problem.samples,
        "outputs": problem.outputs, "batch": problem.batch, "steps": problem.steps,
        "threads": threads, "precision": precision,
        "loss": "cross-entropy" if problem.batch > 0 else "squared",
    }
    words = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]

    def run() -> Samples:
        text = output_of([sys.executable, str(FOLDER / "torch_steps.py"), *words], threads)
        found = read_pairs(text, "PyTorch, ")
        for times in found.values():
            times["processor"] /= threads
        return found

    return Side("PyTorch", run)


TORCH = tuple(f"PyTorch, {way}" for way in torch_steps.WAYS)


def step_case(
    bench: Bench, group: str, problem: Problem, precision: str, engines: tuple[str, ...], ranks: int
) -> Case:
    """Engines beside PyTorch on as many threads as there are ranks."""
    name = f"{precision}, {'B' if problem.batch > 0 else 'n'} = {problem.columns}, {ranks_text(ranks)}"
    sides = [engine_side(bench, engine, problem, engine, precision, ranks) for engine in engines]
    rows = []
    limits = step_limits(problem, precision, ranks)
    for engine in engines:
        peers = TORCH if bench.has_torch else ()
        rows.append(Row(engine, engine, peers, "PyTorch's best", limits))
        rows += [Row(engine, engine, (peer,), peer) for peer in peers]
        if engine != engines[0]:
            rows.append(Row(engine, engine, (engines[0],), engines[0]))
    if bench.has_torch:
        sides.append(torch_side(problem, precision, ranks))
    sides.append(machine(bench, [precision], [ranks]))
    rows += machine_rows([precision], [ranks])
    return Case(group, name, problem.told() | {"precision": precision, "ranks": ranks}, sides, rows)


def sgd(bench: Bench) -> list[Case]:
    """Stochastic gradient descent on small batches."""
    cases = []
    for precision in ("double", "single"):
        for batch in (16, 64):
            problem = Problem(bench.pick(50000, 2000), bench.pick(1000, 200),
                              bench.pick(1000, 200), 10, batch, bench.pick(8, 2))
            engines = ("dense", "window", "samples")
            cases.append(step_case(bench, "sgd", problem, precision, engines, 1))
    return cases[:1] + cases[-1:] if bench.quick else cases


def gd(bench: Bench) -> list[Case]:
    """Gradient descent on all samples."""
    cases = []
    for samples in bench.pick((1000, 200), (200,)):
        problem = Problem(bench.pick(20000, 1000), bench.pick(784, 196), samples, 1, 0,
                          bench.pick(5, 2))
        for ranks in sorted({1, bench.ranks}):
            cases.append(step_case(bench, "gd", problem, "double", ("dense", "samples"), ranks))
    return cases


def scaling_limits(one: str, work: int, count: int) -> dict[str, Callable[[Reader], float]]:
    """Seconds of `work` times what one thread does, by `count`: if all were as fast as the one; and
    with what they have of the machine, its memory or its processors, when all of them use it."""

    def by(name: str) -> Callable[[Reader], float]:
        return lambda read: work * read(one) * read(f"{name} x1") / read(f"{name} x{count}")

    return {
        "ideal": lambda read: work * read(one) / count,
        "memory": by("copy"),
        "products": by("products double"),
    }


def scaling_case(bench: Bench, problem: Problem, engine: str) -> Case:
    """The same problem on more ranks or threads, and one that is wider by as much."""
    counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= bench.processors]
    one = "1 rank of 1 thread"
    sides, rows = [engine_side(bench, one, problem, engine, "double")], [Row(one, one, clock="wall")]
    for count in counts[1:]:
        for label, ranks, work in (
            (f"strong, {count} ranks", count, 1),
            (f"strong, 1 rank of {count} threads", 1, 1),
            (f"weak, {count} ranks", count, count),
        ):
            wider = replace(problem, width=work * problem.width)
            sides.append(
                engine_side(bench, label, wider, engine, "double", ranks, count // ranks)
            )
            limits = scaling_limits(one, work, count)
            rows.append(Row(label, label, (one,), one, limits, clock="wall"))
    sides.append(machine(bench, ["double"], counts))
    rows += machine_rows(["double"], counts)
    name = f"{'B' if problem.batch > 0 else 'n'} = {problem.columns}, {engine}"
    return Case("scaling", name, problem.told() | {"engine": engine}, sides, rows)


def grid_case(bench: Bench, tiles: int) -> Case:
    """Many samples on few tiles of units, by ranks that divide the units or the samples."""
    problem = Problem(128 * tiles, bench.pick(784, 196), bench.pick(40960, 8192), 10, 0,
                      bench.pick(3, 2))
    one = "1 rank"
    ways = {"units": replace(problem, sample_groups=1),
            "samples": replace(problem, sample_groups=bench.ranks)}
    limits = scaling_limits(one, 1, bench.ranks)
    sides, rows = [engine_side(bench, one, problem, "dense", "double")], [Row(one, one, clock="wall")]
    for way, divided in ways.items():
        label = f"{ranks_text(bench.ranks)}, {way} divided"
        sides.append(engine_side(bench, label, divided, "dense", "double", bench.ranks))
        rows.append(Row(label, label, (one,), one, limits, clock="wall"))
    sides.append(machine(bench, ["double"], [1, bench.ranks]))
    name = f"m = {problem.width}, n = {problem.samples}, width x samples"
    return Case("scaling", name, problem.told(), sides, rows)


def scaling(bench: Bench) -> list[Case]:
    """Strong and weak, over ranks and threads; and over samples."""
    width, dimension, samples = (
        bench.pick(20000, 2000), bench.pick(1000, 200), bench.pick(1000, 200)
    )
    stochastic = Problem(width, dimension, samples, 10, 16, bench.pick(8, 2))
    full = Problem(width, dimension, samples, 1, 0, bench.pick(5, 2))
    cases = [(stochastic, "dense"), (stochastic, "window"), (full, "dense"), (full, "samples")]
    grids = [grid_case(bench, tiles) for tiles in bench.pick((4, 1), (1,)) if bench.ranks > 1]
    return [scaling_case(bench, *case) for case in bench.pick(cases, cases[:1])] + grids


# All else.


def evaluation(bench: Bench) -> list[Case]:
    """A record of quantities, on one rank, beside the same in NumPy."""
    m, d, n, k = (
        bench.pick(20000, 2000), bench.pick(784, 196), bench.pick(1000, 200), 10
    )

    def ours() -> Samples:
        text = output_of(
            [*mpirun(1), bench.program("bench_evaluation"), *map(str, (m, d, n, k, 3))]
        )
        number = r"([\d.e+-]+) \(.*\)"
        found: Samples = {}
        for name in EVALUATED:
            seconds = re.search(rf"={re.escape(name)} .*\n +{number} s\n", text)
            if seconds is None:
                raise RuntimeError(f"bench_evaluation told no time: {text}")
            found[name] = {"processor": float(seconds[1])}
        return found

    words = ["--width", m, "--dimension", d, "--samples", n, "--outputs", k]
    sides = [
        Side("program", ours),
        peer_side("NumPy, ", "evaluation", words, 1),
        machine(bench, ["double"], [1]),
    ]
    flops = 4.0 * m * n * (d + k)  # of the products with train and with test samples
    limits = {"products": lambda read: flops / read("products double x1")}
    rows = [
        Row(name, name, (f"NumPy, {peer}",), "NumPy", limits, clock="processor")
        for name, peer in zip(EVALUATED, numpy_peers.RECORDS)
    ]
    problem = {"m": m, "d": d, "n": n, "k": k, "flops": flops}
    return [Case("evaluation", f"m = {m}, d = {d}, n = {n} and {n}, 1 rank", problem, sides,
                 rows + machine_rows(["double"], [1]))]


def peer_side(prefix: str, task: str, words: list[object], threads: int) -> Side:
    """A task of numpy_peers.py."""
    command = [sys.executable, str(FOLDER / "numpy_peers.py"), task, *map(str, words)]
    return Side(prefix + task, lambda: read_pairs(output_of(command, threads), prefix))


def gram_case(bench: Bench, group: str, tasks: dict[str, float], inputs: Path, count: int) -> Case:
    """Tasks of bench_gram, and the flops of each, beside NumPy and SciPy."""
    ranks, sides, rows = bench.ranks, [], []
    for task, flops in tasks.items():

        def ours(task: str = task) -> Samples:
            words = [task, str(inputs), str(count), "784", "32", "1", str(ranks)]
            # As gram.py does: the cores may be shared with others.
            launch = [*mpirun(ranks), "--mca", "mpi_yield_when_idle", "1"]
            text = output_of([*launch, bench.program("bench_gram"), *words]).split()
            return {task: {"wall": float(text[text.index("seconds") + 1])}}

        sides.append(Side(task, ours))
        sides.append(peer_side("NumPy, ", task, ["--samples", count], ranks))
        limits = {
            "products": lambda read, flops=flops: flops / read(f"products double x{ranks}")
        }
        rows.append(Row(task, task, (f"NumPy, {task}",), "NumPy, SciPy", limits, clock="wall"))
    sides.append(machine(bench, ["double"], [ranks]))
    rows += machine_rows(["double"], [ranks])
    problem = {"n": count, "d": 784, "ranks": ranks, "flops": tasks}
    return Case(group, f"n = {count}, {ranks_text(ranks)}", problem, sides, rows)


def gram_inputs(bench: Bench) -> tuple[Path, int]:
    """A file of samples."""
    count = bench.pick(4000, 400)
    path = bench.folder / "samples"
    if not path.exists():
        numpy_peers.samples(count).tofile(path)
    return path, count


def gram(bench: Bench) -> list[Case]:
    """The Gram matrix of the infinite width put together: the products of half of the matrix."""
    path, count = gram_inputs(bench)
    return [gram_case(bench, "gram", {"assembly": 784.0 * count**2}, path, count)]


def spectrum(bench: Bench) -> list[Case]:
    """Its eigenvalues, with eigenvectors and without: the reduction to three diagonals is 4/3 n^3
    flops, the way of the eigenvectors back 2 n^3; what is between them depends on the matrix."""
    path, count = gram_inputs(bench)
    tasks = {"spectrum": 10.0 / 3.0 * count**3, "values": 4.0 / 3.0 * count**3}
    return [gram_case(bench, "spectrum", tasks, path, count)]


def checkpoint(bench: Bench) -> list[Case]:
    """Bytes a second of a checkpoint, beside MPI-IO and beside a plain write and fsync. The three
    take turns in one program, and what was written over counts."""
    gigabytes, ranks, repeats = bench.pick(1.0, 0.05), bench.ranks, 3

    def run() -> Samples:
        words = [f"{gigabytes:g}", str(repeats), str(bench.folder)]
        text = output_of([*mpirun(ranks), bench.program("bench_checkpoint"), *words])
        turns = re.findall(r"^ +\d+ +(\d+) +(\d+) +(\d+)$", text, re.MULTILINE)
        if len(turns) != repeats:
            raise RuntimeError(f"bench_checkpoint told {len(turns)} turns: {text}")
        ways = zip(("checkpoint", "MPI-IO", "pwrite"), zip(*turns))
        return {
            way: {"wall": 1e6 * statistics.median(map(float, rates))} for way, rates in ways
        }

    limits = {"pwrite + fsync": lambda read: read("pwrite")}
    rows = [
        Row("checkpoint", "checkpoint", ("MPI-IO",), "MPI-IO", limits, "B/s", "wall"),
        Row("machine: pwrite and fsync", "pwrite", unit="B/s", clock="wall"),
    ]
    problem = {"gigabytes": gigabytes, "ranks": ranks, "folder": str(bench.folder)}
    return [Case("checkpoint", f"{gigabytes:g} GB, {ranks_text(ranks)}", problem,
                 [Side("bench_checkpoint", run)], rows)]


def start_up(bench: Bench) -> list[Case]:
    """From the command to the first step of the built-in job, by plain mpirun."""
    bare = startup.compile_bare(bench.folder)
    ranks = bench.ranks
    first = "widthwise: FIRST STEP"

    def ours() -> Samples:
        times = startup.one_round(
            ["mpirun", "-n", str(ranks)], bench.program("widthwise"), bare, bench.folder, []
        )
        return {label.strip(): {"wall": seconds} for label, seconds in times.items()}

    def torch() -> Samples:
        began = time.time()
        text = output_of([sys.executable, str(FOLDER / "torch_steps.py"), "--first"])
        return {"PyTorch": {"wall": float(text) - began}}

    mpi = "bare program: MPI is there"
    peers = ("PyTorch",) if bench.has_torch else ()
    rows = [
        Row("first step", first, peers, "PyTorch", {"MPI_Init": lambda read: read(mpi)}),
        Row("machine: a program that starts MPI", mpi),
    ]
    sides = [Side("program", ours)] + ([Side("PyTorch", torch)] if peers else [])
    return [Case("start-up", ranks_text(ranks), {"ranks": ranks}, sides, rows)]


def normals(bench: Bench) -> list[Case]:
    """Numbers drawn a second, beside NumPy's generators."""
    pairs = {
        "normals": "", "uniforms": ", uniforms", "initial weights of a tile": ", weights",
    }

    def ours() -> Samples:
        text = output_of([bench.program("bench_normals"), str(bench.pick(5, 1))])
        lines = re.findall(r"^(\S.*?)  +([\d.]+) \(.*\) million a second$", text, re.MULTILINE)
        return {label: {"processor": 1e6 * float(rate)} for label, rate in lines}

    def peers() -> Samples:
        command = [sys.executable, str(FOLDER / "numpy_peers.py"), "normals"]
        found = read_pairs(output_of(command), "NumPy, ")
        return {label: {"processor": 1e6 * rates["processor"]} for label, rates in found.items()}

    rows = [
        Row(label, label, (f"NumPy, PCG64{end}", f"NumPy, Philox{end}"), "NumPy's best",
            unit="/s", clock="processor")
        for label, end in pairs.items()
    ]
    return [Case("normals", "1 thread", {}, [Side("program", ours), Side("NumPy", peers)], rows)]


GROUPS: dict[str, Callable[[Bench], list[Case]]] = {
    "sgd": sgd,
    "gd": gd,
    "evaluation": evaluation,
    "gram": gram,
    "spectrum": spectrum,
    "checkpoint": checkpoint,
    "start-up": start_up,
    "normals": normals,
    "scaling": scaling,
}
