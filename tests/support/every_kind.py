"""One small file of every kind of run that there is, for what reads files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import h5py
import numpy as np

from program import ProgramTest

MIXTURE = "{train: 60, test: 30, mixture: {dimension: 20, classes: 3, components: 2}}"

ALL_KEPT = """
measure:
  every: 10
  quantities: all
  final: [update_spectrum, weight_spectrum, accuracy_target, separation]
  snapshots: [0, 20, 35]
output: {checkpoint_every: 15, record: [data, batches, initial-weights]}
"""

SINGLE = f"""
name: single
data: {MIXTURE}
network: {{width: 300}}
training: {{batch: 8, steps: 43, rate: 1.0}}
{ALL_KEPT}
"""

GRAM = """
name: gram
model: arora
data: {train: 30, test: 20, mixture: {dimension: 12, classes: 2, components: 3}}
network: {width: 140}
training: {steps: 20, rate: 0.05}
measure:
  every: 6
  quantities: [loss, residual, train_outputs, test_outputs]
  final: [gram]
  snapshots: [0, 20]
gram: {eigenvectors: true}
output: {record: [data, initial-weights]}
"""

LAZY = """
name: lazy
model: arora
data:
  train: 60
  test: 20
  mixture: {dimension: 10, classes: 2, components: 2}
  labels: {kind: random}
network: {width: 260}
training: {steps: 50, rate: 0.03, engine: lazy}
measure: {every: 7, quantities: [loss, coupling], final: []}
output: {checkpoint_every: 20}
"""

DEEP = """
name: deep
model: zou-gu
data: {train: 24, test: 12, sphere: {dimension: 12, outputs: 3}}
network: {width: 70, depth: 3, train_output: true}
training: {method: sgd, batch: 8, steps: 12, rate: 0.1}
measure:
  every: 3
  quantities: [all, layer_gradient_norm, layer_spectral_distance, layer_trajectory_length]
  snapshots: [0, 8]
output: {checkpoint_every: 5, record: [data, initial-weights, batches]}
"""

BRUTZKUS = """
name: brutzkus
model: brutzkus
data: {source: mixture, mixture: {dimension: 40, separation: 1.0}, train: 50, test: 20}
network: {width: 100, train_output: true}
training: {epochs: 60, rate: 0.03}
measure: {every: 37, quantities: all, snapshots: [30, 2000]}
output: {checkpoint_every: 50, record: [data, initial-weights, batches]}
"""

REPLICAS = f"""
name: replicas
data: {MIXTURE}
network: {{width: 20}}
training: {{batch: 4, steps: 25, rate: 0.5, stop: {{test_accuracy: 0.9}}}}
measure: {{every: 10, quantities: [loss, test_accuracy], final: [update_spectrum, accuracy_target]}}
replicas: 30
sweep: {{network.width: [20, 30]}}
"""

# What is said of their loss differs.
LOSSES = """
name: losses
data: {train: 40, test: 20, mixture: {dimension: 10, classes: 2, components: 2}}
network: {width: 50}
training: {method: gd, steps: 10, rate: 0.01}
measure: {every: 5, quantities: [loss, test_accuracy], final: []}
sweep: {loss: [cross-entropy, squared], seed: [1, 2]}
"""

OWN_DATA = """
name: own
data: {source: hdf5, train: 25, test: 9, hdf5: {file: own.h5, train_targets: y, test_targets: z}}
loss: squared
network: {width: 40}
training: {method: gd, steps: 9, rate: 0.01}
measure: {every: 4, quantities: [loss, train_outputs, test_outputs], final: []}
output: {record: [data]}
"""


@dataclass(frozen=True)
class Kind:
    """How a file of one kind is made."""

    config: str
    options: tuple[str, ...] = ()
    code: int = 0
    ranks: Optional[int] = None


KINDS = {
    "single": Kind(SINGLE),
    "sweep": Kind(SINGLE + "sweep: {network.width: [100, 260], seed: [1, 2]}\n", ranks=2),
    "member": Kind(SINGLE + "sweep: {seed: [1, 2, 3]}\n", ("--member", "2")),
    "stopped": Kind(SINGLE, ("--until", "30"), code=75),
    "diverged": Kind(SINGLE, ("--set", "training.rate=1e300"), code=3),
    "precise": Kind(SINGLE, ("--set", "precision=single", "--set", "training.engine=window")),
    "samples": Kind(SINGLE, ("--set", "training.engine=samples")),
    "replicas": Kind(REPLICAS, ranks=2),
    "gram": Kind(GRAM),
    "worst-case": Kind(GRAM, ("--set", "data.labels.kind=worst-case")),
    "lazy": Kind(LAZY, ("--until", "30"), code=75),
    "deep": Kind(DEEP),
    "brutzkus": Kind(BRUTZKUS),
    "losses": Kind(LOSSES),
    "own-data": Kind(OWN_DATA),
}


def make_files(test: ProgramTest) -> dict[str, Path]:
    """A file of every kind in the folder of the test, by kind."""
    random = np.random.default_rng(3)
    with h5py.File(test.folder / "own.h5", "w") as file:
        file["train_inputs"] = random.normal(size=(25, 7))
        file["test_inputs"] = random.normal(size=(9, 7))
        file["y"], file["z"] = random.normal(size=25), random.normal(size=9)
    files = {
        name: test.train(kind.config, f"{name}.h5", *kind.options, ranks=kind.ranks, code=kind.code)
        for name, kind in KINDS.items()
    }
    # The Gram matrix alone, nothing trained; and weights that were built.
    (test.folder / "before.yaml").write_text(GRAM, encoding="utf-8")
    test.succeed("gram", "before.yaml", "-o", "before.h5")
    files["before"] = test.folder / "before.h5"
    settings = ("--set", "model=brutzkus", "--set", "data.train=40", "--set", "data.test=20")
    test.succeed("construct", "fit", *settings, "-o", "built.h5")
    files["built"] = test.folder / "built.h5"
    return files
