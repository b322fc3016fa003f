"""Check whether forces and stresses of labels are consistent with their energies: sign, unit and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from ase import Atoms

from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import mask_of

MAX_DISPLACEMENT = 0.5
"""Å, largest displacement of an atom between two structures whose energies are compared: for larger ones the mean force
does not determine the energy difference."""

MIN_ENERGY_DIFFERENCE = 0.02
"""eV, smallest root mean square of the energy differences that is evaluated: SCF noise is smaller."""

MAX_STRAIN = 0.02
"""Largest strain between two such structures, for the same reason as `MAX_DISPLACEMENT`."""

MAX_PAIRS = 200
"""Maximum number of pairs that are compared, by ascending displacement."""

EXPLAINED, UNEXPLAINED = 0.8, 0.5
"""Shares of the variance of the energy differences: above the first they count as explained, below the second as
unexplained."""

TOLERANCE = 2.5
"""Factor by which an estimate may differ from 1 or from a unit: where forces are strongly non-linear in the
displacements, the estimate for correct forces may be 0.5."""

UNITS = {
    51.42: "Hartree/Bohr or another atomic unit",
    25.71: "Ry/Bohr or another atomic unit",
    13.61: "Ry/Å or another atomic unit",
    1 / 23.06: "kcal/mol/Å",
    1 / 96.49: "kJ/mol/Å",
    1e-3: "meV/Å",
}
"""Units of forces other than eV/Å, by the factor that converts them to eV/Å."""

STRESS_RATIO = 10.0
"""Ratio of the energy differences predicted by stresses to the actual ones above which the stresses are in another
unit."""


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Comparison of energy differences with their prediction from forces and stresses.

    Attributes
    ----------
    force, stress : float
        Factors by which forces and stresses would have to be multiplied; 1 if they are consistent or cannot be checked.
    explained : float
        Share of the variance of energy differences that forces and stresses with these factors explain; NaN without
        pairs.
    as_given : float
        The same share without factors; negative if the prediction is worse than none.
    n_pairs : int
        Number of pairs of structures that were compared.
    """

    force: float
    stress: float
    explained: float
    as_given: float
    n_pairs: int

    def diagnosis(self) -> str:
        """Return the probable error; empty if energies, forces and stresses are or may be consistent."""
        if self.n_pairs < 2:
            return ""
        if self.explained < UNEXPLAINED or (self.as_given < 0 and self.explained < EXPLAINED):
            return (
                "forces and stresses, with any sign and unit, explain little of the differences between the energies "
                f"({max(self.explained, 0):.0%}): the oracle may not be deterministic or converged, or may return "
                "forces in another order of atoms"
            )
        if self.explained < EXPLAINED:
            return ""
        if not _is_one(self.force):
            return f"the forces {_diagnose_forces(self.force)}"
        if self.stress < 0:
            return "the stresses have the wrong sign"
        if not _is_one(self.stress):
            return "the stresses are not in eV/Å^3 (but in GPa, for example)"
        return ""


UNKNOWN = Consistency(force=1.0, stress=1.0, explained=float("nan"), as_given=float("nan"), n_pairs=0)
"""Result if no structures can be compared."""


