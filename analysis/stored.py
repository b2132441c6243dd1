"""Arrays of an HDF5 file of Widthwise, with what the file says of them.

A Table hands out whole datasets as Quantity, an array that knows its units and description; a
StoredArray stays in the file and is read by parts, for what may be larger than memory.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, Optional, Union

import h5py
import numpy as np

Value = Union[int, float, str]

BLOCK_BYTES = 64 * 2**20  # about so much is read at once where nobody says how many rows


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


def attribute(dataset: h5py.Dataset, name: str) -> str:
    """A text attribute of a dataset, "" where it has none."""
    return str(plain(dataset.attrs.get(name, b"")))


class Quantity(np.ndarray):
    """An array with what the file says of it.

    name         path of its dataset
    units        "1" for a pure number
    description  one sentence on what it is and what its axes are
    source       paper and equation or section that it comes from, "" where there is none

    Slices and copies keep all that; what is computed from it is an ordinary array, whose units
    only the caller knows.
    """

    name: str
    units: str
    description: str
    source: str

    @staticmethod
    def of(values: np.ndarray, dataset: h5py.Dataset) -> Quantity:
        """`values`, which were read from `dataset`."""
        self = np.asarray(values).view(Quantity)
        self.name = dataset.name
        self.units = attribute(dataset, "units")
        self.description = attribute(dataset, "description")
        self.source = attribute(dataset, "source")
        return self

    def __array_finalize__(self, other: Any) -> None:
        for name in ("name", "units", "description", "source"):
            setattr(self, name, getattr(other, name, ""))

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *inputs: Any, out: Any = None, **more: Any
    ) -> Any:
        if out is not None:
            more["out"] = tuple(_ordinary(array) for array in out)
        result = getattr(function, method)(*map(_ordinary, inputs), **more)
        return result if out is None or len(out) > 1 else out[0]

    def __array_wrap__(self, array: np.ndarray, *_: Any) -> np.ndarray:
        return _ordinary(array)

    __array_prepare__ = __array_wrap__  # what numpy.linalg of NumPy 1 asks for


def _ordinary(array: Any) -> Any:
    return array.view(np.ndarray) if isinstance(array, Quantity) else array


class StoredArray:
    """An array that stays in the file: `array[1000:2000]` reads these rows, `numpy.asarray(array)`
    all of it, and `array.blocks()` goes through it a part at a time.

    Of a trajectory only the committed `rows` are there; `at` takes one index of the first axis, for
    one snapshot of several. `after_reading` is called after each reading, to refuse what was
    overwritten meanwhile.
    """

    def __init__(
        self,
        dataset: h5py.Dataset,
        rows: Optional[int] = None,
        at: Optional[int] = None,
        after_reading: Optional[Callable[[], None]] = None,
    ) -> None:
        self._dataset = dataset
        self._at = at
        self._after_reading = after_reading
        shape = dataset.shape if at is None else dataset.shape[1:]
        self.shape: tuple[int, ...] = shape if rows is None else (rows, *shape[1:])
        self.dtype: np.dtype[Any] = dataset.dtype

    @property
    def name(self) -> str:
        """Path of the dataset."""
        return str(self._dataset.name)

    @property
    def units(self) -> str:
        """Unit, "1" for a pure number."""
        return attribute(self._dataset, "units")

    @property
    def description(self) -> str:
        """One sentence on what it is and what its axes are; with `at` the first axis is gone."""
        return attribute(self._dataset, "description")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all of it would take."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        parts = list(key) if isinstance(key, tuple) else [key]
        for place, part in enumerate(parts):
            if part is Ellipsis:
                parts[place : place + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
                break
        if len(parts) > self.ndim:
            raise IndexError(f"{self.name} has {self.ndim} axes, not {len(parts)}")
        if parts:
            parts[0] = self._of_first_axis(parts[0])
        before = [] if self._at is None else [self._at]
        values = self._dataset[tuple(before + parts)]
        if self._after_reading is not None:
            self._after_reading()
        return Quantity.of(values, self._dataset) if isinstance(values, np.ndarray) else values

    def _of_first_axis(self, part: Any) -> Any:
        """Held against the rows that there are: the dataset may have more."""
        if isinstance(part, slice):
            return slice(*part.indices(len(self)))
        chosen = np.arange(len(self))[part]
        return int(chosen) if np.ndim(chosen) == 0 else chosen

    def __array__(self, dtype: Any = None) -> np.ndarray:
        return np.asarray(self[...], dtype=dtype)

    def blocks(self, rows: Optional[int] = None) -> Iterator[tuple[int, np.ndarray]]:
        """Goes through it: number of the first row, and so many `rows` (the last block has what is
        left). Without `rows` as many as make some 64 MiB; of hidden weights the program's own
        blocks are `parameters["tile_units"]` rows."""
        if rows is None:
            rows = max(1, BLOCK_BYTES * len(self) // max(self.nbytes, 1))
        for first in range(0, len(self), rows):
            yield first, self[first : first + rows]

    def __repr__(self) -> str:
        return f"<{self.name} {list(self.shape)} {self.dtype}, in the file>"


def single_values(group: h5py.Group) -> dict[str, Value]:
    """The single numbers and names of a group, by name. By h5py's low-level calls, which take a third
    of the time: a sweep has thousands of such groups."""
    found: dict[str, Value] = {}
    for name in group.id:
        dataset = h5py.h5d.open(group.id, name)
        if dataset.shape == ():
            value = np.empty((), dataset.dtype)
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, value)
            found[name.decode()] = plain(value[()])
    return found


class Table(Mapping[str, Any]):
    """The datasets of one group by name, read when asked for: arrays as Quantity, single numbers as
    numbers.

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

    def __getitem__(self, name: str) -> Any:
        dataset = self._dataset(name)
        if dataset.ndim == 0:
            return dataset[()]
        return Quantity.of(dataset[: self._rows], dataset)

    def stored(self, name: str) -> StoredArray:
        """The same without reading it, for what is large."""
        return StoredArray(self._dataset(name), self._rows)

    def shape(self, name: str) -> tuple[int, ...]:
        """Extents of a dataset, without reading it."""
        return self.stored(name).shape

    def last(self, name: str) -> Any:
        """The last row of a dataset, without reading the others."""
        return self.stored(name)[-1]

    def units(self, name: str) -> str:
        """Unit of a dataset, "1" for a pure number."""
        return attribute(self._dataset(name), "units")

    def description(self, name: str) -> str:
        """One sentence on what a dataset is and what its axes are."""
        return attribute(self._dataset(name), "description")

    def source(self, name: str) -> str:
        """Paper and equation or section that a dataset comes from, "" where there is none."""
        return attribute(self._dataset(name), "source")


class ReplicaTable(Mapping[str, Any]):
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

    def __getitem__(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = self._table[name]
        values = self._arrays[name][self._number]
        return values if self._used is None else values[: self._used]

    def shape(self, name: str) -> tuple[int, ...]:
        """As Table.shape."""
        return np.shape(self[name])

    def last(self, name: str) -> Any:
        """As Table.last."""
        return self[name][-1]

    def units(self, name: str) -> str:
        """As Table.units."""
        return self._table.units(name)

    def description(self, name: str) -> str:
        """As Table.description."""
        return self._table.description(name)

    def source(self, name: str) -> str:
        """As Table.source."""
        return self._table.source(name)
