"""Factory of ASE calculators, by a built-in name or a dotted path."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator, all_changes

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError
from acemaker.lammps.pair_coeff import check_order, find_file, split_coeff
from acemaker.lammps.paths import oracle_paths
from acemaker.utils.dotted_path import import_callable

WORD = re.compile(r"[\w.+*/:=,@ -]+", re.ASCII)
"""Characters allowed in a pair_coeff command: none that LAMMPS expands, quotes or continues."""

PROGRAMS = ("gpaw", "abinit", "cp2k", "vasp")
"""Oracles that run a program for electronic structures, apart from Quantum ESPRESSO."""

UNIVERSAL = ("mace", "chgnet", "sevennet")
"""Oracles that are universal potentials."""

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
    config.check_accepted()
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
    if config.oracle in PROGRAMS:
        from acemaker.oracles import programs

        make: CalculatorFactory = getattr(programs, f"{config.oracle}_factory")(config, elements)
        return make
    if config.oracle in UNIVERSAL:
        _check_universal(config)
        return lambda: _universal(config.oracle, json.dumps(config.oracle_arguments, sort_keys=True))
    if config.oracle == "object":
        raise ConfigError(
            "OracleConfig.oracle: 'object' stands for an oracle that is passed as an object: "
            "Campaign.create(directory, config, oracle=...), and the same for Campaign.open and analyses"
        )
    factory = import_oracle(config.oracle)
    return lambda: factory(**config.oracle_arguments)


def import_oracle(path: str) -> Callable[..., Any]:
    """Import the callable of an oracle that is named by its path.

    Parameters
    ----------
    path
        ``module:callable``, or ``file.py:callable`` with a file relative to the working directory.

    Raises
    ------
    ConfigError
        If it does not exist, or is not callable.
    """
    field, purpose = "OracleConfig.oracle", "returns an ASE calculator"
    if (file := script_of(path)) is None:
        return import_callable(path, field, purpose)
    name = path.rpartition(":")[2]
    if not file.is_file():
        raise ConfigError(f"{field}: there is no file {file} (from {path!r}); expected 'file.py:callable'")
    # the name depends on the contents, so that a changed file is another module
    module_name = f"acemaker_script_{hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:16]}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # classes of the file can then be pickled
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # a user's file may raise anything
            del sys.modules[module_name]
            raise ConfigError(f"{field}: {file} raised {type(error).__name__} on import: {error}") from error
    return import_callable(f"{module_name}:{name}", field, purpose)


def script_of(path: str) -> Path | None:
    """Return the file of an oracle that is named as ``file.py:callable``; None for any other oracle."""
    file, colon, _ = path.rpartition(":")
    return Path(file).expanduser().absolute() if colon and file.endswith(".py") else None


def model_of(config: OracleConfig) -> Path | None:
    """Return the model file of a universal potential; None for a model of its package, and for other oracles."""
    model = config.oracle_arguments.get("model") if config.oracle in UNIVERSAL else None
    path = Path(model).expanduser() if isinstance(model, str) and model else None
    return path.absolute() if path is not None and path.is_file() else None


def with_absolute_files(config: OracleConfig) -> OracleConfig:
    """Return a configuration that names the same script or model file from another working directory."""
    if (model := model_of(config)) is not None:
        return config.model_copy(update={"oracle_arguments": {**config.oracle_arguments, "model": str(model)}})
    file = script_of(config.oracle)
    if file is None:
        return config
    return config.model_copy(update={"oracle": f"{file}:{config.oracle.rpartition(':')[2]}"})


def _check_universal(config: OracleConfig) -> None:
    """Check that the package of a universal potential is installed, and that MACE's model exists."""
    package, install = {
        "mace": ("mace", "mace-torch"),
        "chgnet": ("chgnet", "'acemaker[universal]'"),
        "sevennet": ("sevenn", "'acemaker[universal]'"),
    }[config.oracle]
    if config.oracle == "mace" and model_of(config) is None:
        raise ConfigError(
            "OracleConfig.oracle_arguments: the 'mace' oracle needs the path of a model file, e.g. {'model': "
            f"'/data/mace.model'}}, got {config.oracle_arguments.get('model')!r}; nothing is downloaded"
        )
    if importlib.util.find_spec(package) is None:
        raise MissingLibraryError(
            f"the '{config.oracle}' oracle needs the package {package}, which is not installed; install torch, without "
            f"a GPU its version for CPUs, then: pip install {install}"
        )


@lru_cache(maxsize=2)
def _universal(name: str, arguments: str) -> BaseCalculator:
    """Load a universal potential, and keep it, since loading it takes longer than most labels."""
    from acemaker.oracles import universal

    calculator: BaseCalculator = getattr(universal, name)(**json.loads(arguments))
    return calculator


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
    config.check_accepted()
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
