"""Groups of run.py for the engine `lazy`: courses of training, of full batches and of small ones, beside
the engines whose steps cost the same at any time, and beside PyTorch.

What a step of `lazy` costs depends on how far training has come. So it makes the whole course, and the
seconds of a step are those of all steps over their number; the others make a few steps, and PyTorch's
fastest one counts. Making the engine, which draws the weights, is told by itself. All engines
have the same data, start and rate, and a round fails where the loss of one is not that of the others.
PyTorch has numbers of its own, of the same sizes.

COURSES is the one table of what is trained. An engine that is named in WHOLE is one side more
and gets rows of its own: `auto` is compared with the best of all others. What it chooses decides
whether it makes all steps.
"""

from __future__ import annotations

import functools
import math
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional

from common import mpirun, output_of
from groups import (
    TORCH, Bench, Case, Problem, Row, Samples, Side, machine, machine_rows, ranks_text, step_limits,
    torch_side,
)
from model import BYTES

WHOLE = ("lazy",)  # compared with others
STEADY = ("dense", "window", "samples")  # those
AGREEMENT = 1e-6  # of losses, but for which they are the same
SHARE_OF_MEMORY = 0.9  # that a side may take
IMAGES = "/usr/share/datasets/fashion-mnist"  # of Debian's package dataset-fashion-mnist


@dataclass(frozen=True)
class Source:
    """Where samples come from."""

    name: str
    dimension: int
    settings: tuple[str, ...]
    test: int = 2  # samples
    outputs: int = 1
    training: tuple[str, ...] = ()  # settings of training besides


FILES = (
    "data.source=idx",
    f"data.idx.train_images={IMAGES}/train-images-idx3-ubyte.gz",
    f"data.idx.train_labels={IMAGES}/train-labels-idx1-ubyte.gz",
    f"data.idx.test_images={IMAGES}/t10k-images-idx3-ubyte.gz",
    f"data.idx.test_labels={IMAGES}/t10k-labels-idx1-ubyte.gz",
    "data.idx.balanced=true",
)
FASHION = Source("Fashion-MNIST 0/1", 784, (*FILES, "data.idx.classes=[0, 1]"))
ALL_CLASSES = Source("Fashion-MNIST, cross entropy of 10 outputs", 784, FILES, 10, 10,
                     ("loss=cross-entropy",))
# Gaussian directions, and labels that are +1 or -1 with equal chance.
GAUSSIAN = Source("Gaussian", 100, (
    "data.source=sphere", "data.sphere.dimension=100", "data.sphere.targets=signs",
))


