"""Whether labels from elsewhere are consistent: energies with forces and stresses, and all of them with each other.

A small linear potential is fitted to the forces. It predicts energies up to a constant per element, and with the
energies it predicts the stresses: units, signs, other zeros of energy and single wrong labels show without a label of
the oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.errors import AcemakerError
from acemaker.formatting.summary import number
from acemaker.oracles.ratios import Hypothesis
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import Design, DesignBuilder
from acemaker.potentials.label_statistics import (
    FEWEST,
    NORMAL,
    deviators,
    pressures,
    ratio_of,
    spread,
    usual,
    without,
)
from acemaker.potentials.threads import single_threaded
from acemaker.structures.mask import energy_counts, mask_of, stress_counts

FUNCTIONS, FEWEST_FUNCTIONS = 40, 12
"""Functions per element of the small potential: as many as the labels determine, within these limits, and a few for
each set of elements."""

ROWS = 3.0
"""Least number of force components per coefficient; with fewer, nothing is judged."""

MOST_ATOMS = 20_000
"""Atoms of the labels that are compared; of more, evenly spaced labels are."""

SOFT_FORCE = 0.1
"""eV/Å, added to the forces of a label in its weight, so that wrong labels do not dominate."""

WRONG_FORCES, WRONG_ENERGY = 0.8, 0.1
"""Force error relative to the forces of a label, and error of its energy in eV/atom, from which it may be wrong."""

UNUSUAL = 10.0
"""Deviation, relative to that of other labels, from which a label is wrong."""

DETERMINED = 0.1
"""Part of a source's constant that the constants of the elements must not explain."""

AGREE = 3.0
"""Largest ratio of the factors that pressures and the other components of stresses yield."""

ROUNDS, SMALL = 12, 1e-3
"""Number of fits, each with less weight on the energies that the one before does not describe, and eV/atom below which
deviations have the same weight."""

RIDGE = 1e-8
"""Penalty of the coefficients relative to the squares of their columns."""

ENERGY_WEIGHT = 30.0
"""Weight of an energy per atom relative to a force component in the fit that predicts stresses, Å."""

UNITS = (
    Hypothesis(1 / 27.2114, "the energies are in Hartree; multiply them by 27.2114"),
    Hypothesis(1 / 13.6057, "the energies are in Rydberg; multiply them by 13.6057"),
    Hypothesis(23.0605, "the energies are in kcal/mol; divide them by 23.0605"),
    Hypothesis(96.4853, "the energies are in kJ/mol; divide them by 96.4853"),
    Hypothesis(1 / 23.0605, "the forces are in kcal/mol/Å; divide them by 23.0605"),
    Hypothesis(51.4221, "the forces are in Hartree/bohr; multiply them by 51.4221"),
    Hypothesis(25.7110, "the forces are in Rydberg/bohr; multiply them by 25.7110"),
    Hypothesis(1.8897, "energies and forces are in atomic units; multiply energies by 27.2114 and forces by 51.4221"),
    Hypothesis(-1.0, "the forces have the wrong sign: they are gradients"),
)
"""Energies relative to those that belong to the forces, and what that means."""

