"""The trainer of linear ACE potentials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.errors import StructureError
from acemaker.potentials.active_set import ActiveSet, build_active_set, gamma_of
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.evaluator import keep_evaluator
from acemaker.potentials.explanation import Carrier, Explanation, carriers_of
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.guard import Comparison, compare, judge
from acemaker.potentials.linear import CrossValidation, LeastSquares, Rows
from acemaker.potentials.ranking import Grading, Ranking, rank_by_volume
from acemaker.potentials.targets import check_reference_energies, parity, reference_energies, structure_rows
from acemaker.potentials.threads import single_threaded
from acemaker.results.training import Training
from acemaker.structures.bonds import TrainedDistances
from acemaker.structures.mask import counted_blocks, counted_symbols, energy_counts, mask_of

RECENT = 5
"""Groups of labels whose rows are kept when a trainer is restored: those of rejected rounds are needed again."""


class LinearTrainer:
    """A linear ACE, fitted by regularised least squares, with its active set.

    Parameters
    ----------
    config
        Basis, weights and guard.
    elements
        Chemical symbols of the system.
    kept
        Where files of the baseline are kept from an earlier time; None to take those that the configuration
        names. Labels are whole, the baseline is subtracted before the fit.

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
        self.basis = Basis.create(config, elements)
        self._builder = DesignBuilder(self.basis)
        self._fit = LeastSquares(
            self.basis.size,
            {"energy": config.energy_weight, "forces": config.force_weight, "virial": config.stress_weight},
            config.regularisation,
            config.cv_folds,
        )
        self._reference: dict[str, float] = {}
        self._distances = TrainedDistances(self.basis.cutoff)
        self._recent: list[tuple[int, Rows]] = []
        self.active_set: ActiveSet | None = None

    @property
    def n_structures(self) -> int:
        """Labelled structures taken in."""
        return self._fit.n_structures

    @single_threaded
    def restore(self, groups: Sequence[Sequence[Atoms]]) -> None:
        """Take in labelled structures without fitting.

        Parameters
        ----------
        groups
            The structures of each earlier call of `train`, in order.
        """
        for number, group in enumerate(groups):
            self._take_in(group)
            if number < len(groups) - RECENT:
                self._recent.clear()

    @single_threaded
    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Order candidates by the growth of the active set's volume.

        Parameters
        ----------
        structures
            Candidates, the anchor first.
        n_select
            How many are to be labelled.
        excluded
            Candidates that have been labelled, or have failed, already.

        Returns
        -------
        Ranking
        """
        projections = [self._projections(atoms) for atoms in structures]
        return rank_by_volume(self.active_set, projections, n_select, excluded)

    @single_threaded
    def grade(self, structures: Sequence[Atoms]) -> Grading:
        """Say how far structures are from the training set.

        Parameters
        ----------
        structures
            Any that the basis can describe.

        Returns
        -------
        Grading
        """
        projections = [self._projections(atoms) for atoms in structures]
        gamma = np.full(len(structures), np.nan)
        if self.active_set is not None:
            inverses = self.active_set.inverses
            gamma = np.array([_largest(gamma_of(blocks, inverses)) for blocks in projections])
        features = [np.concatenate([block.sum(axis=0) for block in blocks]) for blocks in projections]
        sizes = np.array([sum(map(len, blocks)) for blocks in projections])
        return Grading(gamma_max=gamma, features=np.array(features) / sizes[:, None])

    def minimum_structures(self, atoms: Atoms) -> int:
        """Return how many structures like this one have as many atoms of each element as functions.

        Parameters
        ----------
        atoms
            The structure.

        Raises
        ------
        StructureError
            If it lacks an element of the basis.
        """
        symbols = counted_symbols(atoms)
        counts = [symbols.count(element) for element in self.basis.elements]
        if min(counts) == 0:
            missing = self.basis.elements[counts.index(0)]
            raise StructureError(f"the structure has no {missing}, which the basis describes")
        return max(int(np.ceil(size / count)) for size, count in zip(self.basis.n_functions, counts, strict=True))

    def explain(self, structure: Atoms, atoms: Sequence[int] | np.ndarray) -> Explanation:
        """Say what the training set lacks.

        Parameters
        ----------
        structure
            Any that the basis can describe.
        atoms
            Those in question, the worst first.

        Returns
        -------
        Explanation
        """
        carriers: tuple[Carrier, ...] = ()
        if self.active_set is not None and len(atoms):
            symbol = structure.symbols[int(atoms[0])]
            species = self.basis.elements.index(symbol)
            place = int((structure.symbols[: int(atoms[0])] == symbol).sum())
            row = self._builder.projections(structure)[species][place]
            carriers = carriers_of(self.basis.basis_set, species, self.active_set.matrices[species], row)
        return Explanation(
            trained_distance=self._distances.smallest,
            outside=self._distances.outside(structure, atoms),
            carriers=carriers,
        )

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
        rows = self._take_in(structures)
        assert self.active_set is not None
        coefficients = self._fit.solve()
        held_out = self._fit.cross_validate()
        comparison = self._compare(predecessor, held_out)
        anchor_gamma = float("nan")
        if anchor is not None:
            anchor_gamma = _largest(gamma_of(self._projections(anchor), self.active_set.inverses))
        generation = Generation(
            number=number,
            directory=directory,
            elements=self.basis.elements,
            cutoff=self.basis.cutoff,
            reference_energies=self._reference,
            cv_forces=held_out.errors.forces if held_out else None,
            cv_folds=self._fit.fold_forces(held_out),
            n_structures=self._fit.n_structures,
            baseline=self.baseline,
        )
        reason = judge(self.config, coefficients, comparison, anchor_gamma, gamma_limit)
        if not reason:
            configuration = write_generation(generation, self.basis, coefficients, self.active_set)
            keep_evaluator(generation, configuration)
            self._recent.clear()  # its successor is compared on these
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

    def _projections(self, atoms: Atoms) -> tuple[np.ndarray, ...]:
        """Compute the B-projections of the atoms that count."""
        return counted_blocks(atoms, self.basis.elements, self._builder.projections(atoms))

    def _compare(self, predecessor: Generation | None, held_out: CrossValidation | None) -> Comparison:
        """Compare the new fit with its predecessor on the structures that both know."""
        if predecessor is None:
            return compare((), ())
        new = [(number, rows) for number, rows in self._recent if number >= predecessor.n_structures]
        return compare(predecessor.cv_folds, self._fit.fold_forces(held_out, besides=new))

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
        if not self._reference:
            whole = [target for target, atoms in zip(targets, structures, strict=True) if energy_counts(atoms)]
            self._reference = reference_energies(whole or targets, self.basis.elements, self.config)
        rows = [
            structure_rows(
                target, design, self._reference, self.config.stress_weight > 0, mask_of(atoms), energy_counts(atoms)
            )
            for atoms, target, design in zip(structures, targets, designs, strict=True)
        ]
        self.active_set = active_set
        for row in rows:
            self._recent.append((self._fit.n_structures, row))
            self._fit.add(row)
        for atoms in structures:
            self._distances.take_in(atoms)
        return rows


def _largest(grades: Sequence[np.ndarray]) -> float:
    return max(float(grade.max(initial=0.0)) for grade in grades)