@dataclass(frozen=True)
class Course:
    """Gradient descent with model: arora, by full batches or by `batch` samples a step. The rate is
    `part` / lambda_max, of the Gram matrix of the infinite width, or of its part for so many samples."""

    source: Source
    samples: int
    width: int
    kappa: float
    part: float
    steps: int
    batch: int = 0  # 0: full batches

    @property
    def steady_steps(self) -> int:
        """Of engines whose steps cost the same at any time; the first, which has no update to make,
        is left out. Small batches are made some at once."""
        if self.batch > 0:
            return min(self.steps, 65)
        return min(self.steps, max(3, min(20, 4 * 10**8 // (self.width * self.samples))))

    @property
    def steady(self) -> tuple[str, ...]:
        """The engines that it is compared with."""
        return tuple(name for name in STEADY if name != "window" or self.batch > 0)

    def rate(self, eigenvalue: float) -> float:
        """Of training."""
        share = self.batch / self.samples if self.batch > 0 else 1.0
        return self.part / (eigenvalue * share)

    @property
    def name(self) -> str:
        """For the table."""
        batch = f"B = {self.batch}, " if self.batch > 0 else ""
        return (f"{self.source.name}, n = {self.samples}, {batch}kappa = {self.kappa:g}, "
                f"{self.part:g} / lambda_max, {self.steps} steps, m = {self.width}")

    def data_settings(self) -> tuple[str, ...]:
        """Of the program, without network and training."""
        return ("model=arora", *self.source.settings, f"data.train={self.samples}",
                f"data.test={self.source.test}", "measure.quantities=[loss]", "measure.final=[]")

    def settings(self, engine: str, rate: float) -> tuple[str, ...]:
        """Of the program."""
        method = ("training.method=sgd", f"training.batch={self.batch}") if self.batch > 0 else ()
        return (*self.data_settings(), *method, *self.source.training, f"network.width={self.width}",
                f"network.hidden.std={self.kappa!r}", f"training.rate={rate!r}",
                f"training.steps={self.steps}", f"training.engine={engine}")

    def problem(self) -> Problem:
        """As PyTorch makes it: a step to begin with, and these."""
        return Problem(self.width, self.source.dimension, self.samples, self.source.outputs, self.batch,
                       max(2, self.steady_steps // 2))


HEADLINES = (
    Course(FASHION, 1000, 10**5, 1.0, 1.0, 1000),
    Course(GAUSSIAN, 500, 10**5, 1.0, 0.1, 2000),
)
COURSES: dict[str, tuple[Course, ...]] = {
    "lazy": HEADLINES,
    # Where many patterns change: not its case.
    "lazy-kappa": (
        Course(GAUSSIAN, 500, 10**4, 0.1, 1.0, 200),
        Course(GAUSSIAN, 500, 10**4, 0.01, 1.0, 200),
        Course(FASHION, 1000, 10**4, 0.1, 1.0, 200),
    ),
    # Small batches: the more a step moves, the wider the network has to be for it.
    "lazy-batches": tuple(
        Course(FASHION, 1000, width, 1.0, part, 500, batch=16)
        for part, widths in ((0.25, (10**4, 10**5, 3 * 10**5, 6 * 10**5)), (0.025, (10**4, 10**5)))
        for width in widths
    ),
    # Several outputs: far more to be counted.
    "lazy-outputs": tuple(
        Course(ALL_CLASSES, 1000, width, 1.0, 1.0, 1000) for width in (10**4, 10**5)
    ),
    # Many samples: all that is of samples alone is divided over ranks, or stands once on a node.
    "lazy-samples": (Course(FASHION, 10**4, 10**4, 1.0, 1.0, 200),),
    "lazy-widths": tuple(
        replace(course, width=width)
        for course in HEADLINES for width in (10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6)
    ),
}
BESIDE_TORCH = ("lazy", "lazy-widths")
LONG = ("lazy-widths", "lazy-outputs", "lazy-samples")  # run only where they are asked for


def small(course: Course) -> Course:
    """For a quick run."""
    return replace(course, samples=course.samples // 5, width=course.width // 20,
                   steps=course.steps // 10, batch=course.batch // 4)


def set_words(settings: tuple[str, ...]) -> list[str]:
    """Of a command line."""
    return [word for setting in settings for word in ("--set", setting)]


@functools.lru_cache(maxsize=None)
def largest_eigenvalue(program: str, file: Path, data: tuple[str, ...]) -> float:
    """Of the Gram matrix of the infinite width, by the program."""
    words = set_words((*data, "gram.network=false", "gram.spectrum=values", "gram.labels=[]"))
    text = output_of([program, "gram", *words, "--force", "-o", str(file)], progress=True)
    found = re.search(r"lambda_max ([\d.e+-]+)", text)
    if found is None:
        raise RuntimeError(f"widthwise gram told no lambda_max: {text}")
    return float(found[1])


def ask_plan(bench: Bench, settings: tuple[str, ...]) -> tuple[str, float]:
    """The engine that the program takes, and bytes of all ranks at their peak."""
    count = str(bench.ranks)
    text = output_of([bench.program("widthwise"), "plan", "--no-calibration", "--ranks", count,
                      "--ranks-per-node", count, *set_words(settings)])
    engine = re.search(r", engine (\w+)", text)
    memory = re.search(r"in all, without program and libraries +([\d.]+) (\w+)", text)
    if engine is None or memory is None:
        raise RuntimeError(f"widthwise plan told no engine or no memory: {text}")
    return engine[1], bench.ranks * float(memory[1]) * BYTES[memory[2]]


def torch_bytes(course: Course) -> float:
    """Bytes of a step by autograd, the larger of the two ways: weights to begin with, those that are
    trained, and their gradients; and three matrices of a number for each pair of a unit and a
    sample."""
    return 3.0 * 8.0 * course.width * (course.source.dimension + course.samples)


def fits(needed: float, what: str, course: Course) -> bool:
    """Whether this machine has the memory; if not, it is said."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed <= SHARE_OF_MEMORY * there:
        return True
    print(f"\nleft out: {what} for {course.name}: {needed / 1e9:.1f} GB", flush=True)
    return False


class Losses:
    """Of the same step by all engines."""

    def __init__(self) -> None:
        self.first: Optional[tuple[str, float]] = None

    def compare(self, engine: str, loss: float) -> None:
        """Fails where they differ by more than rounding."""
        if self.first is None:
            self.first = (engine, loss)
        other, expected = self.first
        if not math.isclose(loss, expected, rel_tol=AGREEMENT):
            raise RuntimeError(f"the loss by {engine} is {loss}, by {other} {expected}")


def engine_side(
    bench: Bench, course: Course, engine: str, settings: tuple[str, ...], whole: bool, losses: Losses
) -> Side:
    """A step on the average of the whole course, or of its beginning, and the time before it."""
    steps, skipped = (course.steps, 0) if whole else (course.steady_steps, 1)
    words = [str(steps), str(skipped), str(course.steady_steps - 1), *settings]

    def run() -> Samples:
        text = output_of([*mpirun(bench.ranks), bench.program("bench_course"), *words])
        number = r"([\d.e+-]+)"
        found = re.search(rf"start {number} s, processor {number} s; step {number} s, "
                          rf"processor {number} s; loss {number}", text)
        if found is None:
            raise RuntimeError(f"bench_course told no times: {text}")
        start, start_used, step, used, loss = map(float, found.groups())
        losses.compare(engine, loss)
        return {engine: {"wall": step, "processor": used},
                f"{engine}, start": {"wall": start, "processor": start_used}}

    return Side(engine, run)


def rows_of(course: Course, engines: list[str], ranks: int, has_torch: bool) -> list[Row]:
    """Of all engines that there are."""
    rows = []
    for engine in (name for name in WHOLE if name in engines):
        others = [name for name in engines if name != engine]
        others = others if engine == "auto" else [name for name in others if name in STEADY]
        if others:
            rows.append(Row(engine, engine, tuple(others), f"best of {', '.join(others)}"))
        if has_torch:
            rows += [Row(engine, engine, TORCH[:1], TORCH[0]),
                     Row(engine, engine, TORCH, "PyTorch's best")]
        rows.append(Row(f"{engine}, before the first step", f"{engine}, start"))
    limits = step_limits(course.problem(), "double", ranks)
    products = {name: limit for name, limit in limits.items() if name == "products"}
    rows += [Row(name, name, limits=products) for name in engines if name in STEADY]
    return rows + machine_rows(["double"], [ranks])


def course_case(bench: Bench, group: str, course: Course) -> Case:
    """Engines beside each other, and PyTorch on as many threads as they have ranks."""
    eigenvalue = largest_eigenvalue(bench.program("widthwise"), bench.folder / "gram.h5",
                                    course.data_settings())
    rate, losses, sides = course.rate(eigenvalue), Losses(), []
    for engine in (*WHOLE, *course.steady):
        settings = course.settings(engine, rate)
        chosen, needed = ask_plan(bench, settings)
        if fits(needed, engine, course):
            sides.append(
                engine_side(bench, course, engine, settings, chosen == "lazy", losses)
            )
    engines = [side.name for side in sides]
    has_torch = (bench.has_torch and group in BESIDE_TORCH
                 and fits(torch_bytes(course), "PyTorch", course))
    if has_torch:
        sides.append(torch_side(course.problem(), "double", bench.ranks))
    sides.append(machine(bench, ["double"], [bench.ranks]))
    told = course.problem().told() | {
        "data": course.source.name, "kappa": course.kappa, "lambda_max": eigenvalue, "rate": rate,
        "steps": course.steps, "steady_steps": course.steady_steps, "ranks": bench.ranks,
    }
    return Case(group, f"{course.name}, {ranks_text(bench.ranks)}", told, sides,
                rows_of(course, engines, bench.ranks, has_torch))


def cases(group: str, bench: Bench) -> list[Case]:
    """Of a group."""
    courses = [bench.pick(course, small(course)) for course in COURSES[group]]
    return [course_case(bench, group, course) for course in courses]


GROUPS: dict[str, Callable[[Bench], list[Case]]] = {
    group: functools.partial(cases, group) for group in COURSES
}
