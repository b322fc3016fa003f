"""Figure of gamma along the steps of a campaign, with thresholds, halts and generations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.config import OTFConfig
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import observable
from acemaker.loop.reader import CampaignReader
from acemaker.plotting.axes import SPIKE, TOLERANCE, plain_log_ticks, threshold_lines, thresholds_of
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import NAMES
from acemaker.results import Halt, Segment, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HALT_MARKER, UNCERTAIN_MARKER, PROBE_MARKER = "kv", "ks", "kd"
STYLE: dict[str, Any] = {"ms": 5}
"""Markers of halts due to a large gamma, and of halts that test the potential."""

SHOWN = 6
"""Maximum number of walkers that are drawn, from the first."""


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
    picture = timeline_figure(segments, campaign.config.otf)
    _mark_stages(picture, campaign, walker)
    _mark_changes(picture, campaign, walker)
    return picture


def timeline_figure(segments: Sequence[Segment], rule: OTFConfig) -> PngFigure:
    """Draw the timeline of gamma, and the observables below it.

    Parameters
    ----------
    segments
        Segments in order; parts that were run again are drawn paler. Segments of several walkers are drawn one below
        the other, without observables.
    rule
        The halting rule with the thresholds.

    Returns
    -------
    PngFigure
    """
    walkers = sorted({segment.walker or 1 for segment in segments})
    if len(walkers) > 1:
        return _walkers_figure(segments, walkers, rule)
    names = [name for segment in segments[:1] for name in segment.timeline.observables]
    picture = PngFigure(figsize=(8, 3.2 + 1.3 * len(names)), layout="constrained")
    axes = picture.subplots(1 + len(names), 1, sharex=True, squeeze=False, height_ratios=[2.4] + [1] * len(names))[:, 0]
    _gamma(axes[0], segments, rule)
    _legend(axes[0])
    for axis, name in zip(axes[1:], names, strict=True):
        for segment, color, mask, alpha in _checks(segments):
            timeline = segment.timeline
            _observable(axis, timeline.step[mask], timeline.observables[name][mask], color, alpha)
        _tolerances(axis, name, segments)
        axis.set_ylabel(_axis_label(name), fontsize=8)
        _shade_generations(axis, segments)
    axes[-1].set_xlabel("MD step")
    return picture


def _mark_stages(picture: PngFigure, campaign: CampaignReader, walker: int | None) -> None:
    """Mark the steps at which a stage ends and the next one begins; `walker` is None for all of them."""
    several = campaign.n_walkers > 1 and walker is None
    for number, axis in enumerate(picture.axes):
        index = number + 1 if several else walker or 1
        borders = campaign.config.walker(index).engine.borders
        for step in borders:
            axis.axvline(step, color="C7", ls="-.", lw=1, gid="stage")
        if borders and number == 0:
            axis.plot([], [], color="C7", ls="-.", lw=1, label=f"stages ({len(borders) + 1})")
            axis.legend(loc="upper left", fontsize=8, ncols=5)


def _mark_changes(picture: PngFigure, campaign: CampaignReader, walker: int | None) -> None:
    """Mark the steps at which users changed labels or settings; `walker` is None for all of them."""
    changes = campaign.changes().changes
    several = campaign.n_walkers > 1 and walker is None
    for number, axis in enumerate(picture.axes):
        index = number if several else (walker or 1) - 1
        steps = sorted({change.steps[index] for change in changes if index < len(change.steps)})
        for step in steps:
            axis.axvline(step, color="0.25", ls=":", lw=1, gid="change")
        if steps and number == 0:
            label = f"changed by hand ({len(changes)})"
            marker, height = picture.axes[0].get_xaxis_transform(), [0.03] * len(steps)
            axis.plot(steps, height, "^", color="0.25", ms=5, transform=marker, label=label, gid="change")
            axis.legend(loc="upper left", fontsize=8, ncols=5)


@draws(Timeline)
def checks_figure(timeline: Timeline, halt: Halt | None = None) -> PngFigure:
    """Draw gamma and the observables at the checks of one segment.

    Parameters
    ----------
    timeline
        The checks.
    halt
        The halt at their end, whose thresholds are drawn.

    Returns
    -------
    PngFigure
    """
    names = list(timeline.observables)
    picture = PngFigure(figsize=(8, 2.6 + 1.3 * len(names)), layout="constrained")
    axes = picture.subplots(1 + len(names), 1, sharex=True, squeeze=False, height_ratios=[2] + [1] * len(names))[:, 0]
    axes[0].plot(timeline.step, timeline.gamma_max, color="C0", lw=1)
    if halt is not None:
        threshold_lines(axes[0], dict(zip(NAMES, halt.thresholds, strict=False)))
        name = f"halt {halt.number}{', a probe' if halt.is_probe else ''}"
        axes[0].plot([halt.step], [halt.gamma.max()], _marker(halt), **STYLE, label=name)
        axes[0].legend(loc="upper left", fontsize=8, ncols=5)
    axes[0].set_yscale("log")
    plain_log_ticks(axes[0].yaxis)
    axes[0].set_ylabel("largest gamma")
    for axis, name in zip(axes[1:], names, strict=True):
        _observable(axis, timeline.step, timeline.observables[name], "C0", 1.0)
        if halt is not None and name.startswith(halt.measure or " ") and halt.tolerance is not None:
            axis.axhline(halt.tolerance, **TOLERANCE)
        axis.set_ylabel(_axis_label(name), fontsize=8)
    axes[-1].set_xlabel("MD step")
    return picture


@draws(Segment)
def segment_figure(segment: Segment) -> PngFigure:
    """Draw gamma and the observables at the checks of a segment, with its halt; see `checks_figure`."""
    picture = checks_figure(segment.timeline, segment.halt)
    picture.axes[0].set_title(segment.headline(), fontsize=9)
    return picture


def _axis_label(name: str) -> str:
    """Return the label of an observable's axis, which must be short."""
    quantity, unit = observable(name)
    quantity = quantity.removeprefix("potential ").replace("force error", "\nforce error").replace(" \n", "\n")
    return f"{quantity} / ({unit})" if "/" in unit else f"{quantity} / {unit}"


