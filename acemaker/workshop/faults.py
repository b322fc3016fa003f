"""Deliberate faults for notebook 5: oracles with wrong forces."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

SHIFT = 5
"""Number of atoms by which forces are shifted."""


class MixedUp(EMT):  # type: ignore[misc]
    """EMT that assigns forces to the wrong atoms in expanded cells.

    This corresponds to a program whose output has another order of atoms than its input. The forces still add up to
    zero, none is large, and the energy is right.

    Parameters
    ----------
    volume
        Volume in Å^3 per atom above which forces are wrong.
    **arguments
        Arguments of EMT.
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
        """Calculate as EMT does, and shift the forces if the cell is expanded."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms.get_volume() / len(self.atoms) > self.volume:
            self.results["forces"] = np.roll(self.results["forces"], SHIFT, axis=0)


def with_a_liar(labels: list[Atoms], seed: int) -> list[Atoms]:
    """Return copies of labels, one of which has its forces on the wrong atoms.

    Parameters
    ----------
    labels
        Structures with energy and forces.
    seed
        Seed of the choice of the wrong label.
    """
    chosen = int(np.random.default_rng([seed, 77]).integers(1, len(labels) - 1))
    copies = []
    for number, atoms in enumerate(labels):
        copy = atoms.copy()
        results = {name: np.copy(value) if np.ndim(value) else value for name, value in atoms.calc.results.items()}
        if number == chosen:
            results["forces"] = np.roll(results["forces"], SHIFT, axis=0)
        copy.calc = SinglePointCalculator(copy, **results)
        copies.append(copy)
    return copies
