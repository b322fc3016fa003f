"""Recorded gamma under another halting rule: a figure, and one that is redrawn as fast as a slider moves."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acemaker.analysis.what_if import WhatIf
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import plain_log_ticks, thinned
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    from acemaker.analysis.what_if import WhatIf

ROOM = 3
"""Above what is highest, for the legend."""


@draws(WhatIf)
def what_if_figure(review: WhatIf) -> PngFigure:
    """Draw recorded gamma with the thresholds of another rule, and where that would have halted.

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
    """The same picture under rule after rule: what was recorded is drawn once.

    Parameters
    ----------
    review
        The recorded run under any rule.
    highest
        The largest threshold that may come, dimensionless.
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
        """Draw a rule.

        Parameters
        ----------
        review
            The same run under it.

        Returns
        -------
        bytes
            A PNG.
        """
        self._canvas.restore_region(self._background)
        for artist in _draw_rule(self._axis, review):
            self._axis.draw_artist(artist)
            artist.remove()
        self._axis.draw_artist(self._legend)  # above what may halt behind it
        stream = io.BytesIO()
        image = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        image.save(stream, "png", compress_level=1)
        return stream.getvalue()


def _draw_recorded(axis: Axes, review: WhatIf) -> Legend:
    """Draw what no rule changes, and return the legend."""
    for segment in review.segments:
        steps, gamma = segment.timeline.step, segment.timeline.gamma_max
        axis.plot(*thinned(steps, gamma), color=f"C{segment.generation % 10}", lw=1)
    halted = [segment.timeline for segment in review.segments if segment.halt is not None]
    axis.plot([one.step[-1] for one in halted], [one.gamma_max[-1] for one in halted], "kv", ms=5, label="halted")
    axis.plot([], [], color="crimson", lw=1, label="would halt")
    axis.plot([], [], color="0.35", ls="--", lw=0.9, label="halt")
    axis.plot([], [], color="0.35", lw=0.9, label="break")
    axis.plot([], [], color="0.5", alpha=0.3, lw=6, label="from here on the run would have been another one")
    axis.set_yscale("log")
    plain_log_ticks(axis.yaxis)
    axis.set_xlabel("MD step")
    axis.set_ylabel("largest gamma")
    return axis.legend(loc="upper left", fontsize=8, ncols=5)


def _draw_rule(axis: Axes, review: WhatIf) -> list[Any]:
    """Draw what depends on the rule, and return it."""
    end = max((segment.end_step for segment in review.segments), default=0)
    halts = [verdict.step for verdict in review.verdicts if verdict is not None]
    limits = axis.get_ylim()
    artists = [
        axis.axvspan(review.same_until, end, color="0.5", alpha=0.12, lw=0),
        axis.vlines(halts, *limits, color="crimson", lw=1, alpha=0.7),
        axis.axhline(review.rule.threshold_call_dft, color="0.35", ls="--", lw=0.9),
        axis.axhline(review.rule.threshold_break, color="0.35", lw=0.9),
    ]
    axis.set_ylim(limits)
    return artists
