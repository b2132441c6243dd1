"""Runs the program as a user would: on one or several ranks, in a folder of its own.

Three environment variables say what is tested: WIDTHWISE (the program), MPIEXEC and
WIDTHWISE_SOURCE (the folder with analysis/, hdf5-schema/ and jobs/).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence, Union

SOURCE = Path(os.environ.get("WIDTHWISE_SOURCE", Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(SOURCE / "analysis"))

FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist

Argument = Union[str, Path]


@dataclass(frozen=True)
class Result:
    """How a run of the program ended."""

    code: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        """All that was printed."""
        return self.output + self.errors


def program() -> str:
    """Path of the program under test."""
    return os.environ.get("WIDTHWISE") or str(SOURCE / "build" / "release" / "widthwise")


def environment(more: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """Environment for a run: one thread a rank, ranks and threads that wait give way to those that
    work (see tests/CMakeLists.txt), and Open MPI as root where we are root."""
    variables = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    variables.setdefault("OMP_WAIT_POLICY", "passive")
    variables.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
    if os.geteuid() == 0:
        variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    variables.update(more or {})
    return variables


def mpi(ranks: int) -> list[str]:
    """The start of a command line for `ranks` ranks."""
    launcher = os.environ.get("MPIEXEC", "mpirun")
    return [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]


def execute(
    command: Sequence[Argument],
    folder: Path,
    timeout: float = 300,
    more: Optional[Mapping[str, str]] = None,
) -> Result:
    """Runs a command to its end in `folder`, with `more` in its environment."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def run_program(
    *arguments: Argument,
    folder: Path,
    ranks: Optional[int] = None,
    timeout: float = 300,
    threads: int = 1,
) -> Result:
    """Runs the program with `arguments`; without `ranks` as one process without mpirun."""
    launcher = [] if ranks is None else mpi(ranks)
    # After an exit code other than 0 mpirun would wait for a second before it ends the ranks that
    # are left, all of which have come to the end of MPI by then.
    more = {"OMPI_MCA_odls_base_sigkill_timeout": "0", "OMP_NUM_THREADS": str(threads)}
    return execute([*launcher, program(), *arguments], folder, timeout, more)


class ProgramTest(unittest.TestCase):
    """A test with a temporary folder in which the program runs."""

    folder: Path

    def setUp(self) -> None:
        """Makes the folder, which goes when the test ends."""
        scratch = tempfile.TemporaryDirectory(prefix="widthwise-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def succeed(
        self,
        *arguments: Argument,
        ranks: Optional[int] = None,
        code: int = 0,
        timeout: float = 300,
        threads: int = 1,
    ) -> Result:
        """Runs the program and expects an exit code."""
        result = run_program(
            *arguments, folder=self.folder, ranks=ranks, timeout=timeout, threads=threads
        )
        self.assertEqual(result.code, code, f"{' '.join(map(str, arguments))}\n{result.text}")
        return result

    def train(
        self, config: str, output: str, *more: Argument, ranks: Optional[int] = None, code: int = 0
    ) -> Path:
        """Runs a configuration given as text into the file `output` of the folder."""
        text = self.folder / f"{output}.yaml"
        text.write_text(config, encoding="utf-8")
        path = self.folder / output
        self.succeed("run", text, "-o", path, "--quiet", *more, ranks=ranks, code=code)
        return path
