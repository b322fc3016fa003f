"""Whether a campaign has anything left to learn where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acemaker.config.convergence import ConvergenceConfig
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, number
from acemaker.loop.reader import CampaignReader


@dataclass(frozen=True, kw_only=True, repr=False)
class Convergence(Record):
    """Two signs that more of the same run would teach a potential nothing.

    No halt for long says that it knows what it meets. A held-out error that no longer falls with new labels says that
    their number is not what limits it.

    Attributes
    ----------
    quiet : tuple of int
        MD steps of each walker since its last halt, or since the start where there was none.
    errors : tuple of float or None
        meV/Å, cross-validated force error of each accepted generation, the first at the beginning; None by a trainer
        that reports none.
    rule : ConvergenceConfig
        What is asked for.
    """

    quiet: tuple[int, ...]
    errors: tuple[float | None, ...]
    rule: ConvergenceConfig

    @property
    def steps(self) -> int:
        """MD steps without a halt, of the walker that halted last."""
        return min(self.quiet)

    @property
    def is_quiet(self) -> bool:
        """Whether enough walkers explore, and each of them has gone on for long enough without a halt."""
        return len(self.quiet) >= self.rule.quiet_walkers and self.steps >= self.rule.quiet_steps

    @property
    def spread(self) -> float | None:
        """By which share the largest of the latest errors is above the least; None if they are too few or unknown."""
        latest = [error for error in self.errors[-self.rule.plateau_generations :] if error is not None]
        if len(latest) < self.rule.plateau_generations or min(latest) <= 0:
            return None
        return max(latest) / min(latest) - 1

    @property
    def on_plateau(self) -> bool | None:
        """Whether the held-out error has stopped to change; None where the trainer reports no such error."""
        if self.errors and all(error is None for error in self.errors):
            return None
        return self.spread is not None and self.spread <= self.rule.plateau_tolerance

    @property
    def converged(self) -> bool:
        """Whether it is quiet, and on a plateau where that can be told."""
        return self.is_quiet and self.on_plateau is not False

    def headline(self) -> str:
        """Say it in one line."""
        return f"{self.summary().title}: {'; '.join((self._quiet(), self._plateau()))}"

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        title = "Converged" if self.converged else "Not converged"
        return Summary(title, (("halts", self._quiet()), ("held-out force error", self._plateau())))

    def _quiet(self) -> str:
        steps, walkers, rule = self.steps, len(self.quiet), self.rule
        if walkers == rule.quiet_walkers == 1:
            return f"none in the last {steps} steps, {rule.quiet_steps} asked for"
        return (
            f"none in the last {steps} steps of each of {counted(walkers, 'walker')}; asked for: {rule.quiet_steps} of "
            f"each, and at least {counted(rule.quiet_walkers, 'walker')}"
        )

    def _plateau(self) -> str:
        wanted, known = self.rule.plateau_generations, [error for error in self.errors if error is not None]
        if self.on_plateau is None:
            return "the trainer reports none"
        if self.spread is None:
            return f"{counted(len(known), 'generation')} so far, {wanted} are needed to see a plateau"
        latest = ", ".join(map(number, known[-wanted:]))
        how = "on a plateau" if self.on_plateau else "not on a plateau"
        return (
            f"{latest} meV/Å in the last {wanted} generations, {how}: {self.spread:.0%} apart, "
            f"{self.rule.plateau_tolerance:.0%} allowed"
        )


def convergence(
    steps: Sequence[int], halt_steps: Sequence[int], errors: Sequence[float | None], rule: ConvergenceConfig
) -> Convergence:
    """Judge a campaign.

    Parameters
    ----------
    steps
        MD step that each walker has reached.
    halt_steps
        MD step of the last halt of each; 0 for none.
    errors
        meV/Å, cross-validated force errors of the accepted generations.
    rule
        What is asked for.

    Returns
    -------
    Convergence
    """
    quiet = tuple(max(step - last, 0) for step, last in zip(steps, halt_steps, strict=True))
    return Convergence(quiet=quiet, errors=tuple(errors), rule=rule)


def convergence_of(campaign: CampaignReader, steps: Sequence[int] | None = None) -> Convergence:
    """Judge a campaign by its walkers' steps and its generations' errors.

    Parameters
    ----------
    campaign
        The campaign.
    steps
        MD step that each walker has reached; as far as the running segment has been checked if None.

    Returns
    -------
    Convergence
    """
    progress = campaign.progress
    if steps is None:
        steps, running = list(progress.steps), campaign.running_checks().step
        if len(running):
            turn = progress.walker - 1
            steps[turn] = max(steps[turn], int(running[-1]))
    halts = [walker.last_halt_step for walker in progress.walkers]
    return convergence(steps, halts, progress.errors, campaign.config.convergence)
