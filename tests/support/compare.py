"""Compares files of Widthwise dataset by dataset, bit by bit."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

import program  # noqa: F401  (puts analysis/ on the path)
import commit_page

# Words of a commit page that tell how often was committed, not what.
BOOKKEEPING = (2, 17, commit_page.CHECKSUM_WORD)


def datasets(file: h5py.File, below: str = "/") -> dict[str, h5py.Dataset]:
    """All datasets of a file by path."""
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[f"{below.rstrip('/')}/{name}"] = item

    file[below].visititems(visit)
    return found


def bits(dataset: h5py.Dataset) -> bytes:
    """Contents as bytes, so that NaN equals NaN and 0 differs from -0."""
    return np.ascontiguousarray(dataset[()]).tobytes()


def newest_words(pages: np.ndarray) -> np.ndarray:
    """Words of the newest page that checks."""
    good = [words for words in pages if commit_page.page_checks(words)]
    return max(good, key=lambda words: words[2])


def committed(pages: np.ndarray) -> bytes:
    """What the newest page vouches for, hashes included, without what counts commits."""
    words = newest_words(pages).copy()
    words[list(BOOKKEEPING)] = 0
    return words.tobytes()


def differences(first: Path, second: Path) -> list[str]:
    """Paths of all datasets and attributes in which two files differ.

    Left out are /provenance, which tells who ran what where, and in the commit pages the words that
    count commits.
    """
    with h5py.File(first, "r", locking=False) as a, h5py.File(second, "r", locking=False) as b:
        left, right = datasets(a), datasets(b)
        found = sorted(set(left) ^ set(right))
        for path in sorted(set(left) & set(right)):
            x, y = left[path], right[path]
            if (x.shape, x.dtype, dict(x.attrs)) != (y.shape, y.dtype, dict(y.attrs)):
                found.append(f"{path} (shape, type or attributes)")
            elif path.startswith("/provenance/"):
                continue
            elif path.startswith("/state/") and path.endswith("/commit"):
                if committed(x[()]) != committed(y[()]):
                    found.append(path)
            elif bits(x) != bits(y):
                found.append(path)
        return found


def result_differences(first: Path, second: Path) -> list[str]:
    """As `differences`, with the newest checkpoints compared wherever they lie.

    A run that was stopped has written more checkpoints, so its newest may be in the other slot, and
    the older one may be of another step.
    """
    found = [path for path in differences(first, second) if not path.startswith("/state/")]
    with h5py.File(first, "r", locking=False) as a, h5py.File(second, "r", locking=False) as b:
        for run in a["/state"]:
            if newest_checkpoint(a, run) != newest_checkpoint(b, run):
                found.append(f"/state/{run} (newest checkpoint)")
            pages = [newest_words(file[f"/state/{run}/commit"][()]) for file in (a, b)]
            results = [page[3:15].tobytes() for page in pages]  # state, rows, hashes, results
            if results[0] != results[1]:
                found.append(f"/state/{run}/commit")
    return found


def newest_checkpoint(file: h5py.File, run: str) -> tuple[bytes, ...]:
    """Words and contents of the newest checkpoint of a run.

    Its own hash is left out, for it is keyed by the slot; equal contents say more.
    """
    words = newest_words(file[f"/state/{run}/commit"][()])
    slots = [words[32 + 16 * slot : 48 + 16 * slot] for slot in (0, 1)]
    slot = max((slot for slot in (0, 1) if slots[slot][0]), key=lambda slot: slots[slot][1])
    group = file[f"/state/{run}/checkpoint{slot}"]
    described = slots[slot].copy()
    described[2] = 0
    return (described.tobytes(), *(bits(group[name]) for name in sorted(group)))
