"""A form for a notebook's parameters: filled in, checked, written down and run from a notebook."""

from __future__ import annotations

from pathlib import Path

from acemaker.formatting.interactive import live
from acemaker.headless.form import Form
from acemaker.widgets.form.view import FormView

__all__ = ["Form", "FormView", "form"]


def form(notebook: str | Path, out: str | Path | None = None) -> FormView | Form:
    """Make a form from a notebook's own parameters cell; nothing of the notebook is run.

    Parameters
    ----------
    notebook
        With one cell tagged ``parameters``: names, types and defaults are those of the cell, descriptions the comments
        behind them, sections the comment lines above them.
    out
        The executed notebook; the same name in ``runs`` if None.

    Returns
    -------
    FormView or Form
        A widget in a notebook that somebody watches, elsewhere a table of the parameters. Both have ``values``,
        ``command``, ``write("params.yaml")``, ``fill(steps=100)``, ``start()`` and ``stop()``.

    Raises
    ------
    ConfigError
        If the notebook cannot be read, or has no parameters.
    MissingLibraryError
        If papermill is not installed, or somebody watches and ipywidgets is not.
    """
    made = Form(notebook, out)
    return FormView(made) if live() else made
