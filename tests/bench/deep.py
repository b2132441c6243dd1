"""A step of a deep network: the program beside PyTorch, on one thread each, in turns.

    python3 tests/bench/deep.py build/release/tests/bench_layers [--width 8192] [--depth 3]
                                [--batch 256] [--precision single] [--rounds 5] [--steps 4]

The same step on both sides: L hidden layers of m units, d = 64 inputs, k = 10 outputs, half the
mean of squares, all hidden weights move. PyTorch makes it in three ways, of which the fastest of
each round counts: autograd and torch.optim.SGD, with gradients made anew; the same with gradients
kept and set to 0; and by hand, derivatives written down and weights changed in place by addmm_,
which needs no memory for gradients. The time of a round is that of its fastest step, on either side.
Reported are seconds of a step, median (lowest to highest) over the rounds, ratios within each
round, the same of the program on 2 ranks, and the share of the rate at which this machine
multiplies square matrices of that precision on one thread (NumPy, the same OpenBLAS). Processor
time leaves out when others had the processor: on a machine that is not idle it tells more. PyTorch
is Debian's python3-torch.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from common import environment, peak, ratios, say  # (beside this file)

if __name__ == "__main__":
    os.environ.update(environment())  # one thread, before any library looks

import numpy as np  # noqa: E402

DIMENSION, OUTPUTS = 64, 10  # as tests/bench/layers.c has it


def flops(width: int, depth: int, batch: int) -> float:
    """Additions and multiplications of matrix products in a step: forward, backward and update."""
    inner = (depth - 1) * width * width
    return 2.0 * batch * (3 * inner + 2 * width * DIMENSION + 2 * width * OUTPUTS)


class TorchSteps:
    """Steps in PyTorch."""

    def __init__(self, width: int, depth: int, batch: int, precision: str) -> None:
        import torch  # pylint: disable=import-outside-toplevel  # only in a process of its own

        torch.set_num_threads(1)
        self.torch = torch
        kind = torch.float32 if precision == "single" else torch.float64
        draw = torch.Generator().manual_seed(1)
        scale = (2.0 / width) ** 0.5
        self.weights = [
            torch.randn(
                (width, DIMENSION if layer == 0 else width), generator=draw, dtype=kind
            ).mul_(scale)
            for layer in range(depth)
        ]
        self.top = torch.randn((OUTPUTS, width), generator=draw, dtype=kind) / OUTPUTS**0.5
        self.inputs = torch.randn((batch, DIMENSION), generator=draw, dtype=kind)
        self.inputs /= self.inputs.norm(dim=1, keepdim=True)
        self.targets = torch.randn((batch, OUTPUTS), generator=draw, dtype=kind)
        self.rate = OUTPUTS / (depth**2 * width)
        self.batch = batch

    def autograd(self, anew: bool) -> Callable[[], None]:
        """Loss, backward(), optimizer.step()."""
        torch = self.torch
        for weights in self.weights:
            weights.requires_grad_(True)
        optimizer = torch.optim.SGD(self.weights, lr=self.rate)

        def step() -> None:
            optimizer.zero_grad(set_to_none=anew)
            values = self.inputs
            for weights in self.weights:
                values = torch.nn.functional.linear(values, weights).relu_()
            error = torch.nn.functional.linear(values, self.top) - self.targets
            loss = 0.5 * error.square().sum() / self.batch
            loss.backward()
            optimizer.step()

        return step

    def by_hand(self) -> Callable[[], None]:
        """Derivatives written down, weights changed in place."""
        torch = self.torch
        for weights in self.weights:
            weights.requires_grad_(False)
            weights.grad = None

        def step() -> None:
            values = [self.inputs]
            for weights in self.weights:
                values.append(torch.mm(values[-1], weights.t()).relu_())
            error = torch.mm(values[-1], self.top.t()).sub_(self.targets).div_(self.batch)
            by_units = torch.mm(error, self.top).mul_(values[-1] > 0)
            for layer in range(len(self.weights) - 1, -1, -1):
                weights = self.weights[layer]
                below = None
                if layer > 0:
                    below = torch.mm(by_units, weights).mul_(values[layer] > 0)
                weights.addmm_(by_units.t(), values[layer], alpha=-self.rate)
                by_units = below

        return step

    def measure(self, steps: int) -> None:
        """Prints the seconds of the fastest step of each way, and its least processor time."""
        ways = {
            "autograd, gradients made anew": lambda: self.autograd(True),
            "autograd, gradients kept": lambda: self.autograd(False),
            "by hand, in place": self.by_hand,
        }
        with self.torch.enable_grad():
            for name, way in ways.items():
                step = way()
                step()
                best, least = np.inf, np.inf
                for _ in range(steps):
                    began, used = time.perf_counter(), time.process_time()
                    step()
                    best = min(best, time.perf_counter() - began)
                    least = min(least, time.process_time() - used)
                print(f"{name}: {best:.6f} {least:.6f}", flush=True)


def sizes(options: argparse.Namespace) -> list[str]:
    """The problem as words of a command line."""
    return [
        "--width", str(options.width), "--depth", str(options.depth), "--batch",
        str(options.batch), "--precision", options.precision, "--steps", str(options.steps),
    ]


@dataclass(frozen=True)
class Step:
    """Seconds of a step, and those of the processor."""

    wall: float
    processor: float


def torch_steps(options: argparse.Namespace) -> dict[str, Step]:
    """A step in PyTorch by each way, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, options.program, *sizes(options), "--torch"],
        env=environment(), capture_output=True, text=True, check=True,
    )
    pairs = (line.rsplit(": ", 1) for line in done.stdout.splitlines())
    return {name: Step(*map(float, values.split())) for name, values in pairs}


