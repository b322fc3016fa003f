"""Check that an ensemble suits a structure."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.errors import StructureError
from acemaker.lammps.conditions import check_strain, conditions_of

VACUUM = 5.0
"""Width of a layer without atoms, Å, from which it is vacuum; layers of crystals, also of layered ones, are closer."""


def check_ensemble(config: EngineConfig, structure: Atoms) -> None:
    """Raise an error if the ensemble does not suit the structure.

    Parameters
    ----------
    config
        Settings of the engine.
    structure
        Structure to be simulated.

    Raises
    ------
    StructureError
        For a barostat around a cluster, with frozen atoms, or that would change the width of a vacuum, and for external
        conditions that do not suit the structure.
    """
    for stage in config.protocol:
        try:
            _check_stage(stage.settings, structure)
        except StructureError as error:
            if not config.stages:
                raise
            raise StructureError(f"EngineConfig.stages, stage {stage.number}: {error}") from error
    check_strain(config, structure)


def _check_stage(config: EngineConfig, structure: Atoms) -> None:
    """Check one stage of a run."""
    conditions_of(config, structure)
    if not config.has_barostat:
        return
    if not structure.pbc.all():
        raise StructureError(
            f"EngineConfig.ensemble: {config.ensemble!r} needs a periodic structure, got a cluster; choose 'nvt', or "
            "set a cell and periodic boundary conditions"
        )
    if "frozen" in structure.arrays:
        n_frozen = int(structure.arrays["frozen"].sum())
        raise StructureError(
            f"EngineConfig.ensemble: {config.ensemble!r} changes the cell and would move the {n_frozen} frozen atoms "
            f"of {len(structure)} with it; choose 'nvt', 'csvr' or 'langevin', or remove the constraint"
        )
    _check_vacuum(config, structure)


def vacuum_widths(structure: Atoms) -> np.ndarray:
    """Return the widest layer without atoms along each lattice vector.

    Parameters
    ----------
    structure
        A periodic structure.

    Returns
    -------
    ndarray, shape (3,)
        Å, measured perpendicular to the other two vectors. It is a few Å in a crystal.

    Examples
    --------
    >>> from ase.build import fcc111
    >>> slab = fcc111("Al", (2, 2, 3), vacuum=8.0, periodic=True)
    >>> [round(float(width), 1) for width in vacuum_widths(slab)]
    [0.8, 0.8, 16.0]
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(structure.cell.array), axis=0)
    scaled = np.sort(structure.get_scaled_positions(wrap=True), axis=0)
    gaps = np.diff(np.vstack([scaled, scaled[:1] + 1]), axis=0)
    widths: np.ndarray = gaps.max(axis=0) * heights
    return widths


def _check_vacuum(config: EngineConfig, structure: Atoms) -> None:
    """Refuse a barostat that would change the width of a vacuum, which resists no pressure."""
    widths = vacuum_widths(structure)
    empty = [axis for axis, width in zip("xyz", widths, strict=True) if width > VACUUM]
    if not set(empty) & set(config.changed_lengths):
        return
    filled = "".join(axis for axis in "xyz" if axis not in empty)
    along = ", ".join(f"{widths['xyz'.index(axis)]:.3g} Å along {axis}" for axis in empty)
    choices = {
        0: "choose ensemble='nvt'",
        1: f"choose pressure_coupling={filled!r}, which changes the length along {filled} only, or ensemble='nvt'",
        2: f"choose pressure_coupling={filled!r}, which changes the lengths along {' and '.join(filled)} by one factor "
        f"({' '.join(filled)!r}: independently), or ensemble='nvt'",
    }
    field = "pressure_components" if config.pressure_components else "pressure_coupling"
    moved = config.changed_lengths if config.pressure_components else config.pressure_coupling
    raise StructureError(
        f"EngineConfig.{field}: the structure contains vacuum ({along}), which the barostat with "
        f"{moved!r} would close or widen; {choices[len(filled)]}"
    )