INCONSISTENT, CONSISTENT = 0.2, 0.1
"""Part of the energy differences that a fit to forces and energies leaves: from the first on, a unit is searched for
with which it leaves less than the second."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What comparing labels has shown.

    Attributes
    ----------
    n_compared : int
        Number of labels; zero if there are too few force components.
    problem : str
        Why the labels cannot be used together: units, signs, or zeros of energy; empty if nothing was found.
    outliers : dict of int to str
        Labels that contradict all others, and how.
    stress_ratios : dict of group to float
        True stress relative to the written one, by group of labels whose stresses were written alike; missing if the
        labels do not determine it.
    """

    n_compared: int = 0
    problem: str = ""
    outliers: dict[int, str] = field(default_factory=dict)
    stress_ratios: dict[tuple[int, str], float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A label that is compared with others.

    Attributes
    ----------
    atoms : Atoms
        The structure with its mask.
    energy : float
        eV.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å.
    stress : ndarray, shape (6,), or None
        As it is written, but a virial divided by the volume.
    source : int
        Number of its file.
    group : str
        Kind of the written stress; labels of one source and kind have one convention.
    name : str
        Name of the label for messages.
    """

    atoms: Atoms
    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    source: int
    group: str
    name: str


@single_threaded
def compare_labels(
    labels: Sequence[Compared], config: PotentialConfig, elements: Sequence[str], sources: Sequence[str]
) -> Comparison:
    """Compare labels with each other by a small potential.

    Parameters
    ----------
    labels
        The labels, without isolated atoms.
    config
        Cutoff and orders of the basis, of which fewer functions are used.
    elements
        Chemical symbols.
    sources
        Names of the files, for messages.

    Returns
    -------
    Comparison
    """
    chosen = _chosen(labels)
    try:
        n_rows = sum(3 * len(labels[index].atoms) for index in chosen)
        basis = _basis(config, elements, int(n_rows / ROWS / len(elements)))
        builder = DesignBuilder(basis)
        designs = [builder.rows(labels[index].atoms) for index in chosen]
    except AcemakerError:  # reported where the basis is used
        return Comparison()
    if n_rows < ROWS * basis.size:
        return Comparison()
    fit = _Fit([labels[index] for index in chosen], designs, tuple(elements))
    outliers = {chosen[index]: words for index, words in fit.wrong_forces().items()}
    problem = fit.wrong_unit() or fit.other_zero(sources)
    if problem:
        return Comparison(n_compared=len(chosen), problem=problem)
    outliers |= {chosen[index]: words for index, words in fit.wrong_energies().items()}
    return Comparison(n_compared=len(chosen), outliers=outliers, stress_ratios=fit.stress_ratios())


def _chosen(labels: Sequence[Compared]) -> list[int]:
    """Choose evenly spaced labels of at most `MOST_ATOMS` atoms."""
    total = sum(len(label.atoms) for label in labels)
    step = max(1, math.ceil(total / MOST_ATOMS))
    return list(range(0, len(labels), step))


def _basis(config: PotentialConfig, elements: Sequence[str], n_functions: int) -> Basis:
    """Create a basis of a number of functions per element within the limits."""
    n_sets = 2 ** (len(elements) - 1)
    within = min(max(n_functions, FEWEST_FUNCTIONS), FUNCTIONS)
    most = min(config.n_functions, max(within, 4 * n_sets))
    return Basis.create(config.model_copy(update={"n_functions": most}), elements)


class _Fit:
    """Fits of a small potential to labels."""

    def __init__(self, labels: Sequence[Compared], designs: Sequence[Design], elements: tuple[str, ...]) -> None:
        self._labels, self._designs = labels, designs
        self._result: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._sizes = np.array([len(label.atoms) for label in labels], dtype=float)
        self._shares = np.array([[list(label.atoms.symbols).count(e) for e in elements] for label in labels])
        self._shares = self._shares / self._sizes[:, None]
        self._counts = [self._mask(label).repeat(3) for label in labels]
        self._rms = np.array([math.sqrt(np.mean(label.forces[self._mask(label)] ** 2)) for label in labels])
        self._usual = usual([label.atoms for label in labels])
        self._use = np.ones(len(labels), dtype=bool)
        self._errors = self._force_errors(self._solve()[0])
        wrong = self._outlying()
        if wrong.any() and wrong.mean() < 0.3:  # without them, those that they have disturbed are right
            self._use = ~wrong
            self._errors = self._force_errors(self._solve()[0])
        self._energies = np.array([label.energy for label in labels]) / self._sizes
        self._whole = np.array([energy_counts(label.atoms) for label in labels])

    def wrong_forces(self) -> dict[int, str]:
        """Return the labels whose forces contradict all others."""
        if len(self._labels) < FEWEST:
            return {}
        return {
            int(index): f"its forces contradict those of the other labels: a fit to all of them is off by "
            f"{self._errors[index]:.0%} of its forces, the median is {np.median(self._errors):.0%}"
            for index in np.flatnonzero(self._outlying())
        }

    def wrong_unit(self) -> str:
        """Return the unit or sign in which energies and forces belong together; empty if they do as they are."""
        use = self._use & self._whole
        if use.sum() < 3 or self._unexplained(1.0) < INCONSISTENT:
            return ""
        sizes = {int(size) for size in self._sizes[use]}
        size = min(sizes)
        per_atom = [Hypothesis(1 / size, "the energies are per atom; multiply them by the numbers of atoms")]
        hypotheses = [*UNITS, *(per_atom if len(sizes) == 1 and size > 1 else [])]
        best = min(hypotheses, key=lambda hypothesis: self._unexplained(hypothesis.ratio))
        if self._unexplained(best.ratio) > CONSISTENT:
            return ""
        return f"their energies and forces contradict each other, and agree if {best.words}"

    def _unexplained(self, ratio: float) -> float:
        """Return the part of the energy differences that a fit to forces and energies leaves, for energies in a unit.

        Parameters
        ----------
        ratio
            Written energies relative to those in the unit of the forces.
        """
        use = self._use & self._whole
        columns = self._columns[use]
        energies = without(columns, self._energies[use] / ratio)
        if np.sqrt(np.mean(self._energies[use] ** 2)) < 1e-9 or not energies @ energies > 0:
            return 0.0
        coefficients = self._solve(energy_ratio=ratio)[0]
        predicted = without(columns, np.array([design.energy @ coefficients for design in self._designs])[use])
        return float(np.sqrt(np.sum((energies - predicted) ** 2) / np.sum(energies**2)))

    def other_zero(self, names: Sequence[str]) -> str:
        """Return which sources have another zero of energy; empty if all have the same, or nothing tells."""
        if not self._offset_columns:
            return ""
        _, constants, residual = self._joint()
        n_elements = self._shares.shape[1]
        offsets = dict(zip(self._offset_columns, constants[n_elements:], strict=True))
        numbers = sorted({label.source for label in self._labels})
        undetermined = [source for source in numbers[1:] if source not in offsets]
        offsets |= dict.fromkeys(numbers[:1], 0.0) if not undetermined else {}
        low, high = min(offsets, key=lambda s: offsets[s]), max(offsets, key=lambda s: offsets[s])
        difference = float(offsets[high] - offsets[low])
        if difference < max(WRONG_ENERGY, UNUSUAL * spread(residual[self._use & self._whole])):
            return ""
        return (
            f"their energies have different zeros: relative to a fit to all of them, those of {names[high]} are "
            f"{number(difference)} eV/atom above those of {names[low]}. Labels of two settings do not belong together: "
            "leave one of them out"
        )

    def wrong_energies(self) -> dict[int, str]:
        """Return the labels whose energy contradicts all others."""
        use = self._use & self._whole
        if use.sum() < FEWEST:
            return {}
        residual = self._joint()[2]
        width = spread(residual[use])
        wrong = np.flatnonzero(use & self._usual & (np.abs(residual) > max(WRONG_ENERGY, UNUSUAL * width)))
        return {
            int(index): f"its energy is {residual[index]:+.3g} eV/atom off what all labels together predict; the "
            f"median of the others is {number(width / NORMAL)} eV/atom"
            for index in wrong
        }

    def stress_ratios(self) -> dict[tuple[int, str], float]:
        """Return the ratio of predicted and written stresses of each group that determines it."""
        if self._use.sum() < 2:  # its own fit predicts the stress of a single label by chance
            return {}
        coefficients = self._joint()[0]
        groups: dict[tuple[int, str], list[tuple[np.ndarray, np.ndarray]]] = {}
        for index, (label, design) in enumerate(zip(self._labels, self._designs, strict=True)):
            if label.stress is None or not self._use[index] or not label.atoms.pbc.all():
                continue
            if not stress_counts(label.atoms):
                continue
            predicted = design.virial @ coefficients * self._sizes[index] / label.atoms.get_volume()
            groups.setdefault((label.source, label.group), []).append((label.stress, predicted))
        ratios = {}
        for group, pairs in groups.items():
            written, predicted = (np.array(parts) for parts in zip(*pairs, strict=True))
            # shears and differences of pressures: a constant error of the predicted pressure says nothing
            known = [ratio_of(part(written), part(predicted)) for part in (deviators, pressures)]
            found = [value for value in known if value is not None]
            if found and max(found) * min(found) > 0 and max(map(abs, found)) < AGREE * min(map(abs, found)):
                ratios[group] = float(np.mean(found))
        return ratios

    @staticmethod
    def _mask(label: Compared) -> np.ndarray:
        mask = mask_of(label.atoms)
        return np.ones(len(label.atoms), dtype=bool) if mask is None else mask

    @cached_property
    def _offset_columns(self) -> dict[int, np.ndarray]:
        """Columns of the sources whose zero of energy is determined, i.e. not that of another composition."""
        use = self._use & self._whole
        columns, offsets = self._shares, {}
        numbers = np.array([label.source for label in self._labels])
        for source in sorted(set(numbers[use].tolist()))[1:]:
            column = (numbers == source).astype(float)
            rest = without(columns[use], column[use])
            if np.sqrt(np.mean(rest**2)) > DETERMINED * np.sqrt(np.mean(column[use] ** 2)):
                offsets[source] = column
                columns = np.hstack([columns, column[:, None]])
        return offsets

    @property
    def _columns(self) -> np.ndarray:
        """Columns of the constants of the energies: one per element, and one per source that is determined."""
        return np.hstack([self._shares, *(column[:, None] for column in self._offset_columns.values())])

    def _joint(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fit forces and energies so that single wrong energies have little weight.

        Returns
        -------
        coefficients, constants : ndarray
            eV, and eV/atom.
        residual : ndarray, shape (n_labels,)
            Energy minus the fitted one, eV/atom.
        """
        if self._result is None:
            weights, use = np.ones(len(self._use)), self._use & self._whole
            for _ in range(ROUNDS):  # which minimize the sum of absolute deviations
                coefficients, constants = self._solve(energy_ratio=1.0, energy_weights=weights)
                predicted = np.array([design.energy @ coefficients for design in self._designs])
                residual = self._energies - predicted - self._columns @ constants
                deviations = np.maximum(np.abs(residual), SMALL)
                weights = np.median(deviations[use]) / deviations
            self._result = coefficients, constants, residual
        return self._result

    def _solve(
        self, *, energy_ratio: float = 0.0, energy_weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit the forces, and unless `energy_ratio` is zero, energies divided by it; return coefficients, constants."""
        with_energies = energy_ratio != 0
        extra = self._columns if with_energies else np.zeros((len(self._use), 0))
        n_extra = extra.shape[1]
        matrices, targets = [], []
        for index in np.flatnonzero(self._use).tolist():
            label, design = self._labels[index], self._designs[index]
            weight = 1 / math.hypot(self._rms[index], SOFT_FORCE) / math.sqrt(self._sizes[index])
            rows = design.forces[self._counts[index]] * weight
            matrices.append(np.hstack([rows, np.zeros((len(rows), n_extra))]))
            targets.append(label.forces.ravel()[self._counts[index]] * weight)
            if with_energies and self._whole[index]:
                weight *= ENERGY_WEIGHT * (1.0 if energy_weights is None else math.sqrt(energy_weights[index]))
                matrices.append(np.concatenate([design.energy, extra[index]])[None] * weight)
                targets.append(np.array([label.energy / energy_ratio / self._sizes[index] * weight]))
        matrix, target = np.vstack(matrices), np.concatenate(targets)
        scale = np.sqrt(np.sum(matrix**2, axis=0))
        scale[scale == 0] = 1.0
        penalty = math.sqrt(RIDGE) * np.eye(matrix.shape[1])
        solution = np.linalg.lstsq(
            np.vstack([matrix / scale, penalty]), np.concatenate([target, np.zeros(matrix.shape[1])]), rcond=None
        )[0]
        solution = np.asarray(solution / scale)
        n = matrix.shape[1] - n_extra
        return solution[:n], solution[n:]

    def _force_errors(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the force error of each label, relative to its forces."""
        errors = []
        for index, (label, design) in enumerate(zip(self._labels, self._designs, strict=True)):
            error = (design.forces @ coefficients - label.forces.ravel())[self._counts[index]]
            errors.append(math.sqrt(np.mean(error**2)) / math.hypot(self._rms[index], SOFT_FORCE))
        return np.array(errors)

    def _outlying(self) -> np.ndarray:
        limit = max(WRONG_FORCES, 0.5 * UNUSUAL * float(np.median(self._errors)))
        outlying: np.ndarray = (self._errors > limit) & self._usual
        return outlying if len(self._labels) >= FEWEST else np.zeros(len(self._labels), dtype=bool)
