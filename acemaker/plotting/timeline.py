"""Gamma over the steps of a campaign, with the thresholds, the halts and the generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from acemaker.config import OTFConfig
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import observable
from acemaker.loop.reader import CampaignReader
from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.png_figure import PngFigure
from acemaker.results import Segment

if TYPE_CHECKING:
    from matplotlib.axes import Axes


SHOWN = 6
"""Walkers that are drawn, the first of them, where there are more."""


@draws(CampaignReader)
def campaign_figure(campaign: CampaignReader, walker: int | None = None) -> PngFigure:
    """Draw gamma and temperature of a campaign's segments, with thresholds, halts and generations.

    Parameters
    ----------
    campaign
        The campaign.
    walker
        Number of the walker, from 1; None for all of them, one below the other.
    """
    segments = [segment for segment in campaign.segments() if walker in (None, segment.walker or 1)]
    return timeline_figure(segments, campaign.config.otf)


def timeline_figure(segments: Sequence[Segment], rule: OTFConfig) -> PngFigure:
    """Draw the timeline of gamma, and the observables below it.

    Parameters
    ----------
    segments
        In order; parts that were run again stay visible, paler. Those of several walkers are drawn one below the
        other, without observables.
    rule
        The thresholds.

    Returns
    -------
    PngFigure
    """
    walkers = sorted({segment.walker for segment in segments})
    if len(walkers) > 1:
        return _walkers_figure(segments, walkers, rule)
    names = [name for segment in segments[:1] for name in segment.timeline.observables]
    picture = PngFigure(figsize=(8, 3.2 + 1.3 * len(names)), layout="constrained")
    axes = picture.subplots(1 + len(names), 1, sharex=True, squeeze=False, height_ratios=[2.4] + [1] * len(names))[:, 0]
    _gamma(axes[0], segments, rule)
    _legend(axes[0])
    for axis, name in zip(axes[1:], names, strict=True):
        for segment, colour, stands, alpha in _parts(segments):
            timeline = segment.timeline
            axis.plot(timeline.step[stands], timeline.observables[name][stands], color=colour, lw=1, alpha=alpha)
        what, unit = observable(name)
        axis.set_ylabel(f"{what.removeprefix('potential ')} / {unit}", fontsize=8)
        _bands(axis, segments)
    axes[-1].set_xlabel("MD step")
    return picture


def _walkers_figure(segments: Sequence[Segment], walkers: Sequence[int], rule: OTFConfig) -> PngFigure:
    """Draw gamma of each walker."""
    shown = walkers[:SHOWN]
    picture = PngFigure(figsize=(8, 0.9 + 1.7 * len(shown)), layout="constrained")
    axes = picture.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, walker in zip(axes, shown, strict=True):
        _gamma(axis, [segment for segment in segments if segment.walker == walker], rule)
        axis.set_ylabel(f"largest gamma,\nwalker {walker}", fontsize=8)
        axis.set_title("")
    more = f"; {len(walkers) - SHOWN} more walkers are not shown" if len(walkers) > SHOWN else ""
    _legend(axes[0], more)
    axes[-1].set_xlabel("MD step")
    return picture


def _parts(segments: Sequence[Segment]) -> Iterator[tuple[Segment, str, np.ndarray, float]]:
    """Tell the checks that stand from those that were run again, with colour and opacity."""
    for segment, end in zip(segments, _ends(segments), strict=True):
        step = segment.timeline.step
        for stands, alpha in ((step <= end, 1.0), (step >= end, 0.35)):
            if stands.any():
                yield segment, f"C{segment.generation % 10}", stands, alpha


def _ends(segments: Sequence[Segment]) -> list[float]:
    return [*(float(segment.start_step) for segment in segments[1:]), np.inf][: len(segments)]


def _gamma(axis: Axes, segments: Sequence[Segment], rule: OTFConfig) -> None:
    """Draw gamma of one walker's segments, with halts and thresholds."""
    for segment, colour, stands, alpha in _parts(segments):
        timeline = segment.timeline
        axis.plot(timeline.step[stands], timeline.gamma_max[stands], color=colour, lw=1, alpha=alpha)
    for segment in segments:
        if segment.halt is not None:
            gamma = segment.timeline.gamma_max[segment.timeline.step == segment.halt.step]
            axis.plot([segment.halt.step] * len(gamma), gamma, "kv", ms=5, zorder=3)
    for value, style, name in (
        (rule.threshold_add_train, ":", "epicentre"),
        (rule.threshold_call_dft, "--", "halt"),
        (rule.threshold_break, "-", "break"),
    ):
        axis.axhline(value, color="0.35", ls=style, lw=0.9, label=f"{name} ({value:g})")
    halts = sum(segment.halt is not None for segment in segments)
    axis.plot([], [], "kv", ms=5, label=f"halts ({halts})")
    spikes = [spike for segment in segments for spike in _spikes(segment, rule)]
    if spikes:
        label = f"above, did not halt ({len(spikes)})"
        axis.plot(*zip(*spikes, strict=True), "o", mfc="none", mec="0.35", ms=5, mew=0.8, label=label)
    axis.set_yscale("log")
    axis.set_ylim(top=4 * rule.threshold_break)
    plain_log_ticks(axis.yaxis)
    axis.set_ylabel("largest gamma")
    _bands(axis, segments)


def _legend(axis: Axes, more: str = "") -> None:
    axis.set_title(f"colour and shading: generation; pale: run again with the next one{more}", fontsize=9)
    axis.legend(loc="upper left", fontsize=8, ncols=5)


def _spikes(segment: Segment, rule: OTFConfig) -> list[tuple[int, float]]:
    """Find the checks above the halting threshold that did not belong to a halt."""
    timeline = segment.timeline
    above = timeline.gamma_max > rule.threshold_call_dft
    if segment.halt is not None:
        above &= timeline.step < segment.halt.first_step
    return list(zip(timeline.step[above].tolist(), timeline.gamma_max[above].tolist(), strict=True))


def _bands(axis: Axes, segments: Sequence[Segment]) -> None:
    """Shade every other generation's part of the trajectory that stands."""
    for segment, end in zip(segments, _ends(segments), strict=True):
        if segment.generation % 2:
            axis.axvspan(segment.start_step, min(end, segment.end_step), color="0.5", alpha=0.08, lw=0)
