"""Weights in a file of Widthwise: the newest checkpoint of a run, and its snapshots.

All are read when asked for. `layer_weights` and `hidden_weights` read a whole layer; what `weights`
hands out stays in the file and is read by rows (units), for layers that are larger than memory.
"""

from __future__ import annotations

from typing import Callable, Optional, Union

import h5py
import numpy as np

from stored import StoredArray

Layer = Union[int, str]  # number of a hidden layer, from 1, or "output"


class Overtaken(RuntimeError):
    """A job that still writes has replaced the checkpoint; the sentence says what to do."""


def layer_name(layer: Layer) -> str:
    """Name of the dataset of a layer: hidden_weights, hidden_weights_2, ..., output_weights."""
    if layer == "output":
        return "output_weights"
    return "hidden_weights" if layer == 1 else f"hidden_weights_{layer}"


def _stored(
    group: h5py.Group,
    layer: Layer,
    what: str,
    at: Optional[int] = None,
    after_reading: Optional[Callable[[], None]] = None,
) -> StoredArray:
    name = layer_name(layer)
    if name not in group:
        known = ", ".join(sorted(key for key in group if "_weights" in key))
        raise KeyError(f"{what} has no {name}; it has {known}")
    return StoredArray(group[name], at=at, after_reading=after_reading)


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

    def weights(self, index: int, layer: Layer = 1) -> StoredArray:
        """Weights of a layer, a number from 1 or "output", in snapshot `index`: [m, d], from the
        second layer on [m, m], output [k, m] in a run that trains them. Read by parts."""
        if self._group is None or not 0 <= index < self.taken:
            raise IndexError(f"snapshot {index} was not taken; there are {self.taken}")
        return _stored(self._group, layer, "a snapshot of this run", at=index)

    def hidden_weights(self, index: int, layer: int = 1) -> np.ndarray:
        """The whole of a hidden layer."""
        return self.weights(index, layer)[...]

    def output_weights(self, index: int) -> np.ndarray:
        """The whole of the output weights [k, m]."""
        return self.weights(index, "output")[...]


class Checkpoint:
    """The newest checkpoint of a run, as it was when the file was opened.

    step  of these weights

    Where a job is still writing, it overwrites these weights as soon as there are newer ones. What
    was read after that is not handed out: Overtaken is raised instead. `is_newest` looks in the
    file whether it has come to that.
    """

    def __init__(
        self, step: int, group: h5py.Group, is_newest: Optional[Callable[[], bool]] = None
    ) -> None:
        self.step = step
        self._group = group
        self._is_newest = is_newest

    def weights(self, layer: Layer = 1) -> StoredArray:
        """Weights of a layer, a number from 1 or "output": [m, d], from the second layer on [m, m],
        output [k, m]. Read by parts."""
        what = f"the checkpoint of step {self.step}"
        return _stored(self._group, layer, what, after_reading=self._hold)

    def _hold(self) -> None:
        if self._is_newest is not None and not self._is_newest():
            raise Overtaken(
                f"the job goes on, and the checkpoint of step {self.step} is no longer the newest; "
                "call refresh() of the file, and ask for the checkpoint of its member again"
            )

    @property
    def hidden_weights(self) -> np.ndarray:
        """The whole of W, of the first hidden layer where there are several, [m, d]."""
        return self.layer_weights(1)

    def layer_weights(self, layer: int) -> np.ndarray:
        """The whole of W_l of hidden layer 1 to L: [m, d], from the second [m, m]."""
        return self.weights(layer)[...]

    @property
    def output_weights(self) -> np.ndarray:
        """The whole of a, [k, m]."""
        return self.weights("output")[...]
