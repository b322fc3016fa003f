"""Check of an oracle by a few calls: whether energy, forces and stress belong together, and in which units they are.

The forces are the derivative of the energy with respect to the positions, and the stress with respect to a strain. A
step along the forces, or along a strain, changes the energy by the integral of that derivative; the ratio of the two
is 1, or betrays a unit: 27.2114 is Hartree, 51.4221 is Hartree/bohr, 160.2177 is GPa, -1 is a sign, and 1 / n_atoms is
an energy per atom.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from acemaker.formatting.summary import number
from acemaker.oracles.force_consistency import SMALL, compare_forces, constrained_forces, sum_of_forces
from acemaker.oracles.label_calls import Label, LabelCalls, LabelValues
from acemaker.oracles.oracle_check import Finding, OracleCheck
from acemaker.oracles.stress_consistency import SHEAR, apply_strain, check_stress
from acemaker.structures.per_atom import bare_copy

MAX_CALLS = 9
"""Maximum number of calls of a check."""

CHEAP = 1.0
"""Seconds per label up to which an oracle is checked before a campaign is created."""

LOADING = 15.0
"""Seconds that the first label may take if the second one is cheap: a model is loaded, or a function compiled."""

DISPLACEMENT, RATTLE = 0.02, 0.07
"""Largest displacement of an atom along the forces, and standard deviation of the initial displacements, Å."""

PRESTRAIN = 0.02
"""Strain of the checked structure."""

BOX = 12.0
"""Edge of the box of an isolated atom in a periodic system, Å."""


def check_consistency(
    label: Label,
    atoms: Atoms,
    name: str = "",
    *,
    cheap: float | None = None,
    isolated: bool = True,
    max_net_force: float = 0.1,
) -> OracleCheck:
    """Check an oracle by at most nine calls.

    Parameters
    ----------
    label
        Returns a labeled copy of a structure: energy in eV, forces in eV/Å, and possibly the stress in eV/Å^3.
    atoms
        A structure that the oracle should label. A distorted copy is labeled, since symmetry would hide errors.
    name
        Name of the oracle for the record.
    cheap
        Seconds per label; the check ends after one or two calls if they take longer. None for no limit.
    isolated
        Whether isolated atoms are labeled, too.
    max_net_force
        Maximum norm of the sum of forces in eV/Å per atom.

    Returns
    -------
    OracleCheck

    Raises
    ------
    OracleError
        If the structure cannot be labeled, or the label is no energy with forces.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker.oracles.consistency import check_consistency
    >>> from acemaker.testing import ToyOracle
    >>> check = check_consistency(ToyOracle().label, bulk("Cu", cubic=True), "toy", isolated=False)
    >>> check.passed, check.n_calls
    (True, 6)
    """
    run = LabelCalls(label)
    probe = distorted(atoms)
    first = run(probe)
    seconds = run.seconds
    complete = _is_cheap(seconds, cheap)
    findings = [sum_of_forces(first, max_net_force), *constrained_forces(probe, first)]
    if complete or (cheap is not None and seconds <= LOADING):
        again = run(probe)
        seconds = min(seconds, run.seconds)
        findings.append(_repetition(first, again))
        complete = _is_cheap(seconds, cheap)
    if complete:
        size = run.try_call(_doubled(probe))
        per_atom = _is_per_atom(first, size)
        moved = _moved(probe, first.forces)
        force = compare_forces(first, run(moved), moved.positions - probe.positions, per_atom=per_atom)
        findings.append(force.finding)
        if first.stress is not None:
            findings.append(check_stress(run, probe, first, force.energy_factor))
        findings.append(_extensivity(first, size, len(probe), periodic=bool(probe.pbc.any())))
    has_stress, stress_failure = run.has_stress, run.stress_failure
    if complete and isolated:
        findings.append(_isolated_atoms(run, probe, first))
    return OracleCheck(
        name=name or "of your own",
        n_atoms=len(probe),
        n_calls=run.calls,
        seconds=seconds,
        findings=tuple(findings),
        has_stress=has_stress,
        is_complete=complete,
        stress_failure=stress_failure,
    )


def distorted(atoms: Atoms) -> Atoms:
    """Return a distorted copy of a structure, in which neither forces nor shear stresses vanish by symmetry.

    Parameters
    ----------
    atoms
        The structure; a single atom in a periodic cell is repeated, since no force acts on it.

    Returns
    -------
    Atoms
    """
    work = bare_copy(atoms)
    if len(work) == 1 and work.pbc.all():
        work = bare_copy(work.repeat((2, 1, 1)))
    if work.pbc.all():
        apply_strain(work, PRESTRAIN * SHEAR)
    noise = np.random.default_rng(20).normal(scale=RATTLE, size=(len(work), 3))
    work.positions += np.clip(noise, -2 * RATTLE, 2 * RATTLE)
    return work


def _is_cheap(seconds: float, cheap: float | None) -> bool:
    return cheap is None or seconds <= cheap


def _doubled(atoms: Atoms) -> Atoms:
    """Repeat a periodic structure along its shortest vector; put a second cluster far from the first one."""
    if atoms.pbc.any():
        axis = int(np.argmin(np.where(atoms.pbc, atoms.cell.lengths(), np.inf)))
        return bare_copy(atoms.repeat(np.where(np.arange(3) == axis, 2, 1)))
    other = atoms.copy()
    other.positions[:, 0] += np.ptp(atoms.positions[:, 0]) + 15.0
    return bare_copy(atoms + other)


def _moved(atoms: Atoms, forces: np.ndarray) -> Atoms:
    """Move the atoms along the forces and, half of it, along random directions, which forces may be wrong in."""
    noise = np.random.default_rng(21).normal(size=forces.shape)
    step = forces / max(np.linalg.norm(forces), 1e-30) + 0.5 * noise / np.linalg.norm(noise)
    work = bare_copy(atoms)
    work.positions += step * DISPLACEMENT / max(float(np.linalg.norm(step, axis=1).max()), 1e-30)
    return work


def _repetition(first: LabelValues, again: LabelValues) -> Finding:
    energy = abs(first.energy - again.energy) / len(first.forces)
    forces = float(np.abs(first.forces - again.forces).max(initial=0.0))
    name = "same structure twice"
    if energy == 0 and forces == 0:
        return Finding(name, "equal", math.nan, "ok")
    value = f"{number(1e3 * energy)} meV/atom, {number(1e3 * forces)} meV/Å"
    if energy < 1e-5 and forces < 1e-3:
        return Finding(name, value, math.nan, "ok")
    if energy < 5e-3 and forces < 0.05:
        return Finding(name, value, math.nan, "warning", "labels are not reproducible; converge the calculation better")
    return Finding(
        name,
        value,
        math.nan,
        "wrong",
        f"two labels of the same structure differ by {value}: the oracle is random, or it depends on earlier calls",
    )


def _extensivity(first: LabelValues, double: LabelValues | str, n_atoms: int, *, periodic: bool) -> Finding:
    name = "doubled cell" if periodic else "two copies"
    if isinstance(double, str):
        return Finding(name, "–", math.nan, "skipped", f"cannot be labeled ({double})")
    if abs(first.energy) < SMALL and abs(double.energy) < SMALL:
        return Finding(name, "–", math.nan, "skipped", "the energy is zero")
    deviation = (double.energy - 2 * first.energy) / (2 * n_atoms)
    ratio = double.energy / first.energy if first.energy else math.inf
    value = f"{number(1e3 * deviation)} meV/atom"
    if _is_per_atom(first, double):
        return Finding(
            name, value, ratio, "wrong", "it has the same energy: the energy is per atom; multiply it by len(atoms)"
        )
    if abs(deviation) < 2e-3:
        return Finding(name, value, ratio, "ok")
    return Finding(
        name,
        value,
        ratio,
        "warning",
        f"the energy per atom changes by {value}: labels of cells of different size are inconsistent; choose k-points "
        "by their density, not by their number, and enough of them",
    )


def _is_per_atom(first: LabelValues, double: LabelValues | str) -> bool | None:
    """Return whether a doubled structure has the same energy; None if that cannot be judged."""
    if isinstance(double, str) or abs(first.energy) < SMALL:
        return None
    ratio = double.energy / first.energy
    return True if abs(ratio - 1) < 0.05 else False if abs(ratio - 2) < 0.1 else None


def _isolated_atoms(run: LabelCalls, probe: Atoms, first: LabelValues) -> Finding:
    """Label each element alone, as far as the number of calls allows, and compare with the structure."""
    name = "isolated atoms"
    symbols = probe.get_chemical_symbols()
    elements = sorted(set(symbols), key=symbols.count, reverse=True)[: MAX_CALLS - run.calls]
    energies: dict[str, float] = {}
    for element in elements:
        periodic = bool(probe.pbc.all())
        atom = Atoms(element, [[0.5 * BOX] * 3], cell=[BOX] * 3 if periodic else None, pbc=periodic)
        result = run.try_call(atom)
        if isinstance(result, str):
            return Finding(name, "–", math.nan, "skipped", f"{element} cannot be labeled alone ({result})")
        if (force := float(np.abs(result.forces).max())) > 0.05:
            words = f"a force of {number(force)} eV/Å acts on a single {element} atom, expected none"
            return Finding(name, f"{element}: {number(force)} eV/Å", math.nan, "warning", words)
        energies[element] = result.energy
    if len(elements) < len(set(symbols)):
        return Finding(
            name, ", ".join(f"{symbol} {energy:.6g} eV" for symbol, energy in energies.items()), math.nan, "ok"
        )
    binding = (sum(energies[symbol] for symbol in symbols) - first.energy) / len(symbols)
    value = f"bound by {number(binding)} eV/atom"
    if binding > 15:
        words = f"no solid is bound by {number(binding)} eV/atom: energy and forces may both be in kcal/mol or kJ/mol"
        return Finding(name, value, math.nan, "warning", words)
    if binding < 0.2 and not set(symbols) <= {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}:
        words = (
            "the atoms are hardly bound: energy and forces may both be in Hartree or Rydberg, or the oracle does not "
            "describe isolated atoms (their spin)"
        )
        return Finding(name, value, math.nan, "warning", words)
    return Finding(name, value, math.nan, "ok")
