"""The candidates to be looked into, and taken or dropped before they are labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from acemaker.results import Selection
from acemaker.widgets.candidates import CandidatesView
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets


class Choices:
    """The candidates with a checkbox each, and a button that decides.

    Parameters
    ----------
    decide
        Called with the numbers of those that are ticked, in the order of the selection.

    Attributes
    ----------
    view : CandidatesView or None
        The last selection, looked into.
    button : ipywidgets.Button
        Decides.
    box : ipywidgets.VBox
        The whole.
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
        """Checkboxes by candidate; those that were labelled before are not among them."""
        return {} if self.view is None else self.view.rows.boxes

    def ticked(self) -> list[int]:
        """Return the candidates that are ticked, those that were selected first, in their order."""
        return [index for index, box in self.boxes.items() if box.value]

    def show(self, selection: Selection) -> None:
        """Put a selection on the page; a candidate that was looked into stays shown where it is the same halt's."""
        before = self.view
        same = before is not None and before.selection.candidates is selection.candidates
        # without the viewer until somebody chooses a candidate: a run would make one for every halt
        self.view = CandidatesView(selection, ticks=True, start=before.shown if before is not None and same else None)
        self._hint.value = f"<b>{escape(selection.headline())}</b>"
        self.box.children = (self._hint, self.button, self.view.box)
        if before is not None:
            before.close()

    def enable(self, on: bool) -> None:
        """Let a person decide, or not."""
        self.button.disabled = not on
        for box in self.boxes.values():
            box.disabled = not on

    def close(self) -> None:
        """Take it off the page."""
        if self.view is not None:
            self.view.close()
        for widget in (self.box, self.button):
            discard(widget)
