#!/usr/bin/python3
"""Draws the figures that a file of Widthwise holds, as PNG and PDF.

    python3 analysis/figures.py results/figure1.h5
    python3 analysis/figures.py results/figure1.h5 --out figures --only four-panels
    python3 analysis/figures.py results/figure1.h5 --list
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

import matplotlib.figure

import arora
import arora_widths
import brutzkus
import li_liang
import style
import zou_gu
import zou_gu_data
from averages import trajectory_band
from widthwise import File, FormatError, group_members
from widthwise import open as open_file


@dataclass(frozen=True)
class Drawing:
    """A figure by name: what it shows, whether a file holds enough for it, and how it is drawn.

    With a `model` it is drawn for runs of that preset, and for others when asked for.
    """

    name: str
    description: str
    possible: Callable[[File], bool]
    draw: Callable[[File], matplotlib.figure.Figure]
    model: Optional[str] = None


def scalar_quantities(file: File) -> list[str]:
    """Names of the scalar quantities that some run has values of, in the order of the file."""
    names = dict.fromkeys(name for member in file.trainings for name in member.trajectory)
    names.pop("step", None)
    return [name for name in names if trajectory_band(file.trainings, name) is not None]


def draw_quantities(file: File) -> matplotlib.figure.Figure:
    """Every scalar quantity against the step, a panel each."""
    groups = group_members(file.trainings)
    names = scalar_quantities(file)
    figure, axes = style.panels(len(names))
    for panel, name in zip(axes, names):
        for number, (label, members) in enumerate(groups.items()):
            band = trajectory_band(members, name)
            if band is not None:
                look = style.curve(number, len(groups))
                li_liang.draw_band(panel, band, look, li_liang.caption(label, members))
        units = next(
            member.trajectory.units(name) for member in file.trainings if name in member.trajectory
        )
        panel.set_title(name.replace("_", " "))
        panel.set_xlabel("step")
        panel.set_ylabel("" if units == "1" else units)
    axes[0].legend(loc="best")
    return figure


DRAWINGS = (
    Drawing(
        "four-panels",
        "Li & Liang figures 1 and 2: accuracy, coupling, distance and spectra",
        li_liang.can_draw_four_panels,
        li_liang.four_panels,
        "li-liang",
    ),
    Drawing(
        "accuracy-target",
        "Li & Liang figures 4 and 5: steps and distance at an accuracy",
        li_liang.can_draw_target,
        li_liang.target,
        "li-liang",
    ),
    Drawing(
        "random-labels",
        "Li & Liang section 4: structured and random labels side by side",
        li_liang.can_draw_random_labels,
        li_liang.random_labels,
        "li-liang",
    ),
    Drawing(
        "convergence",
        "Arora et al. figure 1: residuals, eigenvalues and projections of labels",
        arora.can_draw_convergence,
        arora.convergence,
        "arora",
    ),
    Drawing(
        "complexity",
        "Arora et al. figure 2: test error and complexity as labels become random",
        arora.can_draw_complexity,
        arora.complexity,
        "arora",
    ),
    Drawing(
        "movement",
        "Arora et al. lemma 5.3: how far weights move, over widths",
        arora_widths.can_draw_movement,
        arora_widths.movement,
        "arora",
    ),
    Drawing(
        "width",
        "Arora et al. theorem 4.1: distance from the linear sequences, over widths",
        arora_widths.can_draw_width,
        arora_widths.width,
        "arora",
    ),
    Drawing(
        "functions",
        "Arora et al. theorem 6.1: functions and their bounds, over sample sizes",
        arora.can_draw_functions,
        arora.functions,
        "arora",
    ),
    Drawing(
        "separable",
        "Brutzkus et al. figures 1 to 3: errors on separable data, over widths",
        brutzkus.can_draw_separable,
        brutzkus.separable,
        "brutzkus",
    ),
    Drawing(
        "rates",
        "Brutzkus et al. corollary 3: updates over rates, with their bounds",
        brutzkus.can_draw_rates,
        brutzkus.rates,
        "brutzkus",
    ),
    Drawing(
        "successes",
        "Brutzkus et al. theorem 9: share of starts that end in a global minimum",
        brutzkus.can_draw_successes,
        brutzkus.successes,
        "brutzkus",
    ),
    Drawing(
        "lower-bound",
        "Brutzkus et al. theorem 10: updates between the two bounds",
        brutzkus.can_draw_lower_bound,
        brutzkus.lower_bound,
        "brutzkus",
    ),
    Drawing(
        "rate",
        "Zou & Gu theorem 3.3: train loss on a line, over depths",
        zou_gu.can_draw_rate,
        zou_gu.rate,
        "zou-gu",
    ),
    Drawing(
        "length",
        "Zou & Gu lemma 4.2: lengths of trajectories, over widths",
        zou_gu.can_draw_length,
        zou_gu.length,
        "zou-gu",
    ),
    Drawing(
        "depth",
        "Zou & Gu theorem 3.3: rates over depths",
        zou_gu.can_draw_depth,
        zou_gu.depth,
        "zou-gu",
    ),
    Drawing(
        "separation",
        "Zou & Gu proposition 3.6: rates over the separation of samples",
        zou_gu_data.can_draw_separation,
        zou_gu_data.separation,
        "zou-gu",
    ),
    Drawing(
        "arcs",
        "Zou & Gu: samples in nearly parallel directions, over widths",
        zou_gu_data.can_draw_arcs,
        zou_gu_data.arcs,
        "zou-gu",
    ),
    Drawing(
        "regions",
        "Zou & Gu section 4.1: gradient regions, one and all",
        zou_gu_data.can_draw_regions,
        zou_gu_data.regions,
        "zou-gu",
    ),
    Drawing(
        "sgd",
        "Zou & Gu theorem 3.8: stochastic gradient descent, over batches",
        zou_gu.can_draw_sgd,
        zou_gu.sgd,
        "zou-gu",
    ),
    Drawing(
        "quantities",
        "every scalar quantity against the step",
        lambda file: bool(scalar_quantities(file)),
        draw_quantities,
    ),
)


def choose(file: File, only: Optional[str]) -> list[Drawing]:
    """The figures to draw: the one asked for, else those of the paper, else the plain one."""
    possible = [drawing for drawing in DRAWINGS if drawing.possible(file)]
    if only is not None:
        return [drawing for drawing in possible if drawing.name == only]
    models = {member.parameters.get("model") for member in file.trainings}
    papers = [drawing for drawing in possible if drawing.model in models]
    return papers or [drawing for drawing in possible if drawing.model is None]


def save(figure: matplotlib.figure.Figure, stem: Path) -> list[Path]:
    """Writes a figure as PNG and PDF; a fixed date keeps equal figures equal byte by byte."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "pdf")]
    figure.savefig(paths[0])
    figure.savefig(paths[1], metadata={"CreationDate": None})
    style.plt.close(figure)
    return paths


def parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draws the figures that a Widthwise file holds.")
    parser.add_argument("file", metavar="FILE", help="an HDF5 file of `widthwise run`")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="where the figures go (default: beside FILE)"
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        choices=[drawing.name for drawing in DRAWINGS],
        help="draw this one: " + ", ".join(drawing.name for drawing in DRAWINGS),
    )
    parser.add_argument("--list", action="store_true", help="say what FILE holds enough for")
    return parser.parse_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parse(arguments)
    style.use()
    try:
        with open_file(options.file) as file:
            if options.list:
                for drawing in DRAWINGS:
                    if drawing.possible(file):
                        print(f"{drawing.name:16} {drawing.description}")
                return 0
            chosen = choose(file, options.only)
            if not chosen:
                what = f"figure {options.only}" if options.only else "any figure"
                print(f"{options.file}: holds nothing yet that {what} could show", file=sys.stderr)
                return 1
            folder = options.out or Path(options.file).resolve().parent
            folder.mkdir(parents=True, exist_ok=True)
            for drawing in chosen:
                stem = folder / f"{Path(options.file).stem}-{drawing.name}"
                for path in save(drawing.draw(file), stem):
                    print(path)
    except (FormatError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
