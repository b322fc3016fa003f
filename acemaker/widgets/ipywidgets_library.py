"""Import of ipywidgets, and creation and disposal of widgets."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from acemaker.errors import MissingLibraryError


def load_ipywidgets() -> ModuleType:
    """Import ipywidgets when it is first needed.

    Returns
    -------
    module

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed.
    """
    try:
        return import_module("ipywidgets")
    except ImportError as error:
        raise MissingLibraryError(f"widgets need ipywidgets ({error}): pip install 'acemaker[notebooks]'") from error


def picture_widget() -> Any:
    """Create an empty widget for a PNG, no wider than the page."""
    widgets = load_ipywidgets()
    return widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))


def live_bundle(box: Any, text: str, *, png: bytes | memoryview = b"", html: str = "") -> dict[str, Any]:
    """Return the MIME bundle of a widget, with the static representations for a saved notebook.

    Parameters
    ----------
    box
        The widget.
    text
        Plain text of the widget.
    png
        Picture of the widget; left out if empty. A widget holds it as a memoryview, which the kernel does not encode:
        it would be saved as a list of numbers, and the notebook would be invalid.
    html
        HTML of the widget; left out if empty.

    Returns
    -------
    dict
        Representations by MIME type, pictures as bytes.
    """
    bundle: dict[str, Any] = dict(box._repr_mimebundle_())
    bundle["text/plain"] = text
    if png:
        bundle["image/png"] = bytes(png)
    if html:
        bundle["text/html"] = html
    return bundle


def discard(widget: Any) -> None:
    """Close a widget with all its parts, each of which ipywidgets keeps until it is closed.

    Parameters
    ----------
    widget
        Widget of ipywidgets; it may be closed already.
    """
    for child in getattr(widget, "children", ()):
        discard(child)
    for part in ("layout", "style"):
        if hasattr(getattr(widget, part, None), "close"):
            getattr(widget, part).close()
    widget.close()
