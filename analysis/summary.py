"""What a file holds in a few words and numbers: for the overview and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

import numpy as np

from averages import has_scalar
from style import shortest
from widthwise import File, Training, is_seed, settings_of

# What tells one run from another at a glance: name, and keys of the configuration or facts of a run.
FACTS = (
    ("model", "model"),
    ("samples", "data.source"),
    ("train samples", "train_samples"),
    ("test samples", "test_samples"),
    ("inputs d", "dimension"),
    ("labels", "data.labels.kind"),
    ("hidden units m", "width"),
    ("hidden layers L", "depth"),
    ("outputs", "outputs"),
    ("activation", "network.activation.kind"),
    ("loss", "loss"),
    ("method", "training.method"),
    ("batch", "batch"),
    ("step size", "learning_rate"),
    ("steps", "steps"),
    ("precision", "precision"),
)


def facts_of(file: File) -> list[tuple[str, str]]:
    """What ran: names with their value, or with those that runs differ in."""
    found = []
    for name, key in FACTS:
        values: dict[str, None] = {}
        for member in file.members:
            value = member.parameters.get(key, member.setting(key))
            if value is not None:
                values[shortest(str(value)) if not isinstance(value, float) else f"{value:g}"] = None
        if values:
            found.append((name, _listed(list(values))))
    swept = {key for member in file.members for key in settings_of(member.label)}
    if swept:
        found.append(("sweep over", ", ".join(sorted(swept, key=lambda key: (is_seed(key), key)))))
    found.append(("runs", states_of(file)))
    return found


def _listed(values: Sequence[str]) -> str:
    if len(values) <= 4:
        return ", ".join(values)
    return f"{values[0]} to {values[-1]} ({len(values)} values)"


def states_of(file: File) -> str:
    """How many runs are in which state: "4 done, 1 running"."""
    counts: dict[str, int] = {}
    for member in file.members:
        name = member.state.name.lower().replace("_", " ")
        counts[name] = counts.get(name, 0) + 1
    replicas = {member.replicas for member in file.members}
    several = f", of {max(replicas)} replicas each" if max(replicas) > 1 else ""
    return ", ".join(f"{count} {name}" for name, count in counts.items()) + several


@dataclass(frozen=True)
class KeyNumber:
    """A number over runs: its mean, and from where to where it goes."""

    name: str
    kind: str  # "last record", "result" or "theory"
    description: str
    units: str
    source: str
    values: np.ndarray

    @property
    def mean(self) -> float:
        """Over the runs that have it."""
        return float(self.values.mean())

    def text(self) -> str:
        """Mean and standard deviation, or the one value."""
        if len(self.values) == 1 or np.ptp(self.values) == 0 or not np.isfinite(self.values).all():
            return f"{self.values[0]:.4g}" if np.ptp(self.values) == 0 else f"{self.mean:.4g}"
        return f"{self.mean:.4g} ± {self.values.std(ddof=1):.2g}"


def _last(member: Training, name: str) -> Optional[float]:
    values = member.trajectory[name]
    finite = np.flatnonzero(np.isfinite(values))
    return float(values[finite[-1]]) if len(finite) else None


def _single(table: object, name: str) -> Optional[float]:
    value = np.asarray(table[name])  # type: ignore[index]
    if value.ndim != 0 or value.dtype.kind not in "fiub" or not np.isfinite(float(value)):
        return None
    return float(value)


def key_numbers(members: Sequence[Training]) -> list[KeyNumber]:
    """Scalar quantities at the last record, scalar results and predictions, over the runs."""
    sources = (
        ("last record", lambda member: member.trajectory),
        ("result", lambda member: member.final),
        ("Gram matrix", lambda member: member.gram),
        ("theory", lambda member: member.theory),
    )
    found = []
    for kind, table_of in sources:
        names = dict.fromkeys(name for member in members for name in table_of(member))
        names.pop("step", None)
        for name in names:
            values, first = [], None
            for member in members:
                table = table_of(member)
                if name not in table:
                    continue
                if kind == "last record":
                    value = _last(member, name) if has_scalar(member, name) else None
                else:
                    value = _single(table, name)
                if value is not None:
                    values.append(value)
                    first = first or table
            if first is not None:
                found.append(
                    KeyNumber(
                        name, kind, first.description(name), first.units(name), first.source(name),
                        np.array(values),
                    )
                )
    return found


def named(numbers: Iterable[KeyNumber], name: str) -> Optional[KeyNumber]:
    """The number of that name, None without one."""
    return next((number for number in numbers if number.name == name), None)
