"""What-if analysis: where a recorded run would have halted under another halting rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.analysis.rounds import rounds_of
from acemaker.config import OTFConfig
from acemaker.engines.halting import HaltDecision, HaltMonitor
from acemaker.errors import ConfigError
from acemaker.formatting import html
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.results import Segment

RULE = ("threshold_call_dft", "threshold_break", "smooth_steps")
"""Parameters of the halting rule that can be changed."""

ROW = 9
"""Number of thresholds in the table of `thresholds`."""

FARTHEST = 5.0
"""Largest threshold, in units of ``threshold_break``: a run that exploded must not compress the rest of the range."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class WhatIf(Record):
    """A recorded run under another halting rule.

    The recorded gamma determines where the other rule would have halted first; halts for another measure of uncertainty
    remain. From there on the run would have been different: it would have continued past a halt that the rule does not
    require, or with a potential that was trained earlier.

    At most one halt is counted per recorded segment. If the rule halts segments before their recorded ends
    (`n_earlier`), further halts in the rest of these segments are not counted, since the potential would have been
    another one there: `halts` and `labels` are lower bounds then.

    Attributes
    ----------
    rule : OTFConfig
        The other rule.
    segments : tuple of Segment
        The recorded segments.
    decisions : tuple of HaltDecision or None
        Where the rule would have halted each segment; None if it would not have by the segment's recorded end.
    n_first : int
        Number of labels of the first generation and of probes, which the rule does not change.
    labels_per_halt : float
        Mean number of labels per halt of the campaign, without probes.
    """

    rule: OTFConfig
    segments: tuple[Segment, ...]
    decisions: tuple[HaltDecision | None, ...]
    n_first: int
    labels_per_halt: float

    @property
    def halts(self) -> int:
        """Number of segments that the rule would have halted; a lower bound of the halts if `n_earlier` is not zero."""
        return sum(decision is not None for decision in self.decisions)

    @property
    def n_earlier(self) -> int:
        """Number of segments that the rule would have halted before their recorded end."""
        return sum(
            decision is not None and decision.step < (segment.halt.step if segment.halt else segment.end_step)
            for segment, decision in zip(self.segments, self.decisions, strict=True)
        )

    @property
    def labels(self) -> float:
        """Number of labels that `halts` would have taken; a lower bound if `n_earlier` is not zero."""
        return self.n_first + self.halts * self.labels_per_halt

    @property
    def same_until(self) -> int:
        """Step up to which the run would have been identical to the recorded one."""
        until: dict[int, int] = {}
        ends: dict[int, int] = {}
        for segment, decision in zip(self.segments, self.decisions, strict=True):
            recorded = segment.halt.step if segment.halt is not None and not segment.halt.is_probe else None
            ends[segment.walker or 1] = segment.end_step
            if recorded != (decision.step if decision is not None else None):
                would = decision.step if decision is not None else segment.end_step
                until.setdefault(segment.walker or 1, min(recorded or segment.end_step, would))
        return min(until.values(), default=max(ends.values(), default=0))

    @property
    def at_least(self) -> str:
        """``at least`` with a space if `halts` and `labels` are lower bounds, otherwise empty."""
        return "at least " if self.n_earlier else ""

    def under(self, **changes: float | int) -> WhatIf:
        """Apply a further rule to the recorded run.

        Parameters
        ----------
        **changes
            Changes of this record's rule, as for `Campaign.what_if`.

        Returns
        -------
        WhatIf

        Raises
        ------
        ConfigError
            For another name, or an invalid rule.
        """
        return what_if(self.segments, other_rule(self.rule, changes), self.n_first, self.labels_per_halt)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        recorded = sum(segment.halt is not None and not segment.halt.is_probe for segment in self.segments)
        rule = self.rule
        several = " of each walker" if any(segment.walker for segment in self.segments) else ""
        items: tuple[tuple[str, str], ...] = (
            (
                "rule",
                f"{rule.smooth_steps} checks in a row above {number(rule.threshold_call_dft)}, or one above "
                f"{number(rule.threshold_break)}",
            ),
            ("halts", f"{self.at_least}{self.halts}, recorded: {recorded}"),
            ("labels", f"{self.at_least or 'about '}{number(self.labels)}"),
            ("identical to the recorded run", f"up to step {self.same_until}{several}"),
        )
        if self.n_earlier:
            items += (
                (
                    "not counted",
                    f"further halts in {counted(self.n_earlier, 'segment')} that would have halted before the recorded "
                    "end: at most one halt is counted per segment",
                ),
            )
        rows = []
        for segment, decision in zip(self.segments, self.decisions, strict=True):
            halted = str(segment.halt.step) if segment.halt is not None and not segment.halt.is_probe else "–"
            of = f", walker {segment.walker}" if segment.walker else ""
            rows.append((f"{segment.number}{of}", halted, str(decision.step) if decision is not None else "–"))
        return Summary(
            "The recorded run under another rule", items, Table(("segment", "halted", "would halt"), tuple(rows))
        )

    def figure(self) -> Picture:
        """Draw the recorded gamma with the rule's thresholds, and where it would have halted."""
        return draw(self)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Thresholds(Record):
    """The static fallback of the what-if slider: a table of thresholds, and the picture of the recorded run.

    Attributes
    ----------
    recorded : WhatIf
        The run under its own rule.
    reviews : tuple of WhatIf
        The run under other rules, by ``threshold_call_dft``.
    """

    recorded: WhatIf
    reviews: tuple[WhatIf, ...]

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows = tuple(
            (
                number(review.rule.threshold_call_dft),
                f"{review.at_least}{review.halts}",
                f"{review.at_least}{number(review.labels)}",
                str(review.same_until),
            )
            for review in self.reviews
        )
        header = ("threshold_call_dft", "would halt", "labels, about", "identical up to step")
        return Summary("The recorded run under other thresholds", self.recorded.summary().items, Table(header, rows))

    def figure(self) -> Picture:
        """Draw the recorded gamma with the recorded rule."""
        return self.recorded.figure()

    def _repr_html_(self) -> str:
        return super()._repr_html_() + html.figure(self.figure(), "Recorded gamma and where the run halted")


