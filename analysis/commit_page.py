"""The commit pages of a Widthwise file: which rows, results and checkpoints of a run count.

Each run has two pages of 512 words that are written in turn; hdf5-schema/README.md lists the words.
A page counts when its magic, its version and its checksum hold, and the newest such page decides.
"""

from __future__ import annotations

import enum
import zlib
from dataclasses import dataclass
from typing import Optional

import numpy as np

PAGE_WORDS = 512
PAGE_VERSION = 1
MAGIC = int.from_bytes(b"WWCOMMIT", "little")
CHECKSUM_WORD = 511
SLOT_WORD = 32
SLOT_WORDS = 16
REASON_WORDS = slice(64, 192)
AUDIT_WORD = 192
AUDIT_WORDS = 16


class State(enum.IntEnum):
    """How far a run is."""

    WAITING = 0
    RUNNING = 1
    DONE = 2
    DIVERGED = 3
    STOPPED = 4
    FAILED = 5


@dataclass(frozen=True)
class Slot:
    """What a page says of one of the two checkpoints."""

    valid: bool
    step: int
    rows: int
    snapshots: int
    last_step: int  # of the last of its rows, -1 without rows


class Verdict(enum.IntEnum):
    """What an audit came to."""

    NONE = 0
    HOLDS = 1
    FAILS = 2


@dataclass(frozen=True)
class Audit:
    """What was found when patterns and outputs were compared with those of the weights."""

    verdict: Verdict
    first_step: int  # steps made when the weights were those that were looked at
    last_step: int
    pairs: int  # of a unit and a train sample, at each of these steps
    mismatches: int
    undecided: int  # too near to 0, by rounding
    difference: float  # largest of outputs, by the largest output, or by 1


@dataclass(frozen=True)
class CommitPage:
    """One commit page, in words of the field. Hashes stay with the program: `widthwise verify`."""

    generation: int
    state: State
    rows: int
    last_step: int
    final_valid: bool
    theory_valid: bool
    record_valid: bool
    gram_valid: bool
    spectrum_valid: bool
    snapshots: int
    attempt: int
    data_hash: int
    reason: str  # why the run failed or diverged, "" where it did not
    slots: tuple[Slot, Slot]
    audit: Audit  # at the end of training: `--audit`
    checked: Audit  # of steps, against the engine dense: `--check-steps`

    def newest_slot(self) -> Optional[int]:
        """Number of the valid slot with the highest step, None where no checkpoint is valid."""
        valid = [number for number, slot in enumerate(self.slots) if slot.valid]
        return max(valid, key=lambda number: self.slots[number].step, default=None)


def page_checks(words: np.ndarray) -> bool:
    """Whether one page of 512 words is whole: magic, version, checksum."""
    words = np.ascontiguousarray(words, dtype="<i8")
    if words.shape != (PAGE_WORDS,):
        return False
    checksum = zlib.crc32(words[:CHECKSUM_WORD].tobytes())
    return (
        int(words[0]) == MAGIC
        and int(words[1]) == PAGE_VERSION
        and int(words[CHECKSUM_WORD]) == checksum
    )


def decode(words: np.ndarray) -> CommitPage:
    """The page that 512 words stand for; they must check."""
    number = [int(word) for word in words]

    def slot(index: int) -> Slot:
        first = SLOT_WORD + SLOT_WORDS * index
        return Slot(
            valid=bool(number[first]),
            step=number[first + 1],
            rows=number[first + 3],
            snapshots=number[first + 5],
            last_step=number[first + 7],
        )

    def audit(kind: int) -> Audit:
        first = AUDIT_WORD + AUDIT_WORDS * kind
        return Audit(
            Verdict(number[first]),
            *number[first + 1 : first + 6],
            float(np.ascontiguousarray(words[first + 6 : first + 7], dtype="<i8").view("<f8")[0]),
        )

    return CommitPage(
        generation=number[2],
        state=State(number[3]),
        rows=number[4],
        last_step=number[6],
        final_valid=bool(number[7]),
        theory_valid=bool(number[9]),
        record_valid=bool(number[11]),
        gram_valid=bool(number[15]),
        spectrum_valid=bool(number[20]),
        snapshots=number[13],
        attempt=number[17],
        data_hash=number[18],
        reason=np.ascontiguousarray(words[REASON_WORDS], dtype="<i8")
        .tobytes()
        .split(b"\0")[0]
        .decode("utf-8", "replace"),
        slots=(slot(0), slot(1)),
        audit=audit(0),
        checked=audit(1),
    )


def newest(pages: np.ndarray) -> Optional[CommitPage]:
    """The newest page that checks of the pages [2, 512], None when neither does."""
    good = [decode(page) for page in pages if page_checks(page)]
    return max(good, key=lambda page: page.generation, default=None)
