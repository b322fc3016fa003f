"""ASE calculator of a generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.lammps.box import right_handed
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.few_neighbors import FewNeighbors
from acemaker.structures.computed import energy_of, forces_of, stress_of


class GenerationCalculator(Calculator):  # type: ignore[misc]
    """ASE calculator of a generation: ACE, reference energies and baseline.

    Energies are on the scale of the oracle; ``results["gamma"]`` is that of the ACE.

    Parameters
    ----------
    ace
        The ``PyACECalculator``, whose energies are relative to the reference energies.
    reference_energies
        eV per atom of each element.
    baseline
        Baseline that is added to the ACE, or None.
    few_neighbors
        Rule by which gamma of an atom with too few neighbors is infinite, or None.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self,
        ace: Any,
        reference_energies: Mapping[str, float],
        baseline: Baseline | None = None,
        few_neighbors: FewNeighbors | None = None,
    ) -> None:
        super().__init__()
        self.ace = ace
        self.reference_energies = dict(reference_energies)
        self.baseline = baseline
        self.few_neighbors = few_neighbors

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate ACE and baseline; there is no stress for a cluster."""
        super().calculate(atoms, properties, system_changes)
        structure = right_handed(self.atoms.copy())  # pyace refuses others
        structure.set_constraint()  # forces are computed on fixed atoms, too; ASE applies the caller's constraints
        structure.calc = self.ace
        energy = energy_of(structure) + sum(self.reference_energies[symbol] for symbol in structure.symbols)
        forces, periodic = forces_of(structure), structure.pbc.all()
        stress = stress_of(structure) if periodic else None
        if self.baseline is not None:
            baseline_energy, baseline_forces, virial = self.baseline.evaluate(structure)
            energy, forces = energy + baseline_energy, forces + baseline_forces
            if periodic:
                stress += full_3x3_to_voigt_6_stress(virial / structure.get_volume())
        gamma = self.ace.results["gamma"]
        if self.few_neighbors is not None:
            gamma = self.few_neighbors.applied(structure, gamma)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "gamma": gamma}
        if periodic:
            self.results["stress"] = stress
