"""Where a recorded run would have halted under another rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.analysis.rounds import rounds_of
from acemaker.config import OTFConfig
from acemaker.engines.halting import HaltMonitor, Verdict
from acemaker.errors import ConfigError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.loop.reader import CampaignReader
from acemaker.results import Segment

RULE = ("threshold_call_dft", "threshold_break", "smooth_steps")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class WhatIf(Record):
    """A recorded run under another halting rule.

    What was recorded tells where the other rule would have halted first. From there on the run would have been
    another one: it would have gone on past a halt that the rule does not ask for, or with a potential trained
    earlier.

    Attributes
    ----------
    rule : OTFConfig
        The other rule.
    segments : tuple of Segment
        What was recorded.
    verdicts : tuple of Verdict or None
        Where the rule would have halted each segment; None where it would not have by its recorded end.
    n_first : int
        Labels of generation 0.
    labels_a_halt : float
        As the campaign made them, on average.
    """

    rule: OTFConfig
    segments: tuple[Segment, ...]
    verdicts: tuple[Verdict | None, ...]
    n_first: int
    labels_a_halt: float

    @property
    def halts(self) -> int:
        """How many segments the rule would have halted."""
        return sum(verdict is not None for verdict in self.verdicts)

    @property
    def labels(self) -> float:
        """How many labels as many halts would have taken."""
        return self.n_first + self.halts * self.labels_a_halt

    @property
    def same_until(self) -> int:
        """The step up to which the run would have been the recorded one."""
        until: dict[int, int] = {}
        ends: dict[int, int] = {}
        for segment, verdict in zip(self.segments, self.verdicts, strict=True):
            recorded = segment.halt.step if segment.halt is not None else None
            ends[segment.walker] = segment.end_step
            if recorded != (verdict.step if verdict is not None else None):
                would = verdict.step if verdict is not None else segment.end_step
                until.setdefault(segment.walker, min(recorded or segment.end_step, would))
        return min(until.values(), default=max(ends.values(), default=0))

    def under(self, **changes: float | int) -> WhatIf:
        """Apply yet another rule to what was recorded.

        Parameters
        ----------
        **changes
            To this record's rule, as for `Campaign.what_if`.

        Returns
        -------
        WhatIf

        Raises
        ------
        ConfigError
            For another name, or a rule that is none.
        """
        return what_if(self.segments, other_rule(self.rule, changes), self.n_first, self.labels_a_halt)

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        recorded = sum(segment.halt is not None for segment in self.segments)
        rule = self.rule
        several = " of each walker" if any(segment.walker for segment in self.segments) else ""
        items = (
            (
                "rule",
                f"{rule.smooth_steps} checks in a row above {number(rule.threshold_call_dft)}, or one above "
                f"{number(rule.threshold_break)}",
            ),
            ("halts", f"{self.halts}, recorded: {recorded}"),
            ("labels", f"about {number(self.labels)}"),
            ("the run would have been the same", f"up to step {self.same_until}{several}"),
        )
        rows = []
        for segment, verdict in zip(self.segments, self.verdicts, strict=True):
            was = str(segment.halt.step) if segment.halt is not None else "–"
            of = f", walker {segment.walker}" if segment.walker else ""
            rows.append((f"{segment.number}{of}", was, str(verdict.step) if verdict is not None else "–"))
        return Summary(
            "The recorded run under another rule", items, Table(("segment", "halted", "would halt"), tuple(rows))
        )

    def figure(self) -> Picture:
        """Draw the recorded gamma with the rule's thresholds, and where it would have halted."""
        return draw(self)


def other_rule(rule: OTFConfig, changes: Mapping[str, float | int]) -> OTFConfig:
    """Change a halting rule.

    Parameters
    ----------
    rule
        The campaign's.
    changes
        To ``threshold_call_dft``, ``threshold_break`` and ``smooth_steps``; the other thresholds follow where they
        must, to stay in order.

    Returns
    -------
    OTFConfig

    Raises
    ------
    ConfigError
        For another name, or a value that is none.
    """
    if strange := set(changes) - set(RULE):
        raise ConfigError(f"expected some of {', '.join(RULE)}, got {', '.join(sorted(strange))}")
    values = {**rule.model_dump(), **changes}
    call = values["threshold_call_dft"]
    values["threshold_add_train"] = min(values["threshold_add_train"], call)
    if "threshold_break" not in changes:
        values["threshold_break"] = max(values["threshold_break"], call)
    return OTFConfig(**values)


def what_if(segments: Sequence[Segment], rule: OTFConfig, n_first: int, labels_a_halt: float) -> WhatIf:
    """Apply a rule to what was recorded.

    Parameters
    ----------
    segments
        Recorded.
    rule
        The other rule.
    n_first
        Labels of generation 0.
    labels_a_halt
        On average.

    Returns
    -------
    WhatIf
    """
    return WhatIf(
        rule=rule,
        segments=tuple(segments),
        verdicts=tuple(_first_halt(segment, rule) for segment in segments),
        n_first=n_first,
        labels_a_halt=labels_a_halt,
    )


def what_if_of(campaign: CampaignReader, changes: Mapping[str, float | int]) -> WhatIf:
    """Apply another halting rule to what a campaign has recorded.

    Parameters
    ----------
    campaign
        The campaign.
    changes
        To its rule, as for `other_rule`.

    Returns
    -------
    WhatIf

    Raises
    ------
    ConfigError
        For another name, or a value that is none.
    """
    rounds = rounds_of(campaign)
    made = [len(one.labels) for one in rounds[1:]]
    return what_if(
        campaign.segments(),
        other_rule(campaign.config.otf, changes),
        n_first=len(rounds[0].labels),
        labels_a_halt=float(np.mean(made)) if made else float(campaign.config.otf.n_select),
    )


def _first_halt(segment: Segment, rule: OTFConfig) -> Verdict | None:
    monitor = HaltMonitor(rule)
    checks = zip(segment.timeline.step.tolist(), segment.timeline.gamma_max.tolist(), strict=True)
    return next((verdict for step, gamma in checks if (verdict := monitor.update(step, gamma)) is not None), None)
