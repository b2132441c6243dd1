"""Reads the HDF5 files of Widthwise.

    import widthwise

    with widthwise.open("figure1.h5") as file:
        for run in file.select({"network.width": 1000}):
            step = run.trajectory["step"]
            accuracy = run.trajectory["test_accuracy"]
            print(run.name, run.label, run.state.name, step[-1], accuracy[-1], accuracy.units)
        table = file.table()      # columns by name; file.frame() makes it a pandas.DataFrame

A file may be read while a job is still writing it: only what the newest commit page vouches for is
handed out, so a trajectory ends at its last committed row and results appear when they are
complete. What was read when the file was opened stays; `refresh` looks again.
Weights are read only when asked for, by parts where they are large (kept_weights.py). Their hashes
are checked by `widthwise verify`, not here.
Copies that `widthwise export` made are read in the same way.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, TypeVar, Union

import h5py
import numpy as np

import choice
import commit_page
import resolved
from choice import group_members, is_seed, select, settings_of
from commit_page import CommitPage, State
from kept_weights import Checkpoint, Overtaken, Snapshots, layer_name
from stored import (
    FormatError,
    Quantity,
    ReplicaTable,
    StoredArray,
    Table,
    Value,
    plain,
    single_values,
)

if TYPE_CHECKING:
    import pandas

FORMAT = "widthwise"
EXPORT_FORMAT = "widthwise-export"
SCHEMA_VERSION = 1

# Seconds to wait for what a job is changing at this very moment.
PAGE_SECONDS = 0.2
STRUCTURE_SECONDS = 5.0

Found = TypeVar("Found")

__all__ = [
    "File", "Member", "Replica", "Training", "Table", "ReplicaTable", "Quantity", "StoredArray",
    "Snapshots", "Checkpoint", "FormatError", "Overtaken", "State", "group_members", "is_seed",
    "layer_name", "open", "plain", "select", "settings_of",
]


def _patiently(look: Callable[[], Optional[Found]], seconds: float) -> Optional[Found]:
    """What `look` finds, which is called again and again where it finds nothing."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


@dataclass(frozen=True)
class _Committed:
    """What counts of one run: as its commit page says, or all that an export holds."""

    state: State
    rows: int
    final: bool
    theory: bool
    record: bool
    gram: bool
    spectrum: bool
    snapshots: int
    checkpoint: Optional[Checkpoint]


def _newest_page(file: h5py.File, name: str) -> Optional[CommitPage]:
    """The page that counts. Neither checks in a damaged file, and for a moment where a job has
    written first the one and then the other while they were being read."""
    pages = f"/state/{name}/commit"
    return _patiently(lambda: commit_page.newest(file[pages][()]), PAGE_SECONDS)


def _committed(file: h5py.File, name: str) -> tuple[_Committed, CommitPage]:
    """What the commit pages of a run say."""
    page = _newest_page(file, name)
    if page is None:
        raise FormatError(
            f"{file.filename}: neither commit page of {name} checks; "
            "`widthwise verify` says what is left of the file"
        )
    slot = page.newest_slot()
    checkpoint = None
    if slot is not None:
        step = page.slots[slot].step

        def is_newest() -> bool:
            now = _newest_page(file, name)
            return now is not None and now.newest_slot() == slot and now.slots[slot].step == step

        checkpoint = Checkpoint(step, file[f"/state/{name}/checkpoint{slot}"], is_newest)
    found = _Committed(
        page.state,
        page.rows,
        page.final_valid,
        page.theory_valid,
        page.record_valid,
        page.gram_valid,
        page.spectrum_valid,
        page.snapshots,
        checkpoint,
    )
    return found, page


def _exported(file: h5py.File, name: str) -> _Committed:
    """All that an export holds of a run."""
    weights = file.get(f"/weights/{name}")
    snapshots = file.get(f"/snapshots/{name}/step")
    return _Committed(
        State(int(file[f"/runs/{name}/state_number"][()])),
        int(file[f"/runs/{name}/rows"][()]),
        True,
        True,
        True,
        True,
        True,
        0 if snapshots is None else len(snapshots),
        None if weights is None else Checkpoint(int(weights["step"][()]), weights),
    )


