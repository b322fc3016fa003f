"""Assessment of a campaign: its force error, measured on frames of its own run, and whether the target is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acemaker.analysis.probe_errors import Probe, interval_of, mean_square, weights_of
from acemaker.config.convergence import ConvergenceConfig
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.probes import n_probes, planned_probes
from acemaker.loop.reader import CampaignReader
from acemaker.states import State

LIMITED_BY_BASIS = 0.7
"""Training error as a fraction of the measured error above which more labels hardly lower the error."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Assessment(Record):
    """The measured force error of a campaign, and whether its potential is good enough.

    Probes are frames of the campaign's own run that were chosen before it, evenly in time, and labeled by its oracle
    although gamma was low. Each tests the potential in use; later it is trained on, too. The error of the final
    potential on a probe is that of a fit without it.

    Attributes
    ----------
    probes : tuple of Probe
        All measured probes, in order.
    steps : tuple of int
        Number of MD steps of each walker's run.
    rule : ConvergenceConfig
        The target.
    training_error : float or None
        Force error of the latest potential on its own labels, meV/Å; None if it is unknown.
    compared_bases : bool
        Whether other bases were compared on the labels.
    missing : str
        Why there is no probe, or not yet; empty if there is one.
    planned : int
        Number of probes that the campaign plans; 0 if they are switched off.
    is_complete : bool
        Whether the campaign is done, and the last planned probe of each walker was measured.

    Examples
    --------
    >>> from acemaker.analysis import assess
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> assess(campaign).met is None
    True
    """

    probes: tuple[Probe, ...]
    steps: tuple[int, ...]
    rule: ConvergenceConfig
    training_error: float | None = None
    compared_bases: bool = False
    missing: str = ""
    planned: int = 0
    is_complete: bool = True

    @property
    def force_error(self) -> float | None:
        """Root mean square force error over the run, meV/Å; None without probes."""
        return float(np.sqrt(mean_square(self.probes, self._weights))) if self.probes else None

    @property
    def force(self) -> float | None:
        """Root mean square of the force components over the run, meV/Å; None without probes."""
        if not self.probes:
            return None
        return float(np.sqrt(self._weights @ [probe.force**2 for probe in self.probes]))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of `force_error`, meV/Å; None if a probe has too few atoms to estimate it."""
        return interval_of(self.probes, self._weights)

    @property
    def share(self) -> float | None:
        """`force_error` as a fraction of `force`; None without probes, or without forces."""
        return self.force_error / self.force if self.force_error is not None and self.force else None

    @property
    def target(self) -> float | None:
        """Target in meV/Å; None if it is a fraction of forces that are unknown."""
        share = self.rule.target_share
        if share is None:
            return self.rule.target_force_error
        return None if self.force is None else share * self.force

    @property
    def worst(self) -> Probe | None:
        """The probe whose error is largest compared with the target; None without probes."""
        return max(self.probes, key=self._relative, default=None)

    @property
    def met(self) -> bool | None:
        """Whether the error of every probe is at most the target; None if it is, but not to the end of the run.

        A mean over the run would hide a phase, or a walker, in which the forces are small and wrong.
        """
        if self.worst is None:
            return None
        if not self._relative(self.worst) <= 1:
            return False
        return True if self.is_complete else None

    @property
    def _weights(self) -> np.ndarray:
        return weights_of(self.probes, self.steps)

    def _relative(self, probe: Probe) -> float:
        """Return the error on a probe in units of the target; infinite if it has none."""
        if probe.physical_until is not None:
            return float("inf")
        share = self.rule.target_share
        target = self.rule.target_force_error if share is None else share * probe.force
        ratio = probe.latest / target if target else float("inf")
        return float("inf") if np.isnan(ratio) else ratio

    @property
    def verdict(self) -> str:
        """Whether the potential is good enough, in one sentence, and if not, what would help."""
        if not self.probes:
            return f"Accuracy not measured: {self.missing}"
        text = f"{self._title()}: {self._measured()}; the target is {self._target()}{self._uncertain()}"
        if self.met is None:
            return f"{text}; {self.missing}"
        return text if self.met else f"{text}{self._exception()}. {self.remedy}"

    @property
    def brief(self) -> str:
        """The verdict in a few words."""
        if self.force_error is None:
            return "not measured" + ("" if self.planned else ", since n_probes is 0")
        bound = "target" if self.rule.target_share is None else f"target {self.rule.target_share:.1%}"
        share = "" if self.share is None else f", {self.share:.1%} of the forces"
        return (
            f"{ {True: 'yes', False: 'no', None: 'so far'}[self.met] }: {number(self.force_error)} meV/Å{share}, on "
            f"{counted(len(self.probes), 'probe')}; {bound}, {number(self.target or 0.0)} meV/Å"
        )

    @property
    def remedy(self) -> str:
        """What would lower the error; empty if the target is met, or nothing was measured."""
        if self.met is not False or self.force_error is None:
            return ""
        if self.training_error is not None and self.training_error > LIMITED_BY_BASIS * self.force_error:
            limit = (
                f"The basis limits the error, which is {number(self.training_error)} meV/Å on the labels of the "
                "training set already"
            )
            if self.compared_bases:
                return (
                    f"{limit}, and it is the best one that was compared on the labels: create a campaign with more "
                    "n_functions, higher lmax_by_orders, a larger cutoff or trainer='pacemaker'"
                )
            return (
                f"{limit}: compare others on the labels that exist (acemaker.analysis.compare_bases(campaign)), or "
                "create a campaign with basis='adaptive', more n_functions or a shorter cutoff"
            )
        if any(probe.physical_until is not None for probe in self.probes):
            return (
                "Atoms came closer than physically possible although gamma was low: the potential lacks repulsion at "
                "short range, e.g. baseline_style='zbl 1.0 2.0'"
            )
        return (
            "More labels would help: more steps, or another campaign with a lower threshold_call_dft, more walkers, or "
            f"more probes (n_probes={2 * len(self.probes)})"
        )

    def headline(self) -> str:
        """Return the verdict."""
        return self.verdict

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        if not self.probes:
            return Summary("Accuracy not measured", (("reason", self.missing),))
        title = self._title()
        items = [("force error", self._measured()), ("target", self._target())]
        if self.training_error is not None:
            items.append(("on the training set", f"{number(self.training_error)} meV/Å"))
        if exception := self._exception() or self._uncertain():
            items.append(("but", exception.removeprefix("; ").removeprefix(", ")))
        if self.met is None:
            items.append(("not decided", self.missing))
        if self.remedy:
            items.append(("what would help", self.remedy))
        several = len(self.steps) > 1
        header = ("probe at step", *(["walker"] if several else []), "generation", "force error / (meV/Å)")
        header += (
            "of the forces",
            "energy error / (meV/atom)",
            "pressure error / GPa",
            "latest potential without it / (meV/Å)",
        )
        rows = tuple(
            (
                str(probe.step),
                *([str(probe.walker)] if several else []),
                str(probe.generation),
                number(probe.force_error),
                f"{probe.force_error / probe.force:.1%}" if probe.force else "–",
                "–" if probe.energy_error is None else number(probe.energy_error),
                "–" if probe.pressure_error is None else number(probe.pressure_error),
                "–" if probe.left_out is None else number(probe.left_out),
            )
            for probe in self.probes
        )
        return Summary(title, tuple(items), Table(header, rows))

    def figure(self) -> Picture:
        """Draw the error on each probe against its step, with the target."""
        return draw(self)

    def _measured(self) -> str:
        assert self.force_error is not None
        interval = self.interval
        bounds = "" if interval is None else f" (95 %: {number(interval[0])} to {number(interval[1])})"
        share = "" if self.share is None else f", {self.share:.1%} of the forces"
        frames, measured = counted(len(self.probes), "frame"), {probe.walker for probe in self.probes}
        of = "the run" if len(self.steps) == 1 else f"{len(measured)} of {len(self.steps)} walkers"
        return f"{number(self.force_error)} meV/Å{bounds}{share}, measured on {frames} of {of}"

    def _title(self) -> str:
        return {True: "Target met", False: "Target not met", None: "Target met so far"}[self.met]

    def _exception(self) -> str:
        """Name the worst probe if the mean over the run alone would meet the target."""
        worst, mean, target = self.worst, self.force_error, self.target
        if self.met is not False or worst is None or mean is None or target is None or mean > target:
            return ""
        of = f" of walker {worst.walker}" if len(self.steps) > 1 else ""
        share = f", {worst.latest / worst.force:.1%} of the forces" if worst.force else ""
        return f"; but at step {worst.step}{of} it is {number(worst.latest)} meV/Å{share}"

    def _uncertain(self) -> str:
        """Say if the interval contains the target."""
        interval, target = self.interval, self.target
        if self.met is False or interval is None or target is None or interval[1] <= target:
            return ""
        return ", which is within the uncertainty of the measurement"

    def _target(self) -> str:
        if self.rule.target_share is None or self.target is None:
            return f"{number(self.rule.target_force_error)} meV/Å"
        return f"{self.rule.target_share:.1%}, {number(self.target)} meV/Å"


def assess(campaign: CampaignReader) -> Assessment:
    """Assess a campaign by the errors that were measured on frames of its own run.

    Parameters
    ----------
    campaign
        The campaign, which may still be running.

    Returns
    -------
    Assessment

    Examples
    --------
    >>> from acemaker.analysis import assess
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> print(assess(campaign).verdict)
    Accuracy not measured: ...
    """
    progress, config = campaign.progress, campaign.config
    left_out: Mapping[str, Any] = progress.left_out
    probes = [_probe(event, left_out.get(str(event["halt"]))) for event in progress.probes]
    steps = [max(step, 1) for step in progress.steps]
    unmeasured = _unmeasured(campaign, probes)
    return Assessment(
        probes=tuple(probes),
        steps=tuple(steps),
        rule=config.convergence,
        training_error=progress.training_error,
        compared_bases=progress.compared_bases,
        missing=_reason(campaign, steps) if not probes else unmeasured,
        planned=n_probes(config),
        is_complete=not unmeasured,
    )


def _unmeasured(campaign: CampaignReader, probes: Sequence[Probe]) -> str:
    """Return what has not been measured, empty if the campaign is done and each last planned probe was measured."""
    if campaign.state is not State.DONE:
        return f"the campaign is {campaign.state}, not done"
    for walker in range(1, len(campaign.progress.walkers) + 1):
        planned = planned_probes(campaign.config, walker)
        last = max((probe.step for probe in probes if probe.walker == walker), default=0)
        if planned and last < planned[-1]:
            of = f" of walker {walker}" if len(campaign.progress.walkers) > 1 else ""
            return f"the probe{of} at step {planned[-1]} was not measured"
    return ""


def _probe(event: Mapping[str, Any], left_out: Mapping[str, Any] | None) -> Probe:
    return Probe(
        halt=event["halt"],
        walker=event["walker"],
        step=event["step"],
        generation=event["generation"],
        force_error=event["force_error"],
        force=event["force"],
        energy_error=event["energy_error"],
        blocks=tuple(event["blocks"]),
        left_out=None if left_out is None else left_out["force_error"],
        left_out_blocks=() if left_out is None else tuple(left_out["blocks"]),
        pressure_error=event.get("pressure_error"),
        physical_until=event.get("physical_until"),
    )


def _reason(campaign: CampaignReader, steps: Sequence[int]) -> str:
    """Return why nothing was measured."""
    config, progress = campaign.config, campaign.progress
    limit = config.otf.max_labels
    if n_probes(config) == 0:
        return "n_probes is 0, so that no frame of the run tests the potential"
    planned = [step for walker in range(1, len(steps) + 1) for step in planned_probes(config, walker)]
    if not planned:
        return f"the run is shorter than the {config.otf.check_every} steps of check_every"
    if limit is not None and progress.n_charged >= limit:
        return f"all of max_labels={limit} were used before the first probe at step {min(planned)}"
    if campaign.state is State.DONE or progress.n_probes:
        return "the probes could not be labeled, or the engine does not halt for them"
    return f"the first probe is at step {min(planned)}"
