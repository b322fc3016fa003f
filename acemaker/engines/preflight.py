"""Before a potential runs: LAMMPS, with the callback behind it, must say what pyace says by itself."""

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
"""Å, displacement of the cell on which the two are compared."""

TOLERANCES = {"energy": 1e-9, "forces": 1e-9, "pressure": 1e-6, "gamma": 1e-6}
"""eV/atom, eV/Å, and relative differences of the other two."""

SINGLE = {"energy": 1e-5, "forces": 1e-4, "pressure": 1e-3, "gamma": 1e-6}
"""The same over a calculator, which may compute in single precision and on many threads."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What LAMMPS says of one structure.

    Attributes
    ----------
    atoms : Atoms
        The structure as LAMMPS holds it.
    energy, pressure : float
        eV, above the reference energies, and bar.
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


Run = Callable[[Evaluator, Atoms, float], Seen]


def run_here(evaluator: Evaluator, atoms: Atoms, skin: float, workers: Workers | None = None) -> Seen:
    """Let a LAMMPS of this process take forces, energy and virial of one structure from the callback."""
    lmp = open_lammps()
    try:
        with contextlib.closing(PlainPaths()) as paths:
            seen = _run(lmp, evaluator, atoms, skin, paths, workers)
        return Seen(**seen, energy=float(lmp.get_thermo("pe")), pressure=float(lmp.get_thermo("press")))
    finally:
        lmp.close()


def preflight(evaluator: Evaluator, structure: Atoms, skin: float, run: Run = run_here) -> dict[str, float]:
    """Compare LAMMPS with pyace's own neighbour list on a rattled cell.

    Parameters
    ----------
    evaluator
        The potential.
    structure
        What is to be simulated.
    skin
        Å, margin of LAMMPS's neighbour list.
    run
        Lets a LAMMPS evaluate a structure.

    Returns
    -------
    dict of str to float
        The largest differences, by the names of `TOLERANCES`. Forces are LAMMPS's, from the fast evaluator on
        its list and the baseline, against those of the graded evaluator on pyace's list and the baseline alone.

    Raises
    ------
    EngineError
        If one is too large, or if gamma is zero: such a run could not be trusted.
    """
    atoms = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.positions += np.random.default_rng(0).normal(scale=RATTLE, size=atoms.positions.shape)
    seen = run(evaluator, atoms, skin)
    found = seen.atoms
    expected = evaluator.structure(found)
    assert expected.gamma is not None
    if not expected.gamma.max() > 0:
        raise EngineError("gamma is zero on a rattled cell: the active set was not loaded; train the potential anew")
    differences = {
        "energy": abs(seen.energy - expected.energy) / len(atoms),
        "forces": float(np.abs(seen.forces - expected.forces).max()),
        "gamma": float(np.abs(seen.gamma / expected.gamma - 1).max()),
        "pressure": 0.0,
    }
    if atoms.pbc.all():
        pressures = -expected.virial[:3] / found.get_volume() * script.BAR_A3_PER_EV
        differences["pressure"] = abs(seen.pressure - pressures.mean()) / max(np.abs(pressures).max(), 1.0)
    exact = evaluator.baseline is None or evaluator.baseline.in_lammps
    tolerances = TOLERANCES if exact else SINGLE
    wrong = [name for name, limit in tolerances.items() if not differences[name] <= limit]
    if wrong:
        raise EngineError(
            "LAMMPS and pyace disagree on a rattled cell, so no run is started: "
            + ", ".join(f"{name} by {number(differences[name])} (limit {tolerances[name]:g})" for name in wrong)
            + "; the versions of lammps and python-ace may not fit each other: reinstall those of pyproject.toml"
        )
    return differences


def _run(
    lmp: Any, evaluator: Evaluator, atoms: Atoms, skin: float, paths: PlainPaths, workers: Workers | None
) -> dict[str, Any]:
    """Evaluate one structure in LAMMPS's set-up."""
    seen: dict[str, Any] = {}
    for command in script.header_commands(bool(atoms.pbc.all())):
        lmp.command(command)
    put_structure(lmp, atoms, evaluator.elements, triclinic=False)
    commands = script.callback_commands(evaluator.cutoff, evaluator.baseline, paths.quote)
    for command in script.neighbour_commands(skin) + commands:
        lmp.command(command)
    potential = Forces(lmp, evaluator, workers)

    def callback(_: Any, __: int, nlocal: int, tags: np.ndarray, ___: Any, forces: np.ndarray) -> None:
        try:
            graded, fast = (potential.evaluate(nlocal, graded=graded) for graded in (True, False))
            forces[:] = fast.forces
            lmp.fix_external_set_energy_global("ace", fast.energy)
            lmp.fix_external_set_virial_global("ace", -fast.virial)
            seen["atoms"] = held_atoms(lmp, nlocal, evaluator.elements)
            seen["gamma"] = by_tag(graded.gamma, tags) if graded.gamma is not None else None
        except BaseException as error:
            seen["error"] = error

    lmp.set_fix_external_callback("ace", callback, None)
    lmp.command("fix ensemble all nve")
    lmp.command("run 0")
    if "error" in seen:
        raise seen.pop("error")
    forces = lmp.numpy.extract_atom("f")[: len(atoms)]
    seen["forces"] = by_tag(forces, lmp.numpy.extract_atom("id")[: len(atoms)])
    return seen
