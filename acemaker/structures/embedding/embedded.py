"""The result of embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.structures.embedding.validation import EmbeddingValidation


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class EmbeddedCell(Record):
    """A small periodic cell around an atom of a larger structure.

    Attributes
    ----------
    structure : Atoms
        The small cell, read-only, with ``arrays["mask"]``, True for core atoms, ``info["energy_counts"]``, True if
        gamma and forces of the boundary are small, and ``info["stress_counts"]``. These select the parts of the label
        that enter the fit.
    core : ndarray of bool, shape (n_atoms,)
        True for atoms with the same surroundings as in the parent.
    indices : ndarray of int, shape (n_atoms,)
        Index of each atom in the parent; the center comes first.
    n_parent : int
        Number of atoms of the parent.
    radius : float
        Å, half the shortest period.
    mismatch : float
        Mismatch of the surroundings under translation by the periods of the cell: 0 for periods of the parent, about
        0.3 in a hot crystal, 0.8 in a liquid.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades in the small cell.
    validation : EmbeddingValidation
        Validation of the cell, which it passed.
    boundary_steps : int
        Number of steps of the relaxation of the boundary.
    rejected : tuple of str
        Cells that were tried before, with the reasons for their rejection.
    """

    structure: Atoms
    core: np.ndarray
    indices: np.ndarray
    n_parent: int
    radius: float
    mismatch: float
    gamma: np.ndarray
    validation: EmbeddingValidation
    boundary_steps: int
    rejected: tuple[str, ...] = ()

    @property
    def center(self) -> int:
        """Index in the parent of the atom around which the cell was cut."""
        return int(self.indices[0])

    def headline(self) -> str:
        """Return numbers of atoms, center and validation in one line."""
        return (
            f"{len(self.structure)} of {self.n_parent} atoms, {int(self.core.sum())} of them core, around atom "
            f"{self.center}; {self.validation.figures()}"
        )

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        validation = self.validation
        lengths = ", ".join(f"{length:.2f}" for length in self.structure.cell.lengths())
        items = [
            ("core", f"{int(self.core.sum())} of {len(self.structure)} atoms, around atom {self.center}"),
            ("cell", f"{lengths} Å, images {2 * self.radius:.2f} Å apart"),
            (
                "core force error",
                f"{number(validation.force_error)} meV/Å (largest {number(validation.force_error_max)})",
            ),
            ("boundary", f"gamma {number(validation.boundary_gamma)} after {self.boundary_steps} steps"),
            ("smallest pair distance", f"{validation.distance:.3f} Å"),
            ("energy counts", "yes" if self.structure.info["energy_counts"] else "no"),
        ]
        if self.rejected:
            items.append(("rejected before", "; ".join(self.rejected)))
        return Summary(f"Embedded cell: {len(self.structure)} of {self.n_parent} atoms", tuple(items))

    def figure(self) -> Picture:
        """Draw the cell, colored by gamma, with a ring around each core atom."""
        return draw(self)
