"""A form for a notebook's parameters, which checks and writes them and runs the notebook."""

from __future__ import annotations

from pathlib import Path

from acemaker.formatting.interactive import is_interactive
from acemaker.headless.form import Form
from acemaker.widgets.form.view import FormView

__all__ = ["Form", "FormView", "form"]


def form(notebook: str | Path, out: str | Path | None = None) -> FormView | Form:
    """Create a form from the parameters cell of a notebook, without running the notebook.

    Parameters
    ----------
    notebook
        Notebook with one cell tagged ``parameters``: names, types and defaults are those of the cell, descriptions the
        comments behind them, sections the comment lines above them.
    out
        The executed notebook; the same name in ``runs`` if None.

    Returns
    -------
    FormView or Form
        A widget if the notebook is interactive, otherwise a table of the parameters. Both have ``values``, ``command``,
        ``write("params.yaml")``, ``fill(steps=100)``, ``start()`` and ``stop()``.

    Raises
    ------
    ConfigError
        If the notebook cannot be read, or has no parameters.
    MissingLibraryError
        If papermill is not installed, or the notebook is interactive and ipywidgets is not installed.

    Examples
    --------
    >>> from acemaker import form
    >>> from acemaker.headless.shipped import shipped_folder
    >>> parameters = form(shipped_folder() / "otf_campaign.ipynb")
    """
    parameters = Form(notebook, out)
    return FormView(parameters) if is_interactive() else parameters
