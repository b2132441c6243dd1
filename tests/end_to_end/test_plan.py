"""`widthwise plan`: what it tells beforehand is what a run then needs."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from program import FASHION, ProgramTest  # noqa: E402

BASE = """
name: planned
data: {train: 400, test: 200, mixture: {dimension: 500, classes: 4, components: 2}}
network: {width: 2000}
training: {batch: 32, steps: 2, rate: 1.0}
measure: {every: 2, quantities: [loss], final: []}
output: {checkpoint_every: 2}
"""

# Settings that make something large beside the weights, and the numbers of ranks to try.
KINDS = {
    "wide": (("network.width=30000",), (1, 3)),
    "many samples": (("data.train=12000", "data.test=4000", "network.width=500"), (3,)),
    "large batch": (("data.train=6000", "training.batch=6000"), (1,)),
    "whole train set": (("data.train=8000", "training.batch=8000", "network.width=500"), (3,)),
    "all quantities": (("measure.quantities=[all]", "data.test=3000"), (1,)),
    "spectra": (("measure.final=[update_spectrum]", "data.mixture.dimension=900"), (1, 3)),
    "separable subset": (
        ("data.mixture.classes=2", "data.subset.kind=separable", "data.subset.candidates=25000"),
        (1, 3),
    ),
    "record": (("output.record=[data, batches, initial-weights]", "network.width=8000"), (1,)),
}

# Engines that keep other things than weights, and threads that have rooms of their own.
ENGINE_KINDS = {
    "samples": (("training.engine=samples", "data.train=2500", "network.width=2500"), (1, 3)),
    "samples, large batch": (
        ("training.engine=samples", "precision=single", "data.train=3500", "training.batch=3000"),
        (3, 1),
    ),
    "window": (("training.engine=window", "precision=single", "network.width=30000"), (1, 3)),
    # Mostly products of samples, which a node has once.
    "lazy, many samples": (
        (
            *("model=arora", "training.engine=lazy", "training.method=sgd", "training.rate=1.0e-6"),
            *("data.train=2500", "data.mixture.classes=2", "network.width=512"),
        ),
        (1, 3),
    ),
}
# A batch of as many samples as a block has, so that rooms are large.
THREAD_KINDS = {
    "dense, 6 threads": (("training.batch=512", "data.train=600", "network.width=6000"), (2, 1)),
    "samples, 6 threads": (
        (
            *("training.engine=samples", "precision=single", "training.batch=512"),
            *("data.train=600", "network.width=6000"),
        ),
        (1, 2),
    ),
    "lazy, 6 threads": (
        (
            *("model=arora", "training.engine=lazy", "training.method=sgd", "training.rate=1.0e-6"),
            *("data.train=600", "data.mixture.classes=2", "network.width=6000"),
        ),
        (1, 2),
    ),
}

# Two classes, so that there is a Gram matrix of a network too, and few weights beside it.
GRAM = """
name: gram
model: arora
data: {train: 1200, test: 200, mixture: {dimension: 20, classes: 2, components: 2}}
network: {width: 128}
training: {steps: 2, rate: 0.001}
measure: {every: 1, quantities: [loss], final: [gram]}
"""

# Settings of the Gram matrix, and the numbers of ranks to try.
GRAM_KINDS = {
    "Gram matrix": ((), (1, 4)),
    "Gram matrix, one place": (
        ("gram.grid=[1, 1]", "gram.network=false", "data.train=2000"),
        (4,),
    ),
    "Gram matrix, kept": (("gram.eigenvectors=true", "gram.grid=[1, 2]"), (3,)),
    "Gram matrix, solves": (("gram.spectrum=none", "measure.snapshots=[0, 2]"), (3,)),
    "large blocks": (("gram.block=4096", "data.train=90"), (1,)),
}

# Weights of several hidden layers, in either precision, and what is beside them.
DEEP = """
name: deep
model: zou-gu
data: {train: 300, test: 100, sphere: {dimension: 200, outputs: 5}}
network: {width: 2000, depth: 3}
training: {method: sgd, batch: 32, steps: 2}
measure: {every: 2, quantities: [loss], final: []}
output: {checkpoint_every: 2}
"""

DEEP_KINDS = {
    "double": ((), (1, 3)),
    "single": (("precision=single", "network.width=3000"), (1, 3)),
    "spectral norms": (("measure.quantities=[loss, layer_spectral_distance]",), (1,)),
    "large batch": (("training.batch=3000", "data.train=3000", "network.width=600"), (3,)),
    "deep": (("network.depth=12", "network.width=700"), (1,)),
    "recorded": (("output.record=[initial-weights]", "measure.snapshots=[1]"), (3,)),
}

# Much like others of theirs: test_plan_long.py has them.
LONG_KINDS = {
    *("large batch", "record", "spectra", "samples, large batch", "samples, 6 threads"),
    *("Gram matrix, kept", "large blocks", "single", "spectral norms", "deep"),
}

UNITS = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def amount(text: str) -> float:
    """Bytes of "12.3 MB"."""
    number, unit = text.split()
    return float(number) * UNITS[unit]


def section(text: str, title: str) -> dict[str, float]:
    """Lines of bytes below a title, by what they say."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(title):
            break
    found = {}
    for line in lines:
        match = re.fullmatch(r"  (.*?) {2,}([\d.e+]+ [kMGT]?B)", line)
        if match is None:
            break
        found[match[1]] = amount(match[2])
    return found


