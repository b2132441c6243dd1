"""Members of a file by what sets them apart, and all of them as one table.

Works on what `widthwise.open` hands out: members, and replicas as runs of their own.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Collection, Iterable, Mapping, Optional, Sequence, Union

import numpy as np

import resolved

if TYPE_CHECKING:
    from widthwise import Training

Cell = Union[int, float, str]

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


def number(text: str) -> Cell:
    """A text as the number that it is, else as it stands."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _value(member: Training, key: str) -> Cell:
    """What a member has for a key of its label, of its configuration, or of its parameters."""
    swept = settings_of(member.label)
    if key in swept:
        return number(swept[key])
    configured = member.setting(key)
    if configured is not None:
        return number(configured)
    if key in member.parameters:
        return member.parameters[key]
    known = {*swept, *resolved.settings(member.config), *member.parameters}
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise KeyError(f"{member.name} has neither a setting nor a parameter {key}{hint}")


def _equal(found: Cell, wanted: Any) -> bool:
    if isinstance(wanted, (bool, np.bool_)):
        return found == str(bool(wanted)).lower()
    if isinstance(wanted, str):
        return found == number(wanted) or found == wanted
    if isinstance(wanted, (Collection, np.ndarray)):
        return any(_equal(found, one) for one in wanted)
    return bool(found == wanted)


def select(
    members: Iterable[Training], wanted: Optional[Mapping[str, Any]] = None, **more: Any
) -> list[Training]:
    """Those that have the values wanted, in their order; see widthwise.File.select."""
    criteria = {**(wanted or {}), **more}
    return [
        member
        for member in members
        if all(_equal(_value(member, key), value) for key, value in criteria.items())
    ]


def _row(member: Training) -> dict[str, Cell]:
    """One row of the table."""
    row: dict[str, Cell] = {"name": member.name}
    row.update((key, number(value)) for key, value in settings_of(member.label).items())
    row.update(state=member.state.name.lower(), rows=member.rows)
    row.update((key, value) for key, value in member.parameters.items() if key not in row)
    if member.rows > 0:
        for name in member.trajectory:
            if len(member.trajectory.shape(name)) == 1:
                row[f"last.{name}"] = member.trajectory.last(name).item()
    for group in ("final", "theory", "gram"):
        results = getattr(member, group)
        for name in results:
            if len(results.shape(name)) == 0:
                row[f"{group}.{name}"] = results[name].item()
    return row


def table(members: Sequence[Training]) -> dict[str, list[Cell]]:
    """One row for each member, by columns; see widthwise.File.table."""
    rows = [_row(member) for member in members]
    columns: dict[str, list[Cell]] = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        present = [row[name] for row in rows if name in row]
        missing: Cell = "" if any(isinstance(value, str) for value in present) else math.nan
        columns[name] = [row.get(name, missing) for row in rows]
    return columns
