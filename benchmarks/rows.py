"""Rows that a long benchmark keeps in a CSV file, so that it can be broken off and goes on where the file ends."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]


def read_rows(file: Path | None, key: Sequence[str]) -> dict[tuple[str, ...], Row]:
    """Read the rows of a file by the values of some columns; none if it is not there."""
    if file is None or not file.exists():
        return {}
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return {tuple(row[name] for name in key): row for row in csv.DictReader(lines)}


def append(file: Path | None, row: Row, command: str) -> None:
    """Add a row to a file, which begins with the command that writes it; without a file, do nothing."""
    if file is None:
        return
    new = not file.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, list(row), lineterminator="\n")
        if new:
            handle.write(f"# {command}\n")
            writer.writeheader()
        writer.writerow(row)
