"""The fit of a linear ACE to a growing set of labels, and its comparison with the previous fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import Design
from acemaker.potentials.force_error import ForceErrorModel, LatestLabels
from acemaker.potentials.generation import EnergiesFrom, Generation
from acemaker.potentials.guard import Comparison, compare
from acemaker.potentials.linear import CrossValidation, FitErrors, LeastSquares, Rows
from acemaker.potentials.ridge import Ridge
from acemaker.potentials.ridge_prior import Prior, prior_of
from acemaker.potentials.targets import reference_energies, structure_rows
from acemaker.structures.mask import energy_counts, mask_of, stress_counts, weight_of

RECENT = 5
"""Number of label groups whose rows are stored when a trainer is restored: those of rejected fits are needed again."""


class LinearFit:
    """Least-squares fit of linear coefficients to labels, with cross-validation.

    Parameters
    ----------
    config
        Weights, regularization and folds.
    basis
        Basis with one density, whose linear coefficients are fitted.

    Attributes
    ----------
    reference : dict of str to float
        Reference energies in eV per atom, by element; empty before the first labels.
    isolated : dict of str to float
        Energies of isolated atoms by the oracle, minus the baseline, eV, by element; empty if they are unknown.
    """

    def __init__(self, config: PotentialConfig, basis: Basis) -> None:
        self.config = config
        self.elements = basis.elements
        self.reference: dict[str, float] = {}
        self.isolated: dict[str, float] = {}
        self._decided = False
        self._squares = LeastSquares(
            basis.size,
            {"energy": config.energy_weight, "forces": config.force_weight, "virial": config.stress_weight},
            config.regularization,
            config.cv_folds,
        )
        self._recent: list[tuple[int, Rows]] = []
        self._latest = LatestLabels()
        self._squares.leave_out_blocks(lambda: self._latest.force_blocks(config.force_weight))

    @property
    def n_structures(self) -> int:
        """Number of labeled structures."""
        return self._squares.n_structures

    @property
    def energies_from(self) -> EnergiesFrom:
        """Where the reference energies are from."""
        if self.config.reference_energies:
            return "configuration"
        return "isolated atoms" if self.isolated else "fit"

    def pin(self, isolated: Mapping[str, float]) -> None:
        """Use the energies of isolated atoms as reference energies; those of the first labels if there are none."""
        self.isolated = dict(isolated)
        self.reference = dict(isolated) or self.reference
        self._decided = True

    @property
    def limits_neighbors(self) -> bool:
        """Whether atoms with few neighbors are unknown; not before it is decided what the reference energies are."""
        return self._decided or not self.config.isolated_atoms or bool(self.config.reference_energies)

    @property
    def settled(self) -> bool:
        """Whether the generation in use was trained on all labels."""
        return not self._recent

    def state(self) -> dict[str, np.ndarray]:
        """Return the fit as arrays by name, without prior and recent labels."""
        reference = np.array([self.reference[element] for element in self.elements])
        return {"reference": reference, **self._latest.state(), **self._squares.state()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned.

        Raises
        ------
        KeyError, ValueError
            If the state belongs to another fit; nothing is changed in this case.
        """
        reference = dict(zip(self.elements, state["reference"].tolist(), strict=True))
        self._squares.load_state(state)
        self._latest.load_state(state)
        self.reference = reference

    def pretrain(self, targets: Sequence[Atoms], designs: Sequence[Design]) -> Prior:
        """Use the labels of an inexpensive calculator as a prior, which does not enter the errors.

        Parameters
        ----------
        targets
            The labels minus the baseline.
        designs
            Their design matrices.

        Returns
        -------
        Prior
            Prior of all later fits.
        """
        stress, no_reference = self.config.stress_weight > 0, dict.fromkeys(self.elements, 0.0)
        rows = [structure_rows(*pair, no_reference, stress) for pair in zip(targets, designs, strict=True)]
        prior = prior_of(targets, rows, self.elements, self._squares)
        self._squares.shrink_toward(prior)
        return prior

    def pin_reference(self, structures: Sequence[Atoms], targets: Sequence[Atoms]) -> None:
        """Set the reference energies from the first labels, unless they are set."""
        if not self.reference:
            with_energy = [target for target, atoms in zip(targets, structures, strict=True) if energy_counts(atoms)]
            self.reference = reference_energies(with_energy or targets, self.elements, self.config)

    def add(self, structures: Sequence[Atoms], targets: Sequence[Atoms], designs: Sequence[Design]) -> list[Rows]:
        """Add labeled structures.

        Parameters
        ----------
        structures
            New labels, with their masks.
        targets
            The labels minus the baseline.
        designs
            Their design matrices.

        Returns
        -------
        list of Rows
        """
        self.pin_reference(structures, targets)
        rows = [self._rows(*label) for label in zip(structures, targets, designs, strict=True)]
        for atoms, row in zip(structures, rows, strict=True):
            self._recent.append((self.n_structures, row))
            self._squares.add(row)
            self._latest.add(atoms, row, mask_of(atoms))
        return rows

    def forget_recent(self) -> None:
        """Treat all labels as known to the generation in use: the next fit is also compared with it on these."""
        self._recent.clear()

    def leave_out(self, coefficients: np.ndarray) -> None:
        """Do not fit some coefficients, array of bool, shape (n_coefficients,)."""
        self._squares.leave_out(coefficients)

    def solve(self) -> np.ndarray:
        """Fit the coefficients, shape (n_coefficients,), eV."""
        return self._squares.solve()

    def force_error_model(self, coefficients: np.ndarray, seed: int) -> ForceErrorModel | None:
        """Calibrate the predicted force error of these coefficients on the labels; None without labels.

        Parameters
        ----------
        coefficients : ndarray, shape (n_coefficients,)
            The solution of the fit, eV.
        seed
            Seed of the posterior samples.
        """
        return self._latest.calibrate(self._squares.posterior(), coefficients, self._squares.weights, seed)

    @property
    def ridge(self) -> Ridge:
        """The ridge penalty of the fit, and why it was chosen."""
        return self._squares.ridge

    def errors(self, coefficients: np.ndarray) -> FitErrors:
        """Compute the errors of coefficients on all structures."""
        return self._squares.errors(coefficients)

    def cross_validate(self) -> CrossValidation | None:
        """Predict each fold from the others; None if fewer than two folds contain structures."""
        return self._squares.cross_validate()

    def fold_forces(self, held_out: CrossValidation | None) -> tuple[float | None, ...]:
        """Return the cross-validated force error of each fold, meV/Å."""
        return self._squares.fold_forces(held_out)

    def left_out_forces(self, atoms: Atoms, target: Atoms, design: Design) -> np.ndarray:
        """Compute the force errors on one of the labels by a fit without it.

        Parameters
        ----------
        atoms
            The label, with its mask.
        target
            The label minus the baseline.
        design
            Its design matrix.

        Returns
        -------
        ndarray, shape (n_counted, 3)
            Prediction minus label for the atoms whose forces count, eV/Å.
        """
        rows = self._rows(atoms, target, design)
        n_rows = len(rows.matrices["forces"])
        errors = self._squares.left_out(rows) * np.sqrt(n_rows / rows.weight)
        forces: np.ndarray = errors.reshape(-1, 3)
        return forces

    def _rows(self, atoms: Atoms, target: Atoms, design: Design) -> Rows:
        return structure_rows(
            target,
            design,
            self.reference,
            self.config.stress_weight > 0 and stress_counts(atoms),
            mask_of(atoms),
            energy_counts(atoms),
            weight_of(atoms),
        )

    def compare(self, predecessor: Generation | None, held_out: CrossValidation | None) -> Comparison:
        """Compare the new fit with its predecessor on the structures in both training sets.

        Parameters
        ----------
        predecessor
            Previous generation, with its cross-validated errors by fold; None for the first generation.
        held_out
            Cross-validation of the new fit.
        """
        if predecessor is None:
            return compare((), ())
        new = [(number, rows) for number, rows in self._recent if number >= predecessor.n_structures]
        return compare(predecessor.cv_folds, self._squares.fold_forces(held_out, excluded=new))
