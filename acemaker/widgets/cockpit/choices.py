"""Selection of candidates by hand before they are labeled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from acemaker.results import Selection
from acemaker.widgets.candidates import CandidatesView
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets


class Choices:
    """Candidates with one checkbox each, and a button that confirms the selection.

    Parameters
    ----------
    decide
        Called with the numbers of the candidates that are ticked, in the order of the selection.

    Attributes
    ----------
    view : CandidatesView or None
        View of the last selection.
    button : ipywidgets.Button
        Button that confirms the selection.
    box : ipywidgets.VBox
        The whole widget.
    """

    def __init__(self, decide: Callable[[Sequence[int]], None]) -> None:
        widgets = load_ipywidgets()
        self._decide = decide
        self.view: CandidatesView | None = None
        self.button = widgets.Button(description="Label these", icon="check", disabled=True)
        self.button.on_click(lambda _: self._decide(self.ticked()))
        self._hint = widgets.HTML("No candidates yet.")
        self.box = widgets.VBox([self._hint])

    @property
    def boxes(self) -> dict[int, Any]:
        """Checkboxes by candidate; candidates that were labeled before have none."""
        return {} if self.view is None else self.view.rows.boxes

    def ticked(self) -> list[int]:
        """Return the numbers of the candidates that are ticked, in the order of the selection."""
        return [index for index, box in self.boxes.items() if box.value]

    def show(self, selection: Selection) -> None:
        """Show a selection; the candidate that is shown does not change if it belongs to the same halt."""
        before = self.view
        same = before is not None and before.selection.candidates is selection.candidates
        # no viewer until a candidate is clicked: otherwise a run would create one for every halt
        self.view = CandidatesView(selection, ticks=True, start=before.shown if before is not None and same else None)
        self._hint.value = f"<b>{escape(selection.headline())}</b>"
        self.box.children = (self._hint, self.button, self.view.box)
        if before is not None:
            before.close()

    def enable(self, on: bool) -> None:
        """Enable or disable the selection by hand."""
        self.button.disabled = not on
        for box in self.boxes.values():
            box.disabled = not on

    def close(self) -> None:
        """Remove the widget from the page."""
        if self.view is not None:
            self.view.close()
        for widget in (self.box, self.button):
            discard(widget)
