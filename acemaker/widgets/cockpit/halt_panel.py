"""The last halt: a picture while the campaign goes on, the viewer once it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acemaker.errors import MissingLibraryError
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets, picture_widget
from acemaker.widgets.viewer.choice import live_view

if TYPE_CHECKING:
    from acemaker.results import Diagnosis, Halt
    from acemaker.widgets.viewer.view import HaltView


class HaltPanel:
    """Shows a halt, with its diagnosis once there is one.

    Attributes
    ----------
    view : HaltView or None
        The viewer that is on the page.
    box : ipywidgets.VBox
        The whole.
    """

    def __init__(self) -> None:
        widgets = load_ipywidgets()
        self.view: HaltView | None = None
        self._found: Halt | Diagnosis | None = None
        self._words = widgets.HTML("No halt yet.")
        self._picture = picture_widget()
        self.box: Any = widgets.VBox([self._words])

    def show(self, found: Halt | Diagnosis) -> None:
        """Put a halt on the page."""
        self._found = found
        self._words.value = found._repr_html_()
        self._picture.value = found.figure()._repr_png_()
        self.box.children = (self._picture, self._words)
        self._drop()

    def settle(self) -> None:
        """Let the viewer take the picture's place, where it can be had; a run would make one for every halt."""
        if self._found is None or self.view is not None:
            return
        found, self._found = self._found, None
        try:
            self.view = live_view(*found.frames_to_view())
        except MissingLibraryError:
            return  # the picture stays
        self.box.children = (self.view.box, self._words)

    def close(self) -> None:
        """Take it off the page."""
        self._drop()
        for widget in (self.box, self._picture, self._words):
            discard(widget)

    def _drop(self) -> None:
        view, self.view = self.view, None
        if view is not None:
            view.close()
