"""Timeline of a running campaign, redrawn quickly: the parts that do not change are drawn once."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acemaker.config import CampaignConfig
from acemaker.formatting.summary import observable
from acemaker.plotting.axes import SPIKE, plain_log_ticks, thinned, threshold_lines, thresholds_of

GAMMA = (0.5, 8.0)
"""Smallest gamma on the axis, and the largest in units of ``threshold_break``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Data of a live timeline.

    Attributes
    ----------
    step, gamma, observable : ndarray, shape (n_checks,)
        Checks of the valid part of the trajectory.
    starts : tuple of int
        Steps at which segments with a new generation start.
    halts : tuple of (int, float)
        Step and largest gamma of each halt.
    walker : int or None
        Number, from 1, of the walker; None if there is only one.
    """

    step: np.ndarray
    gamma: np.ndarray
    observable: np.ndarray
    starts: tuple[int, ...]
    halts: tuple[tuple[int, float], ...]
    walker: int | None = None


class LiveTimeline:
    """Plot of gamma with its thresholds, and of one observable below it, over all steps of the campaign.

    Parameters
    ----------
    config
        Configuration with thresholds, number of steps and temperature ramp.
    name
        Name of the observable.
    """

    def __init__(self, config: CampaignConfig, name: str = "temperature_K") -> None:
        rule, engine = config.otf, config.engine
        self._name = name
        self._figure = Figure(figsize=(9.4, 3.5), dpi=80, layout="constrained")
        self._canvas = FigureCanvasAgg(self._figure)
        upper, lower = self._axes = self._figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        upper.set_yscale("log")
        upper.set_ylim(GAMMA[0], GAMMA[1] * rule.threshold_break)
        plain_log_ticks(upper.yaxis)
        upper.set_ylabel("largest gamma")
        threshold_lines(upper, thresholds_of(rule))
        upper.plot([], [], "kv", ms=5, label="halts")
        upper.plot([], [], "o", label="above, did not halt", **SPIKE)
        upper.legend(loc="upper left", fontsize=8, ncols=5)
        quantity, unit = observable(name)
        lower.set_ylabel(f"{quantity}\n/ {unit}".rstrip("\n /"), fontsize=9)
        lower.set_xlabel("MD step")
        lower.set_xlim(0, engine.steps)
        ramps = [config.walker(number).engine.temperatures for number in range(1, config.n_walkers + 1)]
        low, high = min(map(min, ramps)), max(map(max, ramps))
        lower.set_ylim(0.5 * low, 1.3 * high + 50)
        for axis in self._axes:
            for step in engine.borders:
                axis.axvline(step, color="C7", ls="-.", lw=1)
        self._curves = [axis.plot([], [], lw=1, color="C0", animated=True)[0] for axis in self._axes]
        self._halts = upper.plot([], [], "kv", ms=5, animated=True)[0]
        self._spikes = upper.plot([], [], "o", animated=True, **SPIKE)[0]
        self._changes = [axis.vlines([], 0, 1, color="0.7", lw=0.8, animated=True) for axis in self._axes]
        self._walker = upper.text(0.99, 0.95, "", transform=upper.transAxes, ha="right", va="top", animated=True)
        self._threshold = rule.threshold_call_dft
        self._background: Any = None

    def png(self, curve: Curve) -> bytes:
        """Draw the current data.

        Parameters
        ----------
        curve
            The data.

        Returns
        -------
        bytes
            Image in PNG format.
        """
        canvas: Any = self._canvas
        if self._background is None:
            canvas.draw()
            self._background = canvas.copy_from_bbox(self._figure.bbox)
        for line, values in zip(self._curves, (curve.gamma, curve.observable), strict=True):
            line.set_data(*thinned(curve.step, values))
        self._halts.set_data([step for step, _ in curve.halts], [gamma for _, gamma in curve.halts])
        above = curve.gamma > self._threshold
        self._spikes.set_data(curve.step[above], curve.gamma[above])
        for lines, axis in zip(self._changes, self._axes, strict=True):
            low, high = axis.get_ylim()
            lines.set_segments([[(start, low), (start, high)] for start in curve.starts])
        canvas.restore_region(self._background)
        for axis, *artists in zip(self._axes, self._changes, self._curves, strict=True):
            for artist in artists:
                axis.draw_artist(artist)
        self._axes[0].draw_artist(self._spikes)
        self._axes[0].draw_artist(self._halts)
        self._walker.set_text(f"walker {curve.walker}" if curve.walker else "")
        self._axes[0].draw_artist(self._walker)
        stream = io.BytesIO()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image.save(stream, "png", compress_level=1)
        return stream.getvalue()
