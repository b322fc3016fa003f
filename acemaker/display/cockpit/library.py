"""The one place where ipywidgets is imported."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from acemaker.errors import MissingLibraryError


def load_ipywidgets() -> ModuleType:
    """Import ipywidgets late.

    Returns
    -------
    module

    Raises
    ------
    MissingLibraryError
        If it is not installed.
    """
    try:
        return import_module("ipywidgets")
    except ImportError as error:
        raise MissingLibraryError(
            f"the cockpit needs ipywidgets ({error}): pip install 'acemaker[notebooks]'"
        ) from error


def picture_widget() -> Any:
    """Make a place for a PNG, no wider than the page."""
    widgets = load_ipywidgets()
    return widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))
