"""Self-checks of notebook 2: one halt by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.results import Diagnosis, Segment, Selection
from acemaker.structures.geometry import nearest_distances
from acemaker.workshop.answer import NotRightError, as_number, checks

MARGIN = 600.0
"""K, within which a temperature counts as foreseen; 32 atoms alone fluctuate by some hundred."""


@checks("Prediction", "guess a temperature in K, as prediction = 1000")
def temperature(answer: Any, segment: Segment) -> str:
    """Compare a guess with the temperature at which the run halted."""
    guess = as_number(answer, "the temperature")
    if segment.halt is None:
        raise NotRightError("this run did not halt at all; raise the last temperature among the parameters")
    found = float(segment.timeline.observables["temperature_K"][-1])
    said = f"the run halted at step {segment.halt.step}, at {found:.0f} K"
    if abs(guess - found) > MARGIN:
        raise NotRightError(f"{said}, {abs(guess - found):.0f} K away from your guess")
    return f"{said}; you were {abs(guess - found):.0f} K off"


@checks("Exercise 1", "fill in worst_atom (its number) and shortest_bond (in Å)")
def worst_atom(answer: Any, diagnosis: Diagnosis) -> str:
    """Check the atom with the highest gamma and the distance to its nearest neighbour."""
    atom, bond = (as_number(value, what) for value, what in zip(answer, ("worst_atom", "shortest_bond"), strict=True))
    gamma = diagnosis.structure.arrays["gamma"]
    worst = int(np.argmax(gamma))
    if atom != worst:
        own = f" (it has gamma {gamma[int(atom)]:.3g})" if 0 <= int(atom) < len(gamma) else ""
        raise NotRightError(f"atom {atom:g} is not the worst{own}; the largest gamma here is {gamma[worst]:.3g}")
    true = float(nearest_distances(diagnosis.structure, np.array([worst]))[0])
    if abs(bond - true) > 0.006:
        hint = ", which looks like nm or m" if bond < 1 else ""
        raise NotRightError(f"atom {worst} is right, but its shortest bond is not {bond:.3g} Å{hint}; see the bonds")
    side = "shorter than" if true < diagnosis.trained_distance else "longer than"
    return (
        f"atom {worst} is {true:.3f} Å from its nearest neighbour, {side} the shortest pair in training, "
        f"{diagnosis.trained_distance:.3f} Å"
    )


@checks("Exercise 2", "fill in most_gamma and most_gain, the numbers of two candidates")
def candidates(answer: Any, selection: Selection) -> str:
    """Check the candidate with the largest gamma, and the one that brings most after the anchor."""
    gamma = int(np.argmax(selection.candidates.gamma_max))
    second = selection.selected[1]
    given = [as_number(value, what) for value, what in zip(answer, ("most_gamma", "most_gain"), strict=True)]
    if given[0] != gamma:
        raise NotRightError(f"candidate {given[0]:g} has not the largest gamma; look down that column")
    if given[1] != second:
        anchor = "; the anchor is taken first in any case, ask for the next" if given[1] == 0 else ""
        raise NotRightError(f"candidate {given[1]:g} does not bring most{anchor}; look at 'gain in ln|det|'")
    if gamma == second:
        return "here the same candidate has both; that need not be so"
    return (
        f"candidate {gamma} is farthest away, candidate {second} brings most: what counts is what the active set lacks "
        "once the anchor is in it"
    )


@checks("Exercise 3", "work out gamma_after, the largest gamma of the halted structure under the new potential")
def healed(answer: Any, structure: Atoms, old: Generation, new: Generation) -> str:
    """Check the gamma of the halted structure under the new potential."""
    given = as_number(answer, "gamma_after")
    after, before = _largest(new, structure), _largest(old, structure)
    if abs(given - after) <= 0.01 * after:
        return f"gamma fell from {before:.3g} to {after:.3g}: what is labelled is within the training set, up to 1"
    if abs(given - before) <= 0.01 * before:
        raise NotRightError(
            f"{given:.3g} is its gamma under the old potential; make the calculator anew by "
            "campaign.generation.calculator()"
        )
    raise NotRightError(
        f"{given:.3g} is not it; ask the calculator for the forces of diagnosis.structure, then take the largest of "
        "calculator.results['gamma']"
    )


def _largest(generation: Generation, structure: Atoms) -> float:
    gamma = evaluator_of(generation).structure(structure).gamma
    assert gamma is not None
    return float(gamma.max())
