"""A cheap oracle tried out before a campaign is made: its pair style set up, one energy asked for."""

from __future__ import annotations

import difflib
import re

from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import ConfigError
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.process import INLINE, is_inline
from acemaker.structures.computed import energy_of

LINE = re.compile(r"ERROR(?: on proc \d+)?: (.*?)(?: \(\S+:\d+\))?$")
"""Of LAMMPS, without the place in its source."""


def try_oracle(config: OracleConfig, atoms: Atoms) -> None:
    """Ask for the energy of a structure, where that takes no more than a moment.

    What LAMMPS says of a pair style comes only once it is set up; found at the first labels, it would fail them all.

    Parameters
    ----------
    config
        The oracle; only ``'emt'`` and ``'lammps'`` are tried, where they label in this process.
    atoms
        One that it will have to do with; it is not changed.

    Raises
    ------
    ConfigError
        If there is none; says what the calculator said.
    """
    if config.oracle not in INLINE or not is_inline(config):
        return
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    factory = calculator_factory(config, elements)
    work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    try:
        work.calc = factory()
        energy_of(work)
    except Exception as error:  # LAMMPS's own, and whatever wrong arguments raise
        fields = "pair_style, pair_coeff" if config.oracle == "lammps" else "oracle"
        raise ConfigError(
            f"OracleConfig.{fields}: the '{config.oracle}' oracle cannot label the initial structure: "
            f"{_said(error)}{_meant(config, str(error))}"
        ) from error


def _said(error: Exception) -> str:
    """Shorten LAMMPS's words to the error, and the command that it is about."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if match := LINE.search(line):
            command = next((one for one in lines[number + 1 :] if one.startswith("Last")), "").partition(": ")[2]
            return f"LAMMPS says '{match[1]}'" + (f" to '{command}'" if command else "")
    return f"it raised {type(error).__name__}: {error}".rstrip(": ")


def _meant(config: OracleConfig, said: str) -> str:
    """Name the pair style that was probably meant."""
    if "nrecognized pair style" not in said:
        return ""
    from acemaker.lammps.library import open_lammps

    lammps = open_lammps()
    try:
        styles = lammps.available_styles("pair")
    finally:
        lammps.close()
    close = difflib.get_close_matches(config.pair_style.split()[0], styles, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
