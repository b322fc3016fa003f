"""The trainer of linear ACE potentials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.potentials.active_set import build_active_set
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.domain import Coverage
from acemaker.potentials.evaluator import keep_evaluator
from acemaker.potentials.fit_cache import FILE, Known, digest_of, identity_of, keep, recall
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.guard import judge
from acemaker.potentials.linear import Rows
from acemaker.potentials.linear_fit import RECENT, LinearFit
from acemaker.potentials.ridge_prior import Prior
from acemaker.potentials.targets import check_reference_energies, parity
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.training import Training
from acemaker.structures.mask import counted_blocks
from acemaker.utils.array_file import UNREADABLE


class LinearTrainer(Coverage):
    """A linear ACE, fitted by regularised least squares, with its active set.

    Parameters
    ----------
    config
        Basis, weights and guard.
    elements
        Chemical symbols of the system.
    kept
        Where files of the baseline are kept from an earlier time, and what was learnt is kept for a later one; None
        to take those files that the configuration names, and to keep nothing. Labels are whole, the baseline is
        subtracted before the fit.

    Raises
    ------
    ConfigError
        If the basis cannot be made, reference energies are given for some elements only, or a file of the
        baseline is missing.
    """

    def __init__(self, config: PotentialConfig, elements: Sequence[str], kept: Path | None = None) -> None:
        check_reference_energies(config, elements)
        self.config = config
        self.baseline = find_baseline(config, tuple(elements), kept)
        super().__init__(Basis.create(config, elements))
        self._fit = LinearFit(config, self.basis)
        # a trainer that is built on this one may learn more than is kept
        self._file = kept / FILE if kept is not None and type(self) is LinearTrainer else None
        self._known: Known = []
        self._n_kept = 0

    @single_threaded
    def pretrain(self, structures: Sequence[Atoms]) -> Prior:
        """Have every fit lean on the labels of a cheap calculator.

        They are no labels of the oracle's: neither the active set nor the guard, nor any error, knows of them.

        Parameters
        ----------
        structures
            Atoms with energy, forces and, where there is one, stress; the whole, of which a baseline is subtracted.

        Returns
        -------
        Prior
            What is leant on.
        """
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        return self._fit.pretrain(targets, [self._builder.rows(target) for target in targets])

    @single_threaded
    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Take in labelled structures without fitting; what is kept of them is not computed again.

        Parameters
        ----------
        groups
            The structures of each earlier call of `train`, in order.
        predecessor
            The generation in use; a linear fit's functions do not depend on it.
        """
        self._recall(groups)
        for number in range(len(self._known), len(groups)):
            self._take_in(groups[number])
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
        anchor: Atoms | None,
        gamma_limit: float,
    ) -> Training:
        """Take in labelled structures, fit, judge the fit and write the generation.

        Parameters
        ----------
        structures
            New labels: Atoms with energy, forces and, where there is one, stress. Atoms that ``arrays["mask"]``
            leaves out teach nothing, by their forces or by their environments.
        number
            The new generation's number.
        directory
            Where its files are written.
        predecessor
            The generation in use; None for generation 0.
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
        """
        if self.baseline is not None:
            self.baseline = self.baseline.kept_in(directory)  # what is subtracted is what will run, and stays it
        self._keep()
        rows = self._take_in(structures)
        assert self.active_set is not None
        coefficients = self._fit.solve()
        held_out = self._fit.cross_validate()
        comparison = self._fit.compare(predecessor, held_out)
        anchor_gamma = self.gamma_max(anchor)
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
        )
        reason = judge(self.config, coefficients, comparison, anchor_gamma, gamma_limit)
        if not reason:
            configuration = write_generation(generation, self.basis, coefficients, self.active_set)
            keep_evaluator(generation, configuration)
            self._fit.forget_recent()  # its successor is compared on these
        energies, forces = parity(structures, rows, coefficients)
        return Training(
            generation=generation,
            accepted=not reason,
            reason=reason,
            n_structures=self._fit.n_structures,
            train_errors=self._fit.errors(coefficients),
            cv_errors=held_out.errors if held_out else None,
            comparison=comparison,
            anchor_gamma=anchor_gamma,
            energies=energies,
            forces=forces,
        )

    def _identity(self) -> str | None:
        return identity_of(self.config, self.basis.elements, self.baseline)

    def _recall(self, groups: Sequence[Sequence[Atoms]]) -> None:
        """Take up what is kept of the first groups, or nothing of it."""
        if self._file is None or (identity := self._identity()) is None:
            return
        try:
            found = recall(self._file, identity, groups)
            if found is not None:
                known, state = found
                self.adopt(state)
                self._fit.adopt(state)
                self._known, self._n_kept = known, len(known)
        except UNREADABLE:  # a file that is whole, and not such a one
            self.forget()

    def _keep(self) -> None:
        """Keep what was learnt before: labels that are being learnt are known to nobody yet, should all end here."""
        news = len(self._known) > self._n_kept and self._fit.settled
        if news and self._file is not None and (identity := self._identity()) is not None:
            keep(self._file, identity, self._known, self._fit.state() | self.state())
            self._n_kept = len(self._known)

    def _take_in(self, structures: Sequence[Atoms]) -> list[Rows]:
        targets = structures if self.baseline is None else [self.baseline.subtract(atoms) for atoms in structures]
        designs = [self._builder.rows(atoms) for atoms in structures]
        projections = [
            counted_blocks(atoms, self.basis.elements, design.projections)
            for atoms, design in zip(structures, designs, strict=True)
        ]
        if self.active_set is None:
            active_set = build_active_set(self.basis.elements, self.basis.n_functions, projections)
        else:
            active_set = self.active_set
            for offset, blocks in enumerate(projections):
                active_set = active_set.extend(blocks, source=self._fit.n_structures + offset)
        rows = self._fit.take_in(structures, targets, designs)
        self.active_set = active_set
        for atoms in structures:
            self._distances.take_in(atoms)
        self._known.append(tuple(digest_of(atoms) for atoms in structures))
        return rows
