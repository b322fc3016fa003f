"""Self-checks of notebook 5: when it goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.analysis import Verdict
from acemaker.campaign.view import CampaignView
from acemaker.oracles.oracle import Oracle
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import EmbeddedCell
from acemaker.workshop.answer import NotRightError, as_number, checks, kind, tried

DIFFERENT = 1.0
"""meV/Å, above which an oracle disagrees with itself."""


@checks("Prediction", "choose one of the three, as prediction = 'guard'")
def who_notices(answer: Any, view: CampaignView) -> str:
    """Compare a guess of who notices the lie with who did."""
    places = ("label", "guard", "nobody")
    if answer not in places:
        raise NotRightError(f"choose one of {', '.join(places)}, not {kind(answer)}")
    rounds = view.rounds()
    refused = any(one.failed for one in rounds)
    found = "guard" if any(one.rejected for one in rounds) else "label" if refused else "nobody"
    if answer != found:
        raise NotRightError(f"it was {found!r}: see what the campaign says below")
    return f"it was {found!r}"


@checks("Exercise 1", "find threshold, a whole number, from verdict.atom_gamma of the atoms that are wrong")
def threshold(answer: Any, verdict: Verdict, allowed: int) -> str:
    """Check the largest whole threshold that leaves at most so many wrong atoms unseen."""
    given = as_number(answer, "threshold")
    if given != int(given) or given < 1:
        raise NotRightError(f"a whole number from 1 on was asked for, not {given:g}")
    wrong = verdict.atom_gamma[verdict.atom_error > verdict.tolerance]

    def unseen(number: float) -> int:
        return int((wrong <= number).sum())

    if unseen(given) > allowed:
        raise NotRightError(f"below {given:g} are {unseen(given)} atoms that are wrong; at most {allowed} are allowed")
    if unseen(given + 1) <= allowed:
        raise NotRightError(f"{given:g} is strict enough, and so is {given + 1:g}: the largest is asked for")
    more = unseen(given + 1)
    return f"with {given:g}, {unseen(given)} of {len(wrong)} wrong atoms stay unseen, with {given + 1:g} {more}"


@checks("Exercise 2", "name the label that lies by its number, as liar = 0")
def liar(answer: Any, labels: Sequence[Atoms], oracle: Oracle) -> str:
    """Check which label lies, by asking an honest oracle once more."""
    given = as_number(answer, "liar")
    for number, atoms in enumerate(labels):
        again = oracle.label(atoms)
        off = 1e3 * float(np.abs(forces_of(atoms) - forces_of(again)).max())
        if off > DIFFERENT:
            if given != number:
                raise NotRightError(f"label {given:g} is honest; look for the one that the fit cannot follow")
            return (
                f"asked once more, the oracle gives forces for label {number} that differ by up to {off / 1e3:.2g} eV/Å"
            )
    raise NotRightError("none of these labels lies")


@checks("Exercise 3", "fill in my_core: a rule that says of each atom whether it is to count, from its distance")
def core(function: Any, cell: EmbeddedCell, distances: np.ndarray, error: np.ndarray, limit: float) -> str:
    """Check a rule for core atoms by the true error of their forces."""
    chosen = np.asarray(tried(function, distances.copy()))
    if chosen.shape != distances.shape or chosen.dtype != bool:
        raise NotRightError(
            f"it should give one True or False for each of the {len(distances)} atoms, such as distances < 4, it gives "
            f"{kind(chosen)} of {chosen.dtype}"
        )
    if not chosen.any():
        raise NotRightError("no atom counts: such a label would teach nothing")
    median = float(np.median(error[chosen]))
    if median > limit:
        raise NotRightError(
            f"{int(chosen.sum())} atoms count, and half of their forces are wrong by more than {median:.0f} meV/Å, "
            f"above {limit:g}: the seam bleeds into this core"
        )
    if not chosen[0]:
        raise NotRightError("the atom in the centre is the one that the label is about, and it is left out")
    return (
        f"{int(chosen.sum())} of {len(chosen)} atoms count, median error {median:.0f} meV/Å; acemaker, which does not "
        f"know the truth, chose {int(cell.core.sum())}"
    )
