"""Panel of the last halt: a picture while the campaign is running, the viewer afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acemaker.errors import MissingLibraryError
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets, picture_widget
from acemaker.widgets.viewer.choice import live_view

if TYPE_CHECKING:
    from acemaker.results import Diagnosis, Halt
    from acemaker.widgets.viewer.view import HaltView


class HaltPanel:
    """Panel with a halt, and its diagnosis if there is one.

    Attributes
    ----------
    view : HaltView or None
        The viewer that is shown.
    box : ipywidgets.VBox
        The whole widget.
    """

    def __init__(self) -> None:
        widgets = load_ipywidgets()
        self.view: HaltView | None = None
        self._result: Halt | Diagnosis | None = None
        self._text = widgets.HTML("No halt yet.")
        self._picture = picture_widget()
        self.box: Any = widgets.VBox([self._text])

    def show(self, result: Halt | Diagnosis) -> None:
        """Show a halt."""
        self._result = result
        self._text.value = result._repr_html_()
        self._picture.value = result.figure()._repr_png_()
        self.box.children = (self._picture, self._text)
        self._drop()

    def settle(self) -> None:
        """Replace the picture by the viewer if possible; called after a run, which would create one for every halt."""
        if self._result is None or self.view is not None:
            return
        result, self._result = self._result, None
        try:
            self.view = live_view(*result.frames_to_view())
        except MissingLibraryError:
            return  # the picture remains
        self.box.children = (self.view.box, self._text)

    def close(self) -> None:
        """Remove the widget from the page."""
        self._drop()
        for widget in (self.box, self._picture, self._text):
            discard(widget)

    def _drop(self) -> None:
        view, self.view = self.view, None
        if view is not None:
            view.close()
