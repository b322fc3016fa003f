"""One parameter as a widget of its type, with its description and its problem beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Any

from traitlets import TraitError

from acemaker.headless.form import flow
from acemaker.headless.parameters import Field, read_value
from acemaker.widgets.ipywidgets_library import load_ipywidgets

WIDTH = "22em"


class Input:
    """A row of the form.

    Parameters
    ----------
    field
        The parameter.
    value
        Its current value; ``...`` for a default of the notebook that is an expression.
    changed
        Called with name and value when the user has changed it; the value is ``...`` for the notebook's default.

    Attributes
    ----------
    widget : ipywidgets.ValueWidget
        A checkbox, a number, a choice, or a text, which is YAML if the parameter is not a text.
    box : ipywidgets.HBox
        The row.
    """

    def __init__(self, field: Field, value: Any, changed: Callable[[str, Any], None]) -> None:
        widgets = load_ipywidgets()
        self._field, self._changed = field, changed
        self._make(widgets, value)
        kind = f' title="{escape(field.kind)}"' if field.kind else ""
        name = widgets.HTML(
            f"<code{kind}>{escape(field.name)}</code>", layout=widgets.Layout(width="13em", min_width="13em")
        )
        self._notes = widgets.HTML(layout=widgets.Layout(margin="0 0 0 8px"))
        row = widgets.Layout(align_items="center")
        self.box: Any = widgets.HBox([name, self.widget, self._notes], layout=row)
        self.show_problem("")
        self.widget.observe(self._on_change, names="value")

    def show_problem(self, problem: str) -> None:
        """Show a problem beside the description; an empty text removes it."""
        alert = f'<div role="alert" style="color:#d33c3c;font-weight:600">{escape(problem)}</div>' if problem else ""
        description = f'<span style="opacity:0.75">{escape(self._field.help)}</span>'
        self._notes.value = f'<div style="line-height:1.3">{description}{alert}</div>'

    def show(self, value: Any) -> None:
        """Set the widget to a value, if it can represent it, without calling `changed`."""
        self.widget.unobserve(self._on_change, names="value")
        # an invalid value, such as a text for a number, is reported beside the widget
        with suppress(TraitError):
            self.widget.value = self._text(value)
        self.widget.observe(self._on_change, names="value")

    @property
    def notes(self) -> str:
        """Description and problem beside the widget, as HTML."""
        return str(self._notes.value)

    def _make(self, widgets: Any, value: Any) -> None:
        field, layout = self._field, widgets.Layout(width=WIDTH, min_width=WIDTH)
        self._read: Callable[[Any], Any] = lambda value: value
        self._text: Callable[[Any], Any] = lambda value: value
        if field.choices and value in field.choices:
            options = [(str(choice), choice) for choice in field.choices]
            self.widget: Any = widgets.Dropdown(options=options, value=value, layout=layout)
        elif field.kind == "bool" and isinstance(value, bool):
            self.widget = widgets.Checkbox(value=value, indent=False, layout=layout)
        elif field.kind == "int" and type(value) is int:
            self.widget = widgets.IntText(value=value, layout=layout)
        elif field.kind == "float" and isinstance(value, int | float):
            self.widget = widgets.FloatText(value=value, layout=layout)
        elif field.kind == "str" and isinstance(value, str):
            self.widget = widgets.Text(value=value, layout=layout, continuous_update=False)
        else:
            self._text = lambda value: "" if value is ... else flow(value)
            text = self._text(value)
            kind = widgets.Textarea if isinstance(value, dict) and len(text) > 30 else widgets.Text
            placeholder = f"as in the notebook: {field.source}" if not field.known else "as in the notebook"
            self.widget = kind(value=text, layout=layout, continuous_update=False, placeholder=placeholder)
            self._read = lambda text: read_value(text, field.kind) if text.strip() else ...

    def _on_change(self, change: dict[str, Any]) -> None:
        self._changed(self._field.name, self._read(change["new"]))
