"""Processes that a test starts, signals and kills: a launcher and the ranks below it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Mapping, Optional

from program import Argument, environment, mpi, program


def children(process: int) -> list[int]:
    """The processes that a process has begun and that live: for a launcher, the ranks."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return sorted(found)


def start(
    *arguments: Argument,
    folder: Path,
    ranks: Optional[int] = None,
    more: Optional[Mapping[str, str]] = None,
) -> subprocess.Popen[str]:
    """Starts the program and does not wait for it; errors come with the output."""
    launcher = [] if ranks is None else mpi(ranks)
    return subprocess.Popen(
        [*launcher, program(), *map(str, arguments)],
        cwd=folder,
        env=environment(more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The ranks below a launcher; the process itself where there is none."""
    return children(process.pid) or [process.pid]


def wait_for_ranks(process: subprocess.Popen[str], count: int, seconds: float = 30) -> list[int]:
    """Waits until a launcher has begun its ranks, or has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        found = children(process.pid)
        if len(found) >= count:
            return found
        time.sleep(0.005)
    return []


def kill(*processes: int) -> None:
    """SIGKILL to each that still lives."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kills launcher and ranks, and waits until all are gone: as a node that dies."""
    ranks = children(process.pid)
    kill(process.pid, *ranks)
    if process.stdout is not None and not process.stdout.closed:
        process.communicate()
    process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{rank}").exists() for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.005)


class EndlessError(AssertionError):
    """A job that did not end by itself; whether nothing but its launcher was left of it."""

    def __init__(self, launcher: int, ranks: int, is_launcher_alone: bool) -> None:
        super().__init__(f"job {launcher} does not end: {ranks} ranks are left")
        self.is_launcher_alone = is_launcher_alone


def finish(process: subprocess.Popen[str], seconds: float) -> str:
    """Output of a job that has to end by itself within so many seconds; nothing of it is left."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        ranks = len(children(process.pid))
        alone = ranks == 0 and process.poll() is None
        kill_all(process)
        raise EndlessError(process.pid, ranks, alone) from None


def finish_after_kill(process: subprocess.Popen[str], seconds: float) -> tuple[str, bool]:
    """The same where one rank was killed, and the others have to end as well; and whether the
    launcher did, too. With all ranks gone mpirun of Open MPI 4.1 can wait for ever in
    PMIx_server_finalize (of PMIx 4.2) for a lock: seen twice in some 150 kills on a busy machine."""
    try:
        return finish(process, seconds), True
    except EndlessError as endless:
        if not endless.is_launcher_alone:
            raise
        return "", False