def what_if(segments: Sequence[Segment], rule: OTFConfig, n_first: int, labels_per_halt: float) -> WhatIf:
    """Apply a rule to recorded segments.

    Parameters
    ----------
    segments
        The recorded segments.
    rule
        The other rule.
    n_first
        Number of labels of the first generation and of probes, which the rule does not change.
    labels_per_halt
        Mean number of labels per halt.

    Returns
    -------
    WhatIf
    """
    return WhatIf(
        rule=rule,
        segments=tuple(segments),
        decisions=tuple(_first_halt(segment, rule) for segment in segments),
        n_first=n_first,
        labels_per_halt=labels_per_halt,
    )


def what_if_of(campaign: CampaignReader, changes: Mapping[str, float | int]) -> WhatIf:
    """Apply another halting rule to the recorded run of a campaign.

    Parameters
    ----------
    campaign
        The campaign.
    changes
        Changes of its rule, as for `other_rule`.

    Returns
    -------
    WhatIf

    Raises
    ------
    ConfigError
        For another name, or an invalid value.

    Examples
    --------
    >>> from acemaker.analysis import what_if_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> what_if_of(campaign, {"threshold_call_dft": 8.0}).halts
    0
    """
    rounds = rounds_of(campaign)
    counts = [len(round_.labels) for round_ in rounds[1:] if round_.tier != "probe"]
    fixed = sum(len(round_.labels) for round_ in rounds if round_.halt is None or round_.tier == "probe")
    return what_if(
        campaign.segments(),
        other_rule(campaign.config.otf, changes),
        n_first=fixed,
        labels_per_halt=float(np.mean(counts)) if counts else float(campaign.config.otf.n_select),
    )


def other_rule(rule: OTFConfig, changes: Mapping[str, float | int]) -> OTFConfig:
    """Change a halting rule.

    Parameters
    ----------
    rule
        The campaign's rule.
    changes
        New values of ``threshold_call_dft``, ``threshold_break`` and ``smooth_steps``; the other thresholds change with
        them if the order requires it.

    Returns
    -------
    OTFConfig

    Raises
    ------
    ConfigError
        For another name, or an invalid value.
    """
    if unknown := set(changes) - set(RULE):
        raise ConfigError(f"expected some of {', '.join(RULE)}, got {', '.join(sorted(unknown))}")
    values = {**rule.model_dump(), **changes}
    call = values["threshold_call_dft"]
    values["threshold_add_train"] = min(values["threshold_add_train"], call)
    if "threshold_break" not in changes:
        values["threshold_break"] = max(values["threshold_break"], call)
    return OTFConfig(**values)


def thresholds(review: WhatIf) -> Thresholds:
    """Apply a row of thresholds, evenly spaced on a logarithmic scale, to a recorded run.

    Parameters
    ----------
    review
        The run under its own rule.

    Returns
    -------
    Thresholds
    """
    row = np.geomspace(*threshold_range(review), ROW)
    values = sorted({*(float(f"{value:.2g}") for value in row), review.rule.threshold_call_dft})
    reviews = tuple(review.under(threshold_call_dft=value) for value in values)
    return Thresholds(recorded=review, reviews=reviews)


def threshold_range(review: WhatIf) -> tuple[float, float]:
    """Find the range of thresholds that make a difference to a recorded run.

    Parameters
    ----------
    review
        The run under any rule.

    Returns
    -------
    low, high : float
        From the smallest recorded gamma, below which every check would halt, to the largest, above which none would;
        dimensionless. The rule's own threshold is always in the range.
    """
    own = review.rule.threshold_call_dft
    gamma = np.concatenate([segment.timeline.gamma_max for segment in review.segments] or [np.zeros(0)])
    gamma = gamma[np.isfinite(gamma) & (gamma > 0)]
    low, high = (float(gamma.min()), float(gamma.max())) if len(gamma) else (own, own)
    return min(low, own / 2), max(min(high, FARTHEST * review.rule.threshold_break), 2 * own)


def _first_halt(segment: Segment, rule: OTFConfig) -> HaltDecision | None:
    timeline, halt = segment.timeline, segment.halt
    tolerance, uncertainty = math.inf, np.full(len(timeline.step), np.nan)
    if halt is not None and halt.measure and halt.tolerance is not None:  # not changed by a rule for gamma
        tolerance = halt.tolerance
        names = [name for name in timeline.observables if name.startswith(halt.measure)]
        uncertainty = timeline.observables[names[0]] if names else uncertainty
    monitor = HaltMonitor(rule, tolerance=tolerance)
    checks = zip(timeline.step.tolist(), timeline.gamma_max.tolist(), uncertainty.tolist(), strict=True)
    return next((decision for check in checks if (decision := monitor.update(*check)) is not None), None)
