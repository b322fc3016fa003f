"""ASE's calculator of an ACE with its baseline."""

from __future__ import annotations

from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.potentials.baseline import Baseline


class BaselineCalculator(Calculator):  # type: ignore[misc]
    """Adds a baseline to pyace's calculator; ``results["gamma"]`` is the ACE's.

    Parameters
    ----------
    ace
        The ``PyACECalculator``.
    baseline
        What runs beside it.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, ace: Any, baseline: Baseline) -> None:
        super().__init__()
        self.ace = ace
        self.baseline = baseline

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate both; pyace gives no stress for a cluster."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms.copy()
        structure.calc = self.ace
        energy, forces, virial = self.baseline.evaluate(structure)
        energy += structure.get_potential_energy()
        self.results = {"energy": energy, "free_energy": energy, "forces": structure.get_forces() + forces}
        if structure.pbc.all():
            baseline_stress = full_3x3_to_voigt_6_stress(virial / structure.get_volume())
            self.results["stress"] = structure.get_stress() + baseline_stress
        self.results["gamma"] = self.ace.results["gamma"]
