"""Checks before a notebook starts: its parameters, the parts of its campaign, and the campaign in its directory."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.config.base import nearest
from acemaker.config.campaign import parameter_homes
from acemaker.errors import AcemakerError, CampaignLockedError, ConfigError
from acemaker.headless.notebook import NotebookDescription
from acemaker.lammps.executable import native_command
from acemaker.loop.checks import LOCAL_EXECUTORS
from acemaker.loop.compatibility import (
    changeable_names,
    created_config,
    may_be_replaced,
    refuse_another,
    requests_more_steps,
)
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.loop.journal import read_events
from acemaker.loop.lock import is_locked
from acemaker.loop.store import Store, check_contents
from acemaker.oracles.factory import calculator_factory, script_of
from acemaker.oracles.smoke_test import try_oracle
from acemaker.potentials.environment import check_structure
from acemaker.structures.embedding import fit_to_oracle

TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "tuple": (list,),
    "dict": (dict,),
    "None": (type(None),),
}
"""Types of YAML values that are allowed for a type annotation in a notebook."""

REMEDY = (
    "to create a new campaign, add -p directory=runs/NAME (OUT names only the executed notebook); to continue the "
    "existing one, omit the parameters that differ"
)


def check_parameters(
    notebook: NotebookDescription, parameters: Mapping[str, Any], *, parts: bool = False
) -> dict[str, Any]:
    """Check the values with which a notebook is to be run.

    Parameters
    ----------
    notebook
        The notebook.
    parameters
        Values by name.
    parts
        Whether to check structure, oracle and LAMMPS as well; not for values that may be used on another machine.

    Returns
    -------
    dict
        The same values, and ``engine`` if it was not set: that of an existing campaign, else 'isolated', since a
        headless run is unattended.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one), a wrong type, or a value out of range.
    StructureError, MissingLibraryError, OracleError
        If a part is missing that the notebook does not create itself.
    CampaignError
        If the directory contains links or special files, or another campaign (`CampaignExistsError`), or if another
        process runs the campaign (`CampaignLockedError`).
    """
    homes = parameter_homes()
    names = [*notebook.types, *(name for name in homes if notebook.takes_all and name not in notebook.types)]
    for name, value in parameters.items():
        if name not in names:
            remedy = f"it accepts only {', '.join(names)}" if name in homes else nearest(name, names)
            raise ConfigError(f"{notebook.path} has no parameter '{name}'; {remedy}")
        if name not in homes:
            _check_type(name, value, notebook.types[name])
    values = {**notebook.defaults, **parameters}
    directory = Path(values["directory"]).resolve() if isinstance(values.get("directory"), str) else None
    if directory and notebook.is_campaign:
        check_contents(directory)
    checked = dict(parameters)
    if notebook.takes_all and not {"engine"} & {*parameters, *notebook.types}:
        recorded = recorded_config(directory) if directory else None
        checked["engine"] = values["engine"] = recorded.engine.engine if recorded else "isolated"
    config = _config({name: value for name, value in values.items() if name in homes}, notebook)
    if config and notebook.complete:
        differences = differences_from(directory, config) if directory else None
        if parts and notebook.own is not None and differences != []:  # an existing campaign has all its parts
            check_parts(config, notebook.own)
        if directory and differences:
            names = changeable_names(differences)
            how = f"; to change this from now on: acemaker change {directory}" if names else ""
            refuse_another(
                Store(directory), differences, REMEDY + how + "".join(f" -p {name}=..." for name in names if how)
            )
    if directory and config:
        check_free(directory)
    return checked


def _config(values: dict[str, Any], notebook: NotebookDescription) -> CampaignConfig | None:
    """Create the configuration as the notebook will, as far as it is known; None if the notebook creates none."""
    if not notebook.is_campaign and not notebook.takes_all:
        return None
    if not notebook.complete and values.get("oracle", "lammps") == "lammps":
        values["oracle"] = "emt"  # the required fields of 'lammps' may be set in another cell
    try:
        return CampaignConfig.from_parameters(values)
    except ConfigError as error:
        if notebook.complete or error.fields:
            raise
        return None  # the values are inconsistent with defaults, which another cell may replace


def _check_type(name: str, value: Any, kind: str) -> None:
    """Compare a value with the type that the notebook declares for one of its own parameters."""
    kinds = [part.split("[")[0].strip() for part in kind.split("|")] if kind else []
    allowed = [member for part in kinds for member in TYPES.get(part, ())]
    if not isinstance(value, str | int | float | list | dict | None):
        raise ConfigError(f"{name} must be text, a number, a list or a mapping, got {value!r}")
    if not kinds or not set(kinds) <= set(TYPES):
        return  # an unknown type cannot be checked
    if type(value) not in allowed:
        raise ConfigError(f"{name} must be of type {kind}, as declared in the notebook, got {value!r}")


def check_parts(config: CampaignConfig, own: frozenset[str]) -> None:
    """Check that structure, oracle and LAMMPS are available, and try a cheap oracle.

    Parameters
    ----------
    config
        Configuration that the notebook will create.
    own
        Parts that the notebook creates itself (see `acemaker.headless.notebook.own_parts`), which are not checked.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        As in ``Campaign.create``.
    """
    if "engine" not in own and config.engine.engine == "isolated":
        native_command(config.engine.lammps)
    if "structure" in own:
        return  # the elements, which the oracle needs, are unknown
    start = initial_structures_of(config)[0]
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    check_structure(start, elements)
    if own & {"oracle", "executor", "pair_coeff"} or config.labeling.executor not in LOCAL_EXECUTORS:
        return
    if ":" in config.oracle.oracle:
        _check_module(config.oracle.oracle)
        return
    calculator_factory(config.oracle, elements)
    try_oracle(config.oracle, fit_to_oracle(start, config.oracle.max_atoms, config.embedding))


def _check_module(path: str) -> None:
    """Find the module of a dotted path as the kernel will, without importing it, since this may take long."""
    if (script := script_of(path)) is not None:
        if not script.is_file():
            raise ConfigError(f"OracleConfig.oracle: there is no file {script} (from {path!r})")
        return
    package = path.partition(":")[0].partition(".")[0]
    search_path = sys.path[:]
    sys.path.insert(0, "")  # a kernel also finds modules in the current folder
    try:
        exists = package == "__main__" or find_spec(package) is not None
    except (ImportError, ValueError):
        exists = False
    finally:
        sys.path[:] = search_path
    if not exists:
        raise ConfigError(
            f"OracleConfig.oracle: cannot import {path!r}, there is no module {package!r} here; install it, or run the "
            "command in the folder of the module"
        )


def recorded_config(directory: Path) -> CampaignConfig | None:
    """Read the configuration with which the campaign in a directory was created, without opening the campaign.

    Parameters
    ----------
    directory
        Directory that may contain a campaign.

    Returns
    -------
    CampaignConfig or None
        None if there is no campaign or if it cannot be read, which the notebook will report.
    """
    try:
        check_contents(directory)  # reading a pipe would block
        with Store(directory).journal.open() as stream:
            return CampaignConfig(**json.loads(stream.readline())["config"])
    except (OSError, ValueError, KeyError, TypeError, AcemakerError):
        return None


def differences_from(directory: Path, config: CampaignConfig) -> list[str] | None:
    """List the differences between the campaign in a directory and a configuration.

    Parameters
    ----------
    directory
        Directory that may contain a campaign.
    config
        Configuration that the notebook will create.

    Returns
    -------
    list of str or None
        Empty if the campaign has the same configuration; None if there is no campaign, or one that may be replaced.

    Raises
    ------
    ConfigError
        If the campaign has the same configuration, but cannot be extended to its number of steps.
    """
    recorded = recorded_config(directory)
    if recorded is None:
        return None
    if events := _events(directory):
        with contextlib.suppress(AcemakerError):  # which the notebook will report
            recorded = created_config(events)
    differences = recorded.differences(config)
    if differences and may_be_replaced(Store(directory), _events(directory)):
        return None
    if not differences and (events := _events(directory)):
        requests_more_steps(Store(directory), events, config)
    return differences


def _events(directory: Path) -> Sequence[dict[str, Any]]:
    try:
        return read_events(Store(directory).journal)[0]
    except (OSError, AcemakerError):
        return []


def check_free(directory: Path) -> None:
    """Check that no other process runs the campaign, since its executed notebook must not be overwritten.

    Raises
    ------
    CampaignLockedError
        If another process has the campaign open.
    """
    if is_locked(directory):
        raise CampaignLockedError(
            f"another process has the campaign in {directory} open; wait for it, stop it, or choose another directory"
        )
