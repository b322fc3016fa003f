"""Self-checks of notebook 5: when it goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.analysis import Accuracy
from acemaker.campaign.view import CampaignView
from acemaker.oracles.oracle import Oracle
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import EmbeddedCell
from acemaker.workshop.answer import NotRightError, as_number, checks, kind, tried

DIFFERENT = 1.0
"""Force difference in meV/Å above which a label differs from the oracle."""


@checks("Prediction", "choose one of the three, as prediction = 'guard'")
def who_notices(answer: Any, view: CampaignView) -> str:
    """Compare a guess of which check detects the wrong labels with the campaign."""
    options = ("label", "guard", "nobody")
    if answer not in options:
        raise NotRightError(f"choose one of {', '.join(options)}, not {kind(answer)}")
    rounds = view.rounds()
    has_failed = any(entry.failed for entry in rounds)
    expected = "guard" if any(entry.rejected for entry in rounds) else "label" if has_failed else "nobody"
    if answer != expected:
        raise NotRightError(f"it was {expected!r}: see the campaign below")
    return f"it was {expected!r}"


@checks("Exercise 1", "find threshold, an integer, from accuracy.atom_gamma of the wrong atoms")
def threshold(answer: Any, accuracy: Accuracy, allowed: int) -> str:
    """Check the largest integer threshold that leaves at most the allowed number of wrong atoms undetected."""
    value = as_number(answer, "threshold")
    if value != int(value) or value < 1:
        raise NotRightError(f"the threshold should be an integer of at least 1, got {value:g}")
    wrong = accuracy.atom_gamma[accuracy.atom_error > accuracy.tolerance]

    def undetected(number: float) -> int:
        return int((wrong <= number).sum())

    if undetected(value) > allowed:
        raise NotRightError(f"{undetected(value)} wrong atoms are below {value:g}; at most {allowed} are allowed")
    if undetected(value + 1) <= allowed:
        raise NotRightError(f"{value:g} is strict enough, and so is {value + 1:g}: find the largest threshold")
    more = undetected(value + 1)
    return f"with {value:g}, {undetected(value)} of {len(wrong)} wrong atoms are undetected, with {value + 1:g} {more}"


@checks("Exercise 2", "enter the number of the wrong label, as liar = 0")
def liar(answer: Any, labels: Sequence[Atoms], oracle: Oracle) -> str:
    """Check which label is wrong, by computing it again with a correct oracle."""
    guess = as_number(answer, "liar")
    for number, atoms in enumerate(labels):
        correct = oracle.label(atoms)
        difference = 1e3 * float(np.abs(forces_of(atoms) - forces_of(correct)).max())
        if difference > DIFFERENT:
            if guess != number:
                raise NotRightError(f"label {guess:g} is right; find the label that the fit cannot reproduce")
            return f"computed again, the forces of label {number} differ by up to {difference / 1e3:.2g} eV/Å"
    raise NotRightError("none of these labels is wrong")


@checks("Exercise 3", "fill in my_core, a rule that selects the atoms of the core by their distance")
def core(function: Any, cell: EmbeddedCell, distances: np.ndarray, error: np.ndarray, limit: float) -> str:
    """Check a rule for core atoms by the error of their forces."""
    selected = np.asarray(tried(function, distances.copy()))
    if selected.shape != distances.shape or selected.dtype != bool:
        raise NotRightError(
            f"it should return one True or False for each of the {len(distances)} atoms, e.g. distances < 4, got "
            f"{kind(selected)} of {selected.dtype}"
        )
    if not selected.any():
        raise NotRightError("no atom is selected: the label would have no effect")
    median = float(np.median(error[selected]))
    if median > limit:
        raise NotRightError(
            f"{int(selected.sum())} atoms are selected, and half of their forces are wrong by more than {median:.0f} "
            f"meV/Å, above {limit:g}: the boundary disturbs this core"
        )
    if not selected[0]:
        raise NotRightError("the atom in the center is not selected, but the label is computed for this atom")
    return (
        f"{int(selected.sum())} of {len(selected)} atoms are selected, median error {median:.0f} meV/Å; acemaker "
        f"selected {int(cell.core.sum())} without knowing the errors"
    )
