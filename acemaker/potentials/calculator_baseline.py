"""ASE calculators as baselines, for example universal potentials."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.stress import voigt_6_to_full_3x3_stress

from acemaker.errors import AcemakerError, EngineError
from acemaker.potentials.baseline import Baseline
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.utils.dotted_path import import_callable

FIELD = "PotentialConfig.baseline_calculator"


@dataclass(frozen=True, kw_only=True)
class CalculatorBaseline(Baseline):
    """An ASE calculator that acemaker evaluates at every step and adds to the ACE.

    The zero of its energies differs from that of the oracle. The reference energies absorb this, since they are fitted
    to the difference.

    Attributes
    ----------
    path : str
        ``module:factory``, a callable that returns an ASE calculator.
    arguments : mapping
        Its keyword arguments, which must be valid JSON.
    """

    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Path of the factory."""
        return self.path

    @property
    def in_lammps(self) -> bool:
        """False: LAMMPS cannot evaluate the calculator."""
        return False

    def description(self) -> dict[str, Any]:
        """Return the entry in the ``.json`` of a generation."""
        return {"calculator": self.path, "arguments": dict(self.arguments)}

    @classmethod
    def read(cls, description: Mapping[str, Any]) -> CalculatorBaseline:
        """Create the baseline from its `description`."""
        return cls(path=description["calculator"], arguments=description["arguments"])

    def copy_to(self, directory: Path) -> Self:  # noqa: ARG002  # files with weights are too large to copy
        """Copy nothing: the calculator is imported by its path."""
        return self

    def commands(
        self,
        above: str,
        above_coeff: str = "",  # noqa: ARG002
        *,
        quote: Callable[[Path], str] | None = None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Raise EngineError: a standalone LAMMPS could run only the ACE without the baseline."""
        raise EngineError(
            f"LAMMPS cannot run {above.split()[0]} with the baseline {self.path!r}, which is a Python calculator: "
            "choose engine='inprocess', or lammps='python' for the isolated engine"
        )

    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate the baseline alone on a structure.

        Each evaluation starts with a fresh copy of the calculator. With neighbor lists from earlier structures it would
        sum its terms in another order than in a campaign that was reopened.
        """
        structure = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        try:
            structure.calc = copy.copy(_calculator(self.path, json.dumps(dict(self.arguments), sort_keys=True)))
            structure.calc.reset()
            energy, forces = energy_of(structure), forces_of(structure)
            virial = np.zeros((3, 3))
            if structure.pbc.all():
                virial = voigt_6_to_full_3x3_stress(stress_of(structure)) * structure.get_volume()
        except AcemakerError:
            raise
        except Exception as error:  # a calculator may raise anything
            raise EngineError(f"the baseline {self.path!r} raised {type(error).__name__}: {error}") from error
        return energy, forces, virial


@lru_cache(maxsize=4)
def _calculator(path: str, arguments: str) -> BaseCalculator:
    """Create a calculator once per process, since loading a universal potential takes seconds; only copies are used."""
    calculator: BaseCalculator = import_callable(path, FIELD, "returns an ASE calculator")(**json.loads(arguments))
    return calculator
