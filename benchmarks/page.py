"""The page of all results: python benchmarks/page.py [FOLDER [PAGE]].

Reads the outcomes that the benchmarks have kept in a folder (results, beside this file) and writes them as one page
(docs/benchmarks.md). Nothing on it comes from anywhere else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "benchmarks.md"

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


def section(outcome: dict[str, Any]) -> str:
    """Tell one outcome."""
    versions = ", ".join(f"{name} {version}" for name, version in outcome["versions"].items())
    seeds = f"; seeds {', '.join(map(str, outcome['seeds']))}" if outcome["seeds"] else ""
    parts = [f"## {outcome['title']}\n", f"    {outcome['command']}\n", f"{outcome['machine']}, {versions}{seeds}.\n"]
    for one in outcome["tables"]:
        parts += [f"{one['title']}:\n"] if one["title"] else []
        parts.append(table(one["columns"], one["rows"]))
    parts += [f"{note}\n" for note in outcome["notes"]]
    return "\n".join(parts)


def page(folder: Path) -> str:
    """Return the page."""
    found = outcomes(folder)
    heads = ("what", "found", "bound", "")
    return HEAD + table(heads, bounds(found)) + "\n" + "\n".join(map(section, found))


def main() -> None:
    """Write the page."""
    words = [Path(word) for word in sys.argv[1:]]
    folder, file = [*words, *(RESULTS, PAGE)[len(words) :]]
    file.write_text(page(folder))
    print(f"written: {file}")


if __name__ == "__main__":
    main()
