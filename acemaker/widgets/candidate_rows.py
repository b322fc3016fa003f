"""Candidates as rows: a button that shows one, a box to take it or not, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from acemaker.formatting.summary import number
from acemaker.widgets.ipywidgets_library import load_ipywidgets

if TYPE_CHECKING:
    from acemaker.results import Selection

COLUMNS = (("made by", "13em"), ("largest gamma", "8em"), ("gain in ln|det|", "8em"), ("selected", "auto"))
"""Beside the button, with their widths."""

NUMBER, TICK = "9em", "6em"
"""Widths of the button and of the box to be ticked."""


class CandidateRows:
    """The rows of a selection, in the order of choice; those of earlier rounds at the end.

    Parameters
    ----------
    selection
        What was chosen, and from what.
    choose
        Called with the number of the candidate that is to be shown.
    ticks
        Whether candidates can be taken or dropped.

    Attributes
    ----------
    buttons : dict of int to ipywidgets.Button
        Show a candidate.
    boxes : dict of int to ipywidgets.Checkbox
        Take or drop one; those that were labelled before are not among them.
    box : ipywidgets.VBox
        The whole.
    """

    def __init__(self, selection: Selection, choose: Callable[[int], None], ticks: bool) -> None:
        widgets = load_ipywidgets()
        self._selection = selection
        self.buttons: dict[int, Any] = {}
        self.boxes: dict[int, Any] = {}
        self._cells: dict[int, Any] = {}
        open_ones = (*selection.selected, *selection.reserve)
        others = (index for index in range(len(selection.candidates.structures)) if index not in open_ones)
        widths = (NUMBER, TICK) if ticks else (NUMBER,)
        names = [("", width) for width in widths[:1]] + [("label it", width) for width in widths[1:]]
        rows = [widgets.HTML(_cells([*names, *COLUMNS], "opacity:0.7"))]
        for index in (*open_ones, *others):
            button = widgets.Button(
                description=f"candidate {index}",
                tooltip=f"Show candidate {index}",
                layout=widgets.Layout(
                    width="8.5em", min_width="8.5em", margin="1px 0.5em 1px 0"
                ),  # whatever is beside it
            )
            button.on_click(lambda _, index=index: choose(index))
            self.buttons[index] = button
            self._cells[index] = widgets.HTML()
            row = [button, self._cells[index]]
            if ticks:
                tick = widgets.Checkbox(
                    value=index in selection.selected,
                    disabled=index not in open_ones,
                    description=f"label {index}",
                    indent=False,
                    layout=widgets.Layout(width=TICK, min_width=TICK),
                )
                row.insert(1, tick)
                if index in open_ones:
                    self.boxes[index] = tick
            rows.append(widgets.HBox(row))
        self.box: Any = widgets.VBox(rows)
        self.mark(None)

    def mark(self, shown: int | None) -> None:
        """Highlight the row of the candidate that is shown."""
        made = self._selection.candidates
        for index, cells in self._cells.items():
            values = (
                made.origins[index],
                number(made.gamma_max[index]),
                number(self._selection.gains[index]),
                self._selection.reason(index),
            )
            style = "background:rgba(80,150,255,0.3);font-weight:600;border-radius:3px" if index == shown else ""
            pairs = [(value, width) for value, (_, width) in zip(values, COLUMNS, strict=True)]
            cells.value = _cells(pairs, style)
            self.buttons[index].button_style = "info" if index == shown else ""


def _cells(pairs: list[tuple[str, str]], style: str) -> str:
    look = "display:inline-block;padding:0 0 0 4px;box-sizing:border-box"
    spans = "".join(f'<span style="{look};width:{width}">{escape(text)}</span>' for text, width in pairs)
    return f'<div style="white-space:nowrap;{style}">{spans}</div>'
