"""The HTML form of a summary: no scripts, no ids, no colours of its own but for the states."""

from __future__ import annotations

from html import escape

from acemaker.formatting.summary import Summary, Table
from acemaker.formatting.text import MARKS

_LABEL = "text-align:left;padding:1px 12px 1px 0;font-weight:normal;opacity:0.7"
_CELL = {False: "text-align:right;padding:1px 8px", True: "text-align:left;padding:1px 8px"}
_COLOURS = {"done": "#2e9e5b", "now": "#d98c00", "failed": "#d33c3c", "open": "#8a8a8a"}


def render(summary: Summary) -> str:
    """Write a summary as an HTML fragment that says the same as its text form.

    Parameters
    ----------
    summary
        What to show.

    Returns
    -------
    str
        One ``div``; everything that comes from outside is escaped.
    """
    parts = [f"<div><strong>{escape(summary.title)}</strong>"]
    if summary.strip:
        states = " → ".join(
            f'<span style="color:{_COLOURS[standing]}">{escape(name)} {MARKS[standing]}</span>'
            for name, standing in summary.strip
        )
        parts.append(f"<div>{states}</div>")
    if summary.items:
        rows = "".join(
            f'<tr><th style="{_LABEL}">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in summary.items
        )
        parts.append(f"<table>{rows}</table>")
    if summary.table is not None:
        parts.append(_table(summary.table))
    return "".join([*parts, "</div>"])


def _table(table: Table) -> str:
    style = _CELL[table.words]
    head = "".join(f'<th style="{style}">{escape(cell)}</th>' for cell in table.header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
