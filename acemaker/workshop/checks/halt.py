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
"""Temperature difference in K within which a guess is right; with 32 atoms temperature fluctuates by some 100 K."""


@checks("Prediction", "guess a temperature in K, as prediction = 1000")
def temperature(answer: Any, segment: Segment) -> str:
    """Compare a guess with the temperature at which the run halted."""
    guess = as_number(answer, "the temperature")
    if segment.halt is None:
        raise NotRightError("this run did not halt; increase the last temperature in the parameters")
    actual = float(segment.timeline.observables["temperature_K"][-1])
    message = f"the run halted at step {segment.halt.step}, at {actual:.0f} K"
    if abs(guess - actual) > MARGIN:
        raise NotRightError(f"{message}, {abs(guess - actual):.0f} K away from your guess")
    return f"{message}; your guess was off by {abs(guess - actual):.0f} K"


@checks("Exercise 1", "fill in worst_atom (its number) and shortest_bond (in Å)")
def worst_atom(answer: Any, diagnosis: Diagnosis) -> str:
    """Check the atom with the highest gamma and the distance to its nearest neighbor."""
    atom, bond = (as_number(value, what) for value, what in zip(answer, ("worst_atom", "shortest_bond"), strict=True))
    gamma = diagnosis.structure.arrays["gamma"]
    worst = int(np.argmax(gamma))
    if atom != worst:
        value = f" (its gamma is {gamma[int(atom)]:.3g})" if 0 <= int(atom) < len(gamma) else ""
        raise NotRightError(f"atom {atom:g} is not the worst{value}; the largest gamma is {gamma[worst]:.3g}")
    shortest = float(nearest_distances(diagnosis.structure, np.array([worst]))[0])
    if abs(bond - shortest) > 0.006:
        hint = ", which looks like nm or m" if bond < 1 else ""
        raise NotRightError(f"atom {worst} is right, but its shortest bond is not {bond:.3g} Å{hint}; see the bonds")
    relation = "shorter than" if shortest < diagnosis.trained_distance else "longer than"
    return (
        f"atom {worst} is {shortest:.3f} Å from its nearest neighbor, {relation} the shortest pair in training, "
        f"{diagnosis.trained_distance:.3f} Å"
    )


@checks("Exercise 2", "fill in most_gamma and most_gain, the numbers of two candidates")
def candidates(answer: Any, selection: Selection) -> str:
    """Check the candidate with the largest gamma, and the one with the largest gain after the halted structure."""
    gamma = int(np.argmax(selection.candidates.gamma_max))
    second = selection.selected[1]
    numbers = [as_number(value, what) for value, what in zip(answer, ("most_gamma", "most_gain"), strict=True)]
    if numbers[0] != gamma:
        raise NotRightError(f"candidate {numbers[0]:g} does not have the largest gamma; compare the column")
    if numbers[1] != second:
        halted = "; the halted structure is always selected first, find the next one" if numbers[1] == 0 else ""
        raise NotRightError(f"candidate {numbers[1]:g} does not have the largest gain{halted}; see 'gain in ln|det|'")
    if gamma == second:
        return "here the same candidate has both, which is not always the case"
    return (
        f"candidate {gamma} has the largest gamma, candidate {second} the largest gain, since the gain refers to the "
        "active set that already contains the halted structure"
    )


@checks("Exercise 3", "compute gamma_after, the largest gamma of the halted structure under the new potential")
def healed(answer: Any, structure: Atoms, old: Generation, new: Generation) -> str:
    """Check the gamma of the halted structure under the new potential."""
    value = as_number(answer, "gamma_after")
    after, before = _largest(new, structure), _largest(old, structure)
    if abs(value - after) <= 0.01 * after:
        return f"gamma decreased from {before:.3g} to {after:.3g}: labeled structures have gamma up to 1"
    if abs(value - before) <= 0.01 * before:
        raise NotRightError(
            f"{value:.3g} is its gamma under the old potential; create a new calculator by "
            "campaign.generation.calculator()"
        )
    raise NotRightError(
        f"{value:.3g} is not right; compute the forces of diagnosis.structure with the calculator, then take the "
        "largest of calculator.results['gamma']"
    )


def _largest(generation: Generation, structure: Atoms) -> float:
    gamma = evaluator_of(generation).structure(structure).gamma
    assert gamma is not None
    return float(gamma.max())
