"""Rendering of a summary as text."""

from __future__ import annotations

from acemaker.formatting.summary import Summary, Table

MARKS = {"done": "✓", "now": "●", "failed": "✗", "open": "○"}


def render(summary: Summary) -> str:
    """Render a summary as lines of text.

    Parameters
    ----------
    summary
        Summary to render.

    Returns
    -------
    str
        Text without a trailing newline.
    """
    lines = [summary.title]
    if summary.strip:
        lines.append("  " + " → ".join(f"{name} {MARKS[status]}" for name, status in summary.strip))
    width = max((len(name) for name, _ in summary.items), default=0)
    lines += [f"  {name:<{width}}  {value}" for name, value in summary.items]
    if summary.table is not None:
        lines += ["  " + line for line in table_lines(summary.table)]
    return "\n".join(lines)


def table_lines(table: Table) -> list[str]:
    """Format a table with aligned columns: words to the left, numbers to the right."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    align = str.ljust if table.words else str.rjust
    return ["  ".join(align(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
