"""The resolved configuration of a run, as the program stores it: plain nested YAML, a key a line.

Only what the program itself writes is understood; for any other YAML use a YAML library.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Mapping


@lru_cache(maxsize=1024)  # thousands of replicas have one text
def settings(text: str) -> Mapping[str, str]:
    """Values as text, without quotes, by dotted key: {"network.width": "1000", ...}."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []  # (indentation, key) of the mappings that are open
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if not colon or key.startswith("#"):
            continue
        indentation = len(line) - len(line.lstrip())
        while path and path[-1][0] >= indentation:
            path.pop()
        path.append((indentation, key))
        if value.strip():
            found[".".join(name for _, name in path)] = unquoted(value.strip())
    return MappingProxyType(found)


def unquoted(value: str) -> str:
    """A value without the quotes around it."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value
