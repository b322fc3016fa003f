"""The what-if slider: where a recorded run would have halted, had the threshold been another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.analysis.thresholds import Thresholds, threshold_range, thresholds
from acemaker.formatting import html, text
from acemaker.formatting.interactive import live
from acemaker.plotting.what_if import LiveWhatIf
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets, picture_widget

if TYPE_CHECKING:
    from acemaker.analysis.what_if import WhatIf

MOST = 20
"""Checks in a row."""


class WhatIfSlider:
    """Two sliders, the picture and the words of a recorded run under the rule that they give.

    What it shows is `review`, which ``campaign.what_if(...)`` gives without it.

    Parameters
    ----------
    recorded
        The run under its own rule.

    Attributes
    ----------
    review : WhatIf
        The run under the rule of the sliders.
    threshold : ipywidgets.FloatLogSlider
        ``threshold_call_dft``.
    smooth_steps : ipywidgets.IntSlider
        ``smooth_steps``.
    reset : ipywidgets.Button
        Goes back to the recorded rule.
    box : ipywidgets.VBox
        The whole, for a page of your own.

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed.
    """

    def __init__(self, recorded: WhatIf) -> None:
        widgets = load_ipywidgets()
        self.review = self._recorded = recorded
        low, high = threshold_range(recorded)
        self._drawing = LiveWhatIf(recorded, high)
        wide, words = widgets.Layout(width="60%"), {"description_width": "11em"}
        self.threshold = widgets.FloatLogSlider(
            value=recorded.rule.threshold_call_dft,
            min=float(np.log10(low)),
            max=float(np.log10(high)),
            step=0.01,
            readout_format=".3g",
            description="threshold_call_dft",
            style=words,
            layout=wide,
        )
        checks = recorded.rule.smooth_steps
        self.smooth_steps = widgets.IntSlider(
            value=checks, min=1, max=max(MOST, checks), description="smooth_steps", style=words, layout=wide
        )
        self.reset = widgets.Button(description="as recorded", icon="undo", tooltip="Go back to the rule of the run")
        self._picture, self._words = picture_widget(), widgets.HTML()
        self.box = widgets.VBox(
            [
                widgets.HBox([self.threshold, self.reset]),
                self.smooth_steps,
                self._picture,
                widgets.Box([self._words], layout=widgets.Layout(max_height="420px", overflow="hidden auto")),
            ],
            layout=widgets.Layout(max_width="980px"),
        )
        self._show()
        for slider in (self.threshold, self.smooth_steps):
            slider.observe(self._on_slide, names="value")
        self.reset.on_click(lambda _: self._reset())

    def close(self) -> None:
        """Take it off the page."""
        discard(self.box)

    def _on_slide(self, _: object) -> None:
        # 0.01 on a logarithmic scale are two per cent: more digits would say nothing
        threshold = self.threshold.value
        own = self._recorded.rule.threshold_call_dft
        threshold = own if threshold == own else float(f"{threshold:.3g}")
        self.review = self._recorded.under(threshold_call_dft=threshold, smooth_steps=self.smooth_steps.value)
        self._show()

    def _show(self) -> None:
        self._picture.value = self._drawing.png(self.review)
        self._words.value = html.render(self.review.summary())

    def _reset(self) -> None:
        rule = self._recorded.rule
        self.threshold.value, self.smooth_steps.value = rule.threshold_call_dft, rule.smooth_steps

    def __repr__(self) -> str:
        return text.render(self.review.summary())

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self), png=self._picture.value)


def what_if_slider(recorded: WhatIf) -> WhatIfSlider | Thresholds:
    """Make the slider, or its static twin where nobody watches.

    Parameters
    ----------
    recorded
        The run under its own rule.

    Returns
    -------
    WhatIfSlider or Thresholds

    Raises
    ------
    MissingLibraryError
        If somebody watches, and ipywidgets is not installed.
    """
    return WhatIfSlider(recorded) if live() else thresholds(recorded)