def _observable(axis: Axes, step: np.ndarray, values: np.ndarray, color: str, alpha: float) -> None:
    """Draw an observable; one that was not evaluated at every check with a marker at each evaluation."""
    evaluated = np.isfinite(values)
    marker = "" if evaluated.all() else "."
    axis.plot(step[evaluated], values[evaluated], marker=marker, ms=3, color=color, lw=1, alpha=alpha)
    if marker and (values[evaluated] > 0).any():  # a measure of uncertainty, far below its tolerance in most steps
        axis.set_yscale("log")
        plain_log_ticks(axis.yaxis)


def _tolerances(axis: Axes, name: str, segments: Sequence[Segment]) -> None:
    """Draw the tolerance in force in each segment that ended in a halt, if it is that of an observable."""
    for segment in segments:
        halt = segment.halt
        if halt is not None and halt.measure and halt.tolerance is not None and name.startswith(halt.measure):
            axis.hlines(halt.tolerance, segment.start_step, segment.end_step, **TOLERANCE)
            if halt.tier == "uncertainty" and halt.uncertainty is not None:
                axis.plot([halt.step], [halt.uncertainty.max()], _marker(halt), **STYLE, zorder=3)


def _walkers_figure(segments: Sequence[Segment], walkers: Sequence[int], rule: OTFConfig) -> PngFigure:
    """Draw gamma of each walker."""
    shown = walkers[:SHOWN]
    picture = PngFigure(figsize=(8, 0.9 + 1.7 * len(shown)), layout="constrained")
    axes = picture.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, walker in zip(axes, shown, strict=True):
        _gamma(axis, [segment for segment in segments if (segment.walker or 1) == walker], rule)
        axis.set_ylabel(f"largest gamma,\nwalker {walker}", fontsize=8)
        axis.set_title("")
    more = f"; {len(walkers) - SHOWN} more walkers are not shown" if len(walkers) > SHOWN else ""
    _legend(axes[0], more)
    axes[-1].set_xlabel("MD step")
    return picture


