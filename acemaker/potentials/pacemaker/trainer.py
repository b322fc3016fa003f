"""Trainer of non-linear ACE potentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.errors import StructureError
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.domain import Domain
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.guard import Comparison, compare, reason_to_reject, reason_to_reject_known
from acemaker.potentials.linear_fit import RECENT, LinearFit
from acemaker.potentials.optimizer import OptimizerOutcome
from acemaker.potentials.pacemaker.child import run_fit
from acemaker.potentials.pacemaker.installation import find_python
from acemaker.potentials.pacemaker.job import OUTPUT_POTENTIAL, make_job
from acemaker.potentials.pacemaker.start import embedding_of, first_start, load_basis
from acemaker.potentials.prediction import Residuals, force_errors, mean_errors, parity_of, residuals_of
from acemaker.potentials.targets import check_reference_energies, isolated_energies
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.trainer import Listener
from acemaker.potentials.training import Training

FOLDER = "fit"
"""Folder of the last fit, in the directory of the generations."""


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """Result of a fit; `reason` is empty if the fit is accepted."""

    residuals: list[Residuals]
    basis: Basis
    halted_gamma: float
    reason: str = ""
    outcome: OptimizerOutcome | None = None
    known: Comparison = field(default_factory=lambda: compare((), ()))


class PacemakerTrainer(Domain):
    """Trainer of an ACE whose radial functions and second density are fitted by pacemaker.

    New labels are first added to a linear fit in the same functions. If they degrade its cross-validated error, they
    are rejected before a fit of minutes is started.

    Parameters
    ----------
    config
        Basis, weights and guard.
    fit
        Embedding and optimizer.
    elements
        Chemical symbols of the system.
    directory
        Directory of the potentials of a campaign, with copies of the baseline's files; None to read the files that the
        configuration names.
    listener
        Called with each iteration of the optimizer.

    Raises
    ------
    ConfigError
        See `LinearTrainer`.
    MissingLibraryError
        If there is no environment with pacemaker.
    """

    def __init__(
        self,
        config: PotentialConfig,
        fit: PacemakerConfig,
        elements: Sequence[str],
        directory: Path | None = None,
        listener: Listener | None = None,
    ) -> None:
        check_reference_energies(config, elements)
        self.config = config
        self.fit = fit
        self.python = find_python(fit.pacemaker_environment)
        self.baseline = find_baseline(config, tuple(elements), directory)
        self.listener = listener
        super().__init__(Basis.create(config, elements, embedding_of(fit)))
        self._initial_basis = self.basis
        linear = Basis.create(config, elements)
        self._linear, self._designs = LinearFit(config, linear), DesignBuilder(linear)
        self._labels: list[Atoms] = []
        self._targets: list[Atoms] = []

    @property
    def least_neighbors(self) -> dict[str, int]:
        """Smallest number of neighbors in the training set by element; empty if it does not limit what is known."""
        return self._distances.least_neighbors if self._linear.limits_neighbors else {}

    @property
    def alone_is_known(self) -> bool:
        """Whether the energy of an atom without neighbors is exact."""
        return self._linear.energies_from != "fit"

    def use_isolated_atoms(self, atoms: Sequence[Atoms]) -> None:
        """Set the reference energies from labels of isolated atoms, before the first labels.

        Parameters
        ----------
        atoms
            Isolated atoms with their energies, one of each element; empty if the oracle cannot label them.
        """
        self._linear.pin(isolated_energies(atoms, self.basis.elements, self.baseline))

    @single_threaded
    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Add labeled structures without fitting.

        Parameters
        ----------
        groups
            Structures of each earlier call of `train`, in order.
        predecessor
            Generation in use, whose radial functions describe structures; None before the first generation.
        """
        for number, group in enumerate(groups):
            self._add(group)
            if number < len(groups) - RECENT:
                self._linear.forget_recent()
        if self._labels:
            self.cover(self._basis_of(predecessor), self._labels)

    @single_threaded
    def train(
        self,
        structures: Sequence[Atoms],
        *,
        number: int,
        directory: Path,
        predecessor: Generation | None,
        halted: Atoms | None,
        gamma_limit: float,
    ) -> Training:
        """Add labeled structures, fit, check the fit and write the generation.

        Parameters
        ----------
        structures
            New labels, see `LinearTrainer.train`.
        number
            Number of the new generation, from 1.
        directory
            Directory to which its files are written; the fit runs in its folder ``fit``.
        predecessor
            Generation in use, from which the fit starts; None for the first generation.
        halted
            The halted structure, whose unmasked atoms must have a gamma of at most `gamma_limit` after the fit.
        gamma_limit
            ``threshold_add_train``.

        Returns
        -------
        Training

        Raises
        ------
        FitError
            If pacemaker fails.
        """
        if self.baseline is not None:
            self.baseline = self.baseline.copy_to(directory)  # the files that the engine will use, also in later fits
        self._add(structures)
        old = self._basis_of(predecessor)
        self.cover(old, self._labels)  # remains in use if the fit is rejected
        held_out = self._linear.cross_validate()
        comparison = self._linear.compare(predecessor, held_out)
        generation = Generation(
            number=number,
            directory=directory,
            elements=old.elements,
            cutoff=old.cutoff,
            reference_energies=self._linear.reference,
            cv_forces=None,
            cv_folds=self._linear.fold_forces(held_out),
            n_structures=len(self._labels),
            baseline=self.baseline,
            energies_from=self._linear.energies_from,
            least_neighbors=self.least_neighbors,
        )
        before = self._residuals(old) if predecessor is not None else []
        attempt = self._attempt(predecessor, before, comparison, halted, gamma_limit, directory / FOLDER)
        if attempt.reason:
            self.cover(old, self._labels)
        else:
            assert self.active_set is not None
            generation = replace(generation, **self.at_short_range(self.baseline, "never")[1])
            write_generation(generation, attempt.basis, np.array(attempt.basis.basis_set.basis_coeffs), self.active_set)
            self._linear.forget_recent()  # the next fit is compared with this one on these labels
        new = attempt.residuals[-len(structures) :]
        energies, forces = parity_of(structures if new else (), new)
        return Training(
            generation=generation,
            accepted=not attempt.reason,
            reason=attempt.reason,
            n_structures=len(self._labels),
            train_errors=mean_errors(attempt.residuals),
            cv_errors=None,
            comparison=comparison,
            halted_gamma=attempt.halted_gamma,
            energies=energies,
            forces=forces,
            optimizer=attempt.outcome,
            known=attempt.known,
            unseen_errors=mean_errors(before[-len(structures) :]) if before else None,
        )

    def _attempt(
        self,
        predecessor: Generation | None,
        before: list[Residuals],
        comparison: Comparison,
        halted: Atoms | None,
        gamma_limit: float,
        folder: Path,
    ) -> _Attempt:
        """Run and check a fit; if it is accepted, its functions describe structures from now on."""
        attempt = _Attempt(residuals=before, basis=self.basis, halted_gamma=self.gamma_max(halted))
        # the check of the linear fit takes much less time than the fit
        reason = reason_to_reject(self.config, np.zeros(1), comparison, float("nan"), gamma_limit)
        if reason:
            return replace(attempt, reason=reason)
        outcome = self._run(predecessor, folder)
        attempt = replace(attempt, outcome=outcome)
        if not np.isfinite(outcome.loss).all():
            return replace(attempt, reason=f"the fit failed: {outcome.words}")
        basis = load_basis(folder / OUTPUT_POTENTIAL)
        coefficients = np.array(basis.basis_set.all_coeffs)
        if not np.isfinite(coefficients).all():
            return replace(
                attempt, reason=reason_to_reject(self.config, coefficients, compare((), ()), float("nan"), gamma_limit)
            )
        residuals = self._residuals(basis)
        known = _compare_known(predecessor, before, residuals)
        attempt = replace(attempt, basis=basis, residuals=residuals, known=known)
        reason = reason_to_reject_known(self.config, known, comparison) or self._try_cover(basis, predecessor)
        if reason:
            return replace(attempt, reason=reason)
        gamma = self.gamma_max(halted)
        reason = reason_to_reject(self.config, coefficients, compare((), ()), gamma, gamma_limit)
        return replace(attempt, halted_gamma=gamma, reason=reason)

    def _run(self, predecessor: Generation | None, folder: Path) -> OptimizerOutcome:
        """Run a fit that starts from the generation in use."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        if predecessor is None:
            linear = self._linear.solve() if self.fit.first_start == "linear" else None
            start = first_start(self.config, self.fit, self.basis.elements, linear, folder.parent)
        else:
            start = predecessor.yaml.read_text()
        job = make_job(
            self._labels,
            self._targets,
            self._linear.reference,
            start,
            self.config,
            self.fit,
            first=predecessor is None,
        )
        return run_fit(job, folder, self.python, self.listener)

    def _add(self, structures: Sequence[Atoms]) -> None:
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        self._linear.add(structures, targets, [self._designs.rows(atoms) for atoms in structures])
        self._labels += structures
        self._targets += targets
        for atoms in structures:
            self._distances.add(atoms)

    def _basis_of(self, generation: Generation | None) -> Basis:
        return self._initial_basis if generation is None else load_basis(generation.yaml)

    def _residuals(self, basis: Basis) -> list[Residuals]:
        return residuals_of(basis, self._labels, self._targets, self._linear.reference)

    def _try_cover(self, basis: Basis, predecessor: Generation | None) -> str:
        """Choose the active set in the fitted functions; return an error if these cannot distinguish environments."""
        try:
            self.cover(basis, self._labels)
        except StructureError as error:
            if predecessor is None:
                raise
            return f"there is no active set for the fitted radial functions: {error}"
        return ""


def _compare_known(predecessor: Generation | None, before: list[Residuals], after: list[Residuals]) -> Comparison:
    """Compare two potentials structure by structure on the structures in both training sets."""
    n = 0 if predecessor is None else predecessor.n_structures
    return compare(force_errors(before[:n]), force_errors(after[:n]))
