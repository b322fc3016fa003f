"""Write the page of all benchmark results: python benchmarks/page.py [FOLDER [PAGE]].

It reads the outcomes that the benchmarks have stored in a folder (by default benchmarks/results), and writes them with
pictures to one page (by default docs/benchmarks.md), which has no other content. Tables are also inserted into other
pages, between comments that name them.
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
"""Folder of pictures; one with the name of a benchmark is shown with its results."""

DRAWN = PICTURES / "benchmarks"
"""Pictures that `pictures.py` draws each time the page is written."""

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
"""Other pages that contain tables of the results."""

TITLES = {"label_systems": "Labels against error on four systems", "ablations": "What the parts of the loop buy"}
"""Titles of long benchmarks, whose rows are summarized even if they are incomplete."""

NAMED = re.compile(r"(<!-- table of (\w+):(.*?)-->\n).*?(<!-- end -->)", flags=re.DOTALL)

HEAD = """# Benchmarks

Every figure on this page was measured by the command above it; `python benchmarks/page.py` writes the page from the
results of these commands in `benchmarks/results/`. `make bench` runs a reduced form of the benchmarks,
`make bench-full` runs them completely, and `python benchmarks/run.py --full --only NAME` runs one of them.
Times depend on the machine as much as on acemaker, so bounds are ratios within one run if possible.

## Bounds

"""


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """Read the outcomes in a folder, sorted by title."""
    stored = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    return sorted(stored, key=lambda outcome: str(outcome["title"]))


def of_rows(folder: Path) -> list[dict[str, Any]]:
    """Summarize the rows of long benchmarks that are incomplete, as the benchmarks would."""
    summarized = []
    for name, title in TITLES.items():
        file, module = folder / f"{name}.csv", importlib.import_module(name)
        if file.exists() and not (folder / f"{name}.json").exists():
            rows = list(read_rows(file, module.KEY).values())
            with redirect_stdout(io.StringIO()):
                outcome = Outcome(title, sorted({int(row["seed"]) for row in rows}))
                module.summarize(outcome, rows, list(dict.fromkeys(row[module.KEY[0]] for row in rows)))
            origin = {"command": module.COMMAND, "machine": "The rows of several runs", "versions": {}}
            summarized.append({**outcome.kept, **origin})
    return summarized


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table as Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows]) + "\n"


def bounds(results: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """List all bounds: the quantity, its value, the bound, and whether it holds."""
    return [
        (bound["what"], bound["value"], bound["bound"], "pass" if bound["holds"] else "**fail**")
        for outcome in results
        for bound in outcome["bounds"]
    ]


def name_of(outcome: dict[str, Any]) -> str:
    """Return the name of the benchmark of an outcome."""
    return Path(outcome["command"].split()[1]).stem


def section(outcome: dict[str, Any]) -> str:
    """Format one outcome as a section."""
    versions = "".join(f", {name} {version}" for name, version in outcome["versions"].items())
    seeds = f"; seeds {', '.join(map(str, outcome['seeds']))}" if outcome["seeds"] else ""
    parts = [f"## {outcome['title']}\n", f"    {outcome['command']}\n", f"{outcome['machine']}{versions}{seeds}.\n"]
    for content in outcome["tables"]:
        parts += [f"{content['title']}:\n"] if content["title"] else []
        parts.append(table(content["columns"], content["rows"]))
    parts += [f"{note}\n" for note in outcome["notes"]]
    for folder in (DRAWN, PICTURES):
        if (picture := folder / f"{name_of(outcome)}.png").exists():
            parts.append(f"![{outcome['title']}]({picture.relative_to(PAGE.parent)})\n")
            break
    return "\n".join(parts)


def page(folder: Path) -> str:
    """Return the page of the results in a folder."""
    results = sorted(outcomes(folder) + of_rows(folder), key=lambda outcome: str(outcome["title"]))
    heads = ("quantity", "value", "bound", "")
    return HEAD + table(heads, bounds(results)) + "\n" + "\n".join(map(section, results))


def shown(text: str, folder: Path) -> str:
    """Insert tables of the results into a page, between comments that name them by the beginning of their titles."""
    results = outcomes(folder) + of_rows(folder)

    def insert(match: re.Match[str]) -> str:
        begin, name, title, end = match.groups()
        (outcome,) = [outcome for outcome in results if name_of(outcome) == name]
        (content,) = [content for content in outcome["tables"] if content["title"].startswith(title.strip())]
        head = f"{content['title']}:\n\n" if content["title"] else ""
        return f"{begin}\n{head}{table(content['columns'], content['rows'])}\n{end}"

    return NAMED.sub(insert, text)


def main() -> None:
    """Write the page, and the tables of other pages."""
    arguments = [Path(argument) for argument in sys.argv[1:]]
    folder, file = [*arguments, *(RESULTS, PAGE)[len(arguments) :]]
    for outcome in outcomes(folder) + of_rows(folder) if folder == RESULTS else ():
        if name_of(outcome) in PANELS:
            draw(outcome, name_of(outcome), DRAWN / f"{name_of(outcome)}.png")
    file.write_text(page(folder))
    print(f"written: {file}")
    for other in SHOWING if folder == RESULTS else ():
        other.write_text(shown(other.read_text(), folder))


if __name__ == "__main__":
    main()
