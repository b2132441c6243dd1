"""A step of training of one hidden layer in PyTorch, in a process of its own. Run by sgd.py and run.py.

    python3 tests/bench/torch_steps.py --width M --dimension D --samples N --outputs K --batch B
                                       [--loss cross-entropy] [--precision double] [--threads 1]

Hidden weights move. Two ways, each told in a line, `way: seconds processor`, of its fastest step and
its least processor time (of all threads): autograd and torch.optim.SGD; and by hand, derivatives
written down and weights changed in place by addmm_. `--batch 0` are all samples: gradient descent.
`--first` instead tells, as seconds since the epoch, when the first step begins. PyTorch is Debian's
python3-torch.
"""

from __future__ import annotations

import argparse
import time
from typing import Callable

WAYS = ("autograd", "by hand, in place")


class Problem:
    """Weights and data, the same numbers for all ways."""

    def __init__(self, options: argparse.Namespace) -> None:
        import torch  # pylint: disable=import-outside-toplevel  # takes seconds

        torch.set_num_threads(options.threads)
        self.torch = torch
        m, n = options.width, options.samples
        kind = torch.float32 if options.precision == "single" else torch.float64
        draw = torch.Generator().manual_seed(1)
        self.weights = torch.randn((m, options.dimension), generator=draw, dtype=kind) / m**0.5
        self.top = torch.randn((options.outputs, m), generator=draw, dtype=kind)
        self.inputs = torch.randn((n, options.dimension), generator=draw, dtype=kind)
        self.inputs /= self.inputs.norm(dim=1, keepdim=True)
        self.labels = torch.randint(max(options.outputs, 2), (n,), generator=draw)
        self.targets = torch.randn((n, options.outputs), generator=draw, dtype=kind)
        self.is_full = options.batch == 0
        self.batch = n if self.is_full else options.batch
        self.is_squared = options.loss == "squared"
        self.rate = (1e-3 if self.is_squared else 10.0) / m
        self.picks = [torch.randint(n, (self.batch,), generator=draw) for _ in range(64)]

    def some(self, number: int) -> tuple:
        """Inputs, labels and targets of a step."""
        if self.is_full:
            return self.inputs, self.labels, self.targets
        pick = self.picks[number % len(self.picks)]
        return self.inputs[pick], self.labels[pick], self.targets[pick]

    def autograd(self) -> Callable[[int], None]:
        """Loss, backward(), optimizer.step()."""
        torch = self.torch
        weights = self.weights.clone().requires_grad_(True)
        optimizer = torch.optim.SGD([weights], lr=self.rate)

        def step(number: int) -> None:
            inputs, labels, targets = self.some(number)
            optimizer.zero_grad(set_to_none=True)
            hidden = torch.nn.functional.linear(inputs, weights).relu_()
            outputs = torch.nn.functional.linear(hidden, self.top)
            if self.is_squared:
                loss = 0.5 * (outputs - targets).square().sum() / self.batch
            else:
                loss = torch.nn.functional.cross_entropy(outputs, labels)
            loss.backward()
            optimizer.step()

        return step

    def by_hand(self) -> Callable[[int], None]:
        """Derivatives written down, weights changed in place."""
        torch = self.torch
        weights = self.weights

        def step(number: int) -> None:
            inputs, labels, targets = self.some(number)
            before = torch.mm(inputs, weights.t())
            active = before > 0
            outputs = torch.mm(before * active, self.top.t())
            if self.is_squared:
                error = outputs.sub_(targets)
            else:
                error = torch.softmax(outputs, 1)
                error[torch.arange(self.batch), labels] -= 1.0
            by_units = torch.mm(error, self.top).mul_(active)
            weights.addmm_(by_units.t(), inputs, alpha=-self.rate / self.batch)

        return step


def tell(options: argparse.Namespace) -> None:
    """Times each way, or tells when the first begins."""
    problem = Problem(options)
    if options.first:
        began = time.time()
        problem.autograd()(0)
        print(f"{began:.6f}")
        return
    for name, way in zip(WAYS, (problem.autograd, problem.by_hand)):
        step = way()
        step(0)
        best = least = float("inf")
        for number in range(1, options.steps + 1):
            began, used = time.perf_counter(), time.process_time()
            step(number)
            best = min(best, time.perf_counter() - began)
            least = min(least, time.process_time() - used)
        print(f"{name}: {best:.6f} {least:.6f}", flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, value in (
        ("width", 1000), ("dimension", 1000), ("samples", 1000), ("outputs", 10), ("batch", 16),
        ("steps", 8), ("threads", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--loss", choices=("cross-entropy", "squared"), default="cross-entropy")
    parser.add_argument("--precision", choices=("double", "single"), default="double")
    parser.add_argument("--first", action="store_true")
    tell(parser.parse_args())


if __name__ == "__main__":
    main()
