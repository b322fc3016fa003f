"""Smoke test of a cheap oracle before a campaign is created: whether it can label, and its labels are consistent."""

from __future__ import annotations

import copy
import difflib
import hashlib
import re
from collections.abc import Callable, Mapping

import numpy as np
from ase import Atoms
from ase.calculators.calculator import FileIOCalculator
from ase.calculators.cp2k import CP2K
from ase.calculators.genericfileio import GenericFileIOCalculator

from acemaker.config import OracleConfig
from acemaker.errors import ConfigError, OracleError
from acemaker.oracles.consistency import CHEAP, check_consistency
from acemaker.oracles.factory import calculator_factory, import_oracle
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.oracle_check import OracleCheck
from acemaker.oracles.process import INLINE, is_inline
from acemaker.oracles.trial import check_in_process, obstacle_to_calculator
from acemaker.oracles.user_oracle import FunctionOracle
from acemaker.structures.computed import energy_of
from acemaker.structures.per_atom import bare_copy

LINE = re.compile(r"ERROR(?: on proc \d+)?: (.*?)(?: \(\S+:\d+\))?$")
"""Error message of LAMMPS, without the position in its source."""

EXPENSIVE = (FileIOCalculator, GenericFileIOCalculator, CP2K)
"""Calculators that start a program, which are not tried."""

_checked: dict[str, OracleCheck] = {}
"""Checks of built-in oracles that passed in this process, by settings, files and structure."""


def try_oracle(config: OracleConfig, atoms: Atoms, own: Oracle | None = None) -> OracleCheck | None:
    """Check a cheap oracle with the initial structure; none of its labels is counted.

    LAMMPS reports errors of a pair style only when it is set up, i.e. otherwise at the first labels, which would all
    fail. A wrong unit or sign would not be reported at all.

    Parameters
    ----------
    config
        The oracle; it is tried if it labels in this process, or is named by its path: then in a process of its own,
        which is killed after 20 s. Programs that acemaker names itself are not tried.
    atoms
        A structure that the oracle will label; it is not changed.
    own
        The user's oracle object instead of that of the configuration. It is copied if possible, so that its calls are
        not counted; calculators that run programs are not tried.

    Returns
    -------
    OracleCheck or None
        None if the oracle was not tried. The check is incomplete if a label takes longer than a second.

    Raises
    ------
    ConfigError
        If the calculation fails, with the message of the calculator, or if the labels would be wrong.
    """
    if own is None and not is_inline(config):
        return _check_apart(config, atoms) if config.oracle_check and ":" in config.oracle else None
    if own is None and config.oracle in INLINE:
        _compute_energy(config, atoms)
    if not config.oracle_check:
        return None
    if own is not None:
        return _check_own(config, atoms, own)
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    key = _key_of(config, elements, atoms) if config.oracle in INLINE else ""
    if key in _checked:
        return _checked[key]
    if config.oracle not in INLINE and (reason := obstacle_to_calculator(config, elements)):
        raise ConfigError(f"OracleConfig.oracle: {config.oracle!r} {reason}")
    label = CalculatorOracle.from_config(config, elements).without_limits().label
    try:
        check = check_consistency(
            label,
            atoms,
            f"'{config.oracle}'",
            cheap=CHEAP,
            isolated=False,
            max_net_force=config.max_net_force,
        )
    except OracleError as error:
        raise ConfigError(
            f"OracleConfig.oracle: the oracle '{config.oracle}' cannot label the initial structure: {error}"
        ) from error
    _require(check)
    if key:
        _checked[key] = check
    return check


def _check_apart(config: OracleConfig, atoms: Atoms) -> OracleCheck | None:
    """Check an oracle of the user that labels in its own processes."""
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    check = check_in_process(config, elements, atoms)
    if check is not None:
        _require(check)
    return check


def gives_stress(config: OracleConfig) -> bool | None:
    """Return whether the labels of a periodic structure contain a stress; None if this is not known beforehand.

    Parameters
    ----------
    config
        The oracle; it is not called.
    """
    if config.oracle == "gpaw":
        mode = config.oracle_arguments.get("mode")
        name = mode.get("name") if isinstance(mode, Mapping) else mode
        return name == "pw"  # GPAW has no stress in its other modes
    if ":" in config.oracle:
        factory = import_oracle(config.oracle)
        properties = getattr(factory, "implemented_properties", None) if isinstance(factory, type) else None
        return "stress" in properties if isinstance(properties, list | tuple) and properties else None
    return None


def _check_own(config: OracleConfig, atoms: Atoms, own: Oracle) -> OracleCheck | None:
    """Check the user's object."""
    label: Callable[[Atoms], Atoms]
    is_adapted = isinstance(own, CalculatorOracle | FunctionOracle)
    if isinstance(own, CalculatorOracle):
        try:
            calculator = getattr(own.factory, "calculator", None) or own.factory()
        except Exception:  # the trial reports it
            calculator = None
        if isinstance(calculator, EXPENSIVE) or type(calculator).__module__.partition(".")[0] == "gpaw":
            return None
        label = own.without_limits().label
    else:
        label = _label_by_copies(own)
    try:
        check = check_consistency(
            label, atoms, "object", cheap=CHEAP, isolated=False, max_net_force=config.max_net_force
        )
    except Exception as error:  # a user's oracle may raise anything
        if not is_adapted:
            return None  # it may fail now and then: a label is tried again, and replaced by another one
        raise ConfigError(f"oracle: the object cannot label the initial structure: {error}") from error
    _require(check)
    return check


def _label_by_copies(own: Oracle) -> Callable[[Atoms], Atoms]:
    """Return a function that calls a new copy of an object each time, so that the object does not notice."""

    def label(atoms: Atoms) -> Atoms:
        try:
            fresh = copy.deepcopy(own)
        except Exception:  # it holds a library, a lock or a connection
            fresh = own
        return fresh.label(atoms)

    return label


def _require(check: OracleCheck) -> None:
    if not check.passed:
        raise ConfigError(
            f"OracleConfig.oracle: the labels of the oracle {check.name} would be wrong: {check.explain()}. Correct "
            "it, and try acemaker.check_oracle; to use its labels as they are, set oracle_check=False"
        )


def _compute_energy(config: OracleConfig, atoms: Atoms) -> None:
    """Compute one energy with the calculator itself, whose message is more exact than that of a label."""
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    factory = calculator_factory(config, elements)
    work = bare_copy(atoms)
    try:
        work.calc = factory()
        energy_of(work)
    except Exception as error:  # errors of LAMMPS, and any exception caused by wrong arguments
        fields = "pair_style, pair_coeff" if config.oracle == "lammps" else "oracle"
        raise ConfigError(
            f"OracleConfig.{fields}: the '{config.oracle}' oracle cannot label the initial structure: "
            f"{_error_message(error)}{_suggestion(config, str(error))}"
        ) from error


def _key_of(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms) -> str:
    """Identify a check that has been made in this process: its settings, files and structure."""
    digest = hashlib.sha256(f"{config.model_dump_json()} {fingerprint(config, elements)}".encode())
    for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
