"""Planted faults: oracles that lie, to be found by notebook 5."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

SHIFT = 5
"""Places by which forces are handed to other atoms."""


class MixedUp(EMT):  # type: ignore[misc]
    """EMT that hands forces to the wrong atoms, in cells that have expanded.

    So does a program whose output is sorted in another order than its input. Forces still add up to nothing, none is
    large, and the energy is right.

    Parameters
    ----------
    volume
        Å^3 per atom, above which it lies.
    **arguments
        Of EMT.
    """

    def __init__(self, volume: float = 12.7, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.volume = volume

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Calculate as EMT does; then, perhaps, mix up the forces."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms.get_volume() / len(self.atoms) > self.volume:
            self.results["forces"] = np.roll(self.results["forces"], SHIFT, axis=0)


def with_a_liar(labels: list[Atoms], seed: int) -> list[Atoms]:
    """Return labels of which one has the forces of other atoms.

    Parameters
    ----------
    labels
        With energy and forces.
    seed
        Chooses which.
    """
    chosen = int(np.random.default_rng([seed, 77]).integers(1, len(labels) - 1))
    made = []
    for number, atoms in enumerate(labels):
        copy = atoms.copy()
        results = {name: np.copy(value) if np.ndim(value) else value for name, value in atoms.calc.results.items()}
        if number == chosen:
            results["forces"] = np.roll(results["forces"], SHIFT, axis=0)
        copy.calc = SinglePointCalculator(copy, **results)
        made.append(copy)
    return made
