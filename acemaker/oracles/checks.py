"""Checks of a structure before it is labeled, and of its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic
from ase.units import GPa

from acemaker.errors import Cause, OracleError
from acemaker.structures.computed import stress_of
from acemaker.structures.geometry import closeness


def check_geometry(atoms: Atoms, min_distance: float) -> None:
    """Check that a structure can be labeled; most programs return huge numbers otherwise, without an error.

    Parameters
    ----------
    atoms
        The structure.
    min_distance
        Minimum pair distance, as a fraction of the sum of covalent radii; 0 for any distance.

    Raises
    ------
    OracleError
        If positions or cell are not finite, or two atoms, including periodic images, are closer.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise OracleError("expected finite positions and cell, got NaN or infinity", Cause.BAD_STRUCTURE)
    if not min_distance or not (atoms.pbc.all() or not atoms.pbc.any()):
        return
    close = closeness(atoms)
    if close.share < min_distance:
        raise OracleError(
            f"two atoms are {close.distance:.3f} Å apart, {close.share:.2f} of the sum of their covalent radii; "
            f"min_label_distance allows {min_distance:g}",
            Cause.BAD_STRUCTURE,
        )


STILL = 1e-4
"""Å; conversions of units and text files change positions and cells by less, which changes forces negligibly."""


def check_unmoved(atoms: Atoms, after: Atoms) -> None:
    """Check that an oracle has labeled the structure that it was asked for.

    A structure that was shifted as a whole, atoms that were moved by vectors of the cell, and another box of a cluster
    are the same structure.

    Parameters
    ----------
    atoms
        The structure that was to be labeled.
    after
        The structure of the label, or the object that the oracle received, after its call.

    Raises
    ------
    OracleError
        If atoms, positions, or the cell of a periodic structure differ.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Cu", cubic=True)
    >>> after = atoms.copy()
    >>> after.translate(2.0)
    >>> check_unmoved(atoms, after)
    >>> after.positions[0, 0] += 0.1
    >>> check_unmoved(atoms, after)
    Traceback (most recent call last):
    ...
    acemaker.errors.OracleError: ...: the oracle has moved atoms by up to 0.1 Å: its energy and forces are those of ...
    """
    if len(after) != len(atoms) or not np.array_equal(after.numbers, atoms.numbers):
        raise _nonsense(
            f"the oracle has replaced, added or reordered atoms ({atoms.symbols} became {after.symbols}): its energy "
            "and forces are those of another structure"
        )
    if np.array_equal(after.positions, atoms.positions) and (
        not atoms.pbc.any() or np.array_equal(after.cell.array[atoms.pbc], atoms.cell.array[atoms.pbc])
    ):
        return
    if not (np.isfinite(after.positions).all() and np.isfinite(after.cell.array).all()):
        raise _nonsense("the oracle has changed positions or cell to NaN or infinity")
    remedy = (
        "its energy and forces are those of another structure. Compute those of the structure as it is, without a "
        "relaxation or random displacements"
    )
    strain = float(np.abs(after.cell.array - atoms.cell.array)[atoms.pbc].max(initial=0.0))
    if not strain <= STILL:
        raise _nonsense(f"the oracle has changed the cell by up to {strain:.2g} Å: {remedy}")
    steps = after.positions - atoms.positions
    steps = steps - steps[0]  # a shift of all atoms
    moved = find_mic(steps, atoms.cell, atoms.pbc)[0] if atoms.pbc.any() else steps
    largest = float(np.linalg.norm(moved - 0.5 * (moved.min(axis=0) + moved.max(axis=0)), axis=1).max(initial=0.0))
    if not largest <= STILL:
        largest = float(np.linalg.norm(moved - np.median(moved, axis=0), axis=1).max())
        raise _nonsense(f"the oracle has moved atoms by up to {largest:.2g} Å: {remedy}")


ODD_PRESSURE = 20.0
"""Pressure in GPa; initial structures, strained by a few percent, exceed it only if they are stiff, or with a wrong
lattice constant. It counts if the pressure of the undistorted structure is unknown."""

ODD_LENGTH = 0.04
"""Relative change of length until the undistorted structure is at rest; thermal expansion is less."""

START_PRESSURE, TARGET_PRESSURE = "start_pressure_GPa", "target_pressure_GPa"
"""Entries in the ``info`` of initial structures: the oracle's pressure of the undistorted structure, and that of the
barostat at the first step, if it is not zero."""


def noted_pressure(structures: Sequence[Atoms]) -> tuple[float, float] | None:
    """Return the pressures of `START_PRESSURE` and `TARGET_PRESSURE`, GPa; None if they are not noted."""
    info = structures[0].info if structures else {}
    return (float(info[START_PRESSURE]), float(info.get(TARGET_PRESSURE, 0.0))) if START_PRESSURE in info else None


def pressure_remark(labels: Sequence[Atoms], undistorted: tuple[float, float] | None = None) -> str:
    """Return a remark on an unusual mean pressure of the initial structures.

    Distorted structures of a stiff material have a high pressure, and those of a soft one a low pressure even if the
    lattice constant is another material's. If the pressure of the undistorted structure is known, the remark depends on
    the change of length until this structure is at rest.

    Parameters
    ----------
    labels
        Labeled structures.
    undistorted
        The oracle's pressure of the undistorted structure and that of the barostat, GPa, from `noted_pressure`.

    Returns
    -------
    str
        Empty if the pressure is usual, or if no label has a stress.
    """
    labels = [atoms for atoms in labels if "stress" in atoms.calc.results]
    if not labels:
        return ""
    pressures = [pressure_of(atoms) for atoms in labels]
    mean = float(np.mean(pressures))
    remark = (
        f"the initial structures have a mean pressure of {mean:.{0 if abs(mean) >= 10 else 1}f} GPa; if this is not "
        "intended, check lattice_constant or the structure file"
    )
    if undistorted is None:
        return remark if abs(mean) >= ODD_PRESSURE else ""
    start, target = undistorted
    stiffness = _stiffness([atoms.get_volume() for atoms in labels], pressures)
    length = (start - target) / stiffness if stiffness else 0.0
    if abs(length) < ODD_LENGTH and (stiffness or abs(start - target) < ODD_PRESSURE):
        return ""
    requested = f" instead of {target:g} GPa" if target else ""
    size = f": lengths are about {100 * abs(length):.0f} % too {'small' if length > 0 else 'large'}" if length else ""
    return f"{remark}. The oracle's pressure of the undistorted structure is {start:.1f} GPa{requested}{size}"


