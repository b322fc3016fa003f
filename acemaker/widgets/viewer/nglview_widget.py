"""nglview's widget without threads and parts that would outlive it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets
from acemaker.widgets.viewer.nglview_library import load_nglview


@cache
def widget_class() -> type:
    """Return a subclass of nglview's widget without its threads, one of which would outlive every viewer.

    Returns
    -------
    type
        Its arguments are a function to call when a front end is connected, and the height in pixels.

    Raises
    ------
    MissingLibraryError
        If nglview is not installed, or cannot work.
    """
    nglview = load_nglview()

    class Widget(nglview.NGLWidget):  # type: ignore[name-defined,misc]
        def __init__(self, on_load: Callable[[], None], height: int) -> None:
            self._on_load = on_load
            super().__init__()
            self._view_height = f"{height}px"

        def _create_player(self) -> None:
            # there are no frames to play, and nglview's player adds four more widgets that are never closed
            widgets = load_ipywidgets()
            self._iplayer = widgets.HBox([widgets.Play(max=0), widgets.IntSlider(max=0)])

        def close(self) -> None:
            for part in (self._iplayer, self._ibtn_fullscreen, self._widget_image, self.layout):
                if part is not None:
                    discard(part)
            super().close()

        def _initialize_threads(self) -> None:
            self.on_msg(self._handle_nglview_custom_msg)
            self._remote_call_thread = SimpleNamespace(q=SimpleNamespace(append=lambda callback: callback(self)))

        def _fire_callbacks(self, callbacks: list[Callable[[Any], None]]) -> None:
            for callback in callbacks:
                callback(self)
            self._on_load()

    return Widget
