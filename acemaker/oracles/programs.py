"""GPAW, ABINIT, CP2K and VASP by their names: ASE's calculators with checked arguments, and clear errors if missing.

Their arguments are those of ASE's calculators, in ASE's units (cutoffs in eV). A calculator works in the folder of its
label.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator

from acemaker.config import OracleConfig
from acemaker.config.base import nearest
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError

ABINIT_FILES = "/usr/share/abinit/psp"
"""Debian's folder of ABINIT's pseudopotentials."""

CP2K_FILES = "/usr/share/cp2k"
"""Debian's folder of CP2K's basis sets and potentials."""

CP2K_SHELLS = ("cp2k_shell.psmp", "cp2k_shell.ssmp", "cp2k_shell", "cp2k_shell.popt")
"""Names of CP2K's shell, the first that exists is used."""

FIELD = "OracleConfig.oracle_arguments"

PLAIN_VALUE = re.compile(r"[\w.+*/, -]*", re.ASCII)
"""Characters of a text in a program's input: none that begins another line, a comment or another file."""

FILE_VARIABLE = re.compile(r"(path|file|prefix|dir|string)s?$")
"""End of the names of ABINIT's variables that name files."""


def gpaw_factory(config: OracleConfig, elements: tuple[str, ...]) -> Callable[[], BaseCalculator]:
    """Return a callable that creates a calculator of GPAW.

    Parameters
    ----------
    config
        The arguments, among them ``mode``.
    elements
        Elements of the system.

    Raises
    ------
    MissingLibraryError
        If GPAW is not installed.
    ConfigError
        If ``mode`` is missing.
    """
    del elements
    arguments = config.oracle_arguments
    _require(arguments, "gpaw", "mode", "{'mode': {'name': 'pw', 'ecut': 400}, 'xc': 'PBE', 'kpts': {'density': 3.5}}")
    _check_points(arguments)
    try:
        from gpaw import GPAW
    except ImportError as error:
        raise MissingLibraryError(
            f"gpaw cannot be imported ({error}); install it by 'make gpaw', or by apt-get install libxc-dev and pip "
            "install gpaw"
        ) from error

    def make() -> BaseCalculator:
        calculator: BaseCalculator = GPAW(**{"txt": "gpaw.txt", **arguments})
        return calculator

    return make


def abinit_factory(config: OracleConfig, elements: tuple[str, ...]) -> Callable[[], BaseCalculator]:
    """Return a callable that creates a calculator of ABINIT.

    Parameters
    ----------
    config
        Variables of ABINIT's input, with ``ecut`` in eV; ``pps`` and ``xc`` choose the pseudopotentials, which are
        searched for in ``pp_path``, else in ``$ABINIT_PP_PATH``, else in Debian's folder.
    elements
        Elements of the system.

    Raises
    ------
    OracleError
        If ABINIT is not installed.
    ConfigError
        If ``ecut`` is missing, a variable names a file, or an element has no pseudopotential.
    """
    arguments = dict(config.oracle_arguments)
    _require(arguments, "abinit", "ecut", "{'ecut': 400, 'pps': 'fhi', 'xc': 'PBE', 'kpts': 3.5}")
    folder = str(arguments.pop("pp_path", "")) or os.environ.get("ABINIT_PP_PATH") or ABINIT_FILES
    for name, value in arguments.items():
        if not re.fullmatch(r"[a-zA-Z]\w*", name) or FILE_VARIABLE.search(name):
            raise ConfigError(f"{FIELD}: {name!r} is not accepted; expected variables of ABINIT that name no files")
        _check_value(name, value)
    install = "apt-get install abinit abinit-data, or conda install -c conda-forge abinit"
    program = _program(("abinit",), "abinit", install)
    from ase.calculators.abinit import Abinit, AbinitProfile
    from ase.data import atomic_numbers
    from ase.io.abinit import get_ppp_list

    paths = [str(Path(path).expanduser()) for path in folder.split(os.pathsep)]
    settings = {"pps": "fhi", "xc": "LDA", **{name: arguments[name] for name in ("pps", "xc") if name in arguments}}
    missing = []
    for element in elements:
        try:
            get_ppp_list(None, [atomic_numbers[element]], True, settings["xc"], settings["pps"], paths)
        except (RuntimeError, OSError, KeyError):
            missing.append(element)
    if missing:
        raise ConfigError(
            f"{FIELD}: there is no pseudopotential of {', '.join(missing)} with pps={settings['pps']!r} and "
            f"xc={settings['xc']!r} in {folder}; choose other pps and xc, or set pp_path to a folder of ABINIT's files"
        )
    variables = {"chksymbreak": 0, "chksymtnons": 0, **arguments}

    def make() -> BaseCalculator:
        profile = AbinitProfile(command=program, pp_paths=paths)
        calculator: BaseCalculator = Abinit(profile=profile, directory=".", **variables)
        return calculator

    return make


