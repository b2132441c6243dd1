#!/usr/bin/python3
"""Holds files of Widthwise against hdf5-schema/schema.json, and exports against export.json.

    python3 analysis/check_schema.py results/figure1.h5 ...

Every object must match exactly one pattern, with the type, extents, attributes and storage that the
schema asks for; what it requires must be there; the commit pages must check and agree with what
they vouch for. Prints a line for each file, and one for each violation; exit code 1 if there was
any. The hashes of rows and weights are checked by `widthwise verify`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import Any, Iterator, Optional, Sequence, Union

import h5py
import numpy as np
from h5py import h5d, h5t

import commit_page
import widthwise
from schema import EXPORT_PATH, SCHEMA_PATH, Pattern, Schema, fill

Object = Union[h5py.Group, h5py.Dataset]


@dataclass
class Findings:
    """What is wrong with one file, and how much was looked at."""

    violations: list[str] = field(default_factory=list)
    datasets: int = 0
    runs: int = 0

    def add(self, path: str, what: str) -> None:
        """Notes a violation."""
        self.violations.append(f"{path}: {what}")


def type_of(kind: h5t.TypeID) -> str:
    """Name of an HDF5 type in the words of the schema, or what it is instead."""
    if isinstance(kind, h5t.TypeStringID):
        if kind.is_variable_str():
            return "a string of variable length"
        if kind.get_cset() != h5t.CSET_ASCII:
            return "a string that is not ASCII"
        if kind.get_strpad() != h5t.STR_NULLTERM:
            return "a string that is not null-terminated"
        return f"string{kind.get_size()}"
    for name, wanted in (("int64", h5t.STD_I64LE), ("float64", h5t.IEEE_F64LE)):
        if kind.equal(wanted):
            return name
    return f"another type ({kind.dtype})"


def type_fits(found: str, wanted: str) -> bool:
    """Whether a type is what the schema asks for."""
    is_string = found.startswith("string")
    if wanted == "string":
        return is_string
    if wanted == "fact":
        return is_string or found in ("int64", "float64")
    return found == wanted


def walk(group: h5py.Group, path: str, findings: Findings) -> Iterator[tuple[str, Object]]:
    """All objects below a group. Links other than hard ones are violations."""
    for name in group:
        child = f"{path.rstrip('/')}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            findings.add(child, "is a soft or external link")
            continue
        item = group[name]
        yield child, item
        if isinstance(item, h5py.Group):
            yield from walk(item, child, findings)


class Checker:
    """Checks one open file."""

    def __init__(self, file: h5py.File, schema: Schema, findings: Findings) -> None:
        self.file = file
        self.schema = schema
        self.findings = findings
        self.objects: dict[str, Object] = {"/": file["/"]}
        self.objects.update(walk(file["/"], "/", findings))
        runs = file.get("/runs")
        self.runs = sorted(runs) if isinstance(runs, h5py.Group) else []
        self.replicated = {run for run in self.runs if self._replicas(run) > 1}
        self.symbols: dict[str, dict[str, int]] = {run: self._facts(run) for run in self.runs}

    def _replicas(self, run: str) -> int:
        """Replicas of a run, 1 where it has none."""
        path = f"/runs/{run}/parameters/replicas"
        return int(self.objects[path][()]) if path in self.objects else 1

    def _belongs(self, pattern: Pattern, run: Optional[str]) -> bool:
        """Whether a run of its kind has what the pattern describes."""
        return pattern.replicas is None or pattern.replicas == (run in self.replicated)

    def _facts(self, run: str) -> dict[str, int]:
        """Symbols whose values are in the file; extents are held against them."""
        values = {}
        for symbol, entry in self.schema["symbols"].items():
            # Rows are replicas, or records.
            if "dataset" in entry and symbol == ("records" if run in self.replicated else "R"):
                continue
            if "fact" in entry:
                path = f"/runs/{run}/parameters/{entry['fact']}"
            elif "dataset" in entry:
                path = fill(entry["dataset"], {"run": run})
            else:
                continue
            if path in self.objects:
                values[symbol] = int(self.objects[path][()])
            else:
                self.findings.add(path, "is missing")
        return values

    def check(self) -> None:
        """All checks."""
        self._check_root()
        for path, item in self.objects.items():
            patterns = self.schema.matching(path)
            if len(patterns) != 1:
                self.findings.add(path, f"matches {len(patterns)} patterns of the schema, not one")
                continue
            self._check_object(path, item, patterns[0])
        self._check_required()
        for run in self.runs:
            if f"/state/{run}/commit" in self.objects:
                self._check_run(run)
        self.findings.runs = len(self.runs)

    def _check_root(self) -> None:
        version = self.file.id.get_create_plist().get_version()[0]
        if version > self.schema["superblock"]["at_most"]:
            self.findings.add("/", f"superblock version {version} is too new for old readers")
        self._check_attributes("/", self.file["/"], self.schema["root_attributes"], {})
        for name in ("format", "schema_version"):
            value = self.file.attrs.get(name)
            value = value.decode("ascii") if isinstance(value, bytes) else value
            if value != self.schema[name]:
                self.findings.add("/", f"attribute {name} is {value}, not {self.schema[name]}")

    def _check_attributes(
        self, path: str, item: Object, required: dict[str, str], optional: dict[str, str]
    ) -> None:
        names = set(item.attrs)
        for name in sorted(set(required) - names):
            self.findings.add(path, f"has no attribute {name}")
        for name in sorted(names - set(required) - set(optional)):
            self.findings.add(path, f"has an attribute that the schema lacks: {name}")
        for name in sorted(names & (set(required) | set(optional))):
            attribute = h5py.h5a.open(item.id, name.encode("ascii"))
            found = type_of(attribute.get_type())
            if not type_fits(found, {**required, **optional}[name]):
                self.findings.add(path, f"attribute {name} is {found}")
            elif attribute.get_space().get_simple_extent_ndims() != 0:
                self.findings.add(path, f"attribute {name} is not a scalar")
            elif path != "/" and name in required and not item.attrs[name]:
                self.findings.add(path, f"attribute {name} is empty")

    def _check_object(self, path: str, item: Object, pattern: Pattern) -> None:
        named = pattern.match(path) or {}
        if not self._belongs(pattern, named.get("run")):
            self.findings.add(path, "does not belong to a run of its kind: see its replicas")
        layers = self.symbols.get(named.get("run", ""), {}).get("L", 1)
        if "layer" in named and int(named["layer"]) > layers:
            self.findings.add(path, f"is of a layer that the run has not: it has {layers}")
        kind = "dataset" if isinstance(item, h5py.Dataset) else "group"
        if kind != pattern.kind:
            self.findings.add(path, f"is a {kind}, not a {pattern.kind}")
            return
        if kind == "group":
            if path != "/":
                self._check_attributes(path, item, {}, {})
            return
        self.findings.datasets += 1
        found = type_of(item.id.get_type())
        if not type_fits(found, pattern.type):
            self.findings.add(path, f"is {found}, not {pattern.type}")
        self._check_extents(path, item.shape, pattern, (pattern.match(path) or {}).get("run"))
        attributes = self.schema["dataset_attributes"]
        self._check_attributes(path, item, attributes["required"], attributes["optional"])
        self._check_storage(path, item)

    def _check_extents(
        self, path: str, shape: tuple[int, ...], pattern: Pattern, run: Optional[str]
    ) -> None:
        wanted = list(pattern.extents)
        if pattern.along_replicas and run in self.replicated:
            wanted.insert(0, "R")
        if wanted and wanted[-1] == "...":
            wanted = wanted[:-1]
            shape = shape[: len(wanted)] if len(shape) >= len(wanted) else shape
        shown = "[" + ", ".join(str(extent) for extent in wanted) + "]"
        if len(shape) != len(wanted):
            self.findings.add(path, f"has {len(shape)} axes, the schema has {shown}")
            return
        symbols = self.symbols.get(run or "", {})
        for found, extent in zip(shape, wanted):
            value = extent if isinstance(extent, int) else symbols.setdefault(extent, found)
            if found != value:
                what = "" if isinstance(extent, int) else f" ({extent} is {value})"
                self.findings.add(path, f"has extents {list(shape)} for {shown}{what}")
                return

    def _check_storage(self, path: str, item: h5py.Dataset) -> None:
        storage = self.schema["storage"]
        properties = item.id.get_create_plist()
        if properties.get_layout() != h5d.CONTIGUOUS:
            self.findings.add(path, "is not contiguous")
            return
        if properties.get_alloc_time() != h5d.ALLOC_TIME_EARLY:
            self.findings.add(path, "is not allocated early")
        if properties.get_fill_time() != h5d.FILL_TIME_NEVER:
            self.findings.add(path, "is filled")
        offset, size = item.id.get_offset(), item.id.get_storage_size()
        if size > 0 and offset is None:
            self.findings.add(path, "has no place in the file yet")
        elif size >= storage["alignment"]["from_bytes"]:
            if offset % storage["alignment"]["bytes"] != 0:
                self.findings.add(path, f"begins at byte {offset}, not on a page")

    def _check_required(self) -> None:
        """What must be there: with every run, with every slot, with its companion."""
        for pattern in self.schema.patterns:
            for values in self._occasions(pattern):
                if not self._belongs(pattern, values["run"]):
                    continue
                path = fill(pattern.path, values)
                if pattern.companion is not None:
                    with_path = fill(pattern.companion, values)
                    if (path in self.objects) != (with_path in self.objects):
                        self.findings.add(path, f"must be there exactly when {with_path} is")
                elif not pattern.optional and path not in self.objects:
                    self.findings.add(path, "is missing")
        for path in self.objects:
            parts = path.split("/")
            if len(parts) == 3 and parts[1] in ("state", "snapshots", "record"):
                if parts[2] not in self.runs:
                    self.findings.add(path, f"belongs to no run: there is no /runs/{parts[2]}")

    def _occasions(self, pattern: Pattern) -> Iterator[dict[str, str]]:
        """Values of run, slot and layer for which a pattern says something of one certain path."""
        names = pattern.placeholders
        if set(names) - {"run", "slot", "layer"}:
            return
        for run in self.runs if "run" in names else [""]:
            layers = range(2, self.symbols[run].get("L", 1) + 1) if "layer" in names else ("",)
            for slot in ("0", "1") if "slot" in names else ("",):
                for layer in layers:
                    yield {"run": run, "slot": slot, "layer": str(layer)}

    def _check_run(self, run: str) -> None:
        """The commit pages, and the trajectory that they vouch for."""
        path = f"/state/{run}/commit"
        pages = self.objects[path][()]
        if pages.shape != (2, commit_page.PAGE_WORDS):
            return
        named = named_words(self.schema["commit_page"])
        for number, words in enumerate(pages):
            if not commit_page.page_checks(words):
                continue
            unnamed = sorted(set(np.flatnonzero(words).tolist()) - named)
            if unnamed:
                self.findings.add(path, f"page {number} has words without name: {unnamed}")
        page = commit_page.newest(pages)
        if page is None:
            self.findings.add(path, "neither page checks")
            return
        steps_path = f"/runs/{run}/trajectory/step"
        if steps_path not in self.objects:
            return
        steps = self.objects[steps_path][()]
        if not 0 <= page.rows <= len(steps):
            self.findings.add(path, f"{page.rows} rows are committed of {len(steps)}")
            return
        if run in self.replicated:
            self._check_replicas(run, page)
            return
        committed = steps[: page.rows]
        last = int(committed[-1]) if page.rows > 0 else -1
        if last != page.last_step:
            self.findings.add(path, f"the last row is of step {last}, not {page.last_step}")
        if page.rows > 0 and (committed[0] != 0 or (np.diff(committed) <= 0).any()):
            self.findings.add(steps_path, "committed steps do not rise from 0")
        for number, slot in enumerate(page.slots):
            if slot.valid and not (0 <= slot.rows <= page.rows and slot.step >= 0):
                self.findings.add(path, f"checkpoint {number} has more rows than are committed")
        ended = (commit_page.State.DONE, commit_page.State.DIVERGED, commit_page.State.STOPPED)
        if page.state in ended:
            self._check_rest(run, page.rows)
        if page.state == commit_page.State.DONE and not page.final_valid:
            self.findings.add(path, "the run is done but its final results are not committed")

    def _check_replicas(self, run: str, page: commit_page.CommitPage) -> None:
        """Each replica that is done has records from step 0 on; of the others nothing is there."""
        steps = self.objects[f"/runs/{run}/trajectory/step"][()]
        made = self.objects[f"/runs/{run}/replica/steps"][()]
        for replica in range(page.rows):
            recorded = steps[replica][steps[replica] >= 0]
            if len(recorded) == 0 or recorded[0] != 0 or (np.diff(recorded) <= 0).any():
                self.findings.add(f"/runs/{run}", f"steps of replica {replica} do not rise from 0")
            elif recorded[-1] > made[replica]:
                self.findings.add(f"/runs/{run}", f"replica {replica} recorded more than it made")
        if page.state == commit_page.State.DONE and page.rows != len(steps):
            self.findings.add(f"/runs/{run}", f"is done with {page.rows} of {len(steps)} replicas")
        for group in ("trajectory", "replica", "final", "theory"):
            if f"/runs/{run}/{group}" in self.objects:
                self._check_rest(run, page.rows, group)

    def _check_rest(self, run: str, rows: int, name: str = "trajectory") -> None:
        """Beyond the committed rows of a run that ended: -1 and NaN."""
        group = self.objects[f"/runs/{run}/{name}"]
        for name, dataset in group.items():
            rest = dataset[rows:]
            blank = (rest == -1) if dataset.dtype.kind == "i" else np.isnan(rest)
            if not blank.all():
                self.findings.add(f"{group.name}/{name}", "has values beyond the committed rows")


def named_words(layout: dict[str, Any]) -> set[int]:
    """Numbers of all words of a commit page that mean something."""
    named = set(layout["words"].values()) | {layout["checksum"]["word"]}
    reason = layout["reason"]
    named |= set(range(reason["first_word"], reason["first_word"] + reason["words"]))
    slots = layout["slots"]
    for slot in (0, 1):
        first = slots["first_word"] + slot * slots["words_each"]
        named |= {first + word for word in slots["words"].values()}
    audits = layout["audits"]
    for kind in audits["kinds"].values():
        first = audits["first_word"] + kind * audits["words_each"]
        named |= {first + word for word in audits["words"].values()}
    return named


def schema_of(file: h5py.File) -> Schema:
    """The schema that a file ought to hold to."""
    is_export = widthwise.plain(file.attrs.get("format", b"")) == widthwise.EXPORT_FORMAT
    return Schema(EXPORT_PATH if is_export else SCHEMA_PATH)


def check_file(path: str) -> Findings:
    """Holds one file against its schema."""
    findings = Findings()
    try:
        with h5py.File(path, "r", locking=False) as file:
            Checker(file, schema_of(file), findings).check()
    except OSError as error:
        findings.violations.append(f"does not open: {error}")
    return findings


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Holds Widthwise files against the schema.")
    parser.add_argument("files", metavar="FILE", nargs="+")
    options = parser.parse_args(arguments)
    failed = False
    for path in options.files:
        findings = check_file(path)
        for violation in findings.violations:
            print(f"{path}: {violation}")
        if findings.violations:
            failed = True
            print(f"{path}: {len(findings.violations)} violations of the schema")
        else:
            print(f"{path}: ok, {findings.runs} runs, {findings.datasets} datasets")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
