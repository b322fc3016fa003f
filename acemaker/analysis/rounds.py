"""Rounds of a campaign, one for the first generation and one per halt, collected from its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, force_error
from acemaker.loop.reader import CampaignReader
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False)
class Round(Record):
    """Events from one halt to the next segment, or up to the first generation.

    Attributes
    ----------
    halt : int or None
        Number of the halt; None for the first generation.
    step : int
        Step at which the run halted.
    walker : int or None
        Number, from 1, of the walker that halted; None if there is only one.
    known : bool
        Whether no labels were needed, since those of another walker's halt cover the structure.
    tier : str
        ``smooth`` or ``break``; empty for the first generation.
    epicenter : tuple of int
        Atoms, worst first.
    n_candidates : int
        Number of candidates; 0 for the first generation.
    labels : tuple of str
        Files of the new labels, relative to the campaign's directory.
    shared : tuple of str
        Files of those that came from the store that campaigns share.
    own : tuple of str
        Files of those whose results were supplied: they existed before the campaign, or were added with results.
    failed : tuple of str
        Reasons why structures could not be labeled.
    rejected : tuple of str
        Reasons why fits were rejected.
    generation : int or None
        Number of the generation that was accepted; None while there is none.
    cv_forces : float or None
        meV/Å, its cross-validated force error.
    force_rms : float or None
        meV/Å, root mean square of the forces of its labels; None if it is unknown.
    discarded_steps : int
        Number of steps that were run again.
    wall : Mapping of str to float
        Seconds by state.
    """

    halt: int | None
    step: int = 0
    walker: int | None = None
    known: bool = False
    tier: str = ""
    epicenter: tuple[int, ...] = ()
    n_candidates: int = 0
    labels: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    generation: int | None = None
    cv_forces: float | None = None
    force_rms: float | None = None
    discarded_steps: int = 0
    wall: Mapping[str, float]

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        of = f" of walker {self.walker}" if self.walker else ""
        kind = "a probe" if self.tier == "probe" else f"{self.tier} tier"
        title = f"Round of halt {self.halt}, step {self.step}{of}, {kind}" if self.halt else "Generation 1"
        candidates = f", of {counted(self.n_candidates, 'candidate')}" if self.n_candidates else ""
        items = [("labels", f"{len(self.labels)}{candidates}")]
        if self.epicenter:
            items.insert(0, ("epicenter", counted(len(self.epicenter), "atom")))
        if self.known:
            by_other = "by the labels of another walker's halt"
            items.append(("not labeled", "max_labels") if self.tier == "probe" else ("covered", by_other))
        if self.shared:
            items.append(("from the shared store", str(len(self.shared))))
        if self.own:
            items.append(("with results from elsewhere", str(len(self.own))))
        items += [("a label failed", cause) for cause in self.failed]
        items += [("a fit was rejected", reason) for reason in self.rejected]
        if self.generation is not None:
            error = "" if self.cv_forces is None else f", {force_error(self.cv_forces, self.force_rms)} held out"
            items.append(("accepted", f"generation {self.generation}{error}"))
        if self.halt:
            items.append(("run again", counted(self.discarded_steps, "step")))
        return Summary(title, tuple(items))


def rounds_of(campaign: CampaignReader) -> tuple[Round, ...]:
    """Return the rounds of a campaign, beginning with that of the first generation.

    Examples
    --------
    >>> from acemaker.analysis import rounds_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> [len(one_round.labels) for one_round in rounds_of(campaign)]
    [2, 2]
    """
    return tuple(
        replace(one_round, force_rms=campaign.known_generation(one_round.generation).force_rms)
        if one_round.cv_forces is not None and one_round.generation is not None
        else one_round
        for one_round in gather_rounds(campaign.events())
    )


def gather_rounds(events: Sequence[Mapping[str, Any]]) -> tuple[Round, ...]:
    """Collect rounds from the events of a journal.

    Parameters
    ----------
    events
        Events of the journal, oldest first.

    Returns
    -------
    tuple of Round
        Beginning with that of the first generation; the last one may be unfinished.
    """
    rounds = [Round(halt=None, wall={})]
    current = 0  # several walkers may halt before the first of their halts is healed
    for event in events:
        if "addition" in event:
            continue  # a part of a change by hand, not of a halt
        kind = event["event"]
        round_ = rounds[current]
        if kind == "label":
            shared = (*round_.shared, event["file"]) if event.get("shared") else round_.shared
            own = (*round_.own, event["file"]) if event.get("own") else round_.own
            rounds[current] = replace(round_, labels=(*round_.labels, event["file"]), shared=shared, own=own)
        elif kind == "label_failed":
            rounds[current] = replace(round_, failed=(*round_.failed, event["cause"]))
        elif kind == "step" and event["state"] == State.EXPLORE:
            if event["halt"] is not None:
                halt, walker = event["halt"], event.get("walker")
                rounds.append(Round(halt=halt["number"], step=halt["step"], walker=walker, tier=halt["tier"], wall={}))
        elif kind == "step" and event["state"] == State.HALT:
            current += 1  # halts are healed in the order of their numbers
        elif kind == "step":
            wall = {**round_.wall, event["state"]: round_.wall.get(event["state"], 0.0) + event.get("wall_s", 0.0)}
            rounds[current] = replace(round_, wall=wall, **_changes(round_, event))
    return tuple(rounds)


def _changes(round_: Round, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a round that a completed step changes."""
    match State(event["state"]):
        case State.DIAGNOSE:
            return {"epicenter": tuple(event["epicenter"]), "known": event["next"] == State.RESUME}
        case State.GENERATE:
            return {"n_candidates": event["n_candidates"]}
        case State.TRAIN if event["accepted"]:
            return {"generation": event["generation"], "cv_forces": event["cv_forces"]}
        case State.TRAIN:
            return {"rejected": (*round_.rejected, event["reason"])}
        case State.RESUME:
            return {"discarded_steps": event["discarded_steps"]}
        case _:
            return {}
