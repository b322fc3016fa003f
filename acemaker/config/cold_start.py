"""Checks of the settings of a cold start: a cheap potential whose trajectory yields the first structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acemaker.config.base import Section
from acemaker.config.oracle import OracleConfig
from acemaker.config.potential import PotentialConfig
from acemaker.errors import ConfigError

NAMED = {
    "emt": "ase.calculators.emt:EMT",
    "chgnet": "acemaker.oracles.universal:chgnet",
    "mace": "acemaker.oracles.universal:mace",
    "sevennet": "acemaker.oracles.universal:sevennet",
}
"""Calculators that need no path, and their factories."""

MOST_FRAMES = 1000
"""Maximum number of frames; a larger number is treated as a typing error."""

NAMES = {
    "PotentialConfig.baseline_calculator": "SystemConfig.cold_start",
    "PotentialConfig.baseline_style": "SystemConfig.cold_start",
    "PotentialConfig.baseline_coeff": "SystemConfig.cold_start_coeff",
    "OracleConfig: oracle_arguments": "cold_start_arguments",
    "PotentialConfig: ": "",
    "baseline_style": "cold_start",
    "baseline_coeff": "cold_start_coeff",
    "oracle=": "cold_start=",
    "the baseline ": "the potential ",
    "a baseline ": "a cold start ",
    "added to the ACE": "overlaid with another one",
    "' oracle ": "' potential ",
}
"""Words of messages about baselines and oracles, whose checks apply here, and what they are here."""


def in_own_words(message: str) -> str:
    """Return the message of a check of a baseline or an oracle with the names of the fields of a cold start.

    Examples
    --------
    >>> in_own_words("PotentialConfig.baseline_coeff: expected at least two types")
    'SystemConfig.cold_start_coeff: expected at least two types'
    """
    for other, own in NAMES.items():
        message = message.replace(other, own)
    return message


def check_cold_start(name: str, coeff: tuple[str, ...], arguments: Mapping[str, Any]) -> None:
    """Check that the fields of a cold start match each other.

    Parameters
    ----------
    name, coeff, arguments
        ``cold_start``, ``cold_start_coeff`` and ``cold_start_arguments``.

    Raises
    ------
    ValueError
        The message contains a remedy.
    """
    if not name:
        for field, value in (("cold_start_coeff", coeff), ("cold_start_arguments", arguments)):
            if value:
                raise ValueError(f"{field} needs cold_start, the potential that it belongs to; set it or omit both")
        return
    if ":" in name or name in NAMED:
        if coeff:
            raise ValueError(
                f"cold_start_coeff belongs to a LAMMPS pair style, got cold_start={name!r}, which has "
                "cold_start_arguments instead; omit one of them"
            )
        if name in NAMED:
            _check(OracleConfig, oracle=name, oracle_arguments=dict(arguments))
        return
    if arguments:
        raise ValueError(
            f"cold_start_arguments belong to a calculator, got cold_start={name!r}, a LAMMPS pair style, whose "
            "settings are in cold_start and cold_start_coeff"
        )
    if not coeff:
        known = ", ".join(f"'{other}'" for other in NAMED)
        raise ValueError(
            f"cold_start must be {known}, 'module:factory', or a LAMMPS pair style together with cold_start_coeff, "
            f"e.g. cold_start='eam/alloy', cold_start_coeff=['* * Cu_zhou.eam.alloy Cu']; got {name!r} alone"
        )
    _check(PotentialConfig, baseline_style=name, baseline_coeff=coeff)


def _check(section: type[Section], **fields: Any) -> None:
    """Apply the checks of another section."""
    try:
        section(**fields)
    except ConfigError as error:
        raise ValueError(in_own_words(str(error))) from None
