"""All figures by name, and which of them a file holds.

A file says by itself whose experiment it is: by the preset of its runs, by what its sweep goes over and
by what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, Optional

import matplotlib.figure

import arora
import arora_widths
import brutzkus
import li_liang
import li_liang_data
import overview
import zou_gu
import zou_gu_data
from widthwise import File, group_members


@dataclass(frozen=True)
class Drawing:
    """A figure by name: what it shows, whether a file holds enough for it, and how it is drawn.

    With a `model` it is drawn for runs of that preset, and for others when asked for; and only when
    asked for where it is not `by_default`.
    """

    name: str
    description: str
    possible: Callable[[File], bool]
    draw: Callable[[File], matplotlib.figure.Figure]
    model: Optional[str] = None
    by_default: Callable[[File], bool] = lambda _: True


DRAWINGS = (
    Drawing(
        "four-panels",
        "Li & Liang figures 1 and 2, panels of 6 and 7: accuracy, coupling, distance, spectra",
        li_liang.can_draw_four_panels,
        li_liang.four_panels,
        "li-liang",
        lambda file: not li_liang.ends_at_target(file),
    ),
    Drawing(
        "accuracy-target",
        "Li & Liang figures 4 and 5: steps and distance at an accuracy",
        li_liang.can_draw_target,
        li_liang.target,
        "li-liang",
    ),
    Drawing(
        "data",
        "Li & Liang figure 3: samples in the plane, and assumption A1",
        li_liang_data.can_draw_data,
        li_liang_data.data,
        "li-liang",
    ),
    Drawing(
        "variances",
        "Li & Liang figure 6: accuracy at 20 steps, over variances of the data",
        partial(li_liang_data.can_draw_harder, li_liang_data.VARIANCES),
        li_liang_data.harder,
        "li-liang",
    ),
    Drawing(
        "components",
        "Li & Liang figure 7: accuracy at 20 steps, over components of a class",
        partial(li_liang_data.can_draw_harder, li_liang_data.COMPONENTS),
        li_liang_data.harder,
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
        "table1",
        "Zou & Gu table 1: widths and iterations that six papers ask for",
        zou_gu_data.can_draw_table1,
        zou_gu_data.table1,
        "zou-gu",
        lambda file: len(group_members(file.trainings)) == 1,
    ),
    Drawing(
        "sgd",
        "Zou & Gu theorem 3.8: stochastic gradient descent, over batches",
        zou_gu.can_draw_sgd,
        zou_gu.sgd,
        "zou-gu",
    ),
    Drawing(
        "overview",
        "one page: what ran, quantities against the step, and the last numbers",
        lambda file: bool(overview.scalar_quantities(file)),
        overview.draw,
    ),
)


def named(name: str) -> Drawing:
    """The drawing of that name."""
    return next(drawing for drawing in DRAWINGS if drawing.name == name)


def possible(file: File) -> list[Drawing]:
    """All figures that the file holds enough for."""
    return [drawing for drawing in DRAWINGS if drawing.possible(file)]


def choose(file: File, only: Optional[str]) -> list[Drawing]:
    """The figures to draw: the one asked for, else those of the paper, else the plain one."""
    if only is not None:
        return [drawing for drawing in (named(only),) if drawing.possible(file)]
    models = {member.parameters.get("model") for member in file.members}
    papers = [
        drawing
        for drawing in DRAWINGS
        if drawing.model in models and drawing.by_default(file) and drawing.possible(file)
    ]
    if papers:
        return papers
    return [drawing for drawing in DRAWINGS if drawing.model is None and drawing.possible(file)]
