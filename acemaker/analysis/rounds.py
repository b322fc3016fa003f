"""The rounds of a campaign, one for generation 0 and one for each halt, gathered from its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False)
class Round(Record):
    """What happened between one halt and the next segment.

    Attributes
    ----------
    halt : int
        Its number; 0 for the making of generation 0.
    step : int
        Where the run halted.
    walker : int
        Number, from 1, of the walker that halted; 0 where there is only one.
    known : bool
        Whether labels of another walker's halt had made it known already.
    tier : str
        ``smooth`` or ``break``; empty for generation 0.
    epicentre : tuple of int
        Atoms, worst first.
    n_candidates : int
        Made; 0 for generation 0.
    labels : tuple of str
        Files of the new labels, relative to the campaign's directory.
    shared : tuple of str
        Those of them that came from the store that campaigns share.
    failed : tuple of str
        Why structures could not be labelled.
    rejected : tuple of str
        Why fits were rejected.
    generation : int or None
        The one that was accepted; None while there is none.
    cv_forces : float or None
        meV/Å, its cross-validated force error.
    discarded_steps : int
        Steps that were run again.
    wall : Mapping of str to float
        Seconds by state.
    """

    halt: int
    step: int = 0
    walker: int = 0
    known: bool = False
    tier: str = ""
    epicentre: tuple[int, ...] = ()
    n_candidates: int = 0
    labels: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    generation: int | None = None
    cv_forces: float | None = None
    discarded_steps: int = 0
    wall: Mapping[str, float]

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        of = f" of walker {self.walker}" if self.walker else ""
        title = f"Round of halt {self.halt}, step {self.step}{of}, {self.tier} tier" if self.halt else "Generation 0"
        candidates = f", of {counted(self.n_candidates, 'candidate')}" if self.n_candidates else ""
        items = [("labels", f"{len(self.labels)}{candidates}")]
        if self.epicentre:
            items.insert(0, ("epicentre", counted(len(self.epicentre), "atom")))
        if self.known:
            items.append(("known", "by the labels of another walker's halt"))
        if self.shared:
            items.append(("from the shared store", str(len(self.shared))))
        items += [("a label failed", cause) for cause in self.failed]
        items += [("a fit was rejected", reason) for reason in self.rejected]
        if self.generation is not None:
            error = "" if self.cv_forces is None else f", {number(self.cv_forces)} meV/Å held out"
            items.append(("accepted", f"generation {self.generation}{error}"))
        if self.halt:
            items.append(("run again", counted(self.discarded_steps, "step")))
        return Summary(title, tuple(items))


def rounds_of(campaign: CampaignReader) -> tuple[Round, ...]:
    """Gather what happened at each halt of a campaign; the first round is the making of generation 0."""
    return gather_rounds(campaign.events())


def gather_rounds(events: Sequence[Mapping[str, Any]]) -> tuple[Round, ...]:
    """Gather the rounds.

    Parameters
    ----------
    events
        Of the journal.

    Returns
    -------
    tuple of Round
        Generation 0 first; the last may be going on.
    """
    rounds = [Round(halt=0, wall={})]
    healing = 0  # several walkers may halt before the first of their halts is healed
    for event in events:
        kind = event["event"]
        now = rounds[healing]
        if kind == "label":
            shared = (*now.shared, event["file"]) if event.get("shared") else now.shared
            rounds[healing] = replace(now, labels=(*now.labels, event["file"]), shared=shared)
        elif kind == "label_failed":
            rounds[healing] = replace(now, failed=(*now.failed, event["cause"]))
        elif kind == "step" and event["state"] == State.EXPLORE:
            if event["halt"] is not None:
                halt, walker = event["halt"], event.get("walker", 0)
                begun = Round(halt=halt["number"], step=halt["step"], walker=walker, tier=halt["tier"], wall={})
                rounds.append(begun)
        elif kind == "step" and event["state"] == State.HALT:
            healing += 1  # in the order of their numbers
        elif kind == "step":
            wall = {**now.wall, event["state"]: now.wall.get(event["state"], 0.0) + event.get("wall_s", 0.0)}
            rounds[healing] = replace(now, wall=wall, **_found(now, event))
    return tuple(rounds)


def _found(now: Round, event: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a completed step adds to its round."""
    match State(event["state"]):
        case State.DIAGNOSE:
            return {"epicentre": tuple(event["epicentre"]), "known": event["next"] == State.RESUME}
        case State.GENERATE:
            return {"n_candidates": event["n_candidates"]}
        case State.TRAIN if event["accepted"]:
            return {"generation": event["generation"], "cv_forces": event["cv_forces"]}
        case State.TRAIN:
            return {"rejected": (*now.rejected, event["reason"])}
        case State.RESUME:
            return {"discarded_steps": event["discarded_steps"]}
        case _:
            return {}