class Member:
    """One run of a file.

    name        run0000, run0001, ...
    label       what a sweep varies, e.g. "network.width=500 seed=2"; "" for a single run
    config      the resolved configuration, YAML
    parameters  scalar facts by name
    facts       Table of the same, with their units and descriptions
    state       a State
    rows        committed rows of the trajectory; of a run with replicas, those that are done
    replicas    R; with more than 1 all arrays below have an axis [replicas] in front
    replica     Table of the states and steps of replicas
    trajectory  Table of what was measured along the way, committed rows only
    final       Table of the results at the end, empty until they are committed
    theory      Table of what the papers predict for this run, empty until it is committed
    gram        Table of what is known of the Gram matrix of the train set, empty until committed
    eigenvectors  StoredArray [n, n], of the Gram matrix, a row each; None where they are not kept
    record      Table of what an outside check needs to replay the run, empty until committed
    snapshots   Snapshots
    page        the CommitPage that says so, None in an export
    """

    def __init__(self, file: h5py.File, name: str, is_export: bool = False) -> None:
        self.name = name
        self.page: Optional[CommitPage] = None
        if is_export:
            found = _exported(file, name)
        else:
            found, self.page = _committed(file, name)
        self._checkpoint = found.checkpoint
        group = file[f"/runs/{name}"]
        self.label = str(plain(group["label"][()]))
        self.config = str(plain(group["config"][()]))
        self.facts = Table(group["parameters"])
        self.parameters = single_values(group["parameters"])
        self.state = found.state
        self.rows = found.rows
        self.replicas = int(self.parameters.get("replicas", 1))
        self.trajectory = Table(group.get("trajectory"), found.rows)
        self.replica = Table(group.get("replica"), found.rows)
        if self.replicas > 1:  # rows are replicas, with all that is known of them
            self.final = Table(group.get("final"), found.rows)
            self.theory = Table(group.get("theory"), found.rows)
        else:
            self.final = Table(group.get("final") if found.final else None)
            self.theory = Table(group.get("theory") if found.theory else None)
        self.gram = Table(group.get("gram") if found.gram else None)
        self.record = Table(file.get(f"/record/{name}") if found.record else None)
        vectors = file.get(f"/gram/{name}/eigenvectors") if found.spectrum else None
        self.eigenvectors = None if vectors is None else StoredArray(vectors)
        self.snapshots = Snapshots(file.get(f"/snapshots/{name}"), found.snapshots)

    def replica_runs(self) -> list[Replica]:
        """The replicas that are done, each as a run of its own."""
        if self.replicas == 1:
            return []
        arrays: tuple[dict[str, np.ndarray], ...] = ({}, {}, {})
        states = self.replica["state"]
        records = (self.trajectory["step"] >= 0).sum(axis=1)
        return [
            Replica(self, number, State(int(states[number])), int(records[number]), arrays)
            for number in range(self.rows)
        ]

    def setting(self, key: str) -> Optional[str]:
        """Value of a key of the resolved configuration as text, None where it has none."""
        return self._settings.get(key)

    @functools.cached_property
    def _settings(self) -> dict[str, str]:
        return resolved.settings(self.config)

    @property
    def index(self) -> int:
        """Number of the run in its sweep."""
        return int(self.name[len("run") :])

    def checkpoint(self) -> Optional[Checkpoint]:
        """The newest checkpoint, None before the first and in an export without weights."""
        return self._checkpoint

    def __repr__(self) -> str:
        return f"<{self.name} {self.label or 'single run'}: {self.state.name}, {self.rows} rows>"


class Replica:
    """One replica of a run, with what a Member has that anything is known of."""

    def __init__(
        self,
        member: Member,
        number: int,
        state: State,
        rows: int,
        arrays: tuple[dict[str, np.ndarray], ...],
    ) -> None:
        self.member = member
        self.number = number
        self.name = f"{member.name}, replica {number}"
        self.label = f"{member.label} replica={number}".strip()
        self.config = member.config
        self.parameters = member.parameters
        self.state = state
        self.rows = rows
        self.trajectory = ReplicaTable(member.trajectory, number, rows, arrays[0])
        self.final = ReplicaTable(member.final, number, None, arrays[1])
        self.theory = ReplicaTable(member.theory, number, None, arrays[2])
        self.gram = member.gram  # none: replicas have no Gram matrix

    def setting(self, key: str) -> Optional[str]:
        """As Member.setting; seeds are those of the member, which replicas add their number to."""
        return self.member.setting(key)


Training = Union[Member, Replica]


