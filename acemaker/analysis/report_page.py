"""One HTML page without outside references: text, tables and pictures in a single file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Protocol

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.6rem 0; }
th, td { padding: 2px 10px 2px 0; vertical-align: top; }
figure { margin: 1rem 0; } img { max-width: 100%; background: white; border-radius: 4px; }
figcaption, .quiet { opacity: 0.75; font-size: 0.9rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.wide { overflow-x: auto; } pre { overflow-x: auto; font-size: 0.8rem; }
"""


class Drawn(Protocol):
    """A figure that gives itself as PNG."""

    def _repr_png_(self) -> bytes: ...


class Page:
    """Collects the parts of a page.

    Parameters
    ----------
    title
        Of the page.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def record(self, fragment: str) -> None:
        """Add a fragment of HTML: a record as notebooks show it."""
        self._parts.append(f'<div class="wide">{fragment}</div>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table of plain text."""
        head = "".join(f'<th scope="col" style="text-align:left">{escape(cell)}</th>' for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        self._parts.append(
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def picture(self, drawn: Drawn, caption: str) -> None:
        """Add a figure with its caption, which is also what is read aloud."""
        self._parts.append(figure(drawn, caption))

    def pictures(self, drawn: Sequence[tuple[Drawn, str]]) -> None:
        """Add several figures side by side."""
        self._parts.append(f'<div class="grid">{"".join(figure(*one) for one in drawn)}</div>')

    def folded(self, title: str, text: str) -> None:
        """Add preformatted text that is shown on demand."""
        self._parts.append(f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>")

    def html(self) -> str:
        """Return the whole page."""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self._title)}</title><style>{STYLE}</style></head>\n<body>\n"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )


def figure(drawn: Drawn, caption: str) -> str:
    """Write a figure with its caption."""
    data = base64.b64encode(drawn._repr_png_()).decode()
    said = escape(caption)
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{said}</figcaption></figure>"
    )
