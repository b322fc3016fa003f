"""Panel of the what-if slider, which is created when its tab is opened, since it reads all recorded segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acemaker.analysis.what_if import what_if_of
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets
from acemaker.widgets.what_if_slider import WhatIfSlider

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


class WhatIfPanel:
    """Panel with the what-if slider for the segments that have ended.

    Parameters
    ----------
    campaign
        An open campaign.

    Attributes
    ----------
    slider : WhatIfSlider or None
        The slider; None before the tab was opened.
    is_visible : bool
        Whether the tab of the panel is open.
    box : ipywidgets.VBox
        The whole widget.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        widgets = load_ipywidgets()
        self._campaign = campaign
        self._n_segments = 0
        self.slider: WhatIfSlider | None = None
        self.is_visible = False
        self.box: Any = widgets.VBox([widgets.HTML("No segment has been explored yet.")])

    def settle(self) -> None:
        """Update the slider with segments that have ended since, if the panel is visible."""
        n_segments = len(self._campaign.progress.segments)
        if not self.is_visible or n_segments == self._n_segments:
            return
        before, self._n_segments = self.box.children, n_segments
        self.slider = WhatIfSlider(what_if_of(self._campaign, {}))
        self.box.children = (self.slider.box,)
        for child in before:
            discard(child)
