"""Units of LAMMPS's files."""

from __future__ import annotations

from typing import Any

from ase import Atoms

from acemaker.errors import ConfigError

UNITS = ("metal", "real", "electron", "nano", "micro", "si", "cgs")
"""LAMMPS's units that have lengths; those of 'lj' do not."""

STILL = 0.01
"""Temperature of velocities, K, below which they are probably in another unit: a thousandth as fast as they should."""


def check_units(units: str, where: str) -> None:
    """Check that units have lengths.

    Raises
    ------
    ConfigError
        If they do not, or do not exist.
    """
    if units not in UNITS:
        raise ConfigError(
            f"{where}: the file is in LAMMPS's units '{units}', whose lengths are not defined; convert it to 'metal'"
        )


def converted(units: str, quantity: str, value: Any) -> Any:
    """Convert a number or an array to ASE's units: Å, u, and those of its velocities.

    Parameters
    ----------
    units
        Units of the file.
    quantity
        "distance", "mass" or "velocity".
    value
        The number or array.
    """
    from ase.calculators.lammps import convert

    if units in ("metal", "real") and quantity != "velocity":
        return value  # in Å and u: the value of a file remains as it is
    return convert(value, quantity, units, "ASE")


def check_velocities(atoms: Atoms, units: str | None, where: str, *, remedy: str) -> None:
    """Check that velocities of a file without units are those of 'metal': those of 'real' are in Å/fs, not Å/ps."""
    temperature = float(atoms.get_temperature()) if len(atoms) else 0.0
    if units is None and 0 < temperature < STILL:
        raise ConfigError(
            f"{where}: LAMMPS's file does not state its units; in 'metal' (Å/ps) its velocities have a temperature of "
            f"{temperature:.2g} K, in 'real' (Å/fs) {1e6 * temperature:.3g} K. State the units in {remedy}, e.g. "
            "'units = real', or remove the velocities"
        )
