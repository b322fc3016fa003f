"""Gamma over the steps of a campaign, with the thresholds, the halts and the generations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from acemaker.config import OTFConfig
from acemaker.display.axes import plain_log_ticks
from acemaker.display.picture import Picture
from acemaker.display.summary import observable
from acemaker.results import Segment

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def timeline_figure(segments: Sequence[Segment], rule: OTFConfig) -> Picture:
    """Draw the timeline of gamma, and the observables below it.

    Parameters
    ----------
    segments
        In order; parts that were run again stay visible, paler.
    rule
        The thresholds.

    Returns
    -------
    Picture
    """
    names = [name for segment in segments[:1] for name in segment.timeline.observables]
    picture = Picture(figsize=(8, 3.2 + 1.3 * len(names)), layout="constrained")
    axes = picture.subplots(1 + len(names), 1, sharex=True, squeeze=False, height_ratios=[2.4] + [1] * len(names))[:, 0]
    ends = [*(segment.start_step for segment in segments[1:]), np.inf]
    spikes: list[tuple[int, float]] = []
    for segment, end in zip(segments, ends, strict=False):
        timeline = segment.timeline
        colour = f"C{segment.generation % 10}"
        for stands, alpha in ((timeline.step <= end, 1.0), (timeline.step >= end, 0.35)):
            if stands.any():
                axes[0].plot(timeline.step[stands], timeline.gamma_max[stands], color=colour, lw=1, alpha=alpha)
                for axis, name in zip(axes[1:], names, strict=True):
                    values = timeline.observables[name][stands]
                    axis.plot(timeline.step[stands], values, color=colour, lw=1, alpha=alpha)
        spikes += _spikes(segment, rule)
        if segment.halt is not None:
            gamma = timeline.gamma_max[timeline.step == segment.halt.step]
            axes[0].plot([segment.halt.step] * len(gamma), gamma, "kv", ms=5, zorder=3)
    for value, style, name in (
        (rule.threshold_add_train, ":", "epicentre"),
        (rule.threshold_call_dft, "--", "halt"),
        (rule.threshold_break, "-", "break"),
    ):
        axes[0].axhline(value, color="0.35", ls=style, lw=0.9, label=f"{name} ({value:g})")
    halts = sum(segment.halt is not None for segment in segments)
    axes[0].plot([], [], "kv", ms=5, label=f"halts ({halts})")
    if spikes:
        label = f"above, did not halt ({len(spikes)})"
        axes[0].plot(*zip(*spikes, strict=True), "o", mfc="none", mec="0.35", ms=5, mew=0.8, label=label)
    axes[0].set_yscale("log")
    axes[0].set_ylim(top=4 * rule.threshold_break)
    plain_log_ticks(axes[0].yaxis)
    axes[0].set_ylabel("largest gamma")
    axes[0].set_title("colour and shading: generation; pale: run again with the next one", fontsize=9)
    axes[0].legend(loc="upper left", fontsize=8, ncols=5)
    _bands(axes, segments, ends)
    for axis, name in zip(axes[1:], names, strict=True):
        what, unit = observable(name)
        axis.set_ylabel(f"{what.removeprefix('potential ')} / {unit}", fontsize=8)
    axes[-1].set_xlabel("MD step")
    return picture


def _spikes(segment: Segment, rule: OTFConfig) -> list[tuple[int, float]]:
    """Find the checks above the halting threshold that did not belong to a halt."""
    timeline = segment.timeline
    above = timeline.gamma_max > rule.threshold_call_dft
    if segment.halt is not None:
        above &= timeline.step < segment.halt.first_step
    return list(zip(timeline.step[above].tolist(), timeline.gamma_max[above].tolist(), strict=True))


def _bands(axes: Iterable[Axes], segments: Sequence[Segment], ends: Sequence[float]) -> None:
    """Shade every other generation's part of the trajectory that stands."""
    for segment, end in zip(segments, ends, strict=False):
        if segment.generation % 2:
            for axis in axes:
                axis.axvspan(segment.start_step, min(end, segment.end_step), color="0.5", alpha=0.08, lw=0)
