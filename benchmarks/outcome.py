"""What a benchmark found: tables, sentences and bounds, printed as they come and kept in a small file."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acemaker.loop.creation import installed_versions

FOLDER = "ACEMAKER_BENCHMARKS"
"""Names the environment's variable with the folder in which outcomes are kept; nothing is kept without it."""


class Outcome:
    """Collects what a benchmark finds.

    Parameters
    ----------
    title
        What was measured, in some words.
    seeds
        Of the random numbers on which the figures depend.
    """

    def __init__(self, title: str, seeds: Sequence[int] = ()) -> None:
        self.name = Path(sys.argv[0]).stem
        self.kept: dict[str, Any] = {
            "title": title,
            "command": shlex.join(["python", f"benchmarks/{self.name}.py", *sys.argv[1:]]),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "versions": installed_versions(),
            "seeds": list(seeds),
            "tables": [],
            "notes": [],
            "bounds": [],
        }
        self._formats: Mapping[str, str] = {}
        versions = ", ".join(f"{name} {version}" for name, version in self.kept["versions"].items())
        print(f"{title}\n{self.kept['machine']}, {versions}")
        if seeds:
            print(f"seeds {', '.join(map(str, seeds))}")

    def table(self, columns: Mapping[str, str], title: str = "") -> None:
        """Begin a table.

        Parameters
        ----------
        columns
            Heads, with units, and how the values below are formatted.
        title
            Above it.
        """
        self._formats = columns
        self.kept["tables"].append({"title": title, "columns": list(columns), "rows": []})
        print("\n" + (title + "\n" if title else "") + "  ".join(f"{head:>{_width(head)}}" for head in columns))

    def row(self, *values: Any) -> None:
        """Add a row to the last table."""
        texts = [
            value if isinstance(value, str) else format(value, how)
            for value, how in zip(values, self._formats.values(), strict=True)
        ]
        self.kept["tables"][-1]["rows"].append(texts)
        print("  ".join(f"{text:>{_width(head)}}" for text, head in zip(texts, self._formats, strict=True)), flush=True)

    def note(self, text: str) -> None:
        """Add a sentence."""
        self.kept["notes"].append(text)
        print(text, flush=True)

    def at_most(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Hold a figure against the largest that it may be."""
        self._bound(what, f"{value:.3g}", f"at most {limit:g}", unit, bool(value <= limit))

    def at_least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Hold a figure against the smallest that it may be."""
        self._bound(what, f"{value:.3g}", f"at least {limit:g}", unit, bool(value >= limit))

    def must(self, what: str, kept: bool) -> None:
        """Hold a statement against what was found."""
        self._bound(what, "yes" if kept else "no", "yes", "", kept)

    def finish(self) -> None:
        """Keep the outcome, and end the process: with 1 if a bound does not hold."""
        if folder := os.environ.get(FOLDER):
            file = Path(folder) / f"{self.name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(self.kept, indent=1, ensure_ascii=False) + "\n")
        sys.exit(not all(bound["holds"] for bound in self.kept["bounds"]))

    def _bound(self, what: str, value: str, limit: str, unit: str, holds: bool) -> None:
        space = f" {unit}" if unit else ""
        self.kept["bounds"].append({"what": what, "value": value + space, "bound": limit + space, "holds": holds})
        print(f"{'pass' if holds else 'FAIL'}  {what}: {value}{space} ({limit}{space})", flush=True)


def _width(head: str) -> int:
    return max(len(head), 7)
