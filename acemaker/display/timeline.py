"""Gamma over the steps of a campaign, with the thresholds, the halts and the generations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acemaker.config import OTFConfig
from acemaker.display.axes import plain_log_ticks
from acemaker.display.picture import Picture
from acemaker.display.summary import observable
from acemaker.results import Segment


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
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        timeline = segment.timeline
        end = np.inf if following is None else following.start_step
        colour = f"C{segment.generation % 10}"
        for stands, alpha in ((timeline.step <= end, 1.0), (timeline.step >= end, 0.35)):
            if stands.any():
                axes[0].plot(timeline.step[stands], timeline.gamma_max[stands], color=colour, lw=1, alpha=alpha)
                for axis, name in zip(axes[1:], names, strict=True):
                    values = timeline.observables[name][stands]
                    axis.plot(timeline.step[stands], values, color=colour, lw=1, alpha=alpha)
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
    axes[0].set_yscale("log")
    axes[0].set_ylim(top=4 * rule.threshold_break)
    plain_log_ticks(axes[0].yaxis)
    axes[0].set_ylabel("largest gamma")
    axes[0].set_title("colour: generation; pale: run again with the next one", fontsize=9)
    axes[0].legend(loc="upper left", fontsize=8, ncols=4)
    for axis, name in zip(axes[1:], names, strict=True):
        what, unit = observable(name)
        axis.set_ylabel(f"{what.removeprefix('potential ')} / {unit}", fontsize=8)
    axes[-1].set_xlabel("MD step")
    return picture
