"""Widgets of a form."""

from __future__ import annotations

import threading
from html import escape
from pathlib import Path
from typing import Any

import yaml

from acemaker.errors import AcemakerError, ConfigError
from acemaker.formatting import html
from acemaker.headless.form import Form
from acemaker.headless.run import BackgroundRun
from acemaker.widgets.form.inputs import Input
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets

EVERY = 0.5
"""Seconds between two updates of the output of a run."""


class FormView:
    """Form with one widget per parameter, their problems, and buttons that run and stop the notebook.

    Parameters
    ----------
    form
        The form that the widgets fill in; it has the same functions without widgets.

    Attributes
    ----------
    form : Form
        The form.
    inputs : dict of str to Input
        Inputs by parameter.
    further : ipywidgets.Textarea or None
        Mapping, in YAML, of campaign parameters that the notebook accepts but does not list.
    out : ipywidgets.Text
        Path of the executed notebook.
    run_button, stop_button : ipywidgets.Button
        Buttons that run and stop the notebook.
    box : ipywidgets.VBox
        The whole widget, to embed in other layouts.

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed.
    """

    def __init__(self, form: Form) -> None:
        widgets = load_ipywidgets()
        self.form = form
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()
        self._parse_error = ""
        self._message = ""
        values = form.unchecked_values
        self.inputs = {field.name: Input(field, values.get(field.name, ...), self._on_change) for field in form.fields}
        rows: list[Any] = [widgets.HTML(f"<b>{escape(str(form.notebook.path))}</b>")]
        section = ""
        for field in form.fields:
            if field.section != section:
                section = field.section
                rows.append(widgets.HTML(f'<div style="margin-top:8px"><b>{escape(section) or "others"}</b></div>'))
            rows.append(self.inputs[field.name].box)
        self.further: Any = None
        if form.notebook.takes_all:
            self.further = widgets.Textarea(
                placeholder="n_parallel_labels: 2\nmax_labels: 40",
                layout=widgets.Layout(width="36em", height="4em"),
                continuous_update=False,
            )
            self.further.observe(self._on_further, names="value")
            title = "further campaign parameters as YAML, one per line"
            rows += [widgets.HTML(f'<div style="margin-top:8px"><b>{title}</b></div>'), self.further]
        self.out = widgets.Text(
            value=str(form.out),
            description="executed notebook",
            style={"description_width": "11em"},
            layout=widgets.Layout(width="36em"),
            continuous_update=False,
        )
        self.out.observe(self._on_out, names="value")
        self.run_button = widgets.Button(
            description="Run", icon="play", button_style="success", tooltip="Run the notebook in a separate process"
        )
        self.stop_button = widgets.Button(
            description="Stop", icon="stop", button_style="warning", tooltip="Stop the run like Ctrl-C", disabled=True
        )
        self.run_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.stop())
        self._problems, self._command, self._progress = widgets.HTML(), widgets.HTML(), widgets.HTML()
        rows += [
            self.out,
            self._problems,
            self._command,
            widgets.HBox([self.run_button, self.stop_button]),
            self._progress,
        ]
        self.box = widgets.VBox(rows, layout=widgets.Layout(max_width="980px"))
        self.update()

    @property
    def values(self) -> dict[str, Any]:
        """All values, validated; see `Form.values`."""
        return self.form.values

    @property
    def command(self) -> str:
        """The command line that runs the notebook with these values."""
        return self.form.command

    @property
    def message(self) -> str:
        """The last event."""
        return self._message

    def fill(self, **values: Any) -> FormView:
        """Set parameters and their widgets; see `Form.fill`."""
        self.form.fill(**values)
        current = self.form.unchecked_values
        for name in values:
            if name in self.inputs:
                self.inputs[name].show(current.get(name, ...))
        self.update()
        return self

    def write(self, file: str | Path) -> Path:
        """Write all values to a YAML file; see `Form.write`."""
        return self.form.write(file)

    def start(self) -> None:
        """Run the notebook in a separate process and show its output; errors are shown as well."""
        try:
            if self._parse_error:
                raise ConfigError(self._parse_error)
            run = self.form.start()
        except AcemakerError as error:
            self._message = str(error)
            self.update()
            return
        self._message = f"running as process {run.pid}"
        self.update()
        self._watcher = threading.Thread(target=self._watch, args=(run,), name="acemaker form", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop the run like Ctrl-C."""
        self.form.stop()
        self._message = "stopping …"
        self._show_progress()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended, and return whether it has."""
        if self._watcher is not None:
            self._watcher.join(seconds)
        return self._watcher is None or not self._watcher.is_alive()

    def close(self) -> None:
        """Remove the widget from the page; a run continues."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        discard(self.box)

    def update(self) -> None:
        """Show problems and the command line; called automatically after each change."""
        problems = self.form.problems
        for name, parameter in self.inputs.items():
            parameter.show_problem(problems.by_name.get(name, ""))
        # while the form's own run has the campaign open, that is no problem
        others = [line for line in (self._parse_error, *(() if self._runs else problems.others)) if line]
        self._problems.value = "".join(
            f'<div role="alert" style="color:#d33c3c;font-weight:600">{escape(line)}</div>' for line in others
        )
        self._command.value = f'<pre style="white-space:pre-wrap">{escape(self.command)}</pre>'
        self._show_progress()

    def _on_change(self, name: str, value: Any) -> None:
        self.form.fill(**{name: value})
        self.update()

    def _on_out(self, change: dict[str, Any]) -> None:
        self.form.out = Path(change["new"])
        self.update()

    def _on_further(self, change: dict[str, Any]) -> None:
        """Set the parameters without a widget; those that were removed return to the notebook's defaults."""
        try:
            parameters = yaml.safe_load(change["new"]) or {}
            if not isinstance(parameters, dict) or not all(isinstance(name, str) for name in parameters):
                raise yaml.YAMLError(f"expected name: value, got {change['new']!r:.60}")
        except yaml.YAMLError as error:
            self._parse_error = f"the further parameters cannot be read: {error}"
        else:
            self._parse_error = ""
            removed = {name: ... for name in self.form.changed if name not in self.inputs}
            self.form.fill(**(removed | {name: value for name, value in parameters.items() if name not in self.inputs}))
            if duplicates := [name for name in parameters if name in self.inputs]:
                self._parse_error = f"{', '.join(duplicates)} has a widget of its own above"
        self.update()

    def _watch(self, run: BackgroundRun) -> None:
        """Show the output of a run until it has ended, or the form is closed."""
        while not self._closed.is_set():
            ended = run.wait(EVERY)
            if ended:
                self._message = _end_message(run.status, self.form.out)
            self._show_progress()
            if ended:
                self.update()  # the campaign is no longer open in the run
                return

    def _show_progress(self) -> None:
        run, is_running = self.form.started, self._runs
        self.run_button.disabled, self.stop_button.disabled = is_running, not is_running
        parts = [f'<div role="status">{escape(self._message) or "&nbsp;"}</div>']
        if run is not None:
            lines = "\n".join(run.lines())
            parts.append(f'<pre style="white-space:pre-wrap;line-height:1.3">{escape(lines)}</pre>')
            parts.append(f"<div>complete output: <code>{escape(str(run.log))}</code>{self._follow_hint()}</div>")
        content = "".join(parts)
        if self._progress.value != content:
            self._progress.value = content

    @property
    def _runs(self) -> bool:
        return self.form.started is not None and self.form.started.status is None

    def _follow_hint(self) -> str:
        directory = self.form.unchecked_values.get("directory")
        if not isinstance(directory, str) or not self.form.notebook.is_campaign:
            return ""
        call = f"acemaker.attach({directory!r}).follow()"
        return f"; to follow the run, also from another notebook: <code>{escape(call)}</code>"

    def __repr__(self) -> str:
        return repr(self.form)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self), html=html.render(self.form.summary()))


def _end_message(status: int | None, out: Path) -> str:
    if status == 0:
        return f"done; the executed notebook is {out}"
    if status in (130, -2):
        return "stopped; Run continues the campaign, if it has one"
    return f"failed with status {status}; see its last lines"