def consistency(labels: Sequence[Atoms]) -> Consistency:
    """Compare energy differences between similar labels with their forces and stresses.

    Between two structures the energy changes by minus the mean force times the displacement, plus volume times mean
    stress times strain, up to terms of third order (the trapezoidal rule).

    Parameters
    ----------
    labels
        Structures with energy, forces and optionally stress. Structures with a mask are ignored.

    Returns
    -------
    Consistency
        Result with at most one factor other than 1.
    """
    unmasked = [atoms for atoms in labels if mask_of(atoms) is None]
    rows = [row for first, second in combinations(unmasked, 2) if (row := _compare(first, second)) is not None]
    if not rows:
        return UNKNOWN
    _, measured, by_force, by_stress = map(np.array, zip(*sorted(rows)[:MAX_PAIRS], strict=True))
    predicted, total = np.column_stack([by_force, by_stress]), max(float(np.sum(measured**2)), 1e-30)
    if np.sqrt(total / len(measured)) < MIN_ENERGY_DIFFERENCE:
        return UNKNOWN
    sizes = np.sqrt(np.sum(predicted**2, axis=0) / total)

    def explained(force: float, stress: float) -> float:
        return 1 - float(np.sum((measured - force * predicted[:, 0] - stress * predicted[:, 1]) ** 2)) / total

    as_given = explained(1.0, 1.0)
    best = Consistency(force=1.0, stress=1.0, explained=as_given, as_given=as_given, n_pairs=len(measured))
    for index in 0, 1:  # a factor of the forces first; one of the stresses only if it is significant
        if best.explained > EXPLAINED:
            break
        if len(measured) < 2 or sizes[index] < 1e-9:
            continue
        remainder = measured - predicted[:, 1 - index]
        factor = float(predicted[:, index] @ remainder / np.sum(predicted[:, index] ** 2))
        wrong_sign = sizes[1] > 1 / TOLERANCE and -TOLERANCE < factor < -1 / TOLERANCE
        if index == 1 and not (sizes[1] > STRESS_RATIO or wrong_sign):
            continue
        force, stress = (factor, 1.0) if index == 0 else (1.0, factor)
        if (share := explained(force, stress)) > best.explained:
            best = replace(best, force=force, stress=stress, explained=share)
    return best


def _compare(first: Atoms, second: Atoms) -> tuple[float, float, float, float] | None:
    """Return displacement, energy difference, and its predictions by forces and stresses; None if not comparable."""
    if len(first) != len(second) or (first.numbers != second.numbers).any() or (first.pbc != second.pbc).any():
        return None
    periodic = bool(first.pbc.all())
    if periodic:
        shifts = second.get_scaled_positions(wrap=False) - first.get_scaled_positions(wrap=False)
        cell = (first.cell.array + second.cell.array) / 2
        displacements = (shifts - np.round(shifts)) @ cell
        strain = np.linalg.solve(cell, second.cell.array - first.cell.array)
    else:
        displacements, strain = second.positions - first.positions, np.zeros((3, 3))
    displacements = displacements - displacements.mean(axis=0)
    distance = float(np.linalg.norm(displacements, axis=1).max())
    has_stress = all("stress" in atoms.calc.results for atoms in (first, second))
    largest = float(np.abs(strain).max())
    if distance > MAX_DISPLACEMENT or largest > MAX_STRAIN or (largest > 1e-6 and not has_stress):
        return None
    by_force = -float(np.sum((forces_of(first) + forces_of(second)) / 2 * displacements))
    by_stress = 0.0
    if has_stress and periodic:
        virials = [stress_of(atoms) * atoms.get_volume() for atoms in (first, second)]
        xx, yy, zz, yz, xz, xy = (virials[0] + virials[1]) / 2
        by_stress = float(np.sum(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * (strain + strain.T) / 2))
    return distance, energy_of(second) - energy_of(first), by_force, by_stress


def _is_one(factor: float) -> bool:
    return 1 / TOLERANCE <= factor <= TOLERANCE


def _diagnose_forces(factor: float) -> str:
    """Interpret a factor: as a sign, as the nearest unit, or as a number."""
    if _is_one(-factor):
        return "have the wrong sign"
    sign = "have the wrong sign and " if factor < 0 else ""
    unit = min(UNITS, key=lambda unit: abs(np.log(abs(factor) / unit)))
    if abs(np.log(abs(factor) / unit)) <= np.log(TOLERANCE) / 2:
        return f"{sign}are probably in {UNITS[unit]}"
    return f"are not the derivatives of the energies, but would be if they were {factor:.2g} times as large"
