"""The trainer of non-linear ACE potentials."""

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
from acemaker.potentials.domain import Coverage
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.guard import Comparison, compare, judge, judge_known
from acemaker.potentials.linear_fit import RECENT, LinearFit
from acemaker.potentials.optimizer import OptimiserVerdict
from acemaker.potentials.pacemaker.child import run_fit
from acemaker.potentials.pacemaker.installation import find_python
from acemaker.potentials.pacemaker.job import OUTPUT_POTENTIAL, make_job
from acemaker.potentials.pacemaker.start import embedding_of, first_start, load_basis
from acemaker.potentials.prediction import Residuals, force_errors, mean_errors, parity_of, residuals_of
from acemaker.potentials.targets import check_reference_energies
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.trainer import Listener
from acemaker.potentials.training import Training

FOLDER = "fit"
"""Of the last fit, beside the generations."""


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """What came of a fit, and why it is rejected; the reason is empty if it is not."""

    residuals: list[Residuals]
    basis: Basis
    anchor_gamma: float
    reason: str = ""
    verdict: OptimiserVerdict | None = None
    known: Comparison = field(default_factory=lambda: compare((), ()))


class PacemakerTrainer(Coverage):
    """An ACE whose radial functions, and a second density, are fitted by pacemaker.

    A linear fit in the same functions stands beside it: whether new labels spoil that one, in cross-validation, says
    whether they are to be trusted, before minutes are spent on them.

    Parameters
    ----------
    config
        Basis, weights and guard.
    fit
        Embedding and optimiser.
    elements
        Chemical symbols of the system.
    kept
        Where files of the baseline are kept from an earlier time; None to take those that the configuration names.
    listener
        Called with each iteration of the optimiser.

    Raises
    ------
    ConfigError
        As `LinearTrainer`.
    MissingLibraryError
        If there is no environment with pacemaker.
    """

    def __init__(
        self,
        config: PotentialConfig,
        fit: PacemakerConfig,
        elements: Sequence[str],
        kept: Path | None = None,
        listener: Listener | None = None,
    ) -> None:
        check_reference_energies(config, elements)
        self.config = config
        self.fit = fit
        self.python = find_python(fit.pacemaker_environment)
        self.baseline = find_baseline(config, tuple(elements), kept)
        self.listener = listener
        super().__init__(Basis.create(config, elements, embedding_of(fit)))
        self._empty = self.basis
        linear = Basis.create(config, elements)
        self._linear, self._designs = LinearFit(config, linear), DesignBuilder(linear)
        self._labels: list[Atoms] = []
        self._targets: list[Atoms] = []

    @single_threaded
    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Take in labelled structures without fitting.

        Parameters
        ----------
        groups
            The structures of each earlier call of `train`, in order.
        predecessor
            The generation in use, whose radial functions describe structures; None before generation 0.
        """
        for number, group in enumerate(groups):
            self._take_in(group)
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
        anchor: Atoms | None,
        gamma_limit: float,
    ) -> Training:
        """Take in labelled structures, fit, judge the fit and write the generation.

        Parameters
        ----------
        structures
            New labels, as `LinearTrainer.train` takes them.
        number
            The new generation's number.
        directory
            Where its files are written; the fit runs in its folder ``fit``.
        predecessor
            The generation in use, from which the fit starts; None for generation 0.
        anchor
            The halted structure, whose gamma must come below `gamma_limit`; that of its atoms that count.
        gamma_limit
            ``threshold_add_train``.

        Returns
        -------
        Training

        Raises
        ------
        TooFewEnvironmentsError, StructureError
            If the structures do not span the basis.
        FitError
            If pacemaker dies.
        """
        if self.baseline is not None:
            self.baseline = self.baseline.kept_in(directory)  # what is subtracted is what will run, and stays it
        self._take_in(structures)
        old = self._basis_of(predecessor)
        self.cover(old, self._labels)  # where the fit is rejected, this stays
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
        )
        before = self._residuals(old) if predecessor is not None else []
        tried = self._try(predecessor, before, comparison, anchor, gamma_limit, directory / FOLDER)
        if tried.reason:
            self.cover(old, self._labels)
        else:
            assert self.active_set is not None
            write_generation(generation, tried.basis, np.array(tried.basis.basis_set.basis_coeffs), self.active_set)
            self._linear.forget_recent()  # its successor is compared on these
        new = tried.residuals[-len(structures) :]
        energies, forces = parity_of(structures if new else (), new)
        return Training(
            generation=generation,
            accepted=not tried.reason,
            reason=tried.reason,
            n_structures=len(self._labels),
            train_errors=mean_errors(tried.residuals),
            cv_errors=None,
            comparison=comparison,
            anchor_gamma=tried.anchor_gamma,
            energies=energies,
            forces=forces,
            optimiser=tried.verdict,
            known=tried.known,
            unseen_errors=mean_errors(before[-len(structures) :]) if before else None,
        )

    def _try(
        self,
        predecessor: Generation | None,
        before: list[Residuals],
        comparison: Comparison,
        anchor: Atoms | None,
        gamma_limit: float,
        folder: Path,
    ) -> _Tried:
        """Fit, and judge the fit; where it stands the test, structures are described by its functions from now on."""
        tried = _Tried(residuals=before, basis=self.basis, anchor_gamma=self.gamma_max(anchor))
        # the linear fit is heard before minutes are spent
        reason = judge(self.config, np.zeros(1), comparison, float("nan"), gamma_limit)
        if reason:
            return replace(tried, reason=reason)
        verdict = self._run(predecessor, folder)
        tried = replace(tried, verdict=verdict)
        if not np.isfinite(verdict.loss).all():
            return replace(tried, reason=f"the fit failed: {verdict.words}")
        basis = load_basis(folder / OUTPUT_POTENTIAL)
        coefficients = np.array(basis.basis_set.all_coeffs)
        if not np.isfinite(coefficients).all():
            return replace(tried, reason=judge(self.config, coefficients, compare((), ()), float("nan"), gamma_limit))
        residuals = self._residuals(basis)
        known = _known(predecessor, before, residuals)
        tried = replace(tried, basis=basis, residuals=residuals, known=known)
        reason = judge_known(self.config, known, comparison) or self._try_cover(basis, predecessor)
        if reason:
            return replace(tried, reason=reason)
        gamma = self.gamma_max(anchor)
        reason = judge(self.config, coefficients, compare((), ()), gamma, gamma_limit)
        return replace(tried, anchor_gamma=gamma, reason=reason)

    def _run(self, predecessor: Generation | None, folder: Path) -> OptimiserVerdict:
        """Fit, starting from the generation in use."""
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

    def _take_in(self, structures: Sequence[Atoms]) -> None:
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        self._linear.take_in(structures, targets, [self._designs.rows(atoms) for atoms in structures])
        self._labels += structures
        self._targets += targets
        for atoms in structures:
            self._distances.take_in(atoms)

    def _basis_of(self, generation: Generation | None) -> Basis:
        return self._empty if generation is None else load_basis(generation.yaml)

    def _residuals(self, basis: Basis) -> list[Residuals]:
        return residuals_of(basis, self._labels, self._targets, self._linear.reference)

    def _try_cover(self, basis: Basis, predecessor: Generation | None) -> str:
        """Choose the active set in the fitted functions; say so where these cannot tell environments apart."""
        try:
            self.cover(basis, self._labels)
        except StructureError as error:
            if predecessor is None:
                raise
            return f"the fitted radial functions leave no active set: {error}"
        return ""


def _known(predecessor: Generation | None, before: list[Residuals], after: list[Residuals]) -> Comparison:
    """Compare two potentials on the structures that both were trained on, structure by structure."""
    n = 0 if predecessor is None else predecessor.n_structures
    return compare(force_errors(before[:n]), force_errors(after[:n]))
