"""Factory of ASE calculators, by a built-in name or a dotted path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ase.calculators.calculator import BaseCalculator, all_changes

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError
from acemaker.lammps.pair_coeff import check_order, find_file, split_coeff
from acemaker.lammps.paths import oracle_paths
from acemaker.utils.dotted_path import import_callable

WORD = re.compile(r"[\w.+*/:=,@ -]+", re.ASCII)
"""Characters allowed in a pair_coeff command: none that LAMMPS expands, quotes or continues."""

CalculatorFactory = Callable[[], BaseCalculator]


def calculator_factory(config: OracleConfig, elements: tuple[str, ...]) -> CalculatorFactory:
    """Return a callable that creates a new calculator for each label.

    Parameters
    ----------
    config
        The oracle's name and arguments.
    elements
        Elements of the system; the order of LAMMPS's types.

    Returns
    -------
    callable

    Raises
    ------
    ConfigError
        If a dotted path cannot be imported, or if a potential or pseudopotential file is missing or unsuitable.
    OracleError
        If a program is missing.
    MissingLibraryError
        If a package is missing.
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
        tblite = _tblite()
        return lambda: tblite(**{"verbosity": 0, **config.oracle_arguments})
    factory = import_callable(config.oracle, "OracleConfig.oracle", "returns an ASE calculator")
    return lambda: factory(**config.oracle_arguments)


def pair_commands(config: OracleConfig, elements: tuple[str, ...] = ()) -> list[str]:
    """Return the pair commands of the 'lammps' oracle, with paths of files of LAMMPS's collection.

    Parameters
    ----------
    config
        Pair style and coefficients.
    elements
        Elements in the order of LAMMPS's types, which are compared with those in ``* *`` coefficients.

    Returns
    -------
    list of str

    Raises
    ------
    ConfigError
        If a coefficient contains a line break, unmatched quotation marks, a file that is neither in the current folder
        nor in the collection, or elements in an order other than that of the types, which would make every label wrong.
    """
    field, quote = "OracleConfig.pair_coeff", oracle_paths().quote
    commands = [f"pair_style {config.pair_style}"]
    for arguments in config.pair_coeff:
        words = split_coeff(arguments, field)
        check_order(words, elements, field)
        files = {word: file for word in words if (file := find_file(word, field)) is not None}
        for word in words:
            if word not in files and not WORD.fullmatch(word):
                raise ConfigError(f"{field}: expected plain names, numbers and file names, got {word!r}")
        if set("\n\r") & set(arguments) and not set("\n\r") & set("".join(files)):
            raise ConfigError(f"{field}: expected the arguments of one command, on one line, got {arguments!r}")
        quoted = [quote(files[word]) if word in files else f'"{word}"' if " " in word else word for word in words]
        commands.append(" ".join(["pair_coeff", *quoted]))
    return commands


def lammps_calculator(commands: list[str], elements: tuple[str, ...], *, keep_alive: bool = False) -> BaseCalculator:
    """Create ASE's calculator of LAMMPS's library.

    Parameters
    ----------
    commands
        Pair styles and coefficients.
    elements
        Elements in the order of LAMMPS's types.
    keep_alive
        Whether one LAMMPS instance is used for all calls, which requires that all structures have the same cell.
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

    class Molecular(TBLite):  # type: ignore[misc]  # tblite has no types
        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
            if atoms is not None and atoms.pbc.any():
                # cells of 8 and 64 silicon atoms differ by 0.45 eV/atom, so labels of crystals would be inconsistent
                raise OracleError(
                    "the 'tblite' oracle labels only molecules, since it samples only the Gamma point of a crystal; to "
                    "use it for a single cell size at your own risk, set oracle='tblite.ase:TBLite'",
                    Cause.BAD_STRUCTURE,
                )
            super().calculate(atoms, ["energy"] if properties is None else properties, system_changes)

    return Molecular
