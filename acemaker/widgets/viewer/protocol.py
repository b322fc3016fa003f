"""What a viewer must be able to do, so that another one can take nglview's place."""

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
        What is put on the page.
    """

    @property
    def widget(self) -> Any:
        """What is put on the page."""

    def show(self, scene: Scene) -> None:
        """Draw a scene, in place of the one before; from the same direction.

        Called before the widget is on the page, too, and as fast as a slider moves: scenes that have been
        overtaken may be left out, the last one may not. No thread may be left behind.
        """

    def on_pick(self, callback: Callable[[int], None]) -> None:
        """Have a function called with an atom's place in the scene's arrays whenever it is clicked."""

    def close(self) -> None:
        """Take the widget off the page, and end what works for it."""


ViewerFactory = Callable[[Scale], Viewer]
"""Makes a viewer that draws on a given scale of gamma."""
