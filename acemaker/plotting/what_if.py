"""Figure of recorded gamma under another halting rule, and a version that is redrawn quickly for a slider."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acemaker.analysis.what_if import WhatIf
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import counted
from acemaker.plotting.axes import plain_log_ticks, thinned, threshold_lines, threshold_style, thresholds_of
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

ROOM = 3
"""Factor between the upper limit of the axis and the largest value, which leaves space for the legend."""

DRAWN = ("halt", "break")
"""Thresholds that are drawn."""


@draws(WhatIf)
def what_if_figure(review: WhatIf) -> PngFigure:
    """Draw recorded gamma with the thresholds of another rule, and where that rule would have halted.

    Parameters
    ----------
    review
        The recorded run under the other rule.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8, 3.2), layout="constrained")
    axis = picture.subplots()
    _draw_recorded(axis, review)
    axis.set_ylim(top=ROOM * max(review.rule.threshold_break, axis.get_ylim()[1]))
    _draw_rule(axis, review)
    return picture


class LiveWhatIf:
    """The same figure for changing rules; the recorded part is drawn only once.

    Parameters
    ----------
    review
        The recorded run under any rule.
    highest
        The largest threshold that can be selected, dimensionless.
    """

    def __init__(self, review: WhatIf, highest: float) -> None:
        self._figure = Figure(figsize=(9.4, 3.5), dpi=80, layout="constrained")
        canvas: Any = FigureCanvasAgg(self._figure)
        self._axis = self._figure.subplots()
        self._legend = _draw_recorded(self._axis, review)
        self._axis.set_ylim(top=ROOM * max(highest, self._axis.get_ylim()[1]))
        canvas.draw()
        self._canvas, self._background = canvas, canvas.copy_from_bbox(self._figure.bbox)

    def png(self, review: WhatIf) -> bytes:
        """Draw the run under a rule.

        Parameters
        ----------
        review
            The same run under the rule.

        Returns
        -------
        bytes
            Image in PNG format.
        """
        self._canvas.restore_region(self._background)
        for artist in _draw_rule(self._axis, review):
            self._axis.draw_artist(artist)
            artist.remove()
        self._axis.draw_artist(self._legend)  # above the lines of the rule
        stream = io.BytesIO()
        image = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        image.save(stream, "png", compress_level=1)
        return stream.getvalue()


def _draw_recorded(axis: Axes, review: WhatIf) -> Legend:
    """Draw the part that does not depend on the rule, and return the legend."""
    for segment in review.segments:
        curve = thinned(segment.timeline.step, segment.timeline.gamma_max)
        axis.plot(*curve, color=f"C{(segment.generation - 1) % 10}", lw=1)
    halted = [segment.timeline for segment in review.segments if segment.halt is not None and not segment.halt.is_probe]
    ends = [(timeline.step[-1], timeline.gamma_max[-1]) for timeline in halted]
    axis.plot([step for step, _ in ends], [gamma for _, gamma in ends], "kv", ms=5, label="halted")
    axis.plot([], [], color="crimson", lw=1, label="would halt")
    for name in DRAWN:
        axis.plot([], [], label=name, **threshold_style(name))
    axis.plot([], [], color="0.5", alpha=0.3, lw=6, label="the run would have been different")
    axis.set_yscale("log")
    plain_log_ticks(axis.yaxis)
    axis.set_xlabel("MD step")
    axis.set_ylabel("largest gamma")
    return axis.legend(loc="upper left", fontsize=8, ncols=5)


def _draw_rule(axis: Axes, review: WhatIf) -> list[Any]:
    """Draw the part that depends on the rule, and return its artists."""
    end = max((segment.end_step for segment in review.segments), default=0)
    halts = [decision.step for decision in review.decisions if decision is not None]
    limits, thresholds = axis.get_ylim(), thresholds_of(review.rule)
    artists = [
        axis.axvspan(review.same_until, end, color="0.5", alpha=0.12, lw=0),
        axis.vlines(halts, *limits, color="crimson", lw=1, alpha=0.7),
        *threshold_lines(axis, {name: thresholds[name] for name in DRAWN}),
    ]
    if review.n_earlier:
        text = f"at least {counted(review.halts, 'halt')}: at most one is counted per segment"
        artists.append(axis.text(0.99, 0.02, text, transform=axis.transAxes, ha="right", va="bottom", fontsize=8))
    axis.set_ylim(limits)
    return artists
