"""Widgets of the cockpit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from acemaker.analysis.label_costs import label_costs_of
from acemaker.formatting import html
from acemaker.formatting.record import Record
from acemaker.results import Diagnosis, Selection
from acemaker.states import State
from acemaker.widgets.cockpit.choices import Choices
from acemaker.widgets.cockpit.driver import ENDED, Driver
from acemaker.widgets.cockpit.halt_panel import HaltPanel
from acemaker.widgets.cockpit.trace import Trace
from acemaker.widgets.cockpit.what_if_panel import WhatIfPanel
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets, picture_widget
from acemaker.widgets.live_timeline import LiveTimeline

if TYPE_CHECKING:
    from acemaker.loop.runner import CampaignRunner

EVERY = 0.5
"""Seconds between two updates while the campaign is running."""


class Cockpit:
    """Buttons that step, run and stop a campaign, and panels that show its progress.

    The timeline is updated while the engine runs, the panels after each state. With the gate, Run pauses after each
    selection, so that candidates can be selected by hand.

    Parameters
    ----------
    campaign
        An open campaign.

    Attributes
    ----------
    driver : Driver
        The actions of the buttons.
    step, run, stop : ipywidgets.Button
        The buttons.
    gate : ipywidgets.Checkbox
        Whether Run pauses after each selection.
    choices : Choices
        The panel of candidates.
    halt : HaltPanel
        The panel of the last halt.
    what_if : WhatIfPanel
        The panel of the what-if slider, which is created when its tab is opened.
    tabs : ipywidgets.Tab
        The panels.
    box : ipywidgets.VBox
        The whole widget, to embed in other layouts.

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed.
    """

    def __init__(self, campaign: CampaignRunner) -> None:
        widgets = load_ipywidgets()
        self.campaign = campaign
        self._trace = Trace(campaign)
        self._lock = threading.Lock()  # updates come from the working thread and from the painter
        self._painter: threading.Thread | None = None
        self._timeline = LiveTimeline(campaign.config)
        self.driver = Driver(campaign, self._trace.take)
        button = widgets.Button
        self.step = button(description="Step", icon="step-forward", tooltip="Run the next state")
        self.run = button(description="Run", icon="play", tooltip="Run to the end", button_style="success")
        self.stop = button(description="Stop", icon="stop", tooltip="Stop at the next check", button_style="warning")
        self.gate = widgets.Checkbox(description="ask me before labeling", indent=False)
        self._strip, self._message = widgets.HTML(), widgets.HTML()
        self._picture = picture_widget()
        self.choices = Choices(self._decide)
        self.halt = HaltPanel()
        self.what_if = WhatIfPanel(campaign)
        self._labels, self._costs = widgets.HTML("No labels yet."), picture_widget()
        panels = {
            "halt": self.halt.box,
            "candidates": self.choices.box,
            "labels": widgets.VBox([self._labels, self._costs]),
            "what if": self.what_if.box,
        }
        self.tabs = widgets.Tab(list(panels.values()), titles=list(panels))
        self.box = widgets.VBox(
            [
                self._strip,
                widgets.HBox([self.step, self.run, self.stop, self.gate]),
                self._message,
                self._picture,
                self.tabs,
            ],
            layout=widgets.Layout(max_width="980px"),
        )
        self.step.on_click(lambda _: self._begin(self.driver.step))
        self.run.on_click(lambda _: self._begin(self.driver.run))
        self.stop.on_click(lambda _: self.driver.stop())
        self.gate.observe(self._on_gate, names="value")
        self.tabs.observe(self._on_tab, names="selected_index")
        self._shown: dict[type[Record], Record] = {}
        self._halt_shown, self._n_labels = 0, 0
        self.update()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self.campaign), png=self._picture.value)

    @property
    def message(self) -> str:
        """The last event."""
        return self.driver.message

    def close(self) -> None:
        """Stop the campaign and remove the cockpit from the page; the campaign stays open."""
        self.driver.close()
        if self._painter is not None:
            self._painter.join()
        self.halt.close()
        self.choices.close()
        discard(self.box)

    def update(self) -> None:
        """Show the progress of the campaign; called automatically while it is running."""
        with self._lock:
            self._update_panels()
            busy, ended = self.driver.busy, self.campaign.state in ENDED
            self._strip.value = html.render(self.campaign.summary())
            self._message.value = f'<div role="status">{escape(self.message) or "&nbsp;"}</div>'
            self._picture.value = self._timeline.png(self._trace.curve())
            self.step.disabled = self.run.disabled = busy or ended
            self.stop.disabled = not busy
            self.choices.enable(self.driver.waits)

    def _begin(self, begin: Callable[[], None]) -> None:
        if self.driver.busy:
            return
        self.step.disabled = self.run.disabled = True  # at once: the next update follows within `EVERY`
        self.stop.disabled = False
        begin()
        self._painter = threading.Thread(target=self._paint, name="acemaker painter", daemon=True)
        self._painter.start()

    def _paint(self) -> None:
        """Update the widgets until the campaign stops running."""
        ended = False
        while not ended:
            ended = self.driver.wait(EVERY)
            try:
                self.update()
            except Exception as error:  # a failed picture must not stop the updates
                self.driver.message = f"the cockpit cannot be updated: {type(error).__name__}: {error}"

    def _on_gate(self, change: dict[str, Any]) -> None:
        self.driver.gate = change["new"]

    def _on_tab(self, change: dict[str, Any]) -> None:
        with self._lock:
            self.what_if.is_visible = self.tabs.titles[change["new"] or 0] == "what if"
            self.what_if.settle()

    def _decide(self, candidates: Sequence[int]) -> None:
        self.driver.choose(candidates)
        self.update()

    def _update_panels(self) -> None:
        """Update the panels for which there is a new result."""
        diagnosis, selection = (self.driver.results.get(kind) for kind in (Diagnosis, Selection))
        if isinstance(diagnosis, Diagnosis) and self._is_new(diagnosis):
            self.halt.show(diagnosis)
            self._halt_shown = diagnosis.halt.number
        if not self.driver.busy:
            halt = self.campaign.last_halt() if self.campaign.progress.shown_halt != self._halt_shown else None
            if halt is not None:  # not diagnosed by this cockpit
                self.halt.show(halt)
                self._halt_shown = halt.number
            self.halt.settle()
            self.what_if.settle()
        if isinstance(selection, Selection) and self._is_new(selection):
            self.choices.show(selection)
        n_labels = len(self.campaign.progress.labels)
        if n_labels != self._n_labels and self.campaign.state is not State.LABEL:
            self._n_labels = n_labels
            costs = label_costs_of(self.campaign)
            self._labels.value, self._costs.value = costs._repr_html_(), costs.figure()._repr_png_()

    def _is_new(self, result: Record) -> bool:
        kind = type(result)
        if self._shown.get(kind) is result:
            return False
        self._shown[kind] = result
        return True
