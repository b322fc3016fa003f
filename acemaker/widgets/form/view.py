"""The widgets of a form."""

from __future__ import annotations

import threading
from html import escape
from pathlib import Path
from typing import Any

import yaml

from acemaker.errors import AcemakerError, ConfigError
from acemaker.formatting import html
from acemaker.headless.background_run import Started
from acemaker.headless.form import Form
from acemaker.widgets.form.inputs import Input
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets

EVERY = 0.5
"""Seconds between two looks at what a run prints."""


class FormView:
    """A widget a parameter, what is wrong with them, and buttons that run the notebook and stop it.

    Parameters
    ----------
    form
        What the widgets fill in; all that they do can be done with it.

    Attributes
    ----------
    form : Form
        Filled in.
    inputs : dict of str to Input
        By parameter.
    further : ipywidgets.Textarea or None
        A mapping in YAML, of parameters of a campaign that the notebook takes and does not list.
    out : ipywidgets.Text
        The executed notebook.
    run_button, stop_button : ipywidgets.Button
        To be clicked.
    box : ipywidgets.VBox
        The whole, for a page of your own.

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
        self._misread = ""
        self._message = ""
        given = form.given
        self.inputs = {field.name: Input(field, given.get(field.name, ...), self._on_change) for field in form.fields}
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
                placeholder="n_workers: 2\nmax_labels: 40",
                layout=widgets.Layout(width="36em", height="4em"),
                continuous_update=False,
            )
            self.further.observe(self._on_further, names="value")
            title = "further parameters of a campaign, as YAML, a line each"
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
            description="Run", icon="play", button_style="success", tooltip="Run it in a process of its own"
        )
        self.stop_button = widgets.Button(
            description="Stop", icon="stop", button_style="warning", tooltip="Stop it as Ctrl-C would", disabled=True
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
        """All values, checked: see `Form.values`."""
        return self.form.values

    @property
    def command(self) -> str:
        """The command line that runs the notebook with these values."""
        return self.form.command

    @property
    def message(self) -> str:
        """What happened last."""
        return self._message

    def fill(self, **values: Any) -> FormView:
        """Set parameters, in their widgets too: see `Form.fill`."""
        self.form.fill(**values)
        given = self.form.given
        for name in values:
            if name in self.inputs:
                self.inputs[name].show(given.get(name, ...))
        self.update()
        return self

    def write(self, file: str | Path) -> Path:
        """Write all values to a YAML file: see `Form.write`."""
        return self.form.write(file)

    def start(self) -> None:
        """Run the notebook in a process of its own, and show what it prints; what is refused is shown, too."""
        try:
            if self._misread:
                raise ConfigError(self._misread)
            started = self.form.start()
        except AcemakerError as error:
            self._message = str(error)
            self.update()
            return
        self._message = f"running as process {started.pid}"
        self.update()
        self._watcher = threading.Thread(target=self._watch, args=(started,), name="acemaker form", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop the run as Ctrl-C would."""
        self.form.stop()
        self._message = "stopping …"
        self._show_progress()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is running, and tell whether it is so."""
        if self._watcher is not None:
            self._watcher.join(seconds)
        return self._watcher is None or not self._watcher.is_alive()

    def close(self) -> None:
        """Take it off the page; what runs goes on."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        discard(self.box)

    def update(self) -> None:
        """Show what is wrong, and the command line; it happens by itself after each change."""
        found = self.form.problems
        for name, one in self.inputs.items():
            one.complain(found.by_name.get(name, ""))
        # while its own run has the campaign open, that is no reason to complain
        others = [line for line in (self._misread, *(() if self._runs else found.others)) if line]
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
        """Take in the parameters that have no widget; those that are not there any more are the notebook's own."""
        try:
            found = yaml.safe_load(change["new"]) or {}
            if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
                raise yaml.YAMLError(f"expected name: value, got {change['new']!r:.60}")
        except yaml.YAMLError as error:
            self._misread = f"the further parameters cannot be read: {error}"
        else:
            self._misread = ""
            gone = {name: ... for name in self.form.changed if name not in self.inputs}
            self.form.fill(**(gone | {name: value for name, value in found.items() if name not in self.inputs}))
            if twice := [name for name in found if name in self.inputs]:
                self._misread = f"{', '.join(twice)} has a widget of its own above"
        self.update()

    def _watch(self, started: Started) -> None:
        """Show what a run prints until it has ended, or the form is closed."""
        while not self._closed.is_set():
            ended = started.wait(EVERY)
            if ended:
                self._message = _ended(started.status, self.form.out)
            self._show_progress()
            if ended:
                self.update()  # the campaign is free again
                return

    def _show_progress(self) -> None:
        started, runs = self.form.started, self._runs
        self.run_button.disabled, self.stop_button.disabled = runs, not runs
        parts = [f'<div role="status">{escape(self._message) or "&nbsp;"}</div>']
        if started is not None:
            lines = "\n".join(started.lines())
            parts.append(f'<pre style="white-space:pre-wrap;line-height:1.3">{escape(lines)}</pre>')
            parts.append(f"<div>all of it: <code>{escape(str(started.log))}</code>{self._where()}</div>")
        said = "".join(parts)
        if self._progress.value != said:
            self._progress.value = said

    @property
    def _runs(self) -> bool:
        return self.form.started is not None and self.form.started.status is None

    def _where(self) -> str:
        directory = self.form.given.get("directory")
        if not isinstance(directory, str) or not self.form.notebook.is_campaign:
            return ""
        call = f"acemaker.attach({directory!r}).follow()"
        return f"; to look on, also from another notebook: <code>{escape(call)}</code>"

    def __repr__(self) -> str:
        return repr(self.form)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self), html=html.render(self.form.summary()))


def _ended(status: int | None, out: Path) -> str:
    if status == 0:
        return f"done; the executed notebook is {out}"
    if status in (130, -2):
        return "stopped; Run continues the campaign, if it has one"
    return f"failed with status {status}; its last lines say why"
