"""Rows of candidates: a button that shows the candidate, a box that selects it, and its data."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from acemaker.formatting.summary import number
from acemaker.widgets.ipywidgets_library import load_ipywidgets

if TYPE_CHECKING:
    from acemaker.results import Selection

COLUMNS = (("origin", "13em"), ("largest gamma", "8em"), ("gain in ln|det|", "8em"), ("selected", "auto"))
"""Columns beside the button, with their widths."""

NUMBER, TICK = "9em", "6em"
"""Widths of the columns of the button and the checkbox."""


class CandidateRows:
    """Rows of the candidates of a selection, in the order of selection; those labeled earlier at the end.

    Parameters
    ----------
    selection
        The selection to show.
    choose
        Called with the number of the candidate to show.
    ticks
        Whether there are checkboxes that select candidates.

    Attributes
    ----------
    buttons : dict of int to ipywidgets.Button
        Button of each candidate that shows it.
    boxes : dict of int to ipywidgets.Checkbox
        Checkbox of each candidate that selects it; candidates that were labeled before have none.
    box : ipywidgets.VBox
        The widget with all rows.
    """

    def __init__(self, selection: Selection, choose: Callable[[int], None], ticks: bool) -> None:
        widgets = load_ipywidgets()
        self._selection = selection
        self.buttons: dict[int, Any] = {}
        self.boxes: dict[int, Any] = {}
        self._cells: dict[int, Any] = {}
        selectable = (*selection.selected, *selection.reserve)
        others = (index for index in range(len(selection.candidates.structures)) if index not in selectable)
        widths = (NUMBER, TICK) if ticks else (NUMBER,)
        names = [("", width) for width in widths[:1]] + [("label", width) for width in widths[1:]]
        rows = [widgets.HTML(_cells([*names, *COLUMNS], "opacity:0.7"))]
        for index in (*selectable, *others):
            button = widgets.Button(
                description=f"candidate {index}",
                tooltip=f"Show candidate {index}",
                # the minimum width keeps the rows aligned
                layout=widgets.Layout(width="8.5em", min_width="8.5em", margin="1px 0.5em 1px 0"),
            )
            button.on_click(lambda _, index=index: choose(index))
            self.buttons[index] = button
            self._cells[index] = widgets.HTML()
            row = [button, self._cells[index]]
            if ticks:
                tick = widgets.Checkbox(
                    value=index in selection.selected,
                    disabled=index not in selectable,
                    description=f"label {index}",
                    indent=False,
                    layout=widgets.Layout(width=TICK, min_width=TICK),
                )
                row.insert(1, tick)
                if index in selectable:
                    self.boxes[index] = tick
            rows.append(widgets.HBox(row))
        self.box: Any = widgets.VBox(rows)
        self.mark(None)

    def mark(self, shown: int | None) -> None:
        """Highlight the row of the candidate that is shown."""
        candidates = self._selection.candidates
        for index, cells in self._cells.items():
            values = (
                candidates.origins[index],
                number(candidates.gamma_max[index]),
                number(self._selection.gains[index]),
                self._selection.reason(index),
            )
            style = "background:rgba(80,150,255,0.3);font-weight:600;border-radius:3px" if index == shown else ""
            pairs = [(value, width) for value, (_, width) in zip(values, COLUMNS, strict=True)]
            cells.value = _cells(pairs, style)
            self.buttons[index].button_style = "info" if index == shown else ""


def _cells(pairs: list[tuple[str, str]], style: str) -> str:
    cell_style = "display:inline-block;padding:0 0 0 4px;box-sizing:border-box"
    spans = "".join(f'<span style="{cell_style};width:{width}">{escape(text)}</span>' for text, width in pairs)
    return f'<div style="white-space:nowrap;{style}">{spans}</div>'
