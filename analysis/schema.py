"""The machine-readable schemas in hdf5-schema/, and how paths match their patterns.

schema.json is that of the files that the program works on, export.json that of plain copies, told as
what differs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Union

_FOLDER = Path(__file__).resolve().parent.parent / "hdf5-schema"
SCHEMA_PATH = _FOLDER / "schema.json"
EXPORT_PATH = _FOLDER / "export.json"

Extent = Union[int, str]  # a number, a symbol, or "..." for any further axes

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True)
class Pattern:
    """One entry of `objects`: what may or must stand at paths of its form."""

    path: str
    kind: str  # group or dataset
    type: str  # of a dataset, else ""
    extents: tuple[Extent, ...]
    optional: bool
    along_replicas: bool  # in runs with replicas an axis of them stands in front
    replicas: Optional[bool]  # whether it belongs to runs with replicas; None: to all
    companion: Optional[str]  # path pattern of the object that it stands or is missing with
    expression: re.Pattern[str]

    def match(self, path: str) -> Optional[dict[str, str]]:
        """Placeholders of `path` with what stands for them, None where it is of another form."""
        found = self.expression.fullmatch(path)
        return None if found is None else found.groupdict()

    @property
    def placeholders(self) -> list[str]:
        """Names of the placeholders in the path."""
        return _PLACEHOLDER.findall(self.path)


def fill(path: str, values: Mapping[str, str]) -> str:
    """A path pattern with placeholders replaced, those that `values` has."""
    return _PLACEHOLDER.sub(lambda name: values.get(name[1], name[0]), path)


def _load(path: Path) -> dict[str, Any]:
    """A schema as it stands in its file; one that is based on another is put together with it."""
    with path.open(encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    if "based_on" not in content:
        return content
    base = _load(path.parent / content["based_on"])
    base["symbols"].update(content["symbols"])
    base["format"] = content["format"]
    replaced = {entry["path"] for entry in content["objects"]}
    base["objects"] = content["objects"] + [
        entry
        for entry in base["objects"]
        if entry["path"] not in replaced
        and not any(entry["path"].startswith(prefix) for prefix in content["without"])
    ]
    return base


class Schema:
    """A schema with its patterns ready to match."""

    def __init__(self, path: Path = SCHEMA_PATH) -> None:
        self.content = _load(path)
        self.patterns = [self._pattern(entry) for entry in self.content["objects"]]

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    def _pattern(self, entry: Mapping[str, Any]) -> Pattern:
        parts = _PLACEHOLDER.split(entry["path"])  # text, name, text, name, ..., text
        expression = ""
        for number, part in enumerate(parts):
            if number % 2 == 0:
                expression += re.escape(part)
            else:
                expression += f"(?P<{part}>{self.content['placeholders'][part]})"
        return Pattern(
            path=entry["path"],
            kind=entry["kind"],
            type=entry.get("type", ""),
            extents=tuple(entry.get("extents", ())),
            optional=bool(entry.get("optional", False)),
            along_replicas=bool(entry.get("along_replicas", False)),
            replicas={"with replicas": True, "without replicas": False}.get(entry.get("runs")),
            companion=entry.get("with"),
            expression=re.compile(expression),
        )

    def matching(self, path: str) -> list[Pattern]:
        """All patterns that a path is of the form of; a good schema has exactly one."""
        return [pattern for pattern in self.patterns if pattern.match(path) is not None]
