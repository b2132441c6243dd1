"""Reads the HDF5 files of Widthwise.

    import widthwise

    with widthwise.open("figure1.h5") as file:
        for run in file.members:
            step = run.trajectory["step"]
            accuracy = run.trajectory["test_accuracy"]
            print(run.name, run.label, run.state.name, step[-1], accuracy[-1])

A file may be read while a job is still writing it: only what the newest commit page vouches for is
handed out, so a trajectory ends at its last committed row and results appear when they are
complete. What was read when the file was opened stays; open it again to see what came since.
Weights are read only when asked for. Their hashes are checked by `widthwise verify`, not here.
Copies that `widthwise export` made are read in the same way.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Sequence, Union

import h5py
import numpy as np

import commit_page
import resolved
from commit_page import CommitPage, State

FORMAT = "widthwise"
EXPORT_FORMAT = "widthwise-export"
SCHEMA_VERSION = 1

Value = Union[int, float, str]

__all__ = [
    "File", "Member", "Replica", "Training", "Table", "Snapshots", "Checkpoint", "FormatError",
    "State", "open",
]


class FormatError(Exception):
    """The file is not one that this reader understands; the sentence says why."""


def plain(value: object) -> object:
    """A scalar of HDF5 as a Python value: bytes become text, NumPy scalars become numbers."""
    if isinstance(value, bytes):
        try:
            return value.decode("ascii")
        except UnicodeDecodeError as error:
            raise FormatError(
                "a text of the file is not readable: it is being changed at this moment, or damaged; "
                "`widthwise verify` tells"
            ) from error
    if isinstance(value, np.generic):
        return plain(value.item())
    return value


class Table(Mapping[str, np.ndarray]):
    """The datasets of one group by name, read when asked for.

    With `rows` only that many leading rows are handed out: the committed ones of a trajectory.
    """

    def __init__(self, group: Optional[h5py.Group], rows: Optional[int] = None) -> None:
        self._group = group
        self._rows = rows

    def __iter__(self) -> Iterator[str]:
        return iter(()) if self._group is None else iter(self._group)

    def __len__(self) -> int:
        return 0 if self._group is None else len(self._group)

    def _dataset(self, name: str) -> h5py.Dataset:
        if self._group is None or name not in self._group:
            known = ", ".join(self) or "nothing"
            where = "a group that is not in this file" if self._group is None else self._group.name
            raise KeyError(f"no {name} in {where}; there is {known}")
        return self._group[name]

    def __getitem__(self, name: str) -> np.ndarray:
        dataset = self._dataset(name)
        return dataset[()] if self._rows is None else dataset[: self._rows]

    def _attribute(self, name: str, attribute: str) -> str:
        return str(plain(self._dataset(name).attrs.get(attribute, b"")))

    def units(self, name: str) -> str:
        """Unit of a dataset, "1" for a pure number."""
        return self._attribute(name, "units")

    def description(self, name: str) -> str:
        """One sentence on what a dataset is and what its axes are."""
        return self._attribute(name, "description")

    def source(self, name: str) -> str:
        """Paper and equation or section that a dataset comes from, "" where there is none."""
        return self._attribute(name, "source")


class ReplicaTable(Mapping[str, np.ndarray]):
    """One replica's part of a Table whose arrays have the axis [replicas] in front.

    `used` are the records that it came to; results have none. Arrays are read once for all replicas:
    `arrays` keeps them.
    """

    def __init__(
        self, table: Table, number: int, used: Optional[int], arrays: dict[str, np.ndarray]
    ) -> None:
        self._table = table
        self._number = number
        self._used = used
        self._arrays = arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            self._arrays[name] = self._table[name]
        values = self._arrays[name][self._number]
        return values if self._used is None else values[: self._used]

    def units(self, name: str) -> str:
        """As Table.units."""
        return self._table.units(name)

    def description(self, name: str) -> str:
        """As Table.description."""
        return self._table.description(name)

    def source(self, name: str) -> str:
        """As Table.source."""
        return self._table.source(name)


def layer_name(name: str, layer: int) -> str:
    """Name of the dataset of hidden layer 1 to L: hidden_weights, hidden_weights_2, ..."""
    return name if layer == 1 else f"{name}_{layer}"


class Snapshots:
    """Weights that were kept for good at chosen steps."""

    def __init__(self, group: Optional[h5py.Group], taken: int) -> None:
        self._group = group
        self.taken = taken if group is not None else 0
        self.steps: np.ndarray = (
            np.empty(0, dtype=np.int64) if group is None else group["step"][: self.taken]
        )

    def __len__(self) -> int:
        return self.taken

    def hidden_weights(self, index: int, layer: int = 1) -> np.ndarray:
        """Weights of a hidden layer, 1 to L, in snapshot `index`: [m, d], from the second [m, m]."""
        return self._of(layer_name("hidden_weights", layer), index)

    def output_weights(self, index: int) -> np.ndarray:
        """Output weights [k, m] of snapshot `index`, in a run that trains them."""
        return self._of("output_weights", index)

    def _of(self, weights: str, index: int) -> np.ndarray:
        if self._group is None or not 0 <= index < self.taken:
            raise IndexError(f"snapshot {index} was not taken; there are {self.taken}")
        if weights not in self._group:
            raise KeyError(f"the run does not train its {weights.replace('_', ' ')}")
        return self._group[weights][index]


@dataclass(frozen=True)
class Checkpoint:
    """The newest checkpoint of a run. The arrays are read when asked for."""

    step: int
    group: h5py.Group

    @property
    def hidden_weights(self) -> np.ndarray:
        """W, of the first hidden layer where there are several, [m, d]."""
        return self.layer_weights(1)

    def layer_weights(self, layer: int) -> np.ndarray:
        """W_l of hidden layer 1 to L: [m, d], from the second [m, m]."""
        return self.group[layer_name("hidden_weights", layer)][()]

    @property
    def output_weights(self) -> np.ndarray:
        """a, [k, m]."""
        return self.group["output_weights"][()]


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


def _committed(file: h5py.File, name: str) -> tuple[_Committed, CommitPage]:
    """What the commit pages of a run say."""
    page = commit_page.newest(file[f"/state/{name}/commit"][()])
    if page is None:
        raise FormatError(
            f"{file.filename}: neither commit page of {name} checks; "
            "`widthwise verify` says what is left of the file"
        )
    slot = page.newest_slot()
    checkpoint = None
    if slot is not None:
        checkpoint = Checkpoint(page.slots[slot].step, file[f"/state/{name}/checkpoint{slot}"])
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
    state       a State
    rows        committed rows of the trajectory; of a run with replicas, those that are done
    replicas    R; with more than 1 all arrays below have an axis [replicas] in front
    replica     Table of the states and steps of replicas
    trajectory  Table of what was measured along the way, committed rows only
    final       Table of the results at the end, empty until they are committed
    theory      Table of what the papers predict for this run, empty until it is committed
    gram        Table of what is known of the Gram matrix of the train set, empty until committed
    eigenvectors  of the Gram matrix, a dataset [n, n] with a row each; None where they are not kept
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
        self.parameters: dict[str, Value] = {
            fact: plain(dataset[()]) for fact, dataset in group["parameters"].items()
        }
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
        self.eigenvectors: Optional[h5py.Dataset] = (
            file.get(f"/gram/{name}/eigenvectors") if found.spectrum else None
        )
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
        return resolved.settings(self.config).get(key)

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
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"{self.path}: no such file")
        try:
            # No lock is taken: a job that is writing is neither disturbed nor refused.
            self._file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            raise FormatError(f"{self.path}: not an HDF5 file that opens ({error})") from error
        try:
            self._check()
            self.members = [
                Member(self._file, name, self.is_export)
                for name in sorted(self._file["/runs"], key=lambda name: int(name[len("run") :]))
            ]
        except BaseException:
            self._file.close()
            raise

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


_SETTING = re.compile(r" (?=[A-Za-z_][A-Za-z0-9_.]*=)")


def settings_of(label: str) -> dict[str, str]:
    """What a label says: {"network.width": "500", "seed": "2"} of "network.width=500 seed=2"."""
    pairs = (part.partition("=") for part in _SETTING.split(label) if part)
    return {key: resolved.unquoted(value) for key, _, value in pairs}


def is_seed(key: str) -> bool:
    """Whether a key of the configuration only says which random numbers are drawn."""
    return key == "seed" or key.startswith("seeds.")


def group_members(members: Sequence[Training]) -> dict[str, list[Training]]:
    """Members that differ in their seeds only, by what the others of their label say.

    The keys are labels without seeds, in the order of the members; "" where only seeds vary.
    """
    groups: dict[str, list[Training]] = {}
    for member in members:
        rest = {
            key: value
            for key, value in settings_of(member.label).items()
            if not is_seed(key) and key != "replica"
        }
        label = " ".join(f"{key}={value}" for key, value in rest.items())
        groups.setdefault(label, []).append(member)
    return groups
