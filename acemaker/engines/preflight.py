"""Preflight of a potential: before a run, results of LAMMPS are compared with those of pyace alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.engines.forces import Forces
from acemaker.engines.workers import Workers
from acemaker.errors import EngineError
from acemaker.formatting.summary import number
from acemaker.lammps import script
from acemaker.lammps.box import by_tag, held_atoms, put_structure
from acemaker.lammps.library import open_lammps
from acemaker.lammps.paths import PlainPaths
from acemaker.potentials.evaluator import Evaluator

RATTLE = 0.05
"""Standard deviation of the displacements of the cell on which the two are compared, Å."""

TOLERANCES = {"energy": 1e-9, "forces": 1e-9, "pressure": 1e-6, "gamma": 1e-6}
"""Limits of the differences: eV/atom, eV/Å, and relative for pressure and gamma."""

SINGLE = {"energy": 1e-5, "forces": 1e-4, "pressure": 1e-3, "gamma": 1e-6}
"""Limits with a calculator as baseline, which may compute in single precision and on many threads."""

UNIT = 1e-14
"""Rounding error of a sum relative to its largest terms, including those of the neighbors' positions."""

HARMLESS = {"energy": 1e-6, "forces": 1e-5, "pressure": 1e-4, "gamma": 1e-3}
"""Rounding errors, in the units of `TOLERANCES`, with which a run is started."""

REMEDY = (
    "Increase the displacements of the first structures (first_rattle), their number (n_first) or regularization, or "
    "lower n_functions"
)


@dataclass(frozen=True, kw_only=True)
class LammpsResult:
    """Results of LAMMPS for one structure.

    Attributes
    ----------
    atoms : Atoms
        Structure in LAMMPS's standard form.
    energy, pressure : float
        Energy relative to the reference energies, eV, and pressure, bar.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grade.
    """

    atoms: Atoms
    energy: float
    pressure: float
    forces: np.ndarray
    gamma: np.ndarray


Run = Callable[[Evaluator, Atoms, float], LammpsResult]


def run_here(evaluator: Evaluator, atoms: Atoms, skin: float, workers: Workers | None = None) -> LammpsResult:
    """Evaluate one structure with LAMMPS in this process, where forces, energy and virial come from the callback."""
    lmp = open_lammps()
    try:
        with contextlib.closing(PlainPaths()) as paths:
            results = _run(lmp, evaluator, atoms, skin, paths, workers)
        return LammpsResult(**results, energy=float(lmp.get_thermo("pe")), pressure=float(lmp.get_thermo("press")))
    finally:
        lmp.close()


def preflight(evaluator: Evaluator, structure: Atoms, skin: float, run: Run = run_here) -> dict[str, float]:
    """Compare LAMMPS with pyace and its own neighbor list on a rattled cell.

    Parameters
    ----------
    evaluator
        Potential.
    structure
        Structure to be simulated.
    skin
        Margin of LAMMPS's neighbor list, Å.
    run
        Function that evaluates a structure with LAMMPS.

    Returns
    -------
    dict of str to float
        The largest differences, by the names of `TOLERANCES`. LAMMPS's forces, from the fast evaluator on its list plus
        the baseline, are compared with those of the graded evaluator on pyace's list plus the baseline.

    Raises
    ------
    EngineError
        If a difference exceeds its limit, or if gamma is zero.
    """
    atoms = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.positions += np.random.default_rng(0).normal(scale=RATTLE, size=atoms.positions.shape)
    result = run(evaluator, atoms, skin)
    expected = evaluator.structure(result.atoms)
    assert expected.gamma is not None
    if not expected.gamma.max() > 0:
        raise EngineError("gamma is zero on a rattled cell: the active set was not loaded; train the potential again")
    differences = {
        "energy": abs(result.energy - expected.energy) / len(atoms),
        "forces": float(np.abs(result.forces - expected.forces).max()),
        # gamma of an atom without neighbors is zero
        "gamma": float((np.abs(result.gamma - expected.gamma) / np.where(expected.gamma, expected.gamma, 1)).max()),
        "pressure": 0.0,
    }
    if atoms.pbc.all():
        pressures = -expected.virial[:3] / result.atoms.get_volume() * script.BAR_A3_PER_EV
        differences["pressure"] = abs(result.pressure - pressures.mean()) / max(np.abs(pressures).max(), 1.0)
    exact = evaluator.baseline is None or evaluator.baseline.in_lammps
    tolerances = TOLERANCES if exact else SINGLE
    exceeded = [name for name, limit in tolerances.items() if not differences[name] <= limit]
    if exceeded:
        rounding = _rounding(evaluator, result.atoms)
        if all(differences[name] <= min(rounding.errors[name], HARMLESS[name]) for name in exceeded):
            return differences
        if all(differences[name] <= rounding.errors[name] for name in exceeded):
            raise EngineError(
                "LAMMPS and pyace differ by rounding errors on a rattled cell ("
                + ", ".join(f"{name} by {number(differences[name])}" for name in exceeded)
                + f"), since {rounding.cause}. {REMEDY}"
            )
        raise EngineError(
            "LAMMPS and pyace disagree on a rattled cell, so no run is started: "
            + ", ".join(f"{name} by {number(differences[name])} (limit {tolerances[name]:g})" for name in exceeded)
            + "; the versions of lammps and python-ace may be incompatible: reinstall those of pyproject.toml"
        )
    return differences


