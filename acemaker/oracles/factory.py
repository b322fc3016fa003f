"""Makes any ASE calculator, by a built-in name or a dotted path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ase.calculators.calculator import BaseCalculator, all_changes

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError
from acemaker.lammps.pair_coeff import check_order, find_file, split_coeff
from acemaker.lammps.paths import oracle_paths
from acemaker.utils.dotted_path import imported

WORD = re.compile(r"[\w.+*/:=,@ -]+", re.ASCII)
"""What a word of a pair_coeff command may be made of: nothing that LAMMPS expands, quotes or continues."""

CalculatorFactory = Callable[[], BaseCalculator]


def calculator_factory(config: OracleConfig, elements: tuple[str, ...]) -> CalculatorFactory:
    """Return a callable that makes a fresh calculator for each label.

    Parameters
    ----------
    config
        Name and arguments.
    elements
        Elements of the system; the order of LAMMPS's types.

    Returns
    -------
    callable

    Raises
    ------
    ConfigError
        If a dotted path leads nowhere, or a potential or pseudopotential file does not exist or suit.
    OracleError
        If a program is missing.
    MissingLibraryError
        If a package is.
    """
    if config.oracle == "emt":
        from ase.calculators.emt import EMT

        return lambda: EMT(**config.oracle_arguments)
    if config.oracle == "lammps":
        commands = pair_commands(config, elements)
        return lambda: lammps_calculator(commands, elements)
    if config.oracle == "espresso":
        from acemaker.oracles.espresso import check_espresso, espresso_calculator

        check_espresso(config, elements)
        return lambda: espresso_calculator(config, elements)
    if config.oracle == "tblite":
        tblite = _tblite()  # which may be missing
        return lambda: tblite(**{"verbosity": 0, **config.oracle_arguments})
    factory = imported(config.oracle, "OracleConfig.oracle", "returns an ASE calculator")
    return lambda: factory(**config.oracle_arguments)


def pair_commands(config: OracleConfig, elements: tuple[str, ...] = ()) -> list[str]:
    """Write the pair commands of the 'lammps' oracle, files of LAMMPS's collection with their paths.

    Parameters
    ----------
    config
        Pair style and coefficients.
    elements
        Elements in the order of LAMMPS's types, to be compared with those that ``* *`` coefficients name.

    Returns
    -------
    list of str

    Raises
    ------
    ConfigError
        If a coefficient holds a line break, quotation marks that do not match, a file that is neither here nor in the
        collection, or elements in another order than that of the types, which would label every structure wrongly.
    """
    field, quote = "OracleConfig.pair_coeff", oracle_paths().quote
    commands = [f"pair_style {config.pair_style}"]
    for arguments in config.pair_coeff:
        words = split_coeff(arguments, field)
        check_order(words, elements, field)
        files = {word: file for word in words if (file := find_file(word, field)) is not None}
        for word in words:
            if word not in files and not WORD.fullmatch(word):
                raise ConfigError(f"{field}: expected plain words, numbers and file names, got {word!r}")
        if set("\n\r") & set(arguments) and not set("\n\r") & set("".join(files)):
            raise ConfigError(f"{field}: expected the arguments of one command, in one line, got {arguments!r}")
        named = [quote(files[word]) if word in files else f'"{word}"' if " " in word else word for word in words]
        commands.append(" ".join(["pair_coeff", *named]))
    return commands


def lammps_calculator(commands: list[str], elements: tuple[str, ...], *, keep_alive: bool = False) -> BaseCalculator:
    """Make ASE's calculator around LAMMPS's library.

    Parameters
    ----------
    commands
        Pair styles and coefficients.
    elements
        In the order of LAMMPS's types.
    keep_alive
        Whether one LAMMPS serves all calls, which must then be of one cell.
    """
    from acemaker.lammps.library import load_lammps

    load_lammps()
    from ase.calculators.lammpslib import LAMMPSlib

    types = {element: number for number, element in enumerate(elements, start=1)}
    return LAMMPSlib(lmpcmds=commands, atom_types=types, log_file=None, keep_alive=keep_alive)


def _tblite() -> Callable[..., BaseCalculator]:
    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise MissingLibraryError(f"tblite cannot be imported ({error}); pip install tblite") from error

    class Molecular(TBLite):  # type: ignore[misc]  # theirs has no types
        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
            if atoms is not None and atoms.pbc.any():
                # cells of 8 and 64 silicon atoms differ by 0.45 eV/atom: labels of one surface they are not
                raise OracleError(
                    "the 'tblite' oracle labels molecules only, since it samples a crystal's Gamma point alone; for "
                    "one cell size at your own risk: oracle='tblite.ase:TBLite'",
                    Cause.BAD_STRUCTURE,
                )
            super().calculate(atoms, ["energy"] if properties is None else properties, system_changes)

    return Molecular
