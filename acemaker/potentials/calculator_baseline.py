"""Any ASE calculator for a baseline, a universal potential for one."""

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
from acemaker.utils.dotted_path import imported

FIELD = "PotentialConfig.baseline_calculator"


@dataclass(frozen=True, kw_only=True)
class CalculatorBaseline(Baseline):
    """A calculator that whoever evaluates the ACE asks as well, at every step.

    Its energies have a zero of their own, which the reference energies take up: they are fitted to the difference.

    Attributes
    ----------
    path : str
        ``module:factory``, a callable that returns an ASE calculator.
    arguments : mapping
        Its keyword arguments; what JSON can hold.
    """

    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The factory's path."""
        return self.path

    @property
    def in_lammps(self) -> bool:
        """LAMMPS knows nothing of it."""
        return False

    def described(self) -> dict[str, Any]:
        """Describe it for a generation's ``.json``."""
        return {"calculator": self.path, "arguments": dict(self.arguments)}

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> CalculatorBaseline:
        """Undo `described`."""
        return cls(path=described["calculator"], arguments=described["arguments"])

    def kept_in(self, directory: Path) -> Self:  # noqa: ARG002  # a file of weights is too large to be copied
        """Keep nothing: it is found by its path."""
        return self

    def commands(
        self,
        above: str,
        above_coeff: str = "",  # noqa: ARG002
        *,
        quote: Callable[[Path], str] | None = None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Refuse: a LAMMPS that runs the potential by itself would run a part of it."""
        raise EngineError(
            f"LAMMPS cannot run {above.split()[0]} over the calculator {self.path!r}, which lives in Python: choose "
            "engine='inprocess', or lammps='python' for the isolated engine"
        )

    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate a structure by itself.

        The calculator is as new each time: neighbour lists that it kept from other structures would add its terms up
        in another order than those of a campaign that was reopened.
        """
        work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        try:
            work.calc = copy.copy(_calculator(self.path, json.dumps(dict(self.arguments), sort_keys=True)))
            work.calc.reset()
            energy, forces = energy_of(work), forces_of(work)
            virial = np.zeros((3, 3))
            if work.pbc.all():
                virial = voigt_6_to_full_3x3_stress(stress_of(work)) * work.get_volume()
        except AcemakerError:
            raise
        except Exception as error:  # whatever a calculator raises
            raise EngineError(f"the baseline {self.path!r} raised {type(error).__name__}: {error}") from error
        return energy, forces, virial


@lru_cache(maxsize=4)
def _calculator(path: str, arguments: str) -> BaseCalculator:
    """Make a calculator once a process, never to be used itself: loading a universal potential takes seconds."""
    calculator: BaseCalculator = imported(path, FIELD, "returns an ASE calculator")(**json.loads(arguments))
    return calculator
