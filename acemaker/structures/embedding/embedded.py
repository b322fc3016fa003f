"""What embedding gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.structures.embedding.validation import Audit


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class EmbeddedCell(Record):
    """A small periodic cell around an atom of a larger structure.

    Attributes
    ----------
    structure : Atoms
        The small cell, read-only, with ``arrays["mask"]``, True for core atoms, ``info["energy_counts"]``, True
        where the seam is clean, and ``info["stress_counts"]``: so does a label say what of it is to be learned.
    core : ndarray of bool, shape (n_atoms,)
        Atoms whose surroundings are the parent's.
    indices : ndarray of int, shape (n_atoms,)
        The parent's atom behind each; the centre comes first.
    n_parent : int
        Atoms of the parent.
    radius : float
        Å, half the shortest period.
    mismatch : float
        How badly the cell's periods carry the parent's surroundings onto themselves: 0 for its own periods, about
        0.3 in a hot crystal, 0.8 in a liquid.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades in the small cell.
    audit : Audit
        Passed.
    seam_steps : int
        Steps in which the seam was relaxed.
    rejected : tuple of str
        Cells that were tried before and why each was rejected.
    """

    structure: Atoms
    core: np.ndarray
    indices: np.ndarray
    n_parent: int
    radius: float
    mismatch: float
    gamma: np.ndarray
    audit: Audit
    seam_steps: int
    rejected: tuple[str, ...] = ()

    @property
    def centre(self) -> int:
        """The parent's atom around which the cell was cut."""
        return int(self.indices[0])

    def headline(self) -> str:
        """Say it in one line."""
        return (
            f"{len(self.structure)} of {self.n_parent} atoms, {int(self.core.sum())} of them core, around atom "
            f"{self.centre}; {self.audit.figures()}"
        )

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        audit = self.audit
        lengths = ", ".join(f"{length:.2f}" for length in self.structure.cell.lengths())
        items = [
            ("core", f"{int(self.core.sum())} of {len(self.structure)} atoms, around atom {self.centre}"),
            ("cell", f"{lengths} Å, images {2 * self.radius:.2f} Å apart"),
            ("core force error", f"{number(audit.force_error)} meV/Å (largest {number(audit.force_error_max)})"),
            ("seam", f"gamma {number(audit.seam_gamma)} after {self.seam_steps} steps"),
            ("smallest pair distance", f"{audit.distance:.3f} Å"),
            ("energy counts", "yes" if self.structure.info["energy_counts"] else "no"),
        ]
        if self.rejected:
            items.append(("rejected before", "; ".join(self.rejected)))
        return Summary(f"Embedded cell: {len(self.structure)} of {self.n_parent} atoms", tuple(items))
