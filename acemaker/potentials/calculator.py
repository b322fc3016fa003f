"""ASE's calculator of a generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.potentials.baseline import Baseline
from acemaker.structures.computed import energy_of, forces_of, stress_of


class GenerationCalculator(Calculator):  # type: ignore[misc]
    """The whole potential on the oracle's scale of energies; ``results["gamma"]`` is the ACE's.

    Parameters
    ----------
    ace
        The ``PyACECalculator``, whose energies are above the reference energies.
    reference_energies
        eV per atom of each element.
    baseline
        What runs beside it, or None.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, ace: Any, reference_energies: Mapping[str, float], baseline: Baseline | None = None) -> None:
        super().__init__()
        self.ace = ace
        self.reference_energies = dict(reference_energies)
        self.baseline = baseline

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate all parts; pyace gives no stress for a cluster."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms.copy()
        structure.set_constraint()  # they are the caller's: a fixed atom has its forces all the same
        structure.calc = self.ace
        energy = energy_of(structure) + sum(self.reference_energies[one] for one in structure.symbols)
        forces, periodic = forces_of(structure), structure.pbc.all()
        stress = stress_of(structure) if periodic else None
        if self.baseline is not None:
            own_energy, own_forces, virial = self.baseline.evaluate(structure)
            energy, forces = energy + own_energy, forces + own_forces
            if periodic:
                stress += full_3x3_to_voigt_6_stress(virial / structure.get_volume())
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "gamma": self.ace.results["gamma"]}
        if periodic:
            self.results["stress"] = stress
