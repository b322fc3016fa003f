"""What labelling gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.oracles.checks import pressure_remark
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of


@dataclass(frozen=True, kw_only=True)
class LabelFailure:
    """A structure that could not be labelled.

    Attributes
    ----------
    candidate : int
        Its number among the candidates.
    attempts : int
        How often it was tried.
    cause : str
        What the oracle said, or what was wrong with its answer.
    """

    candidate: int
    attempts: int
    cause: str


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Labels(Record):
    """Structures with the oracle's energy, forces and, where it gives them, stress.

    Attributes
    ----------
    halt_number : int
        The halt they belong to; 0 for generation 0.
    candidates : tuple of int
        Their numbers among the candidates.
    structures : tuple of Atoms
        With results: eV, eV/Å, eV/Å^3.
    failures : tuple of LabelFailure
        What could not be labelled, and why.
    """

    halt_number: int
    candidates: tuple[int, ...]
    structures: tuple[Atoms, ...]
    failures: tuple[LabelFailure, ...] = ()

    @property
    def next(self) -> State:
        """``TRAIN``."""
        return State.TRAIN

    @property
    def remark(self) -> str:
        """What is odd about the first labels; empty for others, and if nothing is."""
        return "" if self.halt_number else pressure_remark(self.structures)

    def headline(self) -> str:
        """Say it in one line."""
        title = self.summary().title
        return f"{title}; {self.remark}" if self.remark else title

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = tuple(
            (
                str(index),
                atoms.get_chemical_formula(),
                f"{energy_of(atoms) / len(atoms):.4f}",
                number(float(np.abs(forces_of(atoms)).max())),
            )
            for index, atoms in zip(self.candidates, self.structures, strict=True)
        )
        failed = tuple(
            (f"candidate {failure.candidate} failed", f"{failure.cause} ({failure.attempts} tries)")
            for failure in self.failures
        )
        table = Table(("candidate", "structure", "energy / (eV/atom)", "largest force / (eV/Å)"), rows)
        odd = (("odd", self.remark),) if self.remark else ()
        return Summary(f"Labels: {counted(len(self.structures), 'structure')}", (*odd, *failed), table)