class PlanTest(ProgramTest):
    """Plans against runs."""

    every_number = False  # of ranks is tried, and not every kind; test_plan_long.py does both

    def setUp(self) -> None:
        super().setUp()
        self.config = self.folder / "base.yaml"
        self.config.write_text(BASE, encoding="utf-8")

    def plan(
        self, *arguments: str, settings: tuple[str, ...] = (), ranks: int = 1, threads: int = 1
    ) -> str:
        """What the program plans for the configuration."""
        words = [word for setting in settings for word in ("--set", setting)]
        return self.succeed(
            "plan", self.config, *words, *arguments, ranks=ranks, threads=threads
        ).output

    def run_with(
        self, settings: tuple[str, ...], ranks: int, threads: int = 1
    ) -> tuple[float, float]:
        """Peak memory of all ranks of a run, and bytes of its file."""
        words = [word for setting in settings for word in ("--set", setting)]
        path = self.folder / "run.h5"
        output = self.succeed(
            "run", self.config, "-o", path, "-q", "--force", *words, ranks=ranks, threads=threads
        ).output
        peak = re.search(r"peak memory ([\d.e+-]+) GB", output)
        assert peak is not None
        return 1e9 * float(peak[1]), path.stat().st_size

    def check(
        self, kind: str, settings: tuple[str, ...], ranks: int, threads: int = 1
    ) -> tuple[float, float]:
        """Holds a plan against a run: memory within a tenth, the file within its alignment."""
        plan = self.plan(settings=settings, ranks=ranks, threads=threads)
        memory = section(plan, "memory of a rank")
        told = memory["in all"] if ranks == 1 else memory[f"on {ranks} ranks"]
        peak, size = self.run_with(settings, ranks, threads)
        self.assertLess(abs(told / peak - 1.0), 0.1, f"{kind}, {ranks} ranks\n{plan}")
        file = section(plan, "file")["in all"]
        self.assertLess(abs(file - size), 0.005 * size + 65536, f"{kind}\n{plan}")
        return told, peak

    def check_all(
        self, kinds: dict[str, tuple[tuple[str, ...], tuple[int, ...]]], threads: int = 1
    ) -> None:
        """Each kind of large thing on its numbers of ranks, or the last, with what was found."""
        print("\n  memory of all ranks: planned, measured, ratio")
        for kind, (settings, numbers) in kinds.items():
            if kind in LONG_KINDS and not self.every_number:
                continue
            for ranks in numbers if self.every_number else numbers[-1:]:
                with self.subTest(kind, ranks=ranks):
                    told, peak = self.check(kind, settings, ranks, threads)
                    print(
                        f"  {kind:22} {ranks} rank{'s' if ranks > 1 else ' '} "
                        f"{told / 1e6:7.1f} {peak / 1e6:7.1f} MB {told / peak:6.3f}"
                    )

    def test_memory_and_file(self) -> None:
        """Each kind of large thing."""
        self.check_all(KINDS)
        self.assertEqual(list(self.folder.glob(".widthwise*")), [])

    def test_memory_of_engines(self) -> None:
        """Those of one hidden layer, and several threads a rank, of which the plan tells."""
        self.check_all(ENGINE_KINDS)
        self.check_all(THREAD_KINDS, threads=6)
        settings = THREAD_KINDS["dense, 6 threads"][0]
        said, rooms = [], []
        for threads in (1, 6):
            text = self.plan("--no-calibration", "--ranks", "2", settings=settings, threads=threads)
            said.append(text.splitlines()[0])
            rooms.append(section(text, "memory of a rank")["room for steps"])
        self.assertEqual(said, [f"planned: 1 run on 2 ranks{of}" for of in ("", " of 6 threads")])
        # Each further one has pre-activations of a tile and its part of the outputs.
        self.assertGreater(rooms[1] - rooms[0], 5 * 512 * 256 * 8)

    def test_memory_of_deep_networks(self) -> None:
        """All layers, activations, and copies of W(0)."""
        self.config.write_text(DEEP, encoding="utf-8")
        self.check_all(DEEP_KINDS)
        self.assertEqual(list(self.folder.glob(".widthwise*")), [])

    def test_time_is_an_upper_bound_where_runs_can_end_early(self) -> None:
        """A run that stops by itself need not make all its steps."""
        said = "at most: this counts all steps"
        self.assertNotIn(said, self.plan())
        self.assertIn(said, self.plan(settings=("training.stop={loss: 0.1}",)))
        self.config.write_text("model: brutzkus\n", encoding="utf-8")
        self.assertIn(said, self.plan())
        self.assertNotIn(said, self.plan(settings=("training.stop_at_rest=false",)))

    def test_engine(self) -> None:
        """The one that the configuration leads to is told."""
        told = "B = 32, T = 2, engine dense (auto)\n"
        self.assertIn(told, self.plan("--no-calibration"))
        self.assertIn(
            told.replace("dense (auto)", "window"),
            self.plan("--no-calibration", settings=("training.engine=window",)),
        )
        self.config.write_text("model: brutzkus\ndata: {separable: {dimension: 64}}\n", "utf-8")
        self.assertIn("T = 1000000, engine window (auto)\n", self.plan("--no-calibration"))

    def test_memory_of_the_gram_matrix(self) -> None:
        """All ranks share it however few tiles there are, or those of the grid that is asked for."""
        self.config.write_text(GRAM, encoding="utf-8")
        self.check_all(GRAM_KINDS)

    def test_sums_agree(self) -> None:
        """A rank, a node and all ranks: with and without work for all of them."""
        self.config.write_text(GRAM, encoding="utf-8")
        whole = "in all, without program and libraries"
        for settings, alike in (((), True), (("gram.grid=[1, 1]",), False)):
            with self.subTest(settings=settings):
                text = self.plan(
                    *("--ranks", "4", "--ranks-per-node", "2", "--no-calibration"),
                    settings=settings,
                )
                memory = section(text, "memory of a rank")
                node, all_ranks = memory["on a node of 2 ranks"], memory["on 4 ranks"]
                self.assertGreaterEqual(node, 0.995 * memory[whole])
                self.assertGreaterEqual(all_ranks, 0.995 * node)
                if alike:
                    self.assertLess(abs(node / (2 * memory[whole]) - 1.0), 0.03, text)
                    self.assertLess(abs(all_ranks / (4 * memory[whole]) - 1.0), 0.03, text)
                else:  # only the first has anything of the matrix
                    self.assertLess(all_ranks, 1.1 * memory[whole], text)
        self.config.write_text(BASE, encoding="utf-8")  # ranks without a tile have next to nothing
        text = self.plan(
            *("--ranks", "4", "--ranks-per-node", "2", "--no-calibration"),
            settings=("network.width=100", "data.train=4000"),
        )
        memory = section(text, "memory of a rank")
        self.assertLessEqual(memory["on a node of 2 ranks"], memory["on 4 ranks"])
        self.assertLessEqual(memory["on a node of 2 ranks"], 2.005 * memory[whole])

    def test_limits_of_the_gram_matrix(self) -> None:
        """What ScaLAPACK cannot count on so many ranks is told with the number that would do."""
        self.config.write_text(GRAM, encoding="utf-8")
        settings = ("data.train=60000",)

        def planned(ranks: int, *more: str) -> str:
            return self.plan(
                *("--ranks", str(ranks), "--no-calibration"), settings=(*settings, *more)
            )

        text = planned(2)
        found = re.search(r"CANNOT BE DONE: .* takes (\d+) ranks or more", text)
        assert found is not None, text
        least = int(found[1])
        self.assertIn("CANNOT BE DONE", planned(least - 1))
        for more in (0, 1, 5):
            self.assertNotIn("CANNOT", planned(least + more))
        # Without eigenvectors fewer do.
        self.assertNotIn("CANNOT", planned(2, "gram.spectrum=values"))
        self.assertIn("gram.grid", planned(8, "gram.grid=[1, 1]"))
        text = self.plan("--ranks", "2", "--no-calibration", settings=("gram.grid=[2, 3]",))
        self.assertRegex(text, "CANNOT BE DONE: .*gram.grid.* 6 ranks or more")
        words = [word for setting in settings for word in ("--set", setting)]
        for command in ("run", "gram"):
            result = self.succeed(command, self.config, "-o", "none.h5", *words, code=2)
            self.assertIn(f"takes {least} ranks or more", result.errors)
            self.assertEqual(result.errors.count("widthwise: "), 1)
        self.assertFalse((self.folder / "none.h5").exists())

    def test_more_than_the_machine_has(self) -> None:
        """Of a plan for the ranks that there are it is told; other machines are not this one."""
        self.config.write_text(DEEP, encoding="utf-8")
        wide = ("network.width=20000000",)
        for ranks in (1, 2):
            text = self.plan("--no-calibration", settings=wide, ranks=ranks)
            self.assertRegex(text, r"DOES NOT FIT: this machine has [\d.]+ [kMGT]?B free")
            self.assertRegex(text, r"DOES NOT FIT into this folder, whose .* [kMGT]?B free")
        for more in (("--ranks", "4"), ("--memory-per-node", "100")):
            self.assertNotIn("this machine", self.plan("--no-calibration", *more, settings=wide))
        self.assertNotIn("FIT", self.plan("--no-calibration"))

    def test_worst_case_labels(self) -> None:
        """All ranks compute them, whatever the width."""
        self.config.write_text(GRAM, encoding="utf-8")
        room = []
        for ranks in ("1", "4"):
            text = self.plan(
                *("--ranks", ranks, "--no-calibration"),
                settings=("data.labels.kind=worst-case", "measure.final=[]", "data.train=8000"),
            )
            room.append(section(text, "memory")["room for worst-case labels, at first"])
        self.assertGreater(room[0], 8.0 * 8000**2)
        self.assertLess(room[1], 0.3 * room[0])

    def test_work_of_snapshots(self) -> None:
        """H(t) is measured at each of them."""
        self.config.write_text(GRAM, encoding="utf-8")
        work = []
        for steps in ("[]", "[0]", "[0, 1, 2]"):
            text = self.plan(
                *("--ranks", "3", "--no-calibration"),
                settings=(f"measure.snapshots={steps}", "gram.spectrum=none"),
            )
            found = re.search(r"([\d.e+]+) for results", text)
            assert found is not None, text
            work.append(float(found[1]))
        self.assertGreater(work[1] - work[0], 1200**3 / 3)
        self.assertLess(abs((work[2] - work[0]) / (work[1] - work[0]) - 3.0), 0.05)

    def test_more_ranks_than_there_are(self) -> None:
        """A plan for a cluster, made here: the weights of a rank are its share."""
        plan = self.plan(
            *("--ranks", "512", "--no-calibration"), settings=("network.width=10000000",)
        )
        memory = section(plan, "memory of a rank")
        tiles = -(-10_000_000 // 1024)
        units = -(-tiles // 512) * 1024
        self.assertLess(abs(memory["weights"] / (8.0 * units * 504) - 1.0), 0.005)
        self.assertIn("scaled from 1 to 4 ranks", self.plan("--ranks", "4"))

    def test_data_once_a_node(self) -> None:
        """Inputs count once on a node, the rest of the data set on every rank."""
        settings = ("data.train=20000", "network.width=1000000")
        inputs, labels = 20200 * 500 * 8, 20200 * 16
        whole = "in all, without program and libraries"
        for ranks, a_node, nodes in ((512, 64, 8), (500, 64, 8), (64, 64, 1), (4, 1, 4)):
            with self.subTest(ranks=ranks, a_node=a_node):
                where = ("--ranks", str(ranks), "--ranks-per-node", str(a_node))
                text = self.plan(*where, "--no-calibration", settings=settings)
                memory = section(text, "memory of a rank")
                name = "data set" if a_node == 1 else "data set, a rank's part of the node's"
                self.assertLess(abs(memory[name] / (inputs / a_node + labels) - 1.0), 0.005)
                if 1 < a_node < ranks:
                    # Some of its ranks have a tile less than the first.
                    told = memory[f"on a node of {a_node} ranks"]
                    self.assertLess(told, 1.005 * a_node * memory[whole])
                    self.assertGreater(told, 0.97 * a_node * memory[whole])
                # Each further node takes a copy, and further ranks of a node none.
                alone = ranks * (memory[whole] - inputs / a_node)
                if 1000000 / 1024 > ranks:  # ranks have unlike numbers of tiles
                    self.assertLess(memory[f"on {ranks} ranks"], 1.01 * (alone + nodes * inputs))
                    self.assertGreater(memory[f"on {ranks} ranks"], nodes * inputs)

    def test_peak_of_a_run(self) -> None:
        """What a run says it took has the inputs once, as the system counts them."""
        data = (
            *("data.train=12000", "data.test=4000", "network.width=500"),
            "measure.quantities=[loss, test_accuracy]",
        )
        one, _ = self.run_with(data, 1)
        three, _ = self.run_with(data, 3)
        inputs = 16000 * 500 * 8
        self.assertGreater(one, inputs)
        # Twice the rest of a rank, with the 4 MiB of inputs that a record arranges; no second copy.
        self.assertLess(three - one, 1.4 * inputs)

    def test_smallest_number_of_ranks(self) -> None:
        """The number that is told fits, and one less does not."""
        wide = ("network.width=1000000",)  # 4 GB of weights

        def node(ranks: int, a_node: int) -> float:
            where = ("--ranks", str(ranks), "--ranks-per-node", str(a_node))
            text = self.plan(*where, "--no-calibration", settings=wide)
            return min(ranks, a_node) * section(text, "memory of a rank")[
                "in all, without program and libraries"
            ]

        for room, a_node in ((8.0, 4), (2.0, 4), (0.5, 2)):
            with self.subTest(room=room):
                text = self.plan(
                    *("--memory-per-node", str(room), "--ranks-per-node", str(a_node)),
                    *("--no-calibration",),
                    settings=wide,
                )
                found = re.search(r"smallest number that fits .*: (\d+) on (\d+) node", text)
                assert found is not None, text
                ranks, nodes = int(found[1]), int(found[2])
                self.assertEqual(nodes, -(-ranks // a_node))
                self.assertLessEqual(node(ranks, a_node), 1.005e9 * room)
                if ranks > a_node:
                    self.assertGreater(node(ranks - 1, a_node), 0.995e9 * room)
        text = self.plan("--memory-per-node", "0.001", "--no-calibration", settings=wide)
        self.assertIn("NOTHING FITS", text)
        self.assertIn("1 IDLE", self.plan("--ranks", "17", "--no-calibration"))

    def test_step_size(self) -> None:
        """The bound is that of the kernel of the infinite network, computed by NumPy."""
        self.train(BASE, "data.h5", "--set", "output.record=[data]")
        with h5py.File(self.folder / "data.h5") as file:
            inputs = file["/record/run0000/train_inputs"][()]
        norms = np.linalg.norm(inputs, axis=1)
        products = inputs @ inputs.T
        angles = np.arccos(np.clip(products / np.outer(norms, norms), -1.0, 1.0))
        np.fill_diagonal(angles, 0.0)
        for slope in (0.0, 0.25):
            same = (1.0 + slope**2) * (np.pi - angles) / (2.0 * np.pi) + slope * angles / np.pi
            largest = np.linalg.eigvalsh(products * same)[-1]
            bound = 2.0 / (0.5 * 2000 * largest / len(inputs))
            leaky = ()
            if slope > 0.0:
                leaky = (
                    *("network.activation.kind=leaky-relu",),
                    f"network.activation.slope={slope}",
                )
            settings = ("training.rate_scaling=none", *leaky)
            for factor, warned in ((0.97, False), (1.03, True)):
                rate = (f"training.rate={factor * bound:.17g}", *settings)
                text = self.plan("--no-calibration", settings=rate)
                self.assertEqual("step size:" in text, warned, text)
            found = re.search(r"2 / lambda_max = ([\d.e+-]+)", text)
            assert found is not None
            self.assertLess(abs(float(found[1]) / bound - 1.0), 2e-3)

    def test_coincident_samples(self) -> None:
        """Samples in one direction are found, and said to contradict where labels differ."""
        rng = np.random.default_rng(3)
        inputs = rng.standard_normal((300, 12))
        labels = np.arange(300) % 3
        inputs[120] = 2.5 * inputs[30]  # both of class 0
        inputs[201] = inputs[77]  # of unlike classes
        inputs[250] = -inputs[10]  # the other way round: apart
        with h5py.File(self.folder / "made.h5", "w") as file:
            file["x"], file["y"] = inputs, labels
        settings = (
            *("data.source=hdf5", f"data.hdf5.file={self.folder / 'made.h5'}"),
            *("data.hdf5.train_inputs=x", "data.hdf5.train_labels=y"),
            *("data.hdf5.test_inputs=x", "data.hdf5.test_labels=y"),
            *("data.train=all", "data.test=all"),
        )
        self.config.write_text(
            "network: {width: 200}\ntraining: {batch: 8, steps: 2}\n", encoding="utf-8"
        )
        text = self.plan("--no-calibration", settings=settings)
        self.assertIn("n = 300 train and 300 test samples", text)
        self.assertIn(
            "2 of 300 train samples have the direction of another (first 30 and 120", text
        )
        self.assertIn("train samples 77 and 201 coincide and are of classes 2 and 0", text)

    def test_gradient_descent(self) -> None:
        """A batch of gd is the train set itself: no copies of it are planned."""
        self.config.write_text(
            BASE.replace("batch: 32", "method: gd")
            .replace("train: 400", "train: 9000")
            .replace("width: 2000", "width: 500"),
            encoding="utf-8",
        )
        told, peak = self.check("gradient descent", (), 1)
        sections = 4 * 128 * 500 * 24e-6  # MB: sums of a section of samples, and of all
        self.assertLess(told, 36e6 + 65e6 + 1e6 * sections)
        self.assertGreater(peak, 36e6)

    @unittest.skipUnless(FASHION.is_dir(), "dataset-fashion-mnist is not installed")
    def test_files_of_images(self) -> None:
        """The shape of compressed files is told without reading their images."""
        self.config.write_text(
            f"""
data:
  source: idx
  train: all
  test: all
  idx:
    train_images: {FASHION}/train-images-idx3-ubyte.gz
    train_labels: {FASHION}/train-labels-idx1-ubyte.gz
    test_images: {FASHION}/t10k-images-idx3-ubyte.gz
    test_labels: {FASHION}/t10k-labels-idx1-ubyte.gz
""",
            encoding="utf-8",
        )
        text = self.plan("--no-calibration")
        self.assertIn("d = 784, k = 10, n = 60000 train and 10000 test samples", text)
        memory = section(text, "memory of a rank")
        self.assertLess(abs(memory["data set"] / (70000 * 786 * 8) - 1.0), 0.005)

    def test_sweep(self) -> None:
        """The largest member decides about memory, all of them about the file."""
        self.config.write_text(
            BASE + "sweep: {network.width: [1000, 8000, 3000]}\n", encoding="utf-8"
        )
        text = self.plan()
        self.assertIn("largest: m = 8000", text)
        self.assertIn("3 runs, the first 3", text)
        path = self.folder / "sweep.h5"
        self.succeed("run", self.config, "-o", path, "-q")
        size = path.stat().st_size
        file = section(text, "file")["in all"]
        self.assertLess(abs(file - size), 0.005 * size + 65536, text)

    def test_refusals(self) -> None:
        """What is wrong is said in a sentence."""
        for words, sentence in (
            (("--memory-per-node", "much"), "--memory-per-node wants a number of gigabytes"),
            (("--memory-per-node", "-1"), "--memory-per-node wants a number of gigabytes"),
            (("--ranks", "99999999999"), "--ranks is 99999999999, more than"),
            (("--set", "training.batch=500"), "more than the 400 samples of data.train"),
            (("--set", "network.widht=5"), "did you mean network.width"),
        ):
            with self.subTest(words):
                result = self.succeed("plan", self.config, *words, ranks=2, code=2)
                self.assertEqual(result.errors.count("widthwise: "), 1)
                self.assertIn(sentence, result.errors)


if __name__ == "__main__":
    unittest.main()
