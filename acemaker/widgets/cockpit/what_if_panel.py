"""The what-if slider in the cockpit: made when somebody looks, since it reads all that was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acemaker.analysis.what_if import what_if_of
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets
from acemaker.widgets.what_if_slider import WhatIfSlider

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


class WhatIfPanel:
    """Shows the slider on the segments that have ended.

    Parameters
    ----------
    campaign
        Open.

    Attributes
    ----------
    slider : WhatIfSlider or None
        None before somebody has looked.
    looked_at : bool
        Whether it is on top.
    box : ipywidgets.VBox
        The whole.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        widgets = load_ipywidgets()
        self._campaign = campaign
        self._n_segments = 0
        self.slider: WhatIfSlider | None = None
        self.looked_at = False
        self.box: Any = widgets.VBox([widgets.HTML("Nothing has been explored yet.")])

    def settle(self) -> None:
        """Take in segments that have ended since, if somebody looks."""
        n_segments = len(self._campaign.progress.segments)
        if not self.looked_at or n_segments == self._n_segments:
            return
        before, self._n_segments = self.box.children, n_segments
        self.slider = WhatIfSlider(what_if_of(self._campaign, {}))
        self.box.children = (self.slider.box,)
        for child in before:
            discard(child)
