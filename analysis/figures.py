#!/usr/bin/python3
"""Draws the figures that a file of Widthwise holds, as PNG and PDF.

    python3 analysis/figures.py results/figure1.h5
    python3 analysis/figures.py results/figure1.h5 --out figures --only four-panels
    python3 analysis/figures.py results/figure1.h5 --list

The file tells which paper's figure it holds; a run that belongs to none gets a page of overview. A page
on all that a file holds, with its configuration and numbers, is made by report.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

import matplotlib.figure

import catalogue
import style
from widthwise import FormatError
from widthwise import open as open_file


def save(figure: matplotlib.figure.Figure, stem: Path) -> list[Path]:
    """Writes a figure as PNG and PDF; a fixed date keeps equal figures equal byte by byte."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "pdf")]
    figure.savefig(paths[0])
    figure.savefig(paths[1], metadata={"CreationDate": None})
    style.plt.close(figure)
    return paths


def parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draws the figures that a Widthwise file holds.")
    parser.add_argument("file", metavar="FILE", help="an HDF5 file of `widthwise run`")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="where the figures go (default: beside FILE)"
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        choices=[drawing.name for drawing in catalogue.DRAWINGS],
        help="draw this one: " + ", ".join(drawing.name for drawing in catalogue.DRAWINGS),
    )
    parser.add_argument("--list", action="store_true", help="say what FILE holds enough for")
    return parser.parse_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parse(arguments)
    style.use()
    try:
        with open_file(options.file) as file:
            if options.list:
                default = {drawing.name for drawing in catalogue.choose(file, None)}
                for drawing in catalogue.possible(file):
                    asked = "" if drawing.name in default else " (if asked for by --only)"
                    print(f"{drawing.name:16} {drawing.description}{asked}")
                return 0
            chosen = catalogue.choose(file, options.only)
            if not chosen:
                what = f"figure {options.only}" if options.only else "any figure"
                print(f"{options.file}: holds nothing yet that {what} could show", file=sys.stderr)
                return 1
            folder = options.out or Path(options.file).resolve().parent
            folder.mkdir(parents=True, exist_ok=True)
            for drawing in chosen:
                stem = folder / f"{Path(options.file).stem}-{drawing.name}"
                for path in save(drawing.draw(file), stem):
                    print(path)
    except (FormatError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
