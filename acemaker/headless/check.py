"""What is known before a notebook starts: names, types and ranges of its parameters, and the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.config.base import nearest
from acemaker.config.campaign import parameter_homes
from acemaker.errors import ConfigError
from acemaker.headless.existing import check_free, differences_from, recorded_config, refuse_differences
from acemaker.headless.notebook import Described
from acemaker.headless.parts import check_parts
from acemaker.loop.contents import check_contents

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
"""What may stand for a type that a notebook names, as YAML has it."""


def check_parameters(notebook: Described, given: Mapping[str, Any], *, parts: bool = False) -> dict[str, Any]:
    """Check what a notebook is to be run with.

    Parameters
    ----------
    notebook
        What it takes.
    given
        Values by name.
    parts
        Whether structure, oracle and LAMMPS have to be here: what is filled in now may be run elsewhere.

    Returns
    -------
    dict
        The same, and ``engine`` if nobody has named one: that of the campaign that is there already, else
        the isolated one, since nobody watches.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one), a wrong type, or a value out of range.
    StructureError, MissingLibraryError, OracleError
        If one of the parts is missing, as far as the notebook leaves them to its configuration.
    CampaignError
        If the directory holds links or special files, or another campaign (`CampaignExistsError`), or another process
        runs it (`CampaignLockedError`).
    """
    homes = parameter_homes()
    known = [*notebook.types, *(name for name in homes if notebook.takes_all and name not in notebook.types)]
    for name, value in given.items():
        if name not in known:
            why = f"it takes only {', '.join(known)}" if name in homes else nearest(name, known)
            raise ConfigError(f"{notebook.path} has no parameter '{name}'; {why}")
        if name not in homes:
            _check_type(name, value, notebook.types[name])
    values = {**notebook.defaults, **given}
    directory = Path(values["directory"]).resolve() if isinstance(values.get("directory"), str) else None
    if directory and notebook.is_campaign:
        check_contents(directory)
    checked = dict(given)
    if notebook.takes_all and not {"engine"} & {*given, *notebook.types}:
        recorded = recorded_config(directory) if directory else None
        checked["engine"] = values["engine"] = recorded.engine.engine if recorded else "isolated"
    config = _config({name: value for name, value in values.items() if name in homes}, notebook)
    if config and notebook.complete:
        differences = differences_from(directory, config) if directory else None
        if parts and notebook.own is not None and differences != []:  # one that goes on has all that it needs
            check_parts(config, notebook.own)
        if directory and differences:
            refuse_differences(directory, differences)
    if directory and config:
        check_free(directory)
    return checked


def _config(values: dict[str, Any], notebook: Described) -> CampaignConfig | None:
    """Build the configuration as the notebook will, as far as it is known; None if it makes none."""
    if not notebook.is_campaign and not notebook.takes_all:
        return None
    if not notebook.complete and values.get("oracle", "lammps") == "lammps":
        values["oracle"] = "emt"  # what the other one needs may come from another cell
    try:
        return CampaignConfig.from_parameters(values)
    except ConfigError as error:
        of_single_fields = any("." in line.partition(":")[0] for line in str(error).splitlines())
        if notebook.complete or of_single_fields:
            raise
        return None  # they are at odds with defaults, in whose place another cell may put something else


def _check_type(name: str, value: Any, kind: str) -> None:
    """Compare a value with the type that the notebook gives to a parameter of its own."""
    kinds = [part.split("[")[0].strip() for part in kind.split("|")] if kind else []
    allowed = [member for part in kinds for member in TYPES.get(part, ())]
    if not isinstance(value, str | int | float | list | dict | None):
        raise ConfigError(f"{name} must be text, a number, a list or a mapping, got {value!r}")
    if not kinds or not set(kinds) <= set(TYPES):
        return  # any is as good as another
    if type(value) not in allowed:
        raise ConfigError(f"{name} must be of type {kind}, as the notebook has it, got {value!r}")
