"""The candidates to be taken or dropped before they are labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from acemaker.display.summary import number
from acemaker.display.widgets import discard, load_ipywidgets, picture_widget
from acemaker.results import Selection


class Choices:
    """A line with a checkbox for each candidate, and a button that decides.

    Parameters
    ----------
    decide
        Called with the numbers of those that are ticked, in the order of the selection.

    Attributes
    ----------
    boxes : dict of int to ipywidgets.Checkbox
        By candidate; those that were labelled before are not among them.
    button : ipywidgets.Button
        Decides.
    box : ipywidgets.VBox
        The whole.
    """

    def __init__(self, decide: Callable[[Sequence[int]], None]) -> None:
        self._widgets = load_ipywidgets()
        self._decide = decide
        self.boxes: dict[int, object] = {}
        self.button = self._widgets.Button(description="Label these", icon="check", disabled=True)
        self.button.on_click(lambda _: self._decide(self.ticked()))
        self._hint = self._widgets.HTML("No candidates yet.")
        self._rows = self._widgets.VBox()
        self._picture = picture_widget()
        self.box = self._widgets.VBox([self._hint, self._rows, self.button])

    def ticked(self) -> list[int]:
        """Return the candidates that are ticked, those that were selected first, in their order."""
        return [index for index, box in self.boxes.items() if box.value]  # type: ignore[attr-defined]

    def show(self, selection: Selection) -> None:
        """Put a selection on the page."""
        widgets, made = self._widgets, selection.candidates
        rows, self.boxes = [], {}
        for index in (*selection.selected, *selection.reserve):
            box = widgets.Checkbox(
                value=index in selection.selected,
                description=f"candidate {index}",
                indent=False,
                layout=widgets.Layout(width="9em"),
            )
            values = (
                made.origins[index],
                f"gamma {number(made.gamma_max[index])}",
                f"gain {number(selection.gains[index])}",
                selection.reason(index),
            )
            cells = "".join(
                f'<span style="display:inline-block;width:{width}">{escape(text)}</span>'
                for width, text in zip(("13em", "8em", "7em", "auto"), values, strict=True)
            )
            rows.append(widgets.HBox([box, widgets.HTML(cells)]))
            self.boxes[index] = box
        self._rows.children = tuple(rows)
        self._picture.value = selection.figure()._repr_png_()
        self._hint.value = f"<b>{escape(selection.headline())}</b>"
        self.box.children = (self._hint, self._rows, self.button, self._picture)

    def enable(self, on: bool) -> None:
        """Let a person decide, or not."""
        self.button.disabled = not on
        for box in self.boxes.values():
            box.disabled = not on  # type: ignore[attr-defined]

    def close(self) -> None:
        """Take it off the page."""
        for widget in (self.box, self._picture, self.button):
            discard(widget)