@dataclass(frozen=True, kw_only=True)
class _Rounding:
    """Rounding errors that a potential explains, by the names of `TOLERANCES`, and their cause."""

    errors: dict[str, float]
    cause: str


def _rounding(evaluator: Evaluator, atoms: Atoms) -> _Rounding:
    energy, of_energy, gamma, of_gamma = evaluator.amplification(atoms)
    errors = {"energy": UNIT * energy, "forces": 10 * UNIT * energy, "pressure": UNIT * energy, "gamma": UNIT * gamma}
    causes = []
    if errors["forces"] > TOLERANCES["forces"]:
        causes.append(
            f"the fit is nearly singular: the energy of an atom of {of_energy} is a sum of terms of {number(energy)} "
            "eV, which cancel"
        )
    if errors["gamma"] > TOLERANCES["gamma"]:
        causes.append(
            f"the labeled environments of {of_gamma} are too similar: gamma is a sum of terms of {number(gamma)} times "
            "its value"
        )
    return _Rounding(errors=errors, cause=", and ".join(causes) or "the potential amplifies them")


def _run(
    lmp: Any, evaluator: Evaluator, atoms: Atoms, skin: float, paths: PlainPaths, workers: Workers | None
) -> dict[str, Any]:
    """Evaluate one structure in the setup of a LAMMPS run."""
    results: dict[str, Any] = {}
    for command in script.header_commands(bool(atoms.pbc.all())):
        lmp.command(command)
    put_structure(lmp, atoms, evaluator.elements, triclinic=False)
    commands = script.callback_commands(evaluator.cutoff, evaluator.baseline, paths.quote)
    lists = script.neighbor_commands(skin) + script.molecule_commands(skin, bool(atoms.pbc.all()))
    for command in lists + commands:
        lmp.command(command)
    potential = Forces(lmp, evaluator, workers)

    def callback(_: Any, __: int, nlocal: int, tags: np.ndarray, ___: Any, forces: np.ndarray) -> None:
        try:
            graded, fast = (potential.evaluate(nlocal, graded=graded) for graded in (True, False))
            forces[:] = fast.forces
            lmp.fix_external_set_energy_global("ace", fast.energy)
            lmp.fix_external_set_virial_global("ace", -fast.virial)
            results["atoms"] = held_atoms(lmp, nlocal, evaluator.elements)
            results["gamma"] = by_tag(graded.gamma, tags) if graded.gamma is not None else None
        except BaseException as error:
            results["error"] = error

    lmp.set_fix_external_callback("ace", callback, None)
    lmp.command("fix ensemble all nve")
    lmp.command("run 0")
    if "error" in results:
        raise results.pop("error")
    forces = lmp.numpy.extract_atom("f")[: len(atoms)]
    results["forces"] = by_tag(forces, lmp.numpy.extract_atom("id")[: len(atoms)])
    return results
