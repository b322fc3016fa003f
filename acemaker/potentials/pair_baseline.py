"""A classical potential of LAMMPS's for a baseline."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
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
    """Pair styles of LAMMPS's that run beside the ACE.

    Attributes
    ----------
    style : str
        ``pair_style``'s arguments: ``"zbl 3.0 4.0"``.
    coeff : tuple of str
        Arguments of each ``pair_coeff``; potential files by the names that they have in `files`.
    files : mapping of str to Path
        Where these files lie, by names that LAMMPS can be given anywhere.
    elements : tuple of str
        In the order of LAMMPS's types.
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
        """LAMMPS adds it by itself."""
        return True

    def described(self) -> dict[str, Any]:
        """Describe it for a generation's ``.json``, beside which its files lie."""
        return {"style": self.style, "coeff": list(self.coeff), "files": sorted(self.files)}

    @classmethod
    def read(cls, described: Mapping[str, Any], directory: Path, elements: tuple[str, ...]) -> PairBaseline:
        """Undo `described`."""
        words = [described["style"], *described["coeff"], *described["files"]]
        if not all(isinstance(word, str) for word in words):
            raise ValueError(f"expected text for the baseline's style, coefficients and files, got {words}")
        files = {name: directory / name for name in described["files"]}
        return cls(style=described["style"], coeff=tuple(described["coeff"]), files=files, elements=elements)

    def kept_in(self, directory: Path) -> Self:
        """Copy its files into a directory, unless they are there."""
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
        """Lay a potential over it."""
        name = above.split()[0]
        lines = [f"pair_style hybrid/overlay {above} {self.style}", f"pair_coeff * * {name} {above_coeff}".rstrip()]
        for first, second, *rest in self._words(quote):
            lines.append(" ".join(["pair_coeff", first, second, self.style.split()[0], *rest]))
        return tuple(lines)

    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate a structure by itself; LAMMPS refuses wrong arguments and files that do not suit the elements."""
        from acemaker.lammps.box import standard_form
        from acemaker.lammps.paths import PlainPaths
        from acemaker.oracles.factory import lammps_calculator

        work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if not work.pbc.all():  # LAMMPS wants a box even so; its axes are the structure's
            cell, positions, _ = standard_form(work)
            work = Atoms(atoms.symbols, positions, cell=cell, pbc=False)
        with contextlib.closing(PlainPaths()) as paths:
            lines = list(self.commands("zero 1.0", quote=paths.quote))  # as it runs: overlaid, pairs are never mixed
            try:
                work.calc = lammps_calculator(lines, self.elements)
                energy, forces = energy_of(work), forces_of(work)
                virial = np.zeros((3, 3))
                if work.pbc.all():
                    # ASE takes newer constants than LAMMPS, which would show in the eighth digit
                    volume = work.get_volume() / (units.bar * BAR_A3_PER_EV)
                    virial = voigt_6_to_full_3x3_stress(stress_of(work)) * volume
            except Exception as error:  # LAMMPS's errors have no class of their own
                raise EngineError(f"LAMMPS refused the baseline '{self.style}': {error}") from error
        return energy, forces, virial

    def _words(self, quote: Callable[[Path], str] | None) -> list[list[str]]:
        lines = [line.split() for line in self.coeff]
        if quote is None:
            return lines
        return [[quote(self.files[word]) if word in self.files else word for word in line] for line in lines]
