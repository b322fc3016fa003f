"""The trainer of linear ACE potentials."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.potentials.active_set import build_active_set
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.basis_choice import MOST, BasisChoice, choose_basis
from acemaker.potentials.design import Design
from acemaker.potentials.domain import Domain
from acemaker.potentials.evaluator import cache_evaluator
from acemaker.potentials.fit_cache import FILE, LabelDigests, digest_of, identity_of, read_cache, write_cache
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.guard import reason_to_reject
from acemaker.potentials.linear import Rows
from acemaker.potentials.linear_fit import RECENT, LinearFit
from acemaker.potentials.ridge_prior import Prior
from acemaker.potentials.targets import check_reference_energies, isolated_energies, parity
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.training import Training
from acemaker.potentials.typical_values import typical_values
from acemaker.structures.mask import counted_blocks
from acemaker.utils.array_file import UNREADABLE

logger = logging.getLogger("acemaker")

N_DESIGNS = 10
"""Maximum number of design matrices that are stored for labels that are left out again and again."""


class LinearTrainer(Domain):
    """Trainer of a linear ACE by regularized least squares, with its active set.

    Labels include the baseline, which the trainer subtracts before the fit.

    Parameters
    ----------
    config
        Basis, weights and guard.
    elements
        Chemical symbols of the system.
    directory
        Directory of the potentials of a campaign, with copies of the baseline's files and the cache of the fit; None
        to read the files that the configuration names and to cache nothing.

    Raises
    ------
    ConfigError
        If the basis cannot be created, reference energies are set for only some of the elements, or a file of the
        baseline is missing.
    """

    def __init__(self, config: PotentialConfig, elements: Sequence[str], directory: Path | None = None) -> None:
        check_reference_energies(config, elements)
        self.config = config
        self.baseline = find_baseline(config, tuple(elements), directory)
        super().__init__(Basis.create(config, elements))
        self._fit = LinearFit(config, self.basis)
        self._configured = config
        self._choice: BasisChoice | None = None
        self._isolated: Sequence[Atoms] | None = None
        self._pretraining: Sequence[Atoms] = ()
        self._first: list[Sequence[Atoms]] = []  # labels of rejected first fits, from which a basis is chosen again
        self._reconsidered: list[Sequence[Atoms]] | None = None  # earlier labels, if the basis is about to be chosen
        # a subclass may have a state that the cache does not contain
        self._file = directory / FILE if directory is not None and type(self) is LinearTrainer else None
        self._digests: LabelDigests = []
        self._designs: dict[bytes, Design] = {}  # of the labels that are left out again and again
        self._n_cached = 0

    @property
    def least_neighbors(self) -> dict[str, int]:
        """Smallest number of neighbors in the training set by element; empty if it does not limit what is known."""
        return self._distances.least_neighbors if self._fit.limits_neighbors else {}

    @property
    def alone_is_known(self) -> bool:
        """Whether the energy of an atom without neighbors is exact."""
        return self._fit.energies_from != "fit"

    def use_isolated_atoms(self, atoms: Sequence[Atoms]) -> None:
        """Set the reference energies from labels of isolated atoms, before the first labels.

        Parameters
        ----------
        atoms
            Isolated atoms with their energies, one of each element; empty if the oracle cannot label them.
        """
        self._isolated = atoms
        self._fit.pin(isolated_energies(atoms, self.basis.elements, self.baseline))

    @single_threaded
    def pretrain(self, structures: Sequence[Atoms]) -> Prior:
        """Use the labels of an inexpensive calculator as a prior of every fit.

        They do not count as labels of the oracle: active set, guard and errors do not depend on them.

        Parameters
        ----------
        structures
            Atoms with energy, forces and optionally stress, from which the baseline is subtracted.

        Returns
        -------
        Prior
            Prior of all later fits.
        """
        self._pretraining = structures
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        return self._fit.pretrain(targets, [self._builder.rows(target) for target in targets])

    @single_threaded
    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Add labeled structures without fitting; those in the cache are not computed again.

        Parameters
        ----------
        groups
            Structures of each earlier call of `train`, in order.
        predecessor
            Generation in use, whose basis was perhaps chosen for it.
        """
        if predecessor is not None:
            self._use(predecessor.basis_choice)
        elif self.config.basis == "auto":
            self._first = list(groups)
        self._add_groups(groups, predecessor)

    def reconsider_basis(self, groups: Sequence[Sequence[Atoms]]) -> None:
        """Compare bases in the next call of `train`, on all labels, unless the basis is fixed.

        Parameters
        ----------
        groups
            Structures of each earlier call of `train`, in order.
        """
        self._reconsidered = None if self._configured.basis == "fixed" else list(groups)

    def _add_groups(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None) -> None:
        """Add labels without fitting, as in the calls of `train` that they were passed to."""
        self._read_cache(groups)
        for number in range(len(self._digests), len(groups)):
            self._add(groups[number])
            if number < len(groups) - RECENT:
                self._fit.forget_recent()
        if predecessor is not None and predecessor.n_structures == self._fit.n_structures:
            self._fit.forget_recent()

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
            New labels: Atoms with energy, forces and optionally stress. Forces and environments of atoms that
            ``arrays["mask"]`` excludes are not used.
        number
            Number of the new generation, from 1.
        directory
            Directory to which its files are written.
        predecessor
            Generation in use; None for the first generation.
        halted
            The halted structure, whose unmasked atoms must have a gamma of at most `gamma_limit` after the fit.
        gamma_limit
            ``threshold_add_train``.

        Returns
        -------
        Training
        """
        if self.baseline is not None:
            self.baseline = self.baseline.copy_to(directory)  # the files that the engine will use, also in later fits
        if predecessor is None and self.config.basis == "auto":
            self._choose_basis(structures)
        if predecessor is not None and self._reconsidered is not None:
            self._choose_again(structures, predecessor)
        self._write_cache()
        rows = self._add(structures)
        assert self.active_set is not None
        coefficients = self._fit.solve()
        held_out = self._fit.cross_validate()
        comparison = self._fit.compare(predecessor, held_out)
        halted_gamma = self.gamma_max(halted)
        generation = Generation(
            number=number,
            directory=directory,
            elements=self.basis.elements,
            cutoff=self.basis.cutoff,
            reference_energies=self._fit.reference,
            cv_forces=held_out.errors.forces if held_out else None,
            cv_folds=self._fit.fold_forces(held_out),
            n_structures=self._fit.n_structures,
            baseline=self.baseline,
            energies_from=self._fit.energies_from,
            least_neighbors=self.least_neighbors,
            ridge=self._fit.ridge,
            basis_choice=self._choice,
        )
        reason = reason_to_reject(self.config, coefficients, comparison, halted_gamma, gamma_limit)
        if not reason:
            self.basis.basis_set.basis_coeffs = list(coefficients)
            error_model = self._fit.force_error_model(coefficients, seed=self._fit.n_structures)
            floor = None if error_model is None else 1e3 * error_model.floor
            potential, short_range = self.at_short_range(self.baseline, self.config.core_repulsion)
            generation = replace(generation, **short_range, error_floor=floor)
            configuration = write_generation(generation, potential, coefficients, self.active_set, error_model)
            cache_evaluator(generation, configuration)
            self._fit.forget_recent()  # the next fit is compared with this one on these labels
        energies, forces = parity(structures, rows, coefficients)
        return Training(
            generation=generation,
            accepted=not reason,
            reason=reason,
            n_structures=self._fit.n_structures,
            train_errors=self._fit.errors(coefficients),
            cv_errors=held_out.errors if held_out else None,
            comparison=comparison,
            halted_gamma=halted_gamma,
            energies=energies,
            forces=forces,
        )

    @single_threaded
    def left_out_forces(self, structures: Sequence[Atoms]) -> list[np.ndarray]:
        """Compute the force errors on some of the labels, each by a fit without it.

        Parameters
        ----------
        structures
            Labels that were trained on.

        Returns
        -------
        list of ndarray, each of shape (n_counted, 3)
            Prediction minus label for the atoms whose forces count, eV/Å.
        """
        errors = []
        for atoms in structures:
            target = atoms if self.baseline is None else self.baseline.subtract(atoms)
            design = self._designs.get(digest := digest_of(atoms)) or self._builder.rows(target)
            if len(self._designs) < N_DESIGNS:
                self._designs[digest] = design
            errors.append(self._fit.left_out_forces(atoms, target, design))
        return errors

    def _choose_basis(self, structures: Sequence[Atoms]) -> None:
        """Choose the basis of the first generation from its labels, and from those of rejected first fits."""
        groups = [*self._first, structures]
        labels = [atoms for group in groups for atoms in group]
        elements, reference = self.basis.elements, self._fit.reference
        choice = choose_basis(self._configured, labels, elements, baseline=self.baseline, reference=reference)
        logger.info(f"{choice.headline()}: {choice.reason}")
        self._use(choice)
        for group in self._first:
            self._add(group)
        self._first = groups

    def _choose_again(self, structures: Sequence[Atoms], predecessor: Generation) -> None:
        """Choose the basis of the next fit from all labels, which are added again if it is another one."""
        groups, self._reconsidered = self._reconsidered or [], None
        labels = [atoms for group in (*groups, structures) for atoms in group]
        elements, reference = self.basis.elements, self._fit.reference
        n_compared = min(len(labels), MOST)
        logger.info(f"Comparing bases on {n_compared} labels, since the error on a probe is above the target")
        choice = choose_basis(
            self._configured, labels, elements, baseline=self.baseline, reference=reference, is_poor=True
        )
        logger.info(f"{choice.headline()}: {choice.reason}")
        if choice.best.apply(self._configured) == self.config:
            self._choice = choice
            return
        self._use(choice)
        self._add_groups(groups, predecessor)

    def _use(self, choice: BasisChoice | None) -> None:
        """Begin again without labels, in the basis that was chosen."""
        if choice is None:
            return
        self._choice, self.config = choice, choice.best.apply(self._configured)
        super().__init__(Basis.create(self.config, self.basis.elements))
        self._fit = LinearFit(self.config, self.basis)
        self._digests, self._designs, self._n_cached = [], {}, 0
        if self._isolated is not None:
            self.use_isolated_atoms(self._isolated)
        if self._pretraining:
            self.pretrain(self._pretraining)

    def _identity(self) -> str | None:
        return identity_of(self.config, self.basis.elements, self.baseline, self._fit.isolated)

    def _read_cache(self, groups: Sequence[Sequence[Atoms]]) -> None:
        """Load the cached state of the first groups, or nothing."""
        if self._file is None or (identity := self._identity()) is None:
            return
        try:
            cached = read_cache(self._file, identity, groups)
            if cached is not None:
                digests, state = cached
                self.load_state(state)
                self._fit.load_state(state)
                assert self.active_set is not None
                self._fit.leave_out(np.concatenate(self.active_set.negligible))
                self._digests, self._n_cached = digests, len(digests)
        except UNREADABLE:  # an intact file with other contents
            self.reset()

    def _write_cache(self) -> None:
        """Cache the state before new labels are added: if the process ends now, these are not yet trained on."""
        has_new = len(self._digests) > self._n_cached and self._fit.settled
        if has_new and self._file is not None and (identity := self._identity()) is not None:
            write_cache(self._file, identity, self._digests, self._fit.state() | self.state())
            self._n_cached = len(self._digests)

    def _add(self, structures: Sequence[Atoms]) -> list[Rows]:
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        designs = [self._builder.rows(atoms) for atoms in structures]
        projections = [
            counted_blocks(atoms, self.basis.elements, design.projections)
            for atoms, design in zip(structures, designs, strict=True)
        ]
        if self.active_set is None:
            active_set = build_active_set(
                self.basis.elements,
                self.basis.n_functions,
                projections,
                lambda: typical_values(self._builder, structures),
            )
        else:
            active_set = self.active_set
            for offset, blocks in enumerate(projections):
                active_set = active_set.extend(blocks, source=self._fit.n_structures + offset)
        rows = self._fit.add(structures, targets, designs)
        self.active_set = active_set
        self._fit.leave_out(np.concatenate(active_set.negligible))
        for atoms in structures:
            self._distances.add(atoms)
        self._digests.append(tuple(digest_of(atoms) for atoms in structures))
        return rows
