"""The page of all results: python benchmarks/page.py [FOLDER [PAGE]].

Reads the outcomes that the benchmarks have kept in a folder (results, beside this file) and writes them as one page
(docs/benchmarks.md), with pictures. Nothing on it comes from anywhere else. Other pages name the tables that they show
in comments, between which these are put.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from outcome import Outcome
from pictures import PANELS, draw
from rows import read_rows

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "benchmarks.md"
PICTURES = PAGE.parent / "images"
"""A picture that has a benchmark's name is shown with it."""

DRAWN = PICTURES / "benchmarks"
"""Those that `pictures.py` draws, whenever the page is written."""

SHOWING = tuple(
    HERE.parent / "docs" / name
    for name in (
        "how_it_works/efficiency.md",
        "how_it_works/embedding.md",
        "how_it_works/labels.md",
        "how_it_works/scale.md",
        "how_to/pacemaker.md",
        "workshop.md",
    )
)
"""Pages that show tables of the results."""

TITLES = {"label_systems": "Labels against error on four systems", "ablations": "What the parts of the loop buy"}
"""Of long benchmarks whose rows are summed up as far as they have come."""

NAMED = re.compile(r"(<!-- table of (\w+):(.*?)-->\n).*?(<!-- end -->)", flags=re.DOTALL)

HEAD = """# Benchmarks

Every figure on this page was written by the command above it, and the page by `python benchmarks/page.py` from what
these commands left in `benchmarks/results/`. `make bench` runs a reduced form of them, `make bench-full` all of it,
`python benchmarks/run.py --full --only NAME` one.
Times alone say as much of the machine as of acemaker: the bounds are ratios within one run where that is possible.

## Bounds

"""


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """Read what is in a folder, by title."""
    found = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    return sorted(found, key=lambda outcome: str(outcome["title"]))


def of_rows(folder: Path) -> list[dict[str, Any]]:
    """Sum up the rows of those long benchmarks that have not come to their end, as these would."""
    found = []
    for name, title in TITLES.items():
        file, module = folder / f"{name}.csv", importlib.import_module(name)
        if file.exists() and not (folder / f"{name}.json").exists():
            rows = list(read_rows(file, module.KEY).values())
            with redirect_stdout(io.StringIO()):
                outcome = Outcome(title, sorted({int(row["seed"]) for row in rows}))
                module.summarise(outcome, rows, list(dict.fromkeys(row[module.KEY[0]] for row in rows)))
            here = {"command": module.COMMAND, "machine": "The rows of several runs", "versions": {}}
            found.append({**outcome.kept, **here})
    return found


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows]) + "\n"


def bounds(found: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Gather every bound: what, what was found, what is asked for, and whether it holds."""
    return [
        (bound["what"], bound["value"], bound["bound"], "pass" if bound["holds"] else "**fail**")
        for outcome in found
        for bound in outcome["bounds"]
    ]


def name_of(outcome: dict[str, Any]) -> str:
    """Return the name of the benchmark that found it."""
    return Path(outcome["command"].split()[1]).stem


def section(outcome: dict[str, Any]) -> str:
    """Tell one outcome."""
    versions = "".join(f", {name} {version}" for name, version in outcome["versions"].items())
    seeds = f"; seeds {', '.join(map(str, outcome['seeds']))}" if outcome["seeds"] else ""
    parts = [f"## {outcome['title']}\n", f"    {outcome['command']}\n", f"{outcome['machine']}{versions}{seeds}.\n"]
    for one in outcome["tables"]:
        parts += [f"{one['title']}:\n"] if one["title"] else []
        parts.append(table(one["columns"], one["rows"]))
    parts += [f"{note}\n" for note in outcome["notes"]]
    for folder in (DRAWN, PICTURES):
        if (picture := folder / f"{name_of(outcome)}.png").exists():
            parts.append(f"![{outcome['title']}]({picture.relative_to(PAGE.parent)})\n")
            break
    return "\n".join(parts)


def page(folder: Path) -> str:
    """Return the page."""
    found = sorted(outcomes(folder) + of_rows(folder), key=lambda outcome: str(outcome["title"]))
    heads = ("what", "found", "bound", "")
    return HEAD + table(heads, bounds(found)) + "\n" + "\n".join(map(section, found))


def shown(text: str, folder: Path) -> str:
    """Put the tables that a page names where it names them, by how their titles begin."""
    kept = outcomes(folder) + of_rows(folder)

    def put(found: re.Match[str]) -> str:
        begin, name, title, end = found.groups()
        (outcome,) = [one for one in kept if name_of(one) == name]
        (one,) = [one for one in outcome["tables"] if one["title"].startswith(title.strip())]
        head = f"{one['title']}:\n\n" if one["title"] else ""
        return f"{begin}\n{head}{table(one['columns'], one['rows'])}\n{end}"

    return NAMED.sub(put, text)


def main() -> None:
    """Write the page, and the tables of others."""
    words = [Path(word) for word in sys.argv[1:]]
    folder, file = [*words, *(RESULTS, PAGE)[len(words) :]]
    for outcome in outcomes(folder) + of_rows(folder) if folder == RESULTS else ():
        if name_of(outcome) in PANELS:
            draw(outcome, name_of(outcome), DRAWN / f"{name_of(outcome)}.png")
    file.write_text(page(folder))
    print(f"written: {file}")
    for other in SHOWING if folder == RESULTS else ():
        other.write_text(shown(other.read_text(), folder))


if __name__ == "__main__":
    main()
