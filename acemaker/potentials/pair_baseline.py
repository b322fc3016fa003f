"""LAMMPS pair styles as baselines."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms, units
from ase.stress import voigt_6_to_full_3x3_stress

from acemaker.errors import EngineError
from acemaker.lammps.script import BAR_A3_PER_EV
from acemaker.potentials.baseline import Baseline
from acemaker.structures.computed import energy_of, forces_of, stress_of


@dataclass(frozen=True, kw_only=True)
class PairBaseline(Baseline):
    """A LAMMPS pair style that is overlaid with the ACE.

    Attributes
    ----------
    style : str
        ``pair_style`` arguments, for example ``"zbl 3.0 4.0"``.
    coeff : tuple of str
        Arguments of each ``pair_coeff``, with potential files by their names in `files`.
    files : mapping of str to Path
        Paths of these files, by file names without special characters, which LAMMPS accepts unquoted.
    elements : tuple of str
        Chemical symbols in the order of the LAMMPS types.
    """

    style: str
    coeff: tuple[str, ...]
    files: Mapping[str, Path]
    elements: tuple[str, ...]

    @property
    def name(self) -> str:
        """The pair style."""
        return self.style

    @property
    def in_lammps(self) -> bool:
        """True: LAMMPS evaluates the pair style."""
        return True

    def description(self) -> dict[str, Any]:
        """Return the entry in the ``.json`` of a generation, whose directory contains the files."""
        return {"style": self.style, "coeff": list(self.coeff), "files": sorted(self.files)}

    @classmethod
    def read(cls, description: Mapping[str, Any], directory: Path, elements: tuple[str, ...]) -> PairBaseline:
        """Create the baseline from its `description`."""
        values = [description["style"], *description["coeff"], *description["files"]]
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"expected strings for style, coefficients and files of the baseline, got {values}")
        files = {name: directory / name for name in description["files"]}
        return cls(style=description["style"], coeff=tuple(description["coeff"]), files=files, elements=elements)

    def copy_to(self, directory: Path) -> Self:
        """Copy the files to a directory, except those that are already there."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, source in self.files.items():
            if not (directory / name).exists():
                part = directory / f"writing_{name}"
                shutil.copyfile(source, part)
                part.replace(directory / name)
        return replace(self, files={name: directory / name for name in self.files})

    def commands(
        self, above: str, above_coeff: str = "", *, quote: Callable[[Path], str] | None = None
    ) -> tuple[str, ...]:
        """Return the commands that overlay a potential and the baseline."""
        name = above.split()[0]
        lines = [f"pair_style hybrid/overlay {above} {self.style}", f"pair_coeff * * {name} {above_coeff}".rstrip()]
        for first, second, *rest in self._coefficient_lines(quote):
            lines.append(" ".join(["pair_coeff", first, second, self.style.split()[0], *rest]))
        return tuple(lines)

    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate the baseline alone; LAMMPS rejects wrong arguments and files that do not match the elements."""
        from acemaker.lammps.box import standard_form
        from acemaker.lammps.paths import PlainPaths
        from acemaker.oracles.factory import lammps_calculator

        structure = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if not structure.pbc.all():  # LAMMPS needs a box for clusters, too; its axes are those of the structure
            cell, positions, _ = standard_form(structure)
            structure = Atoms(atoms.symbols, positions, cell=cell, pbc=False)
        with contextlib.closing(PlainPaths()) as paths:
            lines = list(self.commands("zero 1.0", quote=paths.quote))  # as in a run: an overlay never mixes pairs
            try:
                structure.calc = lammps_calculator(lines, self.elements)
                energy, forces = energy_of(structure), forces_of(structure)
                virial = np.zeros((3, 3))
                if structure.pbc.all():
                    # the constants of ASE are newer than those of LAMMPS and differ in the eighth digit
                    volume = structure.get_volume() / (units.bar * BAR_A3_PER_EV)
                    virial = voigt_6_to_full_3x3_stress(stress_of(structure)) * volume
            except Exception as error:  # LAMMPS's errors have no class of their own
                raise EngineError(f"LAMMPS rejected the baseline '{self.style}': {error}") from error
        return energy, forces, virial

    def energies(self, structures: Sequence[Atoms]) -> np.ndarray:
        """Return the energies of structures; one LAMMPS evaluates all if they have the same cell."""
        from acemaker.lammps.paths import PlainPaths
        from acemaker.oracles.factory import lammps_calculator

        first = structures[0]
        if first.cell.rank < 3 or any(not np.array_equal(first.cell.array, atoms.cell.array) for atoms in structures):
            return super().energies(structures)
        energies = []
        with contextlib.closing(PlainPaths()) as paths:
            lines = list(self.commands("zero 1.0", quote=paths.quote))
            try:
                calculator = lammps_calculator(lines, self.elements, keep_alive=True)
                for atoms in structures:
                    structure = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
                    structure.calc = calculator
                    energies.append(energy_of(structure))
            except Exception as error:  # LAMMPS's errors have no class of their own
                raise EngineError(f"LAMMPS rejected the baseline '{self.style}': {error}") from error
        return np.array(energies)

    def _coefficient_lines(self, quote: Callable[[Path], str] | None) -> list[list[str]]:
        lines = [line.split() for line in self.coeff]
        if quote is None:
            return lines
        return [[quote(self.files[word]) if word in self.files else word for word in line] for line in lines]
