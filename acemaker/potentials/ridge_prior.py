"""A prior of linear fits from the labels of an inexpensive calculator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.potentials.linear import LeastSquares, Rows


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Labels of an inexpensive calculator as a prior of a fit.

    Attributes
    ----------
    rows : ndarray, shape (n_rows, n_coefficients + 1)
        Rows weighted by kind, with the sum of squares of an average structure.
    coefficients : ndarray, shape (n_coefficients,)
        Solution of these rows alone, eV.
    square : float
        Mean square force error of `coefficients` on the same labels, (eV/Å)²: what the basis cannot describe.
    """

    rows: np.ndarray
    coefficients: np.ndarray
    square: float

    def worth(self, square: float) -> float:
        """Return the weight of all rows together, in units of one label of the oracle.

        Least squares weigh data by the inverse of their variance. The variance of the oracle's labels is the error of
        the basis, which is estimated from the prior's labels. The variance of the prior's labels is their difference
        from the oracle; since this error is the same in all of them, together they weigh no more than one label.

        Parameters
        ----------
        square
            Mean square force error of `coefficients` on the labels of the oracle, (eV/Å)².

        Returns
        -------
        float
            At most 1.
        """
        return self.square / max(square, self.square) if self.square > 0 else 0.0


def prior_of(structures: Sequence[Atoms], rows: Sequence[Rows], elements: Sequence[str], fit: LeastSquares) -> Prior:
    """Create a prior from labels of a calculator, independent of the zero of its energies.

    Their loss is added to that of the oracle's labels with a small weight: a power prior (Ibrahim and Chen, Statist.
    Sci. 15, 46 (2000)). For a linear model this is a warm start: the fit is shrunk toward the solution of the prior
    alone, in each direction as strongly as the prior determines it. The influence of the prior decreases with the
    number of the oracle's labels, since its weight does not grow.

    The energies of the calculator have another zero than those of the oracle for each element. The part of the energies
    that is linear in the composition is therefore projected out of the rows, as if the zero of each element were an
    additional unknown.

    Parameters
    ----------
    structures
        Structures labeled by the calculator.
    rows
        Rows of each structure.
    elements
        Chemical symbols.
    fit
        Fit whose weights and ridge penalty are used.

    Returns
    -------
    Prior
    """
    energies = np.vstack([row.matrices["energy"] for row in rows])
    fractions = np.array([[atoms.symbols.count(e) / len(atoms) for e in elements] for atoms in structures])
    energies -= fractions @ np.linalg.lstsq(fractions, energies, rcond=1e-3)[0]
    prior_fit = fit.empty_copy()
    for row, energy in zip(rows, energies, strict=True):
        prior_fit.add(Rows(matrices={**row.matrices, "energy": energy[None]}))
    coefficients = prior_fit.solve()
    return Prior(
        rows=prior_fit.weighted_rows() / np.sqrt(len(rows)),
        coefficients=coefficients,
        square=(1e-3 * prior_fit.errors(coefficients).forces) ** 2,
    )
