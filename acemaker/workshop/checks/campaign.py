"""Self-checks of notebook 3: a campaign."""

from __future__ import annotations

from typing import Any

from acemaker.analysis import Verdict
from acemaker.analysis.label_costs import LabelCosts
from acemaker.campaign.view import CampaignView
from acemaker.workshop.answer import NotRightError, as_number, checks


@checks("Prediction", "guess how many labels, as prediction = 50")
def labels(answer: Any, view: CampaignView) -> str:
    """Compare a guess with the number of labels."""
    guess, made = as_number(answer, "the number of labels"), view.progress.n_labels
    said = f"the campaign took {made} labels for {view.progress.step} steps"
    if guess <= 0 or not 0.5 <= guess / made <= 2:
        raise NotRightError(f"{said}, which is not within a factor of two of {guess:g}")
    return f"{said}; you said {guess:g}"


@checks("Exercise 1", "work out missed from verdict.atom_error and verdict.atom_gamma: a number of atoms")
def misses(answer: Any, verdict: Verdict, tolerance: float) -> str:
    """Check how many atoms are wrong without being seen, by a stricter tolerance."""
    given = as_number(answer, "missed")
    wrong, quiet = verdict.atom_error > tolerance, verdict.atom_gamma <= verdict.threshold
    true = int((wrong & quiet).sum())
    if given == true:
        share = true / len(wrong)
        return (
            f"{true} of {len(wrong)} atoms ({share:.2%}) are wrong by more than {tolerance:g} meV/Å below the threshold"
        )
    if 0 < given < 1 and abs(given - true / len(wrong)) < 1e-4:
        raise NotRightError("this is a share; give the number of atoms")
    mistakes = {
        f"this counts all atoms that are wrong, seen or not: {int(wrong.sum())}": int(wrong.sum()),
        f"this is for the tolerance of {verdict.tolerance:g} meV/Å that judge had; take {tolerance:g}": verdict.misses,
        "this counts those above the threshold; a miss is below it": int((wrong & ~quiet).sum()),
        "this counts all atoms below the threshold, right or wrong": int(quiet.sum()),
    }
    why = next((words for words, value in mistakes.items() if given == value), "both conditions must hold at once")
    raise NotRightError(f"{given:g} is not the number: {why}")


@checks("Exercise 2", "fill in earlier: a number of steps, from campaign.what_if(threshold_call_dft=careful)")
def earlier_halt(answer: Any, view: CampaignView, careful: float) -> str:
    """Check by how many steps a lower threshold would have halted earlier for the first time."""
    given = as_number(answer, "earlier")
    other = view.what_if(threshold_call_dft=careful)
    halt, verdict = other.segments[0].halt, other.verdicts[0]
    if halt is None or verdict is None:
        raise NotRightError("this run has no first halt to compare; run the notebook with its own parameters")
    true = halt.step - verdict.step
    if given == true:
        return (
            f"it would have halted at step {verdict.step} instead of {halt.step}; from there on it would have been "
            "another run, with another potential, so that the record cannot tell how many halts would have followed"
        )
    mistakes = {
        "this is the step at which it would have halted; by how many is that earlier?": verdict.step,
        "this is the step at which it did halt; by how many would the other be earlier?": halt.step,
        "the sign is the wrong way round": -true,
    }
    why = next((words for words, value in mistakes.items() if given == value), "look at the first row of the table")
    raise NotRightError(f"{given:g} is not it: {why}")


@checks("Exercise 3", "work out saving: labels at random steps, divided by the labels that were made")
def saving(answer: Any, costs: LabelCosts) -> str:
    """Check how many times more labels it takes at random."""
    given, made = as_number(answer, "saving"), len(costs.paid)
    true = costs.at_random / made
    if abs(given - true) <= 0.02 * true:
        return f"labels at random steps would have come to {costs.at_random:.0f}, not {made}: {true:.1f} times as many"
    if abs(given * true - 1) < 0.02:
        raise NotRightError("this is the other way round: divide the labels at random by those that were made")
    if abs(given - costs.at_random) < 1:
        raise NotRightError(f"these are the labels at random steps; divide them by the {made} that were made")
    raise NotRightError(f"{given:.3g} is not it: costs.at_random is {costs.at_random:.1f}, and {made} labels were made")
