"""The experiments of jobs/: of which figure each is, what the paper says, and how it is made small.

`jobs/run-small` runs them all at a size that takes at most two minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import measured
from widthwise import File


@dataclass(frozen=True)
class Experiment:
    """A configuration of jobs/ and what it is for.

    job       its path below jobs/, without ending
    figure    figure or theorem, with its paper
    paper     what the paper says, or shows
    came_out  what a file of it says
    drawing   the figure that shows it, a name of catalogue.py
    small     settings that make it small; none where it is small as it stands
    differs   where it differs from the paper, in honest words
    """

    job: str
    figure: str
    paper: str
    came_out: Callable[[File], str]
    drawing: str
    small: tuple[str, ...] = ()
    differs: str = ""

    @property
    def name(self) -> str:
        """li-liang-figure4, the name of its files."""
        return self.job.replace("/", "-")


FASHION = "Fashion-MNIST stands in for MNIST"

EXPERIMENTS = (
    Experiment(
        "li-liang/figure1-widths", "Li & Liang, figure 1",
        "accuracy comes to 100% quickly; under 10% of the patterns change; the distance is under 0.1 and "
        "falls with m; 20 singular values of the update stand out, of the weights none",
        measured.four_panels, "four-panels",
        ("sweep.network.width=[500, 1000, 2000]", "sweep.seed=[1, 2, 3]"),
        "inputs are brought to norm 1, without which figures 1d and 5 do not come out",
    ),
    Experiment(
        "li-liang/figure2-fashion", "Li & Liang, figure 2",
        "MNIST: the same as in figure 1, less pronounced",
        measured.four_panels, "four-panels",
        ("training.steps=2000", "measure.every=100", "sweep={network.width: [250, 500, 1000, 2000]}"),
        f"{FASHION}: accuracy ends below 0.9, and nearly half of the patterns change",
    ),
    Experiment(
        "li-liang/xor", "Li & Liang, figure 3",
        "with l = 2 components a class assumption A1 holds, with l = 1 it does not",
        measured.samples_in_the_plane, "data",
    ),
    Experiment(
        "li-liang/figure4", "Li & Liang, figures 4 and 5",
        "steps to 98% are about the same at all m; the distance there is close to 2/(3√m) = 0.67/√m",
        measured.accuracy_target, "accuracy-target",
        ("sweep.network.width=[500, 1000, 2000, 4000, 8000]",),
        "accuracy is looked at every 10 steps; looked at every step the distance is 0.46 to 0.54/√m",
    ),
    Experiment(
        "li-liang/figure4-fashion", "Li & Liang, figures 4 and 5, images",
        "MNIST, 95%: steps about the same, distance close to 8/√m",
        measured.accuracy_target, "accuracy-target", ("sweep.seed=[1]",),
        f"{FASHION}, to 85%: it takes about twice the paper's distance, and more steps at m = 250",
    ),
    Experiment(
        "li-liang/figure6", "Li & Liang, figure 6",
        "accuracy falls with σ and takes longer; coupling, distance and rank keep their trend",
        measured.harder, "variances", ("sweep.seed=[1, 2, 3]",),
        "at the end of 400 steps it falls by more than 0.1% only from σ = 15 on",
    ),
    Experiment(
        "li-liang/figure7", "Li & Liang, figure 7",
        "accuracy falls with l and takes longer; coupling is stronger, the distance at the same step smaller",
        measured.harder, "components", ("sweep.seed=[1, 2, 3]",),
        "after 50 steps or so the distance is larger with larger l, not smaller",
    ),
    Experiment(
        "li-liang/random-labels", "Li & Liang, section 4",
        "random labels take longer and farther than structured ones",
        measured.random_labels, "random-labels", ("sweep.seed=[1]", "network.width=500"),
        "the paper shows no experiment",
    ),
    Experiment(
        "arora/figure1-fashion", "Arora et al., figure 1",
        "true labels converge faster than random ones, the worst case hardly; true labels lie on the "
        "first eigenvectors, random ones on all alike",
        measured.convergence, "convergence", ("data.train=500", "data.test=500"),
        f"{FASHION}; with κ = 0.01 patterns change, and small eigenvalues take longer than (8) says",
    ),
    Experiment(
        "arora/figure2-fashion", "Arora et al., figure 2",
        "complexity (10) rises as the test error does when more labels are random",
        measured.complexity, "complexity",
        ("data.train=100", "training.rate=0.05", "training.stop={loss: 2.5}"),
        f"{FASHION}; test labels are as noisy as train labels, which the paper does not tell",
    ),
    Experiment(
        "arora/movement", "Arora et al., lemma 5.3",
        "the distance is at most √(y'H⁻¹y) and smaller terms, whatever m; units move by O(m^-1/2)",
        measured.movement, "movement", (),
        "the paper shows no experiment",
    ),
    Experiment(
        "arora/width", "Arora et al., theorem 4.1",
        "outputs follow the linear sequence (7) for m large",
        measured.deviations, "width", (), "the paper shows no experiment",
    ),
    Experiment(
        "arora/functions", "Arora et al., theorem 6.1",
        "√(y'H⁻¹y) stays below a bound that does not depend on n",
        measured.functions, "functions", (), "the paper shows no experiment",
    ),
    Experiment(
        "brutzkus/figure1-fashion", "Brutzkus et al., figure 1",
        "40 runs for each of 10, 100, 1000 units: all reach a global minimum and generalize alike",
        measured.separable, "separable", ("replicas=3",),
        f"{FASHION}: the part of two classes that one hyperplane separates",
    ),
    Experiment(
        "brutzkus/figure2-fashion", "Brutzkus et al., figure 2",
        "both layers trained: the same performance",
        measured.separable, "separable", ("replicas=3",), FASHION,
    ),
    Experiment(
        "brutzkus/figure3-fashion", "Brutzkus et al., figure 3",
        "with a rate for each width v_t/v_0 stays above 0",
        measured.separable, "separable", ("replicas=3",), f"{FASHION}; the paper does not tell its rates",
    ),
    Experiment(
        "brutzkus/rates", "Brutzkus et al., corollary 3",
        "the bound on updates falls with the rate",
        measured.rates, "rates", ("replicas=3",), "beyond η = 10 updates scatter by a factor of two between runs, and hardly fall",
    ),
    Experiment(
        "brutzkus/theorem9", "Brutzkus et al., theorem 9",
        "with probability 1 - δ = 90% training fails below one threshold of units and succeeds above another",
        measured.successes, "successes",
    ),
    Experiment(
        "brutzkus/theorem10", "Brutzkus et al., theorem 10",
        "the updates on this sequence lie between the lower bound and that of theorem 2",
        measured.lower_bound, "lower-bound",
    ),
    Experiment(
        "zou-gu/rate", "Zou & Gu, theorem 3.3",
        "the train loss falls at a linear rate at any depth, and the gradient is bounded from below",
        measured.linear_rate, "rate", (), "the paper shows no experiment",
    ),
    Experiment(
        "zou-gu/width", "Zou & Gu, lemma 4.2",
        "lengths of trajectories are O(m^-1/2)",
        measured.lengths, "length",
        ("sweep.network.width=[256, 512, 1024, 2048]",),
        "the paper shows no experiment; they fall a little faster than the bound",
    ),
    Experiment(
        "zou-gu/separation", "Zou & Gu, proposition 3.6",
        "λ_min is at least C φ/n²",
        measured.separation, "separation",
        ("sweep.seeds.weights=[1]",),
        "the paper shows no experiment; at 512 units the rate falls faster than λ_min",
    ),
    Experiment(
        "zou-gu/separation", "Zou & Gu, section 4.1, gradient regions",
        "regions of different samples are disjoint, so that their union has n times the units of one",
        measured.regions, "regions",
        ("sweep.seeds.weights=[1]",),
        "the paper shows a drawing of them",
    ),
    Experiment(
        "zou-gu/table1", "Zou & Gu, table 1",
        "asks for less width and fewer iterations than others for deep ReLU networks",
        measured.table1, "table1", (), "with all constants 1, on one data set",
    ),
    Experiment(
        "zou-gu/depth", "Zou & Gu, theorem 3.3, depth",
        "O(n² L² log(1/ε)/φ) iterations",
        measured.linear_rate, "depth",
        ("network.width=256", "sweep.network.depth=[1, 2, 4, 8]", "sweep.seeds.weights=[1]"),
        "the paper shows no experiment; the rate falls like L^-0.8, not L^-2",
    ),
    Experiment(
        "zou-gu/sgd", "Zou & Gu, theorem 3.8",
        "larger batches need fewer iterations",
        measured.batches, "sgd", ("sweep.seeds.batches=[1]",),
        "the paper shows no experiment; at the step size of gradient descent the batch does not matter",
    ),
    Experiment(
        "zou-gu/arcs", "Zou & Gu, assumption 3.2",
        "nearly parallel samples need width like φ^-4",
        measured.narrow, "arcs", ("sweep.seeds.weights=[1]",),
        "the paper shows no experiment",
    ),
    Experiment(
        "zou-gu/top-layer", "Zou & Gu, section 4.3",
        "training the top layer too can only speed convergence up",
        measured.gain_of_top_layer, "rate", (), "the paper shows no experiment",
    ),
    Experiment(
        "zou-gu/fashion", "Zou & Gu on images",
        "assumptions hold for images of norm 1",
        measured.accuracies, "overview", ("training.steps=50", "sweep.network.width=[256, 512, 1024]"),
        "the paper shows no experiment",
    ),
)
