"""Self-checks of notebook 3: a campaign."""

from __future__ import annotations

from typing import Any

from acemaker.analysis import Accuracy
from acemaker.analysis.label_costs import LabelCosts
from acemaker.campaign.view import CampaignView
from acemaker.workshop.answer import NotRightError, as_number, checks


@checks("Prediction", "guess how many labels, as prediction = 50")
def labels(answer: Any, view: CampaignView) -> str:
    """Compare a guess with the number of labels."""
    guess, n_labels = as_number(answer, "the number of labels"), view.progress.n_labels
    message = f"the campaign needed {n_labels} labels for {view.progress.step} steps"
    if guess <= 0 or not 0.5 <= guess / n_labels <= 2:
        raise NotRightError(f"{message}, which is not within a factor of two of {guess:g}")
    return f"{message}; your guess was {guess:g}"


@checks("Exercise 1", "compute missed, a number of atoms, from accuracy.atom_error and accuracy.atom_gamma")
def misses(answer: Any, accuracy: Accuracy, tolerance: float) -> str:
    """Check how many wrong atoms are not detected, with a stricter tolerance."""
    missed = as_number(answer, "missed")
    wrong, undetected = accuracy.atom_error > tolerance, accuracy.atom_gamma <= accuracy.threshold
    expected = int((wrong & undetected).sum())
    if missed == expected:
        share = expected / len(wrong)
        return (
            f"{expected} of {len(wrong)} atoms ({share:.2%}) are wrong by more than {tolerance:g} meV/Å below the "
            "threshold"
        )
    if 0 < missed < 1 and abs(missed - expected / len(wrong)) < 1e-4:
        raise NotRightError("this is a share; enter the number of atoms")
    mistakes = {
        f"this counts all wrong atoms, detected or not: {int(wrong.sum())}": int(wrong.sum()),
        f"this is for evaluate_accuracy's {accuracy.tolerance:g} meV/Å; use {tolerance:g}": accuracy.misses,
        "this counts atoms above the threshold; a miss is below it": int((wrong & ~undetected).sum()),
        "this counts all atoms below the threshold, right or wrong": int(undetected.sum()),
    }
    reason = next((hint for hint, value in mistakes.items() if missed == value), "both conditions must hold")
    raise NotRightError(f"{missed:g} is not the number: {reason}")


@checks("Exercise 2", "fill in earlier: a number of steps, from campaign.what_if(threshold_call_dft=careful)")
def earlier_halt(answer: Any, view: CampaignView, careful: float) -> str:
    """Check by how many steps the first halt would have been earlier with a lower threshold."""
    earlier = as_number(answer, "earlier")
    other = view.what_if(threshold_call_dft=careful)
    halt, decision = other.segments[0].halt, other.decisions[0]
    if halt is None or decision is None:
        raise NotRightError("this run has no first halt to compare; run the notebook with its original parameters")
    expected = halt.step - decision.step
    if earlier == expected:
        return (
            f"it would have halted at step {decision.step} instead of {halt.step}; from there on the run and its "
            "potential would have been different, so the record does not contain the number of further halts"
        )
    mistakes = {
        "this is the step of the earlier halt; enter the difference": decision.step,
        "this is the step of the actual halt; enter the difference": halt.step,
        "the sign is wrong": -expected,
    }
    reason = next((hint for hint, value in mistakes.items() if earlier == value), "see the first row of the table")
    raise NotRightError(f"{earlier:g} is not right: {reason}")


@checks("Exercise 3", "compute saving: the number of labels at random steps, divided by the number of labels")
def saving(answer: Any, costs: LabelCosts) -> str:
    """Check how many times as many labels are needed at random steps."""
    ratio, n_labels = as_number(answer, "saving"), len(costs.paid)
    expected = costs.at_random / n_labels
    if abs(ratio - expected) <= 0.02 * expected:
        return f"{costs.at_random:.0f} labels at random steps instead of {n_labels}: {expected:.1f} times as many"
    if abs(ratio * expected - 1) < 0.02:
        raise NotRightError("this is the inverse: divide the labels at random steps by the labels of the campaign")
    if abs(ratio - costs.at_random) < 1:
        raise NotRightError(f"this is the number of labels at random steps; divide it by {n_labels}")
    raise NotRightError(
        f"{ratio:.3g} is not right: costs.at_random is {costs.at_random:.1f}, and the campaign has {n_labels} labels"
    )
