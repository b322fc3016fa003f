"""A linear ACE's fit to growing labels, and whether new ones spoil it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import Design
from acemaker.potentials.generation import Generation
from acemaker.potentials.guard import Comparison, compare
from acemaker.potentials.linear import CrossValidation, FitErrors, LeastSquares, Rows
from acemaker.potentials.ridge_prior import Prior, prior_of
from acemaker.potentials.targets import reference_energies, structure_rows
from acemaker.structures.mask import energy_counts, mask_of, stress_counts, weight_of

RECENT = 5
"""Groups of labels whose rows are kept when a trainer is restored: those of rejected rounds are needed again."""


class LinearFit:
    """Labels as rows of a least-squares problem, with their cross-validation.

    Parameters
    ----------
    config
        Weights, regularisation and folds.
    basis
        Whose linear coefficients are fitted; it has one density.

    Attributes
    ----------
    reference : dict of str to float
        eV per atom, by element; empty until the first labels are there.
    """

    def __init__(self, config: PotentialConfig, basis: Basis) -> None:
        self.config = config
        self.elements = basis.elements
        self.reference: dict[str, float] = {}
        self._squares = LeastSquares(
            basis.size,
            {"energy": config.energy_weight, "forces": config.force_weight, "virial": config.stress_weight},
            config.regularisation,
            config.cv_folds,
        )
        self._recent: list[tuple[int, Rows]] = []

    @property
    def n_structures(self) -> int:
        """Labelled structures taken in."""
        return self._squares.n_structures

    @property
    def settled(self) -> bool:
        """Whether the generation in use knows all that was taken in."""
        return not self._recent

    def state(self) -> dict[str, np.ndarray]:
        """Return all that was taken in, as arrays by name; not what was pretrained, nor whether it is `settled`."""
        reference = np.array([self.reference[element] for element in self.elements])
        return {"reference": reference, **self._squares.state()}

    def adopt(self, state: Mapping[str, np.ndarray]) -> None:
        """Undo `state`, or change nothing and raise KeyError or ValueError if it is not of such a fit."""
        reference = dict(zip(self.elements, state["reference"].tolist(), strict=True))
        self._squares.adopt(state)
        self.reference = reference

    def pretrain(self, targets: Sequence[Atoms], designs: Sequence[Design]) -> Prior:
        """Lean on labels of a cheap calculator, which count in no error.

        Parameters
        ----------
        targets
            What of them is to be learned: without the baseline's part.
        designs
            Their design matrices.

        Returns
        -------
        Prior
            What is leant on.
        """
        stress, no_reference = self.config.stress_weight > 0, dict.fromkeys(self.elements, 0.0)
        rows = [structure_rows(*pair, no_reference, stress) for pair in zip(targets, designs, strict=True)]
        prior = prior_of(targets, rows, self.elements, self._squares)
        self._squares.lean_on(prior)
        return prior

    def pin_reference(self, structures: Sequence[Atoms], targets: Sequence[Atoms]) -> None:
        """Take the elements' energies from the first labels, unless they are known."""
        if not self.reference:
            whole = [target for target, atoms in zip(targets, structures, strict=True) if energy_counts(atoms)]
            self.reference = reference_energies(whole or targets, self.elements, self.config)

    def take_in(self, structures: Sequence[Atoms], targets: Sequence[Atoms], designs: Sequence[Design]) -> list[Rows]:
        """Take in labelled structures.

        Parameters
        ----------
        structures
            New labels, with their masks.
        targets
            What of them is to be learned: without the baseline's part.
        designs
            Their design matrices.

        Returns
        -------
        list of Rows
        """
        self.pin_reference(structures, targets)
        rows = [
            structure_rows(
                target,
                design,
                self.reference,
                self.config.stress_weight > 0 and stress_counts(atoms),
                mask_of(atoms),
                energy_counts(atoms),
                weight_of(atoms),
            )
            for atoms, target, design in zip(structures, targets, designs, strict=True)
        ]
        for row in rows:
            self._recent.append((self.n_structures, row))
            self._squares.add(row)
        return rows

    def forget_recent(self) -> None:
        """Take what was taken in as known: a later fit is compared with its predecessor on these, too."""
        self._recent.clear()

    def solve(self) -> np.ndarray:
        """Fit the coefficients, shape (n_coefficients,), eV."""
        return self._squares.solve()

    def errors(self, coefficients: np.ndarray) -> FitErrors:
        """Compute the errors of given coefficients on all structures."""
        return self._squares.errors(coefficients)

    def cross_validate(self) -> CrossValidation | None:
        """Predict each fold from the others; None while fewer than two folds hold structures."""
        return self._squares.cross_validate()

    def fold_forces(self, held_out: CrossValidation | None) -> tuple[float | None, ...]:
        """Return the cross-validated force error of each fold, meV/Å."""
        return self._squares.fold_forces(held_out)

    def compare(self, predecessor: Generation | None, held_out: CrossValidation | None) -> Comparison:
        """Compare the new fit with its predecessor on the structures that both know.

        Parameters
        ----------
        predecessor
            Whose cross-validated errors by fold are known; None for generation 0.
        held_out
            The new fit's cross-validation.
        """
        if predecessor is None:
            return compare((), ())
        new = [(number, rows) for number, rows in self._recent if number >= predecessor.n_structures]
        return compare(predecessor.cv_folds, self._squares.fold_forces(held_out, besides=new))
