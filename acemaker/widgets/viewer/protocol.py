"""Protocol of viewers, so that another one can replace nglview's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import Scene


class Viewer(Protocol):
    """Draws scenes in a widget.

    Attributes
    ----------
    widget : ipywidgets.DOMWidget
        The widget.
    """

    @property
    def widget(self) -> Any:
        """The widget."""

    def show(self, scene: Scene) -> None:
        """Draw a scene, replacing the previous one, without changing the camera.

        This method may be called before the widget is on the page, and as fast as a slider moves: scenes that were
        superseded may be skipped, but not the last one. No thread may be left running.
        """

    def on_pick(self, callback: Callable[[int], None]) -> None:
        """Register a function that is called with the index of a clicked atom in the scene's arrays."""

    def close(self) -> None:
        """Remove the widget from the page, and end all its background work."""


ViewerFactory = Callable[[Scale], Viewer]
"""Creates a viewer with a scale of gamma."""
