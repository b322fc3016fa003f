"""The text form of a summary."""

from __future__ import annotations

from acemaker.formatting.summary import Summary, Table

MARKS = {"done": "✓", "now": "●", "failed": "✗", "open": "○"}


def render(summary: Summary) -> str:
    """Write a summary as lines of text.

    Parameters
    ----------
    summary
        What to show.

    Returns
    -------
    str
        Without a trailing newline.
    """
    lines = [summary.title]
    if summary.strip:
        lines.append("  " + " → ".join(f"{name} {MARKS[standing]}" for name, standing in summary.strip))
    width = max((len(name) for name, _ in summary.items), default=0)
    lines += [f"  {name:<{width}}  {value}" for name, value in summary.items]
    if summary.table is not None:
        lines += ["  " + line for line in table_lines(summary.table)]
    return "\n".join(lines)


def table_lines(table: Table) -> list[str]:
    """Align a table's columns: words to the left, numbers to the right."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    align = str.ljust if table.words else str.rjust
    return ["  ".join(align(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