def cp2k_factory(config: OracleConfig, elements: tuple[str, ...]) -> Callable[[], BaseCalculator]:
    """Return a callable that creates a calculator of CP2K.

    Parameters
    ----------
    config
        Arguments of ASE's calculator.
    elements
        Elements of the system.

    Raises
    ------
    OracleError
        If CP2K's shell is not installed.
    ConfigError
        If a value is not plain text.
    """
    del elements
    for name, value in config.oracle_arguments.items():
        _check_value(name, value)
    command = os.environ.get("ASE_CP2K_COMMAND", "")
    if not command:
        install = "apt-get install cp2k cp2k-data, or conda install -c conda-forge cp2k"
        command = _program(CP2K_SHELLS, "cp2k_shell", install)
    from ase.calculators.cp2k import CP2K

    def make() -> BaseCalculator:
        if Path(CP2K_FILES).is_dir():
            os.environ.setdefault("CP2K_DATA_DIR", CP2K_FILES)
        fixed = {"command": command, "stress_tensor": True, "print_level": "LOW", "directory": "."}
        calculator: BaseCalculator = CP2K(**{**config.oracle_arguments, **fixed})
        return calculator

    return make


def vasp_factory(config: OracleConfig, elements: tuple[str, ...]) -> Callable[[], BaseCalculator]:
    """Return a callable that creates a calculator of VASP, as ASE finds it.

    Parameters
    ----------
    config
        Arguments of ASE's calculator: variables of the INCAR in lower case, ``xc``, ``kpts``, ``setups``.
    elements
        Elements of the system.

    Raises
    ------
    OracleError
        If neither ``$ASE_VASP_COMMAND`` nor ``$VASP_COMMAND`` is set, or its program does not exist.
    ConfigError
        If there are no pseudopotentials, or a variable is unknown to ASE.
    """
    del elements
    from ase.calculators.vasp import Vasp, create_input

    lists = [value for name, value in vars(create_input).items() if name.endswith("_keys")]
    known = {str(name) for names in lists for name in names} | set(create_input.GenerateVaspInput.xc_defaults)
    known |= {"xc", "pp", "kpts", "gamma", "reciprocal", "setups", "kspacing", "kgamma"}
    for name, value in config.oracle_arguments.items():
        if name not in known:
            raise ConfigError(f"{FIELD}: VASP has no variable {name!r}; {nearest(name, sorted(known))}")
        _check_value(name, value)
    _check_points(config.oracle_arguments)
    command = next((os.environ[name] for name in ("ASE_VASP_COMMAND", "VASP_COMMAND") if os.environ.get(name)), "")
    if not command or shutil.which(command.split()[0]) is None:
        raise OracleError(
            f"VASP is not found (command: {command!r}); it is licensed software: install it, and set ASE_VASP_COMMAND, "
            "e.g. 'mpiexec -n 4 vasp_std', and VASP_PP_PATH, the folder of its pseudopotentials",
            Cause.PROGRAM_MISSING,
        )
    if not Path(os.environ.get("VASP_PP_PATH", "")).is_dir() or not os.environ.get("VASP_PP_PATH"):
        raise ConfigError("OracleConfig.oracle: VASP_PP_PATH must be the folder of VASP's pseudopotentials")

    def make() -> BaseCalculator:
        calculator: BaseCalculator = Vasp(**{**config.oracle_arguments, "directory": ".", "command": command})
        return calculator

    return make


def _require(arguments: Mapping[str, Any], oracle: str, name: str, example: str) -> None:
    if name not in arguments:
        raise ConfigError(f"{FIELD}: the '{oracle}' oracle needs {name!r}, e.g. oracle_arguments={example}")


def _check_points(arguments: Mapping[str, Any]) -> None:
    """Refuse a fixed list of k-points; a fixed grid is refused by nothing, but reported by ``check-oracle``."""
    points = arguments.get("kpts")
    if isinstance(points, list | tuple) and points and isinstance(points[0], list | tuple):
        raise ConfigError(
            f"{FIELD}: expected k-points by their density or as a grid, got a list of points, which would be wrong for "
            "cells of another shape"
        )


def _check_value(name: str, value: Any) -> None:
    """Check that a value is plain data, which cannot begin another line of the input."""
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
    for item in items:
        if isinstance(item, Mapping | list | tuple):
            _check_value(name, item)
        elif isinstance(item, str) and not PLAIN_VALUE.fullmatch(item):
            raise ConfigError(f"{FIELD}: expected a number or a plain word for {name!r}, got {item!r}")


def _program(names: tuple[str, ...], name: str, install: str) -> str:
    """Return the path of the first of several programs that exists."""
    for program in names:
        if (path := shutil.which(program)) is not None:
            return path
    raise OracleError(f"there is no {name} on the PATH; install it: {install}", Cause.PROGRAM_MISSING)
