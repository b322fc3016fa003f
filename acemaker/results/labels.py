"""The results of LABEL: labels, and submissions of structures that are being labeled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.labeling.job import LabelFailure
from acemaker.oracles.checks import pressure_remark
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Labels(Record):
    """Structures with energies, forces and, if the oracle returns them, stresses.

    Attributes
    ----------
    halt_number : int or None
        Number of their halt; None for the initial structures.
    candidates : tuple of int
        Their numbers among the candidates.
    structures : tuple of Atoms
        Labeled structures: eV, eV/Å, eV/Å^3.
    failures : tuple of LabelFailure
        Candidates that could not be labeled, with the causes.
    undistorted : tuple of float or None
        For initial structures of a cheap oracle: pressure of the structure from which they were made, and that of the
        barostat at the first step, GPa.
    """

    halt_number: int | None
    candidates: tuple[int, ...]
    structures: tuple[Atoms, ...]
    failures: tuple[LabelFailure, ...] = ()
    undistorted: tuple[float, float] | None = None

    @property
    def next(self) -> State:
        """``TRAIN``; ``RESUME`` if a probe could not be labeled."""
        return State.TRAIN if self.structures else State.RESUME

    @property
    def remark(self) -> str:
        """A remark about unusual labels of initial structures; else empty."""
        return "" if self.halt_number else pressure_remark(self.structures, self.undistorted)

    def headline(self) -> str:
        """Return a one-line description."""
        title = self.summary().title
        return f"{title}; {self.remark}" if self.remark else title

    def summary(self) -> Summary:
        """Return the summary."""
        rows = tuple(
            (
                str(index),
                atoms.get_chemical_formula(),
                f"{energy_of(atoms) / len(atoms):.4f}",
                number(float(np.linalg.norm(forces_of(atoms), axis=1).max())),
            )
            for index, atoms in zip(self.candidates, self.structures, strict=True)
        )
        failed = tuple(
            (f"candidate {failure.candidate} failed", f"{failure.cause} ({failure.attempts} tries)")
            for failure in self.failures
        )
        table = Table(("candidate", "structure", "energy / (eV/atom)", "largest force / (eV/Å)"), rows)
        remark = (("remark", self.remark),) if self.remark else ()
        return Summary(f"Labels: {counted(len(self.structures), 'structure')}", (*remark, *failed), table)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Submission(Record):
    """Structures that are being labeled; ``campaign.collect()`` collects finished labels.

    Attributes
    ----------
    halt_number : int or None
        Number of their halt; None for the initial structures.
    where : str
        Description of the backend that labels them.
    done : tuple of int
        Candidates with a label.
    missing : tuple of int
        Candidates without a label.
    notes : tuple of str
        State of each missing one: number of a job, folder, or problem of an invalid label.
    failures : tuple of LabelFailure
        Candidates that could not be labeled, with the causes.
    """

    halt_number: int | None
    where: str
    done: tuple[int, ...]
    missing: tuple[int, ...]
    notes: tuple[str, ...]
    failures: tuple[LabelFailure, ...] = ()

    @property
    def next(self) -> State:
        """``LABEL``: this state is not complete."""
        return State.LABEL

    def summary(self) -> Summary:
        """Return the summary."""
        rows = [(str(candidate), "done", "") for candidate in self.done]
        rows += [(str(candidate), "missing", note) for candidate, note in zip(self.missing, self.notes, strict=True)]
        rows += [(str(failure.candidate), "failed", failure.cause) for failure in self.failures]
        title = f"Labels: {counted(len(self.missing), 'structure')} of {len(self.done) + len(self.missing)} missing"
        table = Table(("candidate", "label", "note"), tuple(rows), words=True)
        return Summary(title, (("labeled by", self.where), ("next", "campaign.collect()")), table)