def pressure_of(labeled: Atoms) -> float:
    """Return the pressure of a labeled structure in GPa."""
    return float(-np.mean(stress_of(labeled)[:3]) / GPa)


def _stiffness(volumes: Sequence[float], pressures: Sequence[float]) -> float:
    """Return the increase of the pressure, GPa, per relative decrease of length; zero if it is unknown."""
    lengths = np.log(volumes) / 3
    if np.ptp(lengths) < 1e-3:
        return 0.0
    slope = -float(np.polyfit(lengths - lengths.mean(), pressures, 1)[0])
    return max(slope, 0.0)


def check_label(labeled: Atoms, max_force: float, max_net_force: float = float("inf")) -> None:
    """Check that a label is complete, finite and plausible.

    Parameters
    ----------
    labeled
        A structure with energy, forces and, optionally, stress.
    max_force
        Maximum force component in eV/Å.
    max_net_force
        Maximum norm of the sum of forces in eV/Å per atom; without an external field the sum is zero.

    Raises
    ------
    OracleError
        If a result is missing, not finite or too large.
    """
    results = labeled.calc.results if labeled.calc is not None else {}
    for name in ("energy", "forces"):
        if name not in results:
            raise _nonsense(f"expected a structure with {name}, got no {name}")
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        "energy": ((), (1,)),
        "forces": ((len(labeled), 3),),
        "stress": ((6,), (3, 3)),
    }
    for name in (name for name in shapes if name in results):
        check_values(name, results[name], *shapes[name])
    forces = np.asarray(results["forces"])
    largest = float(np.abs(forces).max(initial=0.0))
    if largest > max_force:
        raise _nonsense(f"the largest force component is {largest:.3g} eV/Å, above max_force {max_force:g}")
    net = float(np.linalg.norm(forces.sum(axis=0))) / max(len(labeled), 1)
    if net > max_net_force:
        raise _nonsense(f"forces add up to {net:.3g} eV/Å per atom, above max_net_force {max_net_force:g}")


def check_values(name: str, value: object, *shapes: tuple[int, ...]) -> np.ndarray:
    """Check that a result of an oracle consists of finite real numbers and has the right shape.

    Parameters
    ----------
    name
        Name of the result, for the error message.
    value
        Any object.
    *shapes
        Shapes that are accepted.

    Returns
    -------
    ndarray of float
        The values; a result with one element is a number if ``()`` is accepted.

    Raises
    ------
    OracleError
        For complex or masked numbers, objects, strings, other shapes, NaN and infinity.

    Examples
    --------
    >>> check_values("energy", [-3.5], (), (1,))
    array(-3.5)
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        n_masked = int(np.ma.getmaskarray(value).sum())
        raise _nonsense(f"expected {name} without masked values, got {n_masked} masked ones")
    try:
        array = np.asarray(value)
    except Exception as error:  # ragged lists, tensors that require a gradient or are on another device
        raise _nonsense(f"expected {name} as an array of numbers, got {type(value).__name__}: {error}") from error
    if array.dtype.kind == "c":
        raise _nonsense(f"expected real numbers in {name}, got complex ones ({array.dtype})")
    if array.dtype.kind not in "fiu":
        raise _nonsense(f"expected numbers in {name}, got {type(value).__name__} of type {array.dtype}")
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes) if shapes[0] else "one number"
        raise _nonsense(f"expected {name} of shape {expected}, got {array.shape}")
    if not np.isfinite(array).all():
        raise _nonsense(f"expected a finite {name}, got NaN or infinity")
    values: np.ndarray = array.astype(float).reshape(()) if () in shapes else array.astype(float)
    return values


def _nonsense(message: str) -> OracleError:
    return OracleError(message, Cause.NONSENSE)


def voigt(stress: np.ndarray) -> np.ndarray:
    """Return a stress, shape (6,) or (3, 3), as (xx, yy, zz, yz, xz, xy)."""
    if stress.shape == (6,):
        return stress
    symmetric = 0.5 * (stress + stress.T)
    return np.array([*np.diag(symmetric), symmetric[1, 2], symmetric[0, 2], symmetric[0, 1]])


def with_plain_results(labeled: Atoms) -> Atoms:
    """Return a label whose energy is a number and whose stress has six components; it has passed `check_label`.

    Parameters
    ----------
    labeled
        Label of any oracle, which is returned itself if nothing has to be converted.
    """
    results: dict[str, Any] = dict(labeled.calc.results)
    energy, stress = np.asarray(results["energy"]), np.asarray(results.get("stress", 0.0))
    if energy.ndim == 0 and stress.shape != (3, 3):
        return labeled
    results["energy"] = float(energy.reshape(()))
    if stress.shape == (3, 3):
        results["stress"] = voigt(stress.astype(float))
    plain = labeled.copy()
    plain.calc = SinglePointCalculator(plain, **results)
    return plain
