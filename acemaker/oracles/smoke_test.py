"""Smoke test of a cheap oracle before a campaign is created: one energy of the initial structure."""

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
"""Error message of LAMMPS, without the position in its source."""


def try_oracle(config: OracleConfig, atoms: Atoms) -> None:
    """Compute the energy of a structure with an inline oracle, which takes only a moment.

    LAMMPS reports errors of a pair style only when it is set up, i.e. otherwise at the first labels, which would all
    fail.

    Parameters
    ----------
    config
        The oracle; only ``'emt'`` and ``'lammps'`` are tried, and only if they label in this process.
    atoms
        A structure that the oracle will label; it is not changed.

    Raises
    ------
    ConfigError
        If the calculation fails, with the message of the calculator.
    """
    if config.oracle not in INLINE or not is_inline(config):
        return
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    factory = calculator_factory(config, elements)
    work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    try:
        work.calc = factory()
        energy_of(work)
    except Exception as error:  # errors of LAMMPS, and any exception caused by wrong arguments
        fields = "pair_style, pair_coeff" if config.oracle == "lammps" else "oracle"
        raise ConfigError(
            f"OracleConfig.{fields}: the '{config.oracle}' oracle cannot label the initial structure: "
            f"{_error_message(error)}{_suggestion(config, str(error))}"
        ) from error


def _error_message(error: Exception) -> str:
    """Reduce a message of LAMMPS to the error and the command that caused it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if match := LINE.search(line):
            command = next((line for line in lines[number + 1 :] if line.startswith("Last")), "").partition(": ")[2]
            return f"LAMMPS reports '{match[1]}'" + (f" for '{command}'" if command else "")
    return f"it raised {type(error).__name__}: {error}".rstrip(": ")


def _suggestion(config: OracleConfig, message: str) -> str:
    """Suggest a similar pair style if the pair style is unknown."""
    if "nrecognized pair style" not in message:
        return ""
    from acemaker.lammps.library import open_lammps

    lammps = open_lammps()
    try:
        styles = lammps.available_styles("pair")
    finally:
        lammps.close()
    close = difflib.get_close_matches(config.pair_style.split()[0], styles, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
