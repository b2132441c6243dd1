"""`widthwise theory`, and what Zou & Gu (2019) predict for a run, against NumPy on recorded data."""

from __future__ import annotations

import math
import re
import sys
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from gram_reference import kernel  # noqa: E402
from program import SOURCE, ProgramTest, Result  # noqa: E402

DEEP = """
model: zou-gu
name: deep
seeds: {data: 5}
data: {train: 30, test: 10, sphere: {dimension: 8, outputs: 2, separation: 0.25}}
network: {width: 200, depth: 3}
training: {steps: 20}
measure: {every: 10, quantities: [loss]}
output: {record: [data]}
"""

NUMBER = r"(inf|-?\d[\d.e+-]*)"


def values(told: str) -> dict[str, float]:
    """The lines of name, value, formula and source."""
    found = re.findall(rf"^  ([a-z][a-z0-9_]+) +{NUMBER} ", told, re.MULTILINE)
    return {name: float(value) for name, value in found}


def solve_width(factor: float) -> float:
    """The larger m with m = factor log^3 m, by iteration."""
    logarithm = math.log(factor) + 100
    for _ in range(10000):
        logarithm = math.log(factor) + 3 * math.log(logarithm)
    return math.exp(logarithm)


class TheoryTest(ProgramTest):
    """Predictions, printed and stored."""

    def told(self, config: str, *more: str, ranks: Optional[int] = None) -> Result:
        """What `theory` says of a configuration."""
        path = self.folder / "theory.yaml"
        path.write_text(config, encoding="utf-8")
        return self.succeed("theory", path, *more, ranks=ranks)

    def expected(self, inputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Some predictions of DEEP, from its data alone."""
        n, k, depth, m, accuracy = 30, 2, 3, 200, math.log(1000)
        distances = np.linalg.norm(inputs[:, None] - inputs[None], axis=2)
        phi = np.min(distances[np.triu_indices(n, 1)])
        norm = np.linalg.norm(inputs, 2)
        two_layer = np.linalg.eigvalsh(kernel(inputs, inputs))
        last = np.linalg.eigvalsh(kernel(inputs, inputs, 0.0, depth))
        every = np.linalg.eigvalsh(kernel(inputs, inputs, 0.0, depth, True))
        rate = k / (depth**2 * m)
        return {
            "separation": phi,
            "data_spectral_norm": norm,
            "two_layer_lambda_min": two_layer[0],
            "last_layer_lambda_min": last[0],
            "all_layers_lambda_min": every[0],
            "all_layers_lambda_max": every[-1],
            "gd_width": solve_width(k * n**8 * depth**12 / phi**4),
            "gd_rate": rate,
            "two_layer_gd_iterations": n**2 * accuracy / phi,
            "lambda_min_constant": two_layer[0] * n**2 / phi,
            "region_radius": phi**1.5 / n**3 / depth**6 / math.log(m) ** 1.5,
            "trajectory_bound": math.sqrt(k * n**2 * math.log(n) / (m * phi)),
            "start_loss_expected": (np.sum(inputs**2) + np.sum(targets**2)) / (2 * n),
            "loss_contraction_bound": 1 - m * phi * rate / (k * n**2),
            "kernel_contraction": (1 - rate * m / k * every[0] / n) ** 2,
            "kernel_stable_rate": 2 * n * k / (m * every[-1]),
        }

    def test_stored_is_numpy_of_recorded_data(self) -> None:
        """phi, ||X||_2, spectra and what follows; the same bits on 1, 2 and 3 ranks."""
        files = [self.train(DEEP, f"deep{ranks}.h5", ranks=ranks) for ranks in (1, 2, 3)]
        with h5py.File(files[0]) as file:
            record = file["/record/run0000"]
            theory = file["/runs/run0000/theory"]
            expected = self.expected(record["train_inputs"][()], record["train_targets"][()])
            stored = {name: float(dataset[()]) for name, dataset in theory.items()}
            loss = float(file["/runs/run0000/trajectory/loss"][0])
            for name, value in expected.items():
                tolerance = 1e-6 if name == "data_spectral_norm" else 1e-8
                self.assertLess(abs(stored[name] / value - 1), tolerance, name)
            self.assertLess(abs(stored["separation"] - 0.25), 1e-15)
            self.assertAlmostEqual(
                stored["trajectory_bound_by_loss"] / math.sqrt(2 * 900 * loss / (200 * 0.25)), 1, 12
            )
            for dataset in theory.values():
                self.assertIn("ZG", dataset.attrs["source"].decode())
        for other in files[1:]:
            with h5py.File(other) as file:
                again = {k: float(v[()]) for k, v in file["/runs/run0000/theory"].items()}
            self.assertEqual(stored, again)
        # The command tells the same of the same data, but for what takes a trajectory.
        told = values(self.told(DEEP).output)
        for name, value in stored.items():
            if name in told and "by_loss" not in name and "allen_zhu_trajectory" not in name:
                self.assertLess(abs(told[name] / value - 1), 1e-4, name)

    def test_table_on_several_ranks(self) -> None:
        """Table 1 has its six rows, and every rank count tells the same."""
        alone = self.told(DEEP).output
        for row in ("Du et al. [11]", "Wu et al. [19]", "Oymak & Soltanolkotabi [17]",
                    "Du et al. [9]", "Allen-Zhu et al. [2]", "this paper"):
            self.assertEqual(len(re.findall(rf"^  {re.escape(row)} ", alone, re.MULTILINE)), 1, row)
        for ranks in (2, 3):
            self.assertEqual(self.told(DEEP, ranks=ranks).output, alone)
        width, iterations = re.findall(
            rf"this paper +{NUMBER} +k n\^8 L\^12 / phi\^4 +{NUMBER} ", alone
        )[0]
        self.assertLess(abs(float(width) / (2 * 30**8 * 3**12 / 0.25**4) - 1), 1e-4)
        self.assertLess(abs(float(iterations) / (900 * 9 * math.log(1000) / 0.25) - 1), 1e-4)

    def test_many_samples(self) -> None:
        """Spectra of many samples are computed by request alone, on all ranks."""
        many = ("--set", "data.train=2100", "--set", "data.sphere.separation=0.1")
        without = self.told(DEEP, *many).output
        self.assertIn("--gram does", without)
        self.assertNotIn("all_layers_lambda_min", values(without))
        asked = values(self.told(DEEP, *many, "--gram", ranks=2).output)
        self.assertGreater(asked["all_layers_lambda_min"], asked["last_layer_lambda_min"])
        self.assertEqual(asked["separation"], 0.1)

    def test_samples_that_coincide(self) -> None:
        """phi = 0: bounds are infinite, and a run says which samples they are."""
        with h5py.File(self.folder / "twice.hdf5", "w") as file:
            inputs = np.random.default_rng(1).standard_normal((8, 4))
            inputs[5] = 2 * inputs[2]
            for part in ("train", "test"):
                file[f"{part}_inputs"], file[f"{part}_labels"] = inputs, np.arange(8) % 2
        config = (
            "model: zou-gu\nname: twice\n"
            "data: {source: hdf5, hdf5: {file: twice.hdf5}, train: all, test: all}\n"
            "network: {width: 64, depth: 2}\ntraining: {steps: 2}\nmeasure: {quantities: [loss]}\n"
        )
        told = values(self.told(config).output)
        self.assertEqual(told["separation"], 0)
        self.assertEqual(told["gd_width"], math.inf)
        self.assertEqual(told["two_layer_lambda_min"], 0)
        (self.folder / "run.yaml").write_text(config, encoding="utf-8")
        ran = self.succeed("run", "run.yaml", ranks=2)
        self.assertIn("separation (ZG assumption 3.2): 1 of 8", ran.text)
        self.assertIn("first 2 and 5", ran.text)

    def test_assumptions_that_are_not_met(self) -> None:
        """A run and a plan say what of the data is not as the theorems have it."""
        config = (
            "model: zou-gu\nname: other\ndata: {source: mixture, train: 20, test: 5, normalize: "
            "none,\n  mixture: {dimension: 6}}\n"
            "network: {width: 64}\ntraining: {steps: 2}\nmeasure: {quantities: [loss]}\n"
        )
        (self.folder / "run.yaml").write_text(config, encoding="utf-8")
        for command in (("run", "run.yaml"), ("plan", "run.yaml", "--no-calibration")):
            told = self.succeed(*command).text
            self.assertIn("norms (ZG assumption 3.1): 20 of 20", told)
            self.assertIn("last coordinate (ZG assumption 3.1): it goes from", told)
        good = self.succeed("run", "run.yaml", "--force", "--set", "data.normalize=sphere").text
        self.assertNotIn("assumption", good)

    def test_other_models_and_shipped_jobs(self) -> None:
        """What the other papers predict before training; every job without files of its own."""
        self.assertIn("distance_at_accuracy", self.succeed("theory").output)
        arora = self.succeed("theory", "--set", "model=arora", "--set", "data.train=200").output
        self.assertIn("generalization_bound", values(arora))
        self.assertGreater(values(arora)["theorem_width"], 1e6)
        jobs = sorted((SOURCE / "jobs").glob("*/*.yaml"))
        self.assertGreater(len(jobs), 15)
        for job in jobs:
            if any(word in job.name for word in ("fashion", "cifar", "rates", "own-data")):
                continue
            told = self.succeed("theory", job).output
            self.assertIn("constants that the papers leave open are 1", told, job)


if __name__ == "__main__":
    unittest.main()
