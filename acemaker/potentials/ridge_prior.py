"""What labels of a cheap calculator teach a linear fit before the oracle's do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.potentials.linear import LeastSquares, Rows


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Cheap labels, ready to be leant on.

    Attributes
    ----------
    rows : ndarray, shape (n_rows, n_coefficients + 1)
        Weighted by kind, the sum of their squares that of one structure.
    coefficients : ndarray, shape (n_coefficients,)
        What they alone give, eV.
    square : float
        Mean square force error of these on the cheap labels themselves, (eV/Å)²: what the basis cannot describe.
    """

    rows: np.ndarray
    coefficients: np.ndarray
    square: float

    def worth(self, square: float) -> float:
        """Say how many of the oracle's labels all of the cheap ones together weigh.

        Least squares weigh data by the inverse of their variance. That of the oracle's labels is what the basis cannot
        describe, for which the cheap ones stand; that of the cheap ones is what they differ by from the oracle's, and
        since it is the same mistake in all of them, they count as one.

        Parameters
        ----------
        square
            Mean square force error of `coefficients` on the oracle's labels, (eV/Å)².

        Returns
        -------
        float
            At most 1.
        """
        return self.square / max(square, self.square) if self.square > 0 else 0.0


def prior_of(structures: Sequence[Atoms], rows: Sequence[Rows], elements: Sequence[str], fit: LeastSquares) -> Prior:
    """Weigh the rows of cheap labels, and take the zero out of their energies.

    Their loss is added to that of the oracle's labels with a small weight: a power prior (Ibrahim and Chen, Statist.
    Sci. 15, 46 (2000)). For a linear model this is the warm start: it leans towards the coefficients that the cheap
    labels alone give, in each direction as strongly as they determine it, and gives way as the oracle's labels come in,
    since its weight does not grow.

    A calculator's energies count from another zero than the oracle's, for each element: the part of the energies that
    is linear in the composition is projected out of the rows, as if each element's zero were one more unknown.

    Parameters
    ----------
    structures
        Labelled by the calculator.
    rows
        Their rows, one for each.
    elements
        Chemical symbols.
    fit
        Whose weights and ridge are used.

    Returns
    -------
    Prior
    """
    energies = np.vstack([row.matrices["energy"] for row in rows])
    shares = np.array([[atoms.symbols.count(e) / len(atoms) for e in elements] for atoms in structures])
    energies -= shares @ np.linalg.lstsq(shares, energies, rcond=1e-3)[0]
    alone = fit.alike()
    for row, energy in zip(rows, energies, strict=True):
        alone.add(Rows(matrices={**row.matrices, "energy": energy[None]}))
    coefficients = alone.solve()
    return Prior(
        rows=alone.weighted_rows() / np.sqrt(len(rows)),
        coefficients=coefficients,
        square=(1e-3 * alone.errors(coefficients).forces) ** 2,
    )
