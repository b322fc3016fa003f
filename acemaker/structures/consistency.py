"""Whether the forces and stresses of labels are what their energies say: signs, units, and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms

from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import mask_of

NEAR = 0.6
"""Å, largest displacement of an atom between two structures whose energies are compared: beyond, more than the mean
force counts."""

STRAINED = 0.02
"""Largest strain between two such structures, for the same reason."""

MOST = 200
"""Pairs that are compared, the nearest of them."""

ENOUGH, LITTLE = 0.8, 0.5
"""Shares of the variance of energy differences: with the first explained all is understood, below the other nothing."""

TOLERANCE = 0.3
"""Share by which an estimated factor may miss 1 or a unit of forces: structures that are far apart say no more."""

UNITS = {
    51.42: "Hartree/Bohr",
    25.71: "Ry/Bohr",
    27.21: "Hartree/Å",
    13.61: "Ry/Å",
    1 / 23.06: "kcal/mol/Å",
    1 / 96.49: "kJ/mol/Å",
    1e-3: "meV/Å",
}
"""Units in which forces may come instead of eV/Å, by the factor that they lack."""


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
    n_pairs : int
        Pairs of structures that were compared.
    """

    force: float
    stress: float
    explained: float
    n_pairs: int

    def words(self) -> str:
        """Say what it looks like; nothing where energies, forces and stresses agree."""
        if self.n_pairs < 2:
            return ""
        if self.explained < LITTLE:
            return (
                "forces and stresses, whatever their signs and units, explain little of the differences between the "
                f"energies ({max(self.explained, 0):.0%}): the oracle may not be deterministic, or not converged"
            )
        if _is_one(-self.stress):  # whatever else: in large strains forces say little
            return "the stresses have the wrong sign"
        if not _is_one(self.force):
            return f"the forces {_force_words(self.force)}"
        if not _is_one(self.stress):
            return "the stresses are in another unit than eV/Å^3, GPa say"
        return ""


UNKNOWN = Consistency(force=1.0, stress=1.0, explained=float("nan"), n_pairs=0)
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
    best = UNKNOWN
    for free in (), (0,), (1,), (0, 1):
        columns = said[:, free]
        if len(measured) <= len(free) or not (np.abs(columns).max(axis=0, initial=0) > 1e-9).all():
            continue
        factors = np.ones(2)
        fixed = measured - said @ factors + columns @ factors[list(free)]
        factors[list(free)] = np.linalg.lstsq(columns, fixed, rcond=None)[0] if free else []
        explained = 1 - float(np.sum((measured - said @ factors) ** 2)) / total
        if not explained <= best.explained:
            force, stress = map(float, factors)
            best = Consistency(force=force, stress=stress, explained=explained, n_pairs=len(measured))
        if explained > ENOUGH:
            break
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
    return abs(factor - 1) <= TOLERANCE


def _force_words(factor: float) -> str:
    """Say what a factor looks like: a sign, the nearest unit, or only a number."""
    if _is_one(-factor):
        return "have the wrong sign"
    sign = "have the wrong sign and " if factor < 0 else ""
    unit = min(UNITS, key=lambda unit: abs(np.log(abs(factor) / unit)))
    if abs(np.log(abs(factor) / unit)) <= np.log1p(TOLERANCE):
        return f"{sign}look as if they were in {UNITS[unit]}"
    return f"are not the derivative of the energies, but would be if they were {factor:.2g} times as large"
