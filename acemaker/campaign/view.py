"""The campaign as its user sees it without moving it: facts, and the common analyses of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acemaker.analysis.convergence import Convergence, convergence_of
from acemaker.analysis.generations import KnownGeneration, generations_of
from acemaker.analysis.label_costs import LabelCosts, label_costs_of
from acemaker.analysis.report import write_report
from acemaker.analysis.rounds import Round, rounds_of
from acemaker.analysis.what_if import WhatIf, what_if_of
from acemaker.formatting.summary import Summary
from acemaker.loop.reader import CampaignReader

if TYPE_CHECKING:
    from acemaker.analysis.accuracy import Verdict
    from acemaker.analysis.thresholds import Thresholds
    from acemaker.widgets.what_if_slider import WhatIfSlider


class CampaignView(CampaignReader):
    """Adds the common analyses to a reader; each method calls the function of `acemaker.analysis` of that name."""

    def summary(self) -> Summary:
        """Return what the campaign says of itself."""
        facts = super().summary()
        if self.progress.generation < 0:
            return facts
        converged = convergence_of(self, self.progress.steps).converged
        items = [*facts.items, ("converged", "yes" if converged else "not yet")]
        if facts.items[-1][0] == "failed":
            items[-2:] = reversed(items[-2:])
        return Summary(facts.title, tuple(items), facts.table, facts.strip)

    def rounds(self) -> tuple[Round, ...]:
        """Gather what happened at each halt; the first round is the making of generation 0."""
        return rounds_of(self)

    def generations(self) -> tuple[KnownGeneration, ...]:
        """List the accepted generations; two of them can be subtracted: ``generations[4] - generations[3]``."""
        return generations_of(self)

    def label_costs(self) -> LabelCosts:
        """Add up what the labels cost, beside what labelling without gamma would have cost."""
        return label_costs_of(self)

    def convergence(self) -> Convergence:
        """Say whether the campaign has anything left to learn where it runs.

        Returns
        -------
        Convergence
            Its figures; the segment that is running counts.
        """
        return convergence_of(self)

    def what_if(self, **rule: float | int) -> WhatIf:
        """Look where the recorded run would have halted under another rule.

        Parameters
        ----------
        **rule
            ``threshold_call_dft``, ``threshold_break``, ``smooth_steps``.

        Returns
        -------
        WhatIf

        Raises
        ------
        ConfigError
            For another name, or a rule that is none.
        """
        return what_if_of(self, rule)

    def what_if_slider(self) -> WhatIfSlider | Thresholds:
        """Show `what_if` with sliders for ``threshold_call_dft`` and ``smooth_steps``.

        Returns
        -------
        WhatIfSlider or Thresholds
            A widget in a notebook that somebody watches; elsewhere a table of thresholds, and a picture.
        """
        from acemaker.widgets.what_if_slider import what_if_slider

        return what_if_slider(self.what_if())

    def report(self, verdict: Verdict | None = None, file: str | Path | None = None) -> Path:
        """Write the campaign's story with its pictures into one HTML file without outside references.

        Parameters
        ----------
        verdict
            Of `acemaker.judge`, to be told as well.
        file
            Where to; ``report.html`` in the campaign's directory if None.

        Returns
        -------
        Path
            The file.
        """
        return write_report(self, verdict, Path(file) if file is not None else None)