def _checks(segments: Sequence[Segment]) -> Iterator[tuple[Segment, str, np.ndarray, float]]:
    """Yield the checks that are valid and those that were run again, with color and opacity."""
    for segment, end in zip(segments, _ends(segments), strict=True):
        step = segment.timeline.step
        for mask, alpha in ((step <= end, 1.0), (step >= end, 0.35)):
            if mask.any():
                yield segment, f"C{(segment.generation - 1) % 10}", mask, alpha


def _ends(segments: Sequence[Segment]) -> list[float]:
    return [*(float(segment.start_step) for segment in segments[1:]), np.inf][: len(segments)]


def _gamma(axis: Axes, segments: Sequence[Segment], rule: OTFConfig) -> None:
    """Draw gamma of one walker's segments, with halts and thresholds."""
    for segment, color, mask, alpha in _checks(segments):
        timeline = segment.timeline
        axis.plot(timeline.step[mask], timeline.gamma_max[mask], color=color, lw=1, alpha=alpha)
    for segment in segments:
        if segment.halt is not None:
            gamma = segment.timeline.gamma_max[segment.timeline.step == segment.halt.step]
            axis.plot([segment.halt.step] * len(gamma), gamma, _marker(segment.halt), **STYLE, zorder=3)
    threshold_lines(axis, thresholds_of(rule))
    halts = [segment.halt for segment in segments if segment.halt is not None]
    counts = Counter(_marker(halt) for halt in halts)
    axis.plot([], [], HALT_MARKER, **STYLE, label=f"halts ({counts[HALT_MARKER]})")
    if n_uncertain := counts[UNCERTAIN_MARKER]:
        axis.plot([], [], UNCERTAIN_MARKER, **STYLE, label=f"by force error ({n_uncertain})")
    if n_probes := counts[PROBE_MARKER]:
        axis.plot([], [], PROBE_MARKER, **STYLE, label=f"probes ({n_probes})")
    spikes = [spike for segment in segments for spike in _spikes(segment, rule)]
    if spikes:
        label = f"above, did not halt ({len(spikes)})"
        axis.plot(*zip(*spikes, strict=True), "o", label=label, **SPIKE)
    axis.set_yscale("log")
    axis.set_ylim(top=4 * rule.threshold_break)
    plain_log_ticks(axis.yaxis)
    axis.set_ylabel("largest gamma")
    _shade_generations(axis, segments)


def _legend(axis: Axes, more: str = "") -> None:
    axis.set_title(f"color and shading: generation; pale: run again with the next one{more}", fontsize=9)
    axis.legend(loc="upper left", fontsize=8, ncols=5)


def _marker(halt: Halt) -> str:
    return {"probe": PROBE_MARKER, "uncertainty": UNCERTAIN_MARKER}.get(halt.tier, HALT_MARKER)


def _spikes(segment: Segment, rule: OTFConfig) -> list[tuple[int, float]]:
    """Return the checks above the halting threshold that did not lead to a halt."""
    timeline = segment.timeline
    above = timeline.gamma_max > rule.threshold_call_dft
    if segment.halt is not None:
        above &= timeline.step < segment.halt.first_step
    return list(zip(timeline.step[above].tolist(), timeline.gamma_max[above].tolist(), strict=True))


def _shade_generations(axis: Axes, segments: Sequence[Segment]) -> None:
    """Shade the valid part of the trajectory of every other generation."""
    for segment, end in zip(segments, _ends(segments), strict=True):
        if segment.generation % 2 == 0:
            axis.axvspan(segment.start_step, min(end, segment.end_step), color="0.5", alpha=0.08, lw=0)
