"""The domain of a potential: the active set of its labeled structures, and gamma of other structures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from ase import Atoms

from acemaker.errors import EngineError, StructureError
from acemaker.potentials.active_set import LACKING, SMALL, ActiveSet, build_active_set, gamma_of, rank
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.explanation import Explanation, GammaContribution, contributions_of
from acemaker.potentials.few_neighbors import FewNeighbors
from acemaker.potentials.holes import Hole, sorted_holes
from acemaker.potentials.ranking import Ranking, rank_by_volume
from acemaker.potentials.short_range_search import CoreRepulsion, ShortRangeSearch
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.typical_values import typical_values
from acemaker.structures.bonds import TrainedDistances
from acemaker.structures.grading import Grading
from acemaker.structures.initial import displacement_scales
from acemaker.structures.mask import counted_blocks, counted_symbols, mask_of
from acemaker.structures.per_atom import frozen_atoms

logger = logging.getLogger("acemaker")

FEW_FIRST = 10
"""Number of first structures if more of them would not span the functions of an element either. What they lack is
learned along the trajectory, with fewer labels and halts than after fewer first structures."""

PER_UNKNOWN, MOST_FIRST = 8, 40
"""Number of force components of the first structures per unknown in this case, and maximum number of structures: of
small molecules, gamma alone would accept fits with fewer data than unknowns."""

MOST_ENVIRONMENTS = 20_000
"""Number of environments from which it is determined whether structures span the functions, which takes a second."""

RATTLE = 0.12
"""Standard deviation of displacements with which it is determined whether structures span the functions, Å."""


class FileFields(TypedDict):
    """Fields of a generation that describe its short range and its training set."""

    holes: tuple[Hole, ...] | None
    core_radii: dict[str, float]
    force_rms: float | None


class Domain:
    """The part of a trainer that grades, ranks and explains structures, for any ACE with B-projections.

    Parameters
    ----------
    basis
        Basis whose projections describe the structures.

    Attributes
    ----------
    active_set : ActiveSet or None
        None before the first labeled structures.
    """

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self.active_set: ActiveSet | None = None
        self._builder = DesignBuilder(basis)
        self._distances = TrainedDistances(basis.cutoff)
        self._search: ShortRangeSearch | None = None
        self._lacking = False

    @property
    def lacks_environments(self) -> bool:
        """Whether the environments of an element do not span its functions, and new ones are learned one by one."""
        if self.active_set is None:
            return self._lacking
        return any((sources <= SMALL).any() for sources in self.active_set.sources)

    @property
    def least_neighbors(self) -> dict[str, int]:
        """Smallest number of neighbors in the training set by element; empty if it does not limit what is known."""
        return {}

    @property
    def alone_is_known(self) -> bool:
        """Whether the energy of an atom without neighbors is exact."""
        return False

    @property
    def few_neighbors(self) -> FewNeighbors:
        """The rule by which atoms with too few neighbors are unknown."""
        return FewNeighbors(self.basis.cutoff, self.least_neighbors, alone_is_known=self.alone_is_known)

    def cover(self, basis: Basis, structures: Sequence[Atoms]) -> None:
        """Choose a new active set from all labeled structures, in another basis.

        Parameters
        ----------
        basis
            Basis with other projections, for example after a fit of its radial functions.
        structures
            All labeled structures; atoms that are masked out are ignored.
        """
        builder = DesignBuilder(basis)
        projections = [counted_blocks(atoms, basis.elements, builder.projections(atoms)) for atoms in structures]
        self.active_set = build_active_set(
            basis.elements, basis.n_functions, projections, lambda: typical_values(builder, structures)
        )
        self.basis, self._builder = basis, builder

    def at_short_range(self, baseline: Baseline | None, core_repulsion: CoreRepulsion) -> tuple[Basis, FileFields]:
        """Add core repulsion to the potential, if it is configured or helps, and look for holes.

        Parameters
        ----------
        baseline
            Baseline of the potential; with one there is no core repulsion.
        core_repulsion
            "auto" adds it if pairs of atoms attract each other at short distances, and less so with it.

        Returns
        -------
        basis : Basis
            The potential to write, with the coefficients of `basis`.
        fields : dict
            ``holes``, ``core_radii`` and ``force_rms`` of the generation; ``holes`` is None if the baseline cannot be
            evaluated at such distances, or is a calculator, which would take too long.
        """
        if baseline is not None and not baseline.in_lammps:
            return self.basis, FileFields(holes=None, core_radii={}, force_rms=self._distances.force_rms)
        inverses = None if self.active_set is None else self.active_set.inverses
        reference, shortest = self._distances.calmest, self._distances.shortest
        try:
            if self._search is None or not self._search.is_for(self.basis, baseline, reference):
                self._search = ShortRangeSearch(self.basis, baseline, reference)
            best, scans = self._search.choose_core(inverses, shortest, core_repulsion)
        except EngineError as error:
            logger.warning(f"short distances were not searched for holes: {error}")
            return self.basis, FileFields(holes=None, core_radii={}, force_rms=self._distances.force_rms)
        fields = FileFields(holes=sorted_holes(scans), core_radii=dict(best.radii), force_rms=self._distances.force_rms)
        return best.potential, fields

    def state(self) -> dict[str, np.ndarray]:
        """Return active set and trained distances as arrays by name."""
        assert self.active_set is not None
        sets = zip(self.active_set.elements, self.active_set.matrices, self.active_set.sources, strict=True)
        arrays: dict[str, np.ndarray] = {}
        for element, matrix, sources in sets:
            arrays |= {f"active {element}": matrix, f"sources {element}": sources}
        return arrays | self._distances.state()

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned for the same basis.

        Raises
        ------
        KeyError, ValueError
            If the state belongs to another basis.
        """
        elements, sizes = self.basis.elements, self.basis.n_functions
        matrices = tuple(state[f"active {element}"] for element in elements)
        sources = tuple(state[f"sources {element}"] for element in elements)
        if [matrix.shape for matrix in matrices] != [(n, n) for n in sizes] or list(map(len, sources)) != list(sizes):
            raise ValueError("the active set belongs to another basis")
        self._distances.load_state(state)
        self.active_set = ActiveSet(elements=elements, matrices=matrices, sources=sources)

    def reset(self) -> None:
        """Remove the active set and the trained distances."""
        self.active_set, self._distances = None, TrainedDistances(self.basis.cutoff)

    @single_threaded
    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Order candidates by the growth of the active set's volume.

        Parameters
        ----------
        structures
            Candidates, the halted structure first.
        n_select
            Number of candidates to select.
        excluded
            Indices of candidates that have already been labeled or have failed.

        Returns
        -------
        Ranking
        """
        projections = [self._projections(atoms) for atoms in structures]
        return rank_by_volume(self.active_set, projections, n_select, excluded)

    @single_threaded
    def grade(self, structures: Sequence[Atoms]) -> Grading:
        """Return gamma and features of structures: their distance from the training set.

        Parameters
        ----------
        structures
            Structures with elements of the basis.

        Returns
        -------
        Grading
        """
        elements = self.basis.elements
        whole = [self._builder.projections(atoms) for atoms in structures]
        projections = [counted_blocks(atoms, elements, blocks) for atoms, blocks in zip(structures, whole, strict=True)]
        gamma = np.full(len(structures), np.nan)
        by_atom: tuple[np.ndarray, ...] = ()
        if self.active_set is not None:
            inverses = self.active_set.inverses
            grades = [gamma_of(blocks, inverses) for blocks in whole]
            few = self.few_neighbors
            by_atom = tuple(
                few.applied(atoms, _by_atom(atoms, elements, grade))
                for atoms, grade in zip(structures, grades, strict=True)
            )
            gamma = np.array(
                [
                    max(_largest(gamma_of(blocks, inverses)), _largest_counted(atoms, grade))
                    for atoms, blocks, grade in zip(structures, projections, by_atom, strict=True)
                ]
            )
        features = [np.concatenate([block.sum(axis=0) for block in blocks]) for blocks in projections]
        sizes = np.array([sum(map(len, blocks)) for blocks in projections])
        return Grading(gamma_max=gamma, features=np.array(features) / sizes[:, None], gamma=by_atom)

    def gamma_max(self, halted: Atoms | None) -> float:
        """Return the largest gamma of the unmasked atoms; NaN without a structure or without an active set."""
        if halted is None or self.active_set is None:
            return float("nan")
        gamma = _largest(gamma_of(self._projections(halted), self.active_set.inverses))
        return max(gamma, _largest_counted(halted, self.few_neighbors.applied(halted, np.zeros(len(halted)))))

    @single_threaded
    def minimum_structures(self, atoms: Atoms) -> int:
        """Return how many structures like this one are needed for the first generation.

        They have at least as many atoms of each element as it has functions, unless their environments would not span
        these functions anyway: those of a dopant, whose atoms never meet, or of a small molecule. Frozen atoms, whose
        environments are similar in all structures, do not count, if the element has others.

        Parameters
        ----------
        atoms
            The structure.

        Raises
        ------
        StructureError
            If the structure lacks an element of the basis, or no atom has a neighbor within the cutoff.
        """
        symbols, elements = counted_symbols(atoms), self.basis.elements
        counts = [symbols.count(element) for element in elements]
        if min(counts) == 0:
            missing = elements[counts.index(0)]
            raise StructureError(f"the structure has no {missing}, which the basis describes")
        frozen = frozen_atoms(atoms)
        if frozen.any():
            mask = mask_of(atoms)
            mobile = ~frozen if mask is None else ~frozen & mask
            n_mobile = [int((mobile & (atoms.symbols == element)).sum()) for element in elements]
            counts = [number or count for number, count in zip(n_mobile, counts, strict=True)]
        needed = [int(np.ceil(size / count)) for size, count in zip(self.basis.n_functions, counts, strict=True)]
        rng = np.random.default_rng(0)
        samples: list[tuple[np.ndarray, ...]] = []
        while len(samples) < max(needed) and (
            len(samples) < FEW_FIRST or len(samples) * len(symbols) < MOST_ENVIRONMENTS
        ):
            rattled = atoms.copy()
            scale = displacement_scales(atoms, RATTLE)[:, None]
            rattled.positions += rng.normal(scale=scale, size=rattled.positions.shape) * ~frozen[:, None]
            samples.append(self._projections(rattled))
        ranks = [rank(np.vstack(blocks)) for blocks in zip(*samples, strict=True)]
        lacking = [rank_ < size for rank_, size in zip(ranks, self.basis.n_functions, strict=True)]
        self._lacking = any(lacking)
        if self._lacking:
            n_unknown = sum(rank(np.vstack(blocks), LACKING) for blocks in zip(*samples, strict=True))
            n_free = 3 * len(symbols) if atoms.pbc.any() else max(3 * len(symbols) - 6, 1)
            few = int(np.clip(np.ceil(PER_UNKNOWN * n_unknown / n_free), FEW_FIRST, MOST_FIRST))
            needed = [min(number, few) if lacks else number for number, lacks in zip(needed, lacking, strict=True)]
        if not any(block.any() for block in samples[0]):
            raise StructureError(
                f"no atom of the structure has a neighbor within the cutoff of {self.basis.cutoff:g} Å, so that there "
                "are no interactions to train; start with atoms that are closer to each other, or increase cutoff"
            )
        return max(needed)

    def explain(self, structure: Atoms, atoms: Sequence[int] | np.ndarray) -> Explanation:
        """Explain which distances and basis functions are outside the training set.

        Parameters
        ----------
        structure
            Structure with elements of the basis.
        atoms
            Indices of the atoms in question, the one with the largest gamma first.

        Returns
        -------
        Explanation
        """
        contributions: tuple[GammaContribution, ...] = ()
        if self.active_set is not None and len(atoms):
            symbol = structure.symbols[int(atoms[0])]
            species = self.basis.elements.index(symbol)
            index = int((structure.symbols[: int(atoms[0])] == symbol).sum())
            row = self._builder.projections(structure)[species][index]
            contributions = contributions_of(self.basis.basis_set, species, self.active_set.matrices[species], row)
        return Explanation(
            trained_distance=self._distances.smallest,
            outside=self._distances.outside(structure, atoms),
            contributions=contributions,
        )

    def _projections(self, atoms: Atoms) -> tuple[np.ndarray, ...]:
        """Compute the B-projections of the unmasked atoms."""
        return counted_blocks(atoms, self.basis.elements, self._builder.projections(atoms))


def _by_atom(atoms: Atoms, elements: Sequence[str], grades: Sequence[np.ndarray]) -> np.ndarray:
    """Sort grades by element into the order of the atoms."""
    gamma = np.zeros(len(atoms))
    for element, grade in zip(elements, grades, strict=True):
        gamma[atoms.symbols == element] = grade
    return gamma


def _largest(grades: Sequence[np.ndarray]) -> float:
    return max(float(grade.max(initial=0.0)) for grade in grades)


def _largest_counted(atoms: Atoms, gamma: np.ndarray) -> float:
    """Return the largest of the grades of unmasked atoms."""
    mask = mask_of(atoms)
    return float((gamma if mask is None else gamma[mask]).max(initial=0.0))
