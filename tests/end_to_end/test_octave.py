"""Octave reads every dataset of every kind of file, bit by bit, and widthwise_load hands out what
the Python reader does.

Where MATLAB would read by its own functions, functions of those names stand in for them: what
widthwise_load makes of them is tested, MATLAB itself is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import unittest
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import h5py  # noqa: E402
import matplotlib.image  # noqa: E402
import numpy as np  # noqa: E402
from compare import datasets  # noqa: E402
from every_kind import LOSSES, SINGLE, make_files  # noqa: E402
from processes import kill_all, start  # noqa: E402
from program import SOURCE, ProgramTest, Result, execute  # noqa: E402

import widthwise  # noqa: E402

OCTAVE = shutil.which("octave-cli")
SUPPORT = SOURCE / "tests" / "support" / "octave"
STATES = ("not begun", "running or interrupted", "done", "diverged", "stopped early", "failed")
LARGE = ("weights", "snapshots", "eigenvectors", "record")

Lines = dict[str, tuple[str, str]]  # type and checksum by path


def md5(content: bytes) -> str:
    """As hash('md5', ...) of Octave."""
    return hashlib.md5(content).hexdigest()


def text_sum(rows: Sequence[bytes]) -> str:
    """As checksum.m has it of texts."""
    return md5(b"\n".join(row.rstrip(b" \0") for row in rows))


def seen_by_octave(dataset: h5py.Dataset) -> tuple[str, str]:
    """Type and checksum that Octave must find."""
    values = dataset[()]
    if values.dtype.kind == "S":
        return "char", text_sum(np.atleast_1d(values).tolist())
    kind = {"i8": "int64", "f8": "double"}[values.dtype.str[1:]]
    return kind, md5(np.ascontiguousarray(values).tobytes())


def reversed_shape(shape: Sequence[int], is_column: bool) -> str:
    """Size of an array in Octave: axes reversed, at least two, none of length 1 at the end."""
    extents = list(shape)[::-1]
    if is_column and sum(extent != 1 for extent in extents) <= 1:
        extents = [int(np.prod(extents)), 1]
    extents += [1] * (2 - len(extents))
    while len(extents) > 2 and extents[-1] == 1:
        extents.pop()
    return "x".join(map(str, extents))


def array_line(values: Any, is_column: bool = True) -> tuple[str, str]:
    """What dump_results.m must print of numbers: doubles, integers too."""
    numbers = np.asarray(values, dtype=np.float64)
    content = md5(np.ascontiguousarray(numbers).tobytes())
    return f"double {reversed_shape(numbers.shape, is_column)}", content


def text_line(text: str) -> tuple[str, str]:
    """The same of a text."""
    return "text", md5(text.encode("ascii"))


def table_lines(place: str, table: Mapping[str, Any], is_column: bool = True) -> Lines:
    """The same of all that a table of the Python reader holds."""
    return {
        f"{place}/{name}": array_line(table[name], is_column or np.ndim(table[name]) <= 1)
        for name in table
    }


def large_lines(run: widthwise.Member) -> Lines:
    """The same of what widthwise_load reads when asked for."""
    lines = table_lines("/record", run.record, is_column=False)
    if run.eigenvectors is not None:
        lines["/eigenvectors"] = array_line(run.eigenvectors, False)
    checkpoint = run.checkpoint()
    layers: list[Any] = [*range(1, int(run.parameters["depth"]) + 1), "output"]
    if checkpoint is not None:
        lines["/weights/step"] = array_line(checkpoint.step)
        for layer in layers:
            name = widthwise.layer_name(layer)
            lines[f"/weights/{name}"] = array_line(checkpoint.weights(layer), False)
    if len(run.snapshots) > 0:
        lines["/snapshots/step"] = array_line(run.snapshots.steps)
        if run.setting("network.train_output") != "true":
            layers.pop()
        for layer in layers:
            kept = [run.snapshots.weights(i, layer)[...] for i in range(len(run.snapshots))]
            name = widthwise.layer_name(layer)
            lines[f"/snapshots/{name}"] = array_line(np.stack(kept), False)
    return lines


def run_lines(run: widthwise.Member, has_units: bool, large: bool) -> Lines:
    """All lines of dump_results.m for one run."""
    page_step = -1 if run.rows == 0 or run.replicas > 1 else int(run.trajectory.last("step"))
    lines = {
        "/name": text_line(run.name),
        "/label": text_line(run.label),
        "/config": text_line(run.config),
        "/state": text_line(STATES[run.state]),
        "/rows": array_line(run.rows),
        "/last_step": array_line(page_step),
    }
    for name, fact in run.parameters.items():
        is_text = isinstance(fact, str)
        lines[f"/parameters/{name}"] = text_line(fact) if is_text else array_line(fact)
    groups = ("trajectory", "final", "theory", "gram", "replica")
    for group in groups:
        table = getattr(run, group)
        if run.rows > 0 or group in ("final", "theory", "gram") and run.replicas == 1:
            lines.update(table_lines(f"/{group}", table))
            if has_units:
                for name in table:
                    lines[f"/units/{group}/{name}"] = text_line(table.units(name))
    if large:
        lines.update(large_lines(run))
    return lines


def matlab_tree(group: h5py.Group) -> dict[str, Any]:
    """A group as h5info of MATLAB tells it; `Axes` is for h5read.m."""
    below = [group[name] for name in group]
    return {
        "Name": group.name,
        "Groups": [matlab_tree(item) for item in below if isinstance(item, h5py.Group)],
        "Datasets": [
            {
                "Name": item.name.rpartition("/")[2],
                "Axes": item.ndim,
                "Attributes": [
                    {"Name": name, "Value": str(widthwise.plain(value))}
                    for name, value in item.attrs.items()
                ],
            }
            for item in below
            if isinstance(item, h5py.Dataset)
        ],
    }


class OctaveTest(ProgramTest):
    """Octave, on real files."""

    def setUp(self) -> None:
        super().setUp()
        if OCTAVE is None:
            if os.environ.get("CI"):
                self.fail("Octave is not installed")
            self.skipTest("Octave is not installed; TEST_PACKAGES of jobs/common.sh has it")

    def octave(self, code: str, as_matlab: bool = False, fails: bool = False) -> Result:
        """Runs a piece of code with the functions of analysis/matlab."""
        paths = [SOURCE / "analysis" / "matlab", SUPPORT, *([SUPPORT / "matlab"] * as_matlab)]
        lines = [f"addpath('{path}');" for path in paths]
        script = self.folder / "script.m"
        script.write_text("\n".join([*lines, code]), encoding="utf-8")
        result = execute(["octave-cli", "--norc", "--quiet", script], self.folder)
        self.assertEqual(result.code != 0, fails, result.text)
        return result

    def export(self, path: Path) -> Path:
        """A copy with everything."""
        copy = path.with_name(f"{path.stem}-export.h5")
        self.succeed("export", path, "-o", copy, "--weights", "--record", "--force")
        return copy

    def results(
        self, paths: Sequence[Path], *large: str, as_matlab: bool = False
    ) -> dict[str, dict[str, Lines]]:
        """What widthwise_load gives, by file and run."""
        for path in paths if as_matlab else ():
            with h5py.File(path, "r", locking=False) as file:
                tree = json.dumps(matlab_tree(file))
            path.with_name(f"{path.name}.json").write_text(tree, encoding="ascii")
        listed = ", ".join(f"'{path.name}'" for path in paths)
        words = "".join(f", '{word}'" for word in large)
        found: dict[str, dict[str, Lines]] = {path.name: {} for path in paths}
        code = f"dump_results({{{listed}}}{words});"
        for line in self.octave(code, as_matlab).output.splitlines():
            name, run, place, kind, content = line.split("\t")
            found[name].setdefault(run, {})[place] = (kind, content)
        return found

    def assert_same_results(
        self, paths: Sequence[Path], has_units: bool, large: bool = True, as_matlab: bool = False
    ) -> None:
        """Both readers agree on everything."""
        found = self.results(paths, *(LARGE if large else ()), as_matlab=as_matlab)
        for path in paths:
            with self.subTest(path.name, as_matlab=as_matlab), widthwise.open(path) as file:
                self.assertEqual(list(found[path.name]), [run.name for run in file.members])
                for run in file.members:
                    expected = run_lines(run, has_units, large)
                    # The legend has also units of what is not in `results`.
                    lines = {
                        place: line
                        for place, line in found[path.name][run.name].items()
                        if not place.startswith("/units/") or place in expected
                    }
                    self.assertEqual(lines, expected, run.name)

    def test_every_dataset(self) -> None:
        """Octave and h5py agree on type, extents and every bit of every dataset."""
        files = make_files(self)
        originals = list(files.values())
        copies = [self.export(path) for path in originals]
        paths = [*originals, *copies]
        listed = ", ".join(f"'{path.name}'" for path in paths)
        lines = self.octave(f"dump_datasets({{{listed}}});").output.splitlines()
        found: dict[str, dict[str, tuple[str, str]]] = {}
        sizes = {}
        for line in lines:
            name, place, kind, size, content = line.split("\t")
            found.setdefault(name, {})[place] = (kind, content)
            sizes[name, place] = size
        self.assertEqual(sorted(found), sorted(path.name for path in paths))
        compared = 0
        for path in paths:
            with h5py.File(path, "r") as file:
                expected = {name: seen_by_octave(item) for name, item in datasets(file).items()}
                self.assertEqual(found[path.name], expected, path.name)
                compared += len(expected)
                for place, item in datasets(file).items():
                    if item.ndim >= 2:
                        size = reversed_shape(item.shape, False).replace("x", " ")
                        self.assertEqual(sizes[path.name, place], f"[{size}]", place)
        self.assertGreater(compared, 2000)
        self.assert_same_results(originals, has_units=False)
        self.assert_same_results(copies, has_units=True)
        self.assert_same_results(originals, has_units=True, as_matlab=True)
        self.assert_same_results([originals[1]], has_units=False, large=False)
        self.assert_same_results([copies[1]], has_units=True, large=False)

    def test_units_that_differ(self) -> None:
        """A row of the legend for what all runs have in common, and one for each that differs."""
        path = self.train(LOSSES, "losses.h5")
        copy = self.export(path)
        with h5py.File(copy, "r") as file:
            rows = [row.decode() for row in file["/legend/path"]]
            units = dict(zip(rows, (unit.decode() for unit in file["/legend/units"])))
        self.assertEqual(len(set(rows)), len(rows))
        self.assertEqual(units["/runs/trajectory/loss"], "nat")
        self.assertEqual(units["/runs/run0002/trajectory/loss"], "1")
        self.assertEqual(units["/runs/run0003/trajectory/loss"], "1")
        self.assertNotIn("/runs/run0001/trajectory/loss", rows)
        self.assertNotIn("/runs/run0002/trajectory/test_accuracy", rows)
        code = (
            f"r = widthwise_load('{copy}');"
            "printf('%s\\n', r.runs(1).units.trajectory.loss, r.runs(4).units.trajectory.loss,"
            " r.runs(4).descriptions.trajectory.loss, r.runs(4).sources.theory.distance_at_accuracy"
            ");"
        )
        with widthwise.open(path) as file:
            last = file.members[3]
            expected = ["nat", "1", last.trajectory.description("loss")]
            expected.append(last.theory.source("distance_at_accuracy"))
        self.assertEqual(self.octave(code).output.splitlines(), expected)

    def test_pages_that_do_not_check(self) -> None:
        """The page before counts where the newest is torn; with both torn it is said."""
        path = self.train(SINGLE, "torn.h5")
        with h5py.File(path, "r+") as file:
            pages = file["/state/run0000/commit"]
            newest = int(np.argmax(pages[:, 2]))
            pages[newest, 300] ^= 1
        self.assert_same_results([path], has_units=False, large=False)
        with widthwise.open(path) as file:
            self.assertEqual(len(file.members[0].final), 0)
        with h5py.File(path, "r+") as file:
            file["/state/run0000/commit"][1 - newest, 300] ^= 1
        errors = self.octave(f"widthwise_load('{path}');", fails=True).errors
        self.assertIn("neither commit page of run0000 checks; `widthwise verify` says", errors)

    def test_refusals(self) -> None:
        """Other files, words that mean nothing, a structure in the middle of a change."""
        path = self.train(SINGLE, "run.h5", "--until", "10", code=75)
        with h5py.File(self.folder / "other.h5", "w") as file:
            file["x"] = np.zeros(3)
        (self.folder / "text.h5").write_text("no HDF5", encoding="ascii")
        for call, words in (
            ("'none.h5'", "none.h5: no such file"),
            ("'other.h5'", "other.h5: not a file of Widthwise"),
            ("'text.h5'", "text.h5: not a file of Widthwise"),
            ("'run.h5', 'wieghts'", "reads besides: weights, snapshots, eigenvectors, record"),
        ):
            self.assertIn(words, self.octave(f"widthwise_load({call});", fails=True).errors)
        copy = self.export(path)
        for large in (path, copy):
            os.truncate(large, 2**30 + 1)  # of which nothing but the beginning is on the disk
        errors = self.octave("widthwise_load('run.h5');", fails=True).errors
        self.assertIn("run.h5 has 1.1 GB, which Octave would load as a whole", errors)
        self.octave("assert(widthwise_load('run-export.h5').runs.rows, 2);")
        path.with_name("run.h5.undo").write_bytes(b"")
        errors = self.octave("widthwise_load('run.h5');", fails=True).errors
        self.assertIn("its structure is just being changed", errors)

    def test_while_a_job_writes(self) -> None:
        """Only committed rows, more of them each time, and whole checkpoints."""
        config = self.folder / "long.yaml"
        endless = SINGLE
        for old, new in (
            ("steps: 43", "steps: 1000000"),
            ("every: 15, record: [data, batches, initial-weights]", "every: 3000, commit_seconds: 0"),
            ("quantities: all", "quantities: [loss, distance]"),
        ):
            endless = endless.replace(old, new)
        config.write_text(endless, encoding="utf-8")
        job = start("run", config, "-o", "long.h5", "-q", folder=self.folder, ranks=2)
        self.addCleanup(kill_all, job)
        while not (self.folder / "long.h5").exists():
            self.assertIsNone(job.poll())
        # As many looks as it takes to see the job go on: how fast it writes is the machine's affair.
        code = """
            looks = 0;
            rows = [];
            step = -1;
            while looks < 8 || (looks < 1000 && !(step > 0 && rows(end) > rows(1)))
                looks = looks + 1;
                r = widthwise_load('long.h5', 'weights');
                run = r.runs;
                if run.rows > 0
                    assert(run.trajectory.step, 10 * (0:run.rows - 1)');
                    assert(all(isfinite(run.trajectory.loss)));
                    assert(numel(run.trajectory.loss) == run.rows);
                end
                rows(end + 1) = run.rows;
                step = -1;
                if isfield(run.weights, 'step')
                    step = run.weights.step;
                    assert(all(isfinite(run.weights.hidden_weights(:))));
                    assert(size(run.weights.hidden_weights), [20, 300]);
                end
                printf('%d %d %s\\n', run.rows, step, run.state);
                pause(0.2);
            end
        """
        lines = [line.split(" ", 2) for line in self.octave(code).output.splitlines()]
        self.assertGreaterEqual(len(lines), 8)
        rows, steps = [int(line[0]) for line in lines], [int(line[1]) for line in lines]
        self.assertEqual((rows, steps), (sorted(rows), sorted(steps)))
        self.assertGreater(rows[-1], rows[0])
        self.assertGreater(steps[-1], 0)
        self.assertEqual(lines[-1][2], "running or interrupted")

    def test_plot(self) -> None:
        """A picture with a panel for each quantity, in the colours of the groups."""
        for name, config in (
            ("sweep", SINGLE + "sweep: {network.width: [100, 260], seed: [1, 2]}\n"),
            ("single", SINGLE),
        ):
            path = self.train(config, f"{name}.h5")
            for quantities, panels in (("{'loss', 'distance'}", 2), ("[]", None)):
                with self.subTest(name, quantities=quantities):
                    self.octave(f"widthwise_plot('{path}', {quantities}, 'drawn.png');")
                    self.check_picture(path, panels)
        errors = self.octave(f"widthwise_plot('{path}', 'los', 'no.png');", fails=True).errors
        self.assertIn("no run has measured los; there is batch_loss, ", errors)

    def check_picture(self, path: Path, panels: Optional[int]) -> None:
        """Each panel has something of each colour."""
        picture = matplotlib.image.imread(self.folder / "drawn.png")[..., :3]
        with widthwise.open(path) as file:
            run = file.members[0]
            groups = len(widthwise.group_members(file.members))
            if panels is None:
                panels = sum(len(run.trajectory.shape(name)) == 1 for name in run.trajectory) - 1
        cells = panels + (groups > 1)
        columns = int(np.ceil(np.sqrt(cells)))
        height, width = 360, 480
        lines = -(-cells // columns)
        self.assertEqual(picture.shape, (lines * height, columns * width, 3))
        colours = np.array([[0.00, 0.45, 0.70], [0.84, 0.37, 0.00]])
        for cell in range(cells):
            top, left = cell // columns * height, cell % columns * width
            panel = picture[top : top + height, left : left + width].reshape(-1, 3)
            for colour in colours[:groups]:
                near = np.abs(panel - colour).max(axis=1) < 0.02
                self.assertGreater(near.sum(), 12, f"panel {cell}")


if __name__ == "__main__":
    unittest.main()
