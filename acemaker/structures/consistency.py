"""Whether the forces and stresses of labels are what their energies say: signs, units, and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from ase import Atoms

from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import mask_of

NEAR = 0.5
"""Å, largest displacement of an atom between two structures whose energies are compared: beyond, more than the mean
force counts."""

LEAST = 0.02
"""eV, differences of energies from which on they say something: SCF cycles leave less."""

STRAINED = 0.02
"""Largest strain between two such structures, for the same reason."""

MOST = 200
"""Pairs that are compared, the nearest of them."""

ENOUGH, LITTLE = 0.8, 0.5
"""Shares of the variance of energy differences: with the first explained all is understood, below the other nothing."""

TOLERANCE = 2.5
"""Factor by which an estimate may miss 1 or a unit: where forces are far from linear in the displacements, correct ones
come out as a half of what they are."""

UNITS = {
    51.42: "Hartree/Bohr or another atomic unit",
    25.71: "Ry/Bohr or another atomic unit",
    13.61: "Ry/Å or another atomic unit",
    1 / 23.06: "kcal/mol/Å",
    1 / 96.49: "kJ/mol/Å",
    1e-3: "meV/Å",
}
"""Units in which forces may come instead of eV/Å, by the factor that they lack."""

HUGE = 10.0
"""Times larger than energy differences what stresses say of them must be, to be in another unit."""


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """How the differences between energies compare with what forces and stresses say of them.

    Attributes
    ----------
    force, stress : float
        Factors by which forces and stresses would have to be multiplied; 1 where all is well, or they say nothing.
    explained : float
        Share of the variance of energy differences that forces and stresses with these factors explain; NaN without
        pairs.
    as_given : float
        The same without any factor; negative where forces and stresses say less than nothing.
    n_pairs : int
        Pairs of structures that were compared.
    """

    force: float
    stress: float
    explained: float
    as_given: float
    n_pairs: int

    def words(self) -> str:
        """Say what it looks like; nothing where energies, forces and stresses agree, or may agree."""
        if self.n_pairs < 2:
            return ""
        if self.explained < LITTLE or (self.as_given < 0 and self.explained < ENOUGH):
            return (
                "forces and stresses, whatever their signs and units, explain little of the differences between the "
                f"energies ({max(self.explained, 0):.0%}): the oracle may not be deterministic, or not converged, or "
                "give forces in another order of atoms"
            )
        if self.explained < ENOUGH:
            return ""
        if not _is_one(self.force):
            return f"the forces {_force_words(self.force)}"
        if self.stress < 0:
            return "the stresses have the wrong sign"
        if not _is_one(self.stress):
            return "the stresses are in another unit than eV/Å^3, GPa say"
        return ""


UNKNOWN = Consistency(force=1.0, stress=1.0, explained=float("nan"), as_given=float("nan"), n_pairs=0)
"""Where there are no structures to be compared."""


def consistency(labels: Sequence[Atoms]) -> Consistency:
    """Compare the energies of labels that are close to one another with their forces and stresses.

    Between two structures the energy changes by minus the mean force times the displacement, plus volume times mean
    stress times strain, up to terms of third order (the trapezoidal rule).

    Parameters
    ----------
    labels
        Structures with energy, forces and, where there is one, stress. Those of which only some atoms count are left
        out.

    Returns
    -------
    Consistency
        With as few factors other than 1 as explain the energies.
    """
    whole = [atoms for atoms in labels if mask_of(atoms) is None]
    rows = [row for one, two in combinations(whole, 2) if (row := _compare(one, two)) is not None]
    if not rows:
        return UNKNOWN
    _, measured, by_force, by_stress = map(np.array, zip(*sorted(rows)[:MOST], strict=True))
    said, total = np.column_stack([by_force, by_stress]), max(float(np.sum(measured**2)), 1e-30)
    if np.sqrt(total / len(measured)) < LEAST:
        return UNKNOWN
    sizes = np.sqrt(np.sum(said**2, axis=0) / total)

    def explained(force: float, stress: float) -> float:
        return 1 - float(np.sum((measured - force * said[:, 0] - stress * said[:, 1]) ** 2)) / total

    as_given = explained(1.0, 1.0)
    best = Consistency(force=1.0, stress=1.0, explained=as_given, as_given=as_given, n_pairs=len(measured))
    for index in 0, 1:  # as few factors as will do, and of stresses only what cannot be chance
        if best.explained > ENOUGH:
            break
        if len(measured) < 2 or sizes[index] < 1e-9:
            continue
        fixed = measured - said[:, 1 - index]
        factor = float(said[:, index] @ fixed / np.sum(said[:, index] ** 2))
        if index == 1 and not (sizes[1] > HUGE or (sizes[1] > 1 / TOLERANCE and -TOLERANCE < factor < -1 / TOLERANCE)):
            continue
        force, stress = (factor, 1.0) if index == 0 else (1.0, factor)
        if (share := explained(force, stress)) > best.explained:
            best = replace(best, force=force, stress=stress, explained=share)
    return best


def _compare(one: Atoms, two: Atoms) -> tuple[float, float, float, float] | None:
    """Return displacement, energy difference, and what forces and stresses say of it; None where that says nothing."""
    if len(one) != len(two) or (one.numbers != two.numbers).any() or (one.pbc != two.pbc).any():
        return None
    periodic = bool(one.pbc.all())
    if periodic:
        shifts = two.get_scaled_positions(wrap=False) - one.get_scaled_positions(wrap=False)
        cell = (one.cell.array + two.cell.array) / 2
        moved = (shifts - np.round(shifts)) @ cell
        strain = np.linalg.solve(cell, two.cell.array - one.cell.array)
    else:
        moved, strain = two.positions - one.positions, np.zeros((3, 3))
    moved = moved - moved.mean(axis=0)
    distance = float(np.linalg.norm(moved, axis=1).max())
    has_stress = all("stress" in atoms.calc.results for atoms in (one, two))
    largest = float(np.abs(strain).max())
    if distance > NEAR or largest > STRAINED or (largest > 1e-6 and not has_stress):
        return None
    by_force = -float(np.sum((forces_of(one) + forces_of(two)) / 2 * moved))
    by_stress = 0.0
    if has_stress and periodic:
        xx, yy, zz, yz, xz, xy = (stress_of(one) * one.get_volume() + stress_of(two) * two.get_volume()) / 2
        by_stress = float(np.sum(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * (strain + strain.T) / 2))
    return distance, energy_of(two) - energy_of(one), by_force, by_stress


def _is_one(factor: float) -> bool:
    return 1 / TOLERANCE <= factor <= TOLERANCE


def _force_words(factor: float) -> str:
    """Say what a factor looks like: a sign, the nearest unit, or only a number."""
    if _is_one(-factor):
        return "have the wrong sign"
    sign = "have the wrong sign and " if factor < 0 else ""
    unit = min(UNITS, key=lambda unit: abs(np.log(abs(factor) / unit)))
    if abs(np.log(abs(factor) / unit)) <= np.log(TOLERANCE) / 2:
        return f"{sign}look as if they were in {UNITS[unit]}"
    return f"are not the derivative of the energies, but would be if they were {factor:.2g} times as large"
