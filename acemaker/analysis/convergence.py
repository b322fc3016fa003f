"""Convergence of a campaign: whether more of the same run would still change the potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acemaker.analysis.assessment import Assessment, assess
from acemaker.config.convergence import ConvergenceConfig
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, number
from acemaker.loop.reader import CampaignReader


@dataclass(frozen=True, kw_only=True, repr=False)
class Convergence(Record):
    """Two signs that more of the same run would not improve the potential, and two that it is good enough.

    A long run without a halt means that the potential covers the structures that occur. A held-out error that no longer
    falls with new labels means that their number does not limit it. If this error is a large part of the forces, the
    basis does not describe the system, which neither gamma nor more labels show. The error that was measured on frames
    of the run must meet the target.

    Attributes
    ----------
    quiet : tuple of int
        MD steps of each walker since its last halt, or since the start if there was none.
    errors : tuple of float or None
        meV/Å, cross-validated force error of each accepted generation, in order; None if the trainer reports none.
    rule : ConvergenceConfig
        The criteria.
    typical_force : float or None
        meV/Å, root mean square of the force components of the latest labels; None if it is unknown.
    assessment : Assessment or None
        The measured error; None to leave it out.
    """

    quiet: tuple[int, ...]
    errors: tuple[float | None, ...]
    rule: ConvergenceConfig
    typical_force: float | None = None
    assessment: Assessment | None = None

    @property
    def steps(self) -> int:
        """Smallest number of MD steps since the last halt, over the walkers."""
        return min(self.quiet)

    @property
    def is_quiet(self) -> bool:
        """Whether enough walkers explore, and each of them has run long enough without a halt."""
        return len(self.quiet) >= self.rule.quiet_walkers and self.steps >= self.rule.quiet_steps

    @property
    def spread(self) -> float | None:
        """Relative excess of the largest of the latest errors over the smallest; None if too few are known."""
        latest = [error for error in self.errors[-self.rule.plateau_generations :] if error is not None]
        if len(latest) < self.rule.plateau_generations or min(latest) <= 0:
            return None
        return max(latest) / min(latest) - 1

    @property
    def on_plateau(self) -> bool | None:
        """Whether the held-out error no longer changes; None if the trainer reports no such error."""
        if self.errors and all(error is None for error in self.errors):
            return None
        return self.spread is not None and self.spread <= self.rule.plateau_tolerance

    @property
    def error_share(self) -> float | None:
        """Held-out force error of the latest generation as a fraction of the forces; None if either is unknown."""
        if not self.errors or self.errors[-1] is None or not self.typical_force:
            return None
        return self.errors[-1] / self.typical_force

    @property
    def is_accurate(self) -> bool | None:
        """Whether the error is small compared with the forces; None if either is unknown."""
        return None if self.error_share is None else self.error_share <= self.rule.max_error_share

    @property
    def is_good_enough(self) -> bool:
        """Whether the measured error meets the target, or probes are switched off."""
        return self.assessment is None or not self.assessment.planned or self.assessment.met is True

    @property
    def converged(self) -> bool:
        """Whether the run is quiet, the held-out error on a plateau and not large, and the measured error low enough.

        A held-out error that the trainer does not report is no obstacle.
        """
        settled = self.is_quiet and self.on_plateau is not False and self.is_accurate is not False
        return settled and self.is_good_enough

    def headline(self) -> str:
        """Return the summary in one line."""
        parts = [self._quiet(), self._plateau()]
        if self.is_accurate is False:
            parts.append(self._accuracy())
        if self.assessment is not None:
            parts.append(self.assessment.verdict)
        return f"{self.summary().title}: {'; '.join(parts)}"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        title = "Converged" if self.converged else "Not converged"
        items = [("halts", self._quiet()), ("held-out force error", self._plateau())]
        if self.error_share is not None:
            items.append(("compared with the forces", self._accuracy()))
        if self.assessment is not None:
            items.append(("measured error", self.assessment.verdict))
        return Summary(title, tuple(items))

    def _quiet(self) -> str:
        steps, walkers, rule = self.steps, len(self.quiet), self.rule
        if walkers == rule.quiet_walkers == 1:
            return f"none in the last {steps} steps, {rule.quiet_steps} required"
        return (
            f"none in the last {steps} steps of each of {counted(walkers, 'walker')}; required: {rule.quiet_steps} of "
            f"each, and at least {counted(rule.quiet_walkers, 'walker')}"
        )

    def _plateau(self) -> str:
        needed, errors = self.rule.plateau_generations, [error for error in self.errors if error is not None]
        if self.on_plateau is None:
            return "the trainer reports none"
        if self.spread is None:
            return f"{counted(len(errors), 'generation')} so far, {needed} are needed to detect a plateau"
        latest = ", ".join(map(number, errors[-needed:]))
        status = "on a plateau" if self.on_plateau else "not on a plateau"
        return (
            f"{latest} meV/Å in the last {needed} generations, {status}: {self.spread:.0%} apart, "
            f"{self.rule.plateau_tolerance:.0%} allowed"
        )

    def _accuracy(self) -> str:
        assert self.error_share is not None
        text = f"{self.error_share:.0%} of the forces, {self.rule.max_error_share:.0%} allowed"
        if self.is_accurate:
            return text
        return (
            f"{text}: the potential does not describe this system; increase n_functions, which the elements share, or "
            "change cutoff, or check the convergence of the labels"
        )

    def figure(self) -> Picture:
        """Draw the held-out error of each generation, and the steps since the last halt."""
        return draw(self)


def convergence(
    steps: Sequence[int],
    halt_steps: Sequence[int | None],
    errors: Sequence[float | None],
    rule: ConvergenceConfig,
    typical_force: float | None = None,
    assessment: Assessment | None = None,
) -> Convergence:
    """Evaluate the convergence from steps and errors.

    Parameters
    ----------
    steps
        MD step that each walker has reached.
    halt_steps
        MD step of the last halt of each walker; None if there is none.
    errors
        meV/Å, cross-validated force errors of the accepted generations.
    rule
        The criteria.
    typical_force
        meV/Å, root mean square of the force components of the latest labels.
    assessment
        The measured error.

    Returns
    -------
    Convergence
    """
    quiet = tuple(max(step - (last or 0), 0) for step, last in zip(steps, halt_steps, strict=True))
    return Convergence(quiet=quiet, errors=tuple(errors), rule=rule, typical_force=typical_force, assessment=assessment)


def convergence_of(campaign: CampaignReader, steps: Sequence[int] | None = None) -> Convergence:
    """Evaluate the convergence of a campaign from the steps of its walkers and the errors of its generations.

    Parameters
    ----------
    campaign
        The campaign.
    steps
        MD step that each walker has reached; if None, up to the last check of the running segment.

    Returns
    -------
    Convergence

    Examples
    --------
    >>> from acemaker.analysis import convergence_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> convergence_of(campaign).converged
    False
    """
    progress = campaign.progress
    if steps is None:
        steps, running = list(progress.steps), campaign.running_checks().step
        if len(running):
            turn = progress.walker - 1
            steps[turn] = max(steps[turn], int(running[-1]))
    halts = [walker.last_halt_step for walker in progress.walkers]
    rule = campaign.config.convergence
    return convergence(steps, halts, progress.errors, rule, campaign.typical_force(), assess(campaign))
