#!/usr/bin/python3
"""Writes one HTML page on a file of Widthwise: what ran, its figures, key numbers and where they come from.

    python3 analysis/report.py results/figure1.h5
    python3 analysis/report.py results/figure1.h5 -o figure1.html

The page stands for itself: figures are inside, and nothing is loaded from elsewhere, so that it can be
sent by mail or kept beside the file.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
from html import escape
from pathlib import Path
from typing import Iterable, Optional, Sequence

import catalogue
import style
from summary import KeyNumber, facts_of, key_numbers
from widthwise import File, FormatError, Member, group_members
from widthwise import open as open_file

# Groups of runs whose numbers stand on the page; what is beyond is said to be left out.
MOST_GROUPS = 24

STYLE = """
body { font-family: sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 0.6em 0; font-size: 0.85em; }
th, td { border: 1px solid #ccc; padding: 0.2em 0.5em; text-align: left; vertical-align: top; }
td.number { text-align: right; white-space: nowrap; }
figure { margin: 1.5em 0; }
img { max-width: 100%; }
pre { background: #f6f6f6; padding: 0.8em; overflow-x: auto; font-size: 0.85em; }
"""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """An HTML table of texts; columns of `numbers` are set to the right."""
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    for row in rows:
        cells = "".join(
            f'<td class="number">{escape(cell)}</td>' if place in numbers
            else f"<td>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def figures(file: File) -> str:
    """All figures that the file's papers have of it, and the overview, as images inside the page."""
    chosen = catalogue.choose(file, None)
    page = catalogue.named("overview")
    if page not in chosen and page.possible(file):
        chosen.append(page)
    found = []
    for drawing in chosen:
        figure = drawing.draw(file)
        buffer = io.BytesIO()
        style.save_small(figure, buffer, dpi=130)
        style.plt.close(figure)
        image = base64.b64encode(buffer.getvalue()).decode("ascii")
        text = escape(drawing.description)
        found.append(
            f'<figure id="{drawing.name}">\n<img alt="{text}" src="data:image/png;base64,{image}">\n'
            f"<figcaption>{text}</figcaption>\n</figure>"
        )
    return "\n".join(found) or "<p>The file holds nothing yet that a figure could show.</p>"


def _row(number: KeyNumber) -> list[str]:
    units = "" if number.units == "1" else number.units
    source = f" ({number.source})" if number.source else ""
    return [
        number.name, number.kind, number.text(), units, str(len(number.values)),
        number.description + source,
    ]


def numbers_of(file: File) -> str:
    """Key numbers of each group of runs that differ in their seeds only."""
    groups = group_members(file.trainings)
    parts = []
    for label, members in list(groups.items())[:MOST_GROUPS]:
        rows = [_row(number) for number in key_numbers(members)]
        if not rows:
            continue
        if len(groups) > 1:
            parts.append(f"<h3>{escape(label)}</h3>")
        heads = ("name", "of", "mean ± deviation", "unit", "runs", "what it is")
        parts.append(table(heads, rows, numbers=(2, 4)))
    if len(groups) > MOST_GROUPS:
        parts.append(f"<p>{len(groups) - MOST_GROUPS} more settings are in the file.</p>")
    return "\n".join(parts) or "<p>Nothing is recorded yet.</p>"


def _last_record(member: Member) -> str:
    if member.replicas > 1:
        return f"{member.rows} of {member.replicas} replicas"
    return str(int(member.trajectory["step"][-1])) if member.rows > 0 else "none"


def _state_row(member: Member) -> list[str]:
    state = member.state.name.lower().replace("_", " ")
    return [member.name, member.label or "single run", state, _last_record(member)]


def page(file: File) -> str:
    """The whole page."""
    name = Path(file.path).name
    attempts = file.provenance
    keys = list(dict.fromkeys(key for attempt in attempts for key in attempt))
    rows = [[str(attempt.get(key, "")) for attempt in attempts] for key in keys]
    heads = ["", *(f"start {place + 1}" for place in range(len(attempts)))]
    configuration = file.members[0].config if file.members else ""
    several = ""
    if len(file.members) > 1:
        several = (
            f"<p>Of {escape(file.members[0].name)}; the other runs differ in what their labels say.</p>"
        )
    states = [_state_row(member) for member in file.members]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(name)}: Widthwise</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(name)}</h1>
<h2 id="what">What ran</h2>
{table(("", ""), facts_of(file))}
<h2 id="figures">Figures</h2>
{figures(file)}
<h2 id="numbers">Key numbers</h2>
{numbers_of(file)}
<h2 id="runs">Runs</h2>
{table(("run", "label", "state", "last record, step"), states)}
<h2 id="provenance">Provenance</h2>
{table(heads, [[key, *row] for key, row in zip(keys, rows)])}
<h2 id="configuration">Configuration</h2>
{several}
<pre>{escape(configuration)}</pre>
</body>
</html>
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Writes one HTML page on a Widthwise file, figures included."
    )
    parser.add_argument("file", metavar="FILE", help="an HDF5 file of `widthwise run`")
    parser.add_argument(
        "-o", "--output", metavar="PAGE", type=Path, help="the page (default: FILE with .html)"
    )
    options = parser.parse_args(arguments)
    output = options.output or Path(options.file).with_suffix(".html")
    style.use()
    try:
        with open_file(options.file) as file:
            text = page(file)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except (FormatError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