class File:
    """A file of Widthwise, open for reading. Use it in a `with` statement, or close it."""

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self.path = os.fspath(path)
        self.members: list[Member] = []
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"{self.path}: no such file")
        self._open()

    def _open(self) -> None:
        """Opens the file while its structure is at rest: before and after there is no journal."""
        if _patiently(self._open_once, STRUCTURE_SECONDS) is None:
            raise FormatError(
                f"{self.path}: {self.path}.undo stands beside it, so its structure is just being "
                "changed, or was when a job died; if no job is at work on it, `widthwise verify` "
                "puts it back as it was"
            )

    def _open_once(self) -> Optional[bool]:
        if self._is_changing():
            return None
        try:
            # No lock is taken: a job that is writing is neither disturbed nor refused.
            self._file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            if self._is_changing():
                return None
            raise FormatError(f"{self.path}: not an HDF5 file that opens ({error})") from error
        try:
            self._check()
            self.members = [
                Member(self._file, name, self.is_export)
                for name in sorted(self._file["/runs"], key=lambda name: int(name[len("run") :]))
            ]
        except BaseException as error:
            self._file.close()
            if isinstance(error, Exception) and self._is_changing():
                return None
            raise
        if self._is_changing():
            self._file.close()
            return None
        return True

    def _is_changing(self) -> bool:
        return os.path.exists(f"{self.path}.undo")

    def refresh(self) -> File:
        """Opens the file again, to see what a job has written since; returns the file.

        Members and tables from before cannot be read any more: take `members` again.
        """
        self._file.close()
        self._open()
        return self

    def _check(self) -> None:
        attributes = self._file.attrs
        file_format = plain(attributes.get("format", b""))
        self.is_export = file_format == EXPORT_FORMAT
        if file_format not in (FORMAT, EXPORT_FORMAT):
            raise FormatError(f"{self.path}: an HDF5 file, but not one of Widthwise")
        self.schema_version = int(attributes["schema_version"])
        if self.schema_version > SCHEMA_VERSION:
            raise FormatError(
                f"{self.path}: schema version {self.schema_version} is newer than this reader's "
                f"{SCHEMA_VERSION}; use the analysis folder of the program that wrote it"
            )
        features = str(plain(attributes.get("features", b"")))
        if features:
            raise FormatError(f"{self.path}: needs features that this reader lacks: {features}")

    @property
    def trainings(self) -> list[Training]:
        """All runs, and in place of one with replicas each of those that are done."""
        found: list[Training] = []
        for member in self.members:
            found.extend(member.replica_runs() if member.replicas > 1 else [member])
        return found

    @property
    def provenance(self) -> list[dict[str, Value]]:
        """One dictionary for each start and restart, oldest first."""
        group = self._file["/provenance/attempts"]
        columns = {name: dataset[()] for name, dataset in group.items()}
        used = np.flatnonzero(columns["ranks"] > 0)
        return [{name: plain(column[row]) for name, column in columns.items()} for row in used]

    def member(self, name: str) -> Member:
        """The run of that name, e.g. run0003."""
        for member in self.members:
            if member.name == name:
                return member
        known = ", ".join(member.name for member in self.members)
        raise KeyError(f"{self.path}: no {name}; there is {known}")

    def select(self, wanted: Optional[Mapping[str, Any]] = None, **more: Any) -> list[Member]:
        """Members by what they were run with, in their order; all where nothing is asked for.

            file.select({"network.width": 1000}, seed=2)
            file.select(width=[500, 1000])

        A key is one that the sweep varies, any other of the configuration, or a parameter. Numbers
        are compared as numbers; of a list any value will do. KeyError where a run has no such key.
        Replicas: widthwise.select(file.trainings, replica=3).
        """
        return select(self.members, wanted, **more)  # type: ignore[return-value]

    def only(self, wanted: Optional[Mapping[str, Any]] = None, **more: Any) -> Member:
        """The one member that `select` finds; KeyError where there is none, or another."""
        found = self.select(wanted, **more)
        if len(found) == 1:
            return found[0]
        asked = ", ".join(f"{key}={value}" for key, value in {**(wanted or {}), **more}.items())
        these = [f"{member.name} ({member.label})" for member in found or self.members]
        more_of_them = ", ..." if len(these) > 8 else ""
        raise KeyError(
            f"{self.path}: {len(found)} members have {asked}, not one; "
            f"{'these' if found else 'there are'}: {', '.join(these[:8])}{more_of_them}"
        )

    def table(self) -> dict[str, list[Value]]:
        """One row for each run, or replica that is done, as columns by name.

        `name`, what the sweep varies, `state`, `rows`, the parameters, and every single number:
        `last.loss` is that of the last record, `final.`, `theory.` and `gram.` are results. Where a
        run has no such number, there is NaN.
        """
        return choice.table(self.trainings)

    def frame(self) -> pandas.DataFrame:
        """The same as a DataFrame of pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "frame() needs pandas (python3-pandas in Debian); table() holds the same without it"
            ) from error
        return pandas.DataFrame(self.table())

    def close(self) -> None:
        """Closes the file; what was not read by then cannot be read any more."""
        self._file.close()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(path: Union[str, os.PathLike[str]]) -> File:  # as in gzip.open
    """Opens a file of Widthwise for reading."""
    return File(path)

