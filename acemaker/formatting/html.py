"""Rendering of a summary as HTML, without scripts and ids; only states are colored."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from acemaker.formatting.figures import Picture
from acemaker.formatting.summary import Summary
from acemaker.formatting.text import MARKS

_LABEL = "text-align:left;padding:1px 12px 1px 0;font-weight:normal;opacity:0.7"
_CELL = {False: "text-align:right;padding:1px 8px", True: "text-align:left;padding:1px 8px"}
_COLORS = {"done": "#2e9e5b", "now": "#d98c00", "failed": "#d33c3c", "open": "#8a8a8a"}


def render(summary: Summary) -> str:
    """Render a summary as an HTML fragment with the same content as its text form.

    Parameters
    ----------
    summary
        Summary to render.

    Returns
    -------
    str
        A ``div`` element; all content of the summary is escaped.
    """
    parts = [f"<div><strong>{escape(summary.title)}</strong>"]
    if summary.strip:
        states = " → ".join(
            f'<span style="color:{_COLORS[status]}">{escape(name)} {MARKS[status]}</span>'
            for name, status in summary.strip
        )
        parts.append(f"<div>{states}</div>")
    if summary.items:
        rows = "".join(
            f'<tr><th style="{_LABEL}">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in summary.items
        )
        parts.append(f"<table>{rows}</table>")
    if summary.table is not None:
        style = f'style="{_CELL[summary.table.words]}"'
        parts.append(table(summary.table.header, summary.table.rows, head_attributes=style, cell_attributes=style))
    return "".join([*parts, "</div>"])


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, head_attributes: str = "", cell_attributes: str = ""
) -> str:
    """Render a table of plain text.

    Parameters
    ----------
    header, rows
        Text of the cells, which is escaped.
    head_attributes, cell_attributes
        HTML attributes of each ``th`` and ``td``.

    Returns
    -------
    str
        A ``table`` element.
    """
    head_tag, cell_tag = f"th {head_attributes}".rstrip(), f"td {cell_attributes}".rstrip()
    head = "".join(f"<{head_tag}>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<{cell_tag}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure(picture: Picture, caption: str) -> str:
    """Render a picture with its caption, which is also its alternative text.

    Parameters
    ----------
    picture
        Picture, which is embedded as PNG.
    caption
        Plain text, which is escaped.

    Returns
    -------
    str
        A ``figure`` element.
    """
    data = base64.b64encode(picture._repr_png_()).decode()
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