def program_step(options: argparse.Namespace, ranks: int) -> Step:
    """A step of the program."""
    words = [str(n) for n in (options.width, options.depth, options.batch)]
    done = subprocess.run(
        ["mpirun", "-n", str(ranks), options.program, *words, options.precision,
         str(options.steps)],
        env=environment(), capture_output=True, text=True, check=True,
    )
    found = re.findall(r"^ +step\b.*? ([\d.]+) s", done.stdout, re.MULTILINE)
    if len(found) != 2:
        raise SystemExit(f"{options.program} told no times:\n{done.stdout}")
    return Step(float(found[0]), float(found[1]))


def compare(options: argparse.Namespace) -> None:
    """Rounds in turns."""
    work = flops(options.width, options.depth, options.batch)
    rate = peak(options.precision)
    print(
        f"L = {options.depth}, m = {options.width}, B = {options.batch}, {options.precision}: "
        f"{work / 1e9:.1f} Gflop a step; square products at {rate / 1e9:.1f} Gflop/s a thread"
    )
    one, two = [], []
    ways: dict[str, list[Step]] = {}
    for _ in range(options.rounds):
        one.append(program_step(options, 1))
        for name, step in torch_steps(options).items():
            ways.setdefault(name, []).append(step)
        two.append(program_step(options, 2))
    for kind in ("wall", "processor"):
        ours = [getattr(step, kind) for step in one]
        theirs = {name: [getattr(step, kind) for step in steps] for name, steps in ways.items()}
        print(f"\n{kind} time of a step, median (lowest to highest) of {options.rounds} rounds:")
        say("program, 1 rank, seconds", ours, "{:.3f}")
        for name, seconds in theirs.items():
            say(f"PyTorch, {name}, seconds", seconds, "{:.3f}")
        fastest = [min(times) for times in zip(*theirs.values())]
        say("PyTorch's fastest / program", ratios(fastest, ours))
        for name, seconds in theirs.items():
            say(f"PyTorch, {name} / program", ratios(seconds, ours))
        if kind == "wall":
            pairs = [step.wall for step in two]
            say("program, 2 ranks, seconds", pairs, "{:.3f}")
            say("program, 1 rank / 2 ranks", ratios(ours, pairs))
        else:
            shares = [100.0 * work / seconds / rate for seconds in ours]
            say("program, share of the rate of products, %", shares, "{:.1f}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", help="tests/bench_layers of a build")
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.program = str(Path(options.program).resolve())
    if options.torch:
        TorchSteps(options.width, options.depth, options.batch, options.precision).measure(
            options.steps
        )
    else:
        compare(options)


if __name__ == "__main__":
    main()
