"""The what-if slider: where a recorded run would have halted under another threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.analysis.what_if import Thresholds, threshold_range, thresholds
from acemaker.formatting import html, text
from acemaker.formatting.interactive import is_interactive
from acemaker.plotting.what_if import LiveWhatIf
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets, picture_widget

if TYPE_CHECKING:
    from acemaker.analysis.what_if import WhatIf

MOST = 20
"""Maximum of the slider for ``smooth_steps``."""


class WhatIfSlider:
    """Two sliders for the halting rule, with figure and table of a recorded run under this rule.

    The same result without widgets is `review`, which ``campaign.what_if(...)`` returns.

    Parameters
    ----------
    recorded
        The run under its own rule.

    Attributes
    ----------
    review : WhatIf
        The run under the rule that is set by the sliders.
    threshold : ipywidgets.FloatLogSlider
        ``threshold_call_dft``.
    smooth_steps : ipywidgets.IntSlider
        ``smooth_steps``.
    reset : ipywidgets.Button
        Button that returns to the recorded rule.
    box : ipywidgets.VBox
        The whole widget, to embed in other layouts.

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
        layout, style = widgets.Layout(width="60%"), {"description_width": "11em"}
        self.threshold = widgets.FloatLogSlider(
            value=recorded.rule.threshold_call_dft,
            min=float(np.log10(low)),
            max=float(np.log10(high)),
            step=0.01,
            readout_format=".3g",
            description="threshold_call_dft",
            style=style,
            layout=layout,
        )
        checks = recorded.rule.smooth_steps
        self.smooth_steps = widgets.IntSlider(
            value=checks, min=1, max=max(MOST, checks), description="smooth_steps", style=style, layout=layout
        )
        self.reset = widgets.Button(description="as recorded", icon="undo", tooltip="Return to the rule of the run")
        self._picture, self._summary = picture_widget(), widgets.HTML()
        self.box = widgets.VBox(
            [
                widgets.HBox([self.threshold, self.reset]),
                self.smooth_steps,
                self._picture,
                widgets.Box([self._summary], layout=widgets.Layout(max_height="420px", overflow="hidden auto")),
            ],
            layout=widgets.Layout(max_width="980px"),
        )
        self._show()
        for slider in (self.threshold, self.smooth_steps):
            slider.observe(self._on_slide, names="value")
        self.reset.on_click(lambda _: self._reset())

    def close(self) -> None:
        """Remove the widget from the page."""
        discard(self.box)

    def _on_slide(self, _: object) -> None:
        # a slider step of 0.01 is two percent of the threshold: further digits would be meaningless
        threshold = self.threshold.value
        own = self._recorded.rule.threshold_call_dft
        threshold = own if threshold == own else float(f"{threshold:.3g}")
        self.review = self._recorded.under(threshold_call_dft=threshold, smooth_steps=self.smooth_steps.value)
        self._show()

    def _show(self) -> None:
        self._picture.value = self._drawing.png(self.review)
        self._summary.value = html.render(self.review.summary())

    def _reset(self) -> None:
        rule = self._recorded.rule
        self.threshold.value, self.smooth_steps.value = rule.threshold_call_dft, rule.smooth_steps

    def __repr__(self) -> str:
        return text.render(self.review.summary())

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self), png=self._picture.value)


def what_if_slider(recorded: WhatIf) -> WhatIfSlider | Thresholds:
    """Create the slider, or its static fallback if the notebook is not interactive.

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
        If the notebook is interactive and ipywidgets is not installed.
    """
    return WhatIfSlider(recorded) if is_interactive() else thresholds(recorded)
