"""Executed notebooks as pages."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from acemaker.states import State


def page(executed: Path) -> str:
    """Turn a notebook that was run into HTML, without wall times and the random id of the cell with its parameters."""
    from nbconvert import HTMLExporter

    notebook = nbformat.read(executed, as_version=4)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    shown = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert not any(kind.startswith("application/vnd.jupyter.widget") for data in shown for kind in data)
    assert html.count("data:image/png;base64") >= sum("image/png" in data for data in shown) > 0
    html = re.sub(r'id="cell-id=[0-9a-f]{8}"', "", html)
    html = re.sub(rf"\b({'|'.join(State)})(</t[dh]><td[^>]*>)\d+\.\d+", r"\1\2", html)  # s, in the summary
    return re.sub(r"\b\d+(\.\d+)? (s|min|h)\b", "a while", html)
