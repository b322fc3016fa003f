"""Comparison of an oracle's forces with its energies: sum, sign, unit, and constraints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from ase.units import Bohr, Hartree, Rydberg, kcal, kJ, mol

from acemaker.formatting.summary import counted, number
from acemaker.oracles.label_calls import LabelValues
from acemaker.oracles.oracle_check import Finding
from acemaker.oracles.ratios import Hypothesis, nearest_hypothesis

SMALL = 1e-4
"""Change of the energy in eV below which a ratio says nothing."""

BONDED = 1.5
"""Distance in units of the sum of covalent radii up to which two atoms act on each other in any oracle."""

LEAST_ZEROS = 3
"""Number of force components that are exactly zero from which they are no coincidence: those of one fixed atom."""


def sum_of_forces(first: LabelValues, limit: float) -> Finding:
    """Compare the norm of the sum of forces with a limit in eV/Å per atom."""
    net = float(np.linalg.norm(first.forces.sum(axis=0))) / len(first.forces)
    value, name = f"{number(net)} eV/Å per atom", "sum of forces"
    if net <= limit:
        return Finding(name, value, math.nan, "ok")
    return Finding(
        name,
        value,
        math.nan,
        "wrong",
        f"{number(net)} eV/Å per atom, expected at most {limit:g}: forces are missing, belong to other atoms, or there "
        "is an external field",
    )


def constrained_forces(probe: Atoms, first: LabelValues) -> list[Finding]:
    """Find forces that a constraint has set to zero, which a step along the forces does not show; empty without any.

    All atoms of the distorted structure are displaced in all directions, so no force between neighbors vanishes. A
    direction in which all forces are zero is another matter: then the energy may not depend on it.
    """
    cutoffs = BONDED * covalent_radii[probe.numbers]
    neighbored = np.zeros(len(probe), dtype=bool)
    neighbored[neighbor_list("i", probe, cutoffs)] = True
    zero = (first.forces == 0) & neighbored[:, None] & first.forces.any(axis=0)
    if zero.sum() < LEAST_ZEROS:
        return []
    atoms = np.flatnonzero(zero.any(axis=1))
    listed = ", ".join(map(str, atoms[:6])) + (", …" if len(atoms) > 6 else "")
    value = f"exactly zero on {counted(len(atoms), 'atom')}"
    words = (
        f"constraints were applied to the forces: {'all' if zero[atoms].all() else 'some'} components are {value} "
        f"({listed}) with neighbors, in a distorted structure. Call get_forces(apply_constraint=False), or remove the "
        "constraints in the oracle (atoms.set_constraint()); atoms are frozen by constraints of the initial structure"
    )
    return [Finding("forces of each atom", value, math.nan, "wrong", words)]


@dataclass(frozen=True)
class ForceResult:
    """Finding about the forces, and the factor by which the energy is wrong, 1 if it is not."""

    finding: Finding
    energy_factor: float


def compare_forces(first: LabelValues, second: LabelValues, step: np.ndarray, *, per_atom: bool | None) -> ForceResult:
    """Compare the change of the energy along a step with that predicted by the forces, by the trapezoidal rule."""
    name = "energy and forces"
    change = second.energy - first.energy
    powers = [-float((label.forces * step).sum()) for label in (first, second)]
    predicted, curvature = 0.5 * sum(powers), 0.5 * abs(powers[1] - powers[0])
    value = f"ΔE {number(change)}, by forces {number(predicted)} eV"
    if max(abs(change), abs(predicted)) < max(SMALL, 0.3 * curvature):  # the force changes its sign on the way
        return ForceResult(Finding(name, value, math.nan, "skipped", "too small to be judged"), 1.0)
    ratio = change / predicted if predicted else math.inf
    if not (first.forces.any() or second.forces.any()):
        words = "all forces are zero, although the energy depends on the positions"
        return ForceResult(Finding(name, value, ratio, "wrong", words), 1.0)
    if abs(change - predicted) <= 0.02 * abs(predicted) + 0.05 * curvature:
        return ForceResult(Finding(name, value, ratio, "ok"), 1.0)
    n_atoms = len(first.forces)
    energies = {
        1 / Hartree: "energies are in Hartree; multiply them by 27.2114 (ase.units.Hartree)",
        1 / Rydberg: "energies are in Rydberg; multiply them by 13.6057 (ase.units.Rydberg)",
        mol / kcal: "energies are in kcal/mol; multiply them by 0.0433641 (ase.units.kcal / ase.units.mol)",
        mol / kJ: "energies are in kJ/mol; multiply them by 0.0103643 (ase.units.kJ / ase.units.mol)",
        1e3: "energies are in meV; divide them by 1000",
    }
    if per_atom is not False and n_atoms > 1:
        per = {1 / n_atoms: "the energy is per atom; multiply it by len(atoms)"}
        energies = per if per_atom else energies | per
    forces = {
        Hartree / Bohr: "forces are in Hartree/bohr; multiply them by 51.4221 (ase.units.Hartree / ase.units.Bohr)",
        Hartree: "forces are in Hartree/Å; multiply them by 27.2114 (ase.units.Hartree)",
        Rydberg / Bohr: "forces are in Rydberg/bohr; multiply them by 25.7110 (ase.units.Rydberg / ase.units.Bohr)",
        Rydberg: "forces are in Rydberg/Å; multiply them by 13.6057 (ase.units.Rydberg)",
        1 / Bohr: "forces are in eV/bohr (divide them by 0.529177), or energies are in Hartree and forces in "
        "Hartree/bohr, or in Rydberg and Rydberg/bohr (see ase.units)",
        Bohr: "forces were multiplied by 1.88973 instead of 0.529177, or positions are in bohr (see ase.units.Bohr)",
        1e-3: "forces are in meV/Å; divide them by 1000",
        kcal / mol: "forces are in kcal/mol/Å; multiply them by 0.0433641 (ase.units.kcal / ase.units.mol)",
        kJ / mol: "forces are in kJ/mol/Å; multiply them by 0.0103643 (ase.units.kJ / ase.units.mol)",
    }
    hypotheses = [Hypothesis(factor, words) for factor, words in [*energies.items(), *forces.items()]]
    negated = [
        Hypothesis(-item.ratio, f"{item.words}; and their sign is wrong, negate the forces") for item in hypotheses
    ]
    sign = Hypothesis(-1.0, "forces have the wrong sign, they are the gradient; negate them")
    match = nearest_hypothesis(ratio, [sign, *hypotheses, *negated])
    if match is not None:
        words = f"the energy changes by {number(ratio)} times what the forces predict: {match.words}"
        factor = abs(match.ratio) if abs(match.ratio) in energies else 1.0
        return ForceResult(Finding(name, value, ratio, "wrong", words), factor)
    if 0.67 < ratio < 1.5:
        words = (
            f"the energy changes by {number(ratio)} times what the forces predict: converge the calculation better; "
            "a potential that is cut off without a smooth end does this, too"
        )
        return ForceResult(Finding(name, value, ratio, "warning", words), 1.0)
    words = (
        f"the energy changes by {number(ratio)} times what the forces predict, which is the ratio of no known units: "
        "check the units, the order of atoms and components, and whether the energy belongs to the forces (with "
        "smearing, the free energy)"
    )
    return ForceResult(Finding(name, value, ratio, "wrong", words), 1.0)
