"""Phonon bands from finite displacements, and their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.analysis.samples import Crystal
from acemaker.structures.computed import forces_of
from acemaker.structures.per_atom import MASSES

SHORTEST = 10.0
"""Å, minimum distance between opposite faces of the supercell."""

DISPLACEMENT = 0.01
"""Å."""

POINTS = 120
"""Number of points of the path through the Brillouin zone."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the number of calls, and the number of atoms of each; no calls without phonopy."""
    n_atoms = crystal.n_atoms * round(abs(np.linalg.det(crystal.supercell(SHORTEST))))
    try:
        return len(_displaced(crystal, crystal.primitive).supercells_with_displacements), n_atoms
    except NotApplicable:
        return 0, n_atoms


def phonons(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Displace atoms of a supercell, and diagonalize the dynamical matrix along a path.

    Parameters
    ----------
    crystal
        Determines the supercell.
    calculator
        Must provide forces.
    relaxed
        The relaxed primitive cell.

    Returns
    -------
    Measured
        Lowest and highest frequency, THz, at the points of the zone boundary that are invariant under time reversal,
        and the highest at Γ if there are optical modes; imaginary ones are negative. ``curves`` has the bands.

    Raises
    ------
    NotApplicable
        If phonopy is not installed.

    References
    ----------
    Togo, J. Phys. Soc. Jpn. 92, 012001 (2023).
    """
    phonon = _displaced(crystal, relaxed)
    forces = []
    for cell in phonon.supercells_with_displacements:
        atoms = Atoms(cell.symbols, scaled_positions=cell.scaled_positions, cell=cell.cell, pbc=True)
        atoms.calc = calculator
        forces.append(forces_of(atoms))
    phonon.forces = forces
    phonon.produce_force_constants(show_drift=False)
    phonon.symmetrize_force_constants()
    path = relaxed.cell.bandpath(npoints=POINTS)
    names = [name for name in sorted(path.special_points) if _is_edge(name, path.special_points[name], len(relaxed))]
    values = []
    for name, frequencies in zip(
        names, _frequencies(phonon, [path.special_points[name] for name in names]), strict=True
    ):
        point = "Γ" if name == "G" else name
        if name != "G":
            values.append(Value(name=f"phonons at {point}, lowest", unit="THz", value=float(frequencies.min())))
        values.append(Value(name=f"phonons at {point}, highest", unit="THz", value=float(frequencies.max())))
    along, ticks, labels = path.get_linear_kpoint_axis()
    return Measured(
        values=tuple(values),
        curves={
            "along": along,
            "bands": _frequencies(phonon, path.kpts),
            "ticks": ticks,
            "labels": ["Γ" if name == "G" else name for name in labels],
        },
    )


def _displaced(crystal: Crystal, primitive: Atoms) -> Any:
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError as error:
        raise NotApplicable(f"requires phonopy ({error}): pip install 'acemaker[physics]'") from error
    cell = PhonopyAtoms(
        symbols=list(primitive.symbols),
        cell=primitive.cell.array,
        scaled_positions=primitive.get_scaled_positions(),
        masses=crystal.primitive.arrays.get(MASSES),  # those of the elements if None
    )
    # phonopy has lattice vectors in columns
    phonon = Phonopy(cell, crystal.supercell(SHORTEST).T, primitive_matrix=np.eye(3), symprec=1e-3, log_level=0)
    phonon.generate_displacements(distance=DISPLACEMENT)
    return phonon


def _frequencies(phonon: Any, points: Any) -> np.ndarray:
    phonon.run_qpoints(np.array(points))
    frequencies: np.ndarray = phonon.qpoints.frequencies
    return frequencies


def _is_edge(name: str, point: np.ndarray, n_atoms: int) -> bool:
    """Return whether bands are flat at a point by symmetry: where q and -q are equivalent."""
    if name == "G":
        return n_atoms > 1
    return bool(np.allclose(2 * point, np.round(2 * point), atol=1e-6))
