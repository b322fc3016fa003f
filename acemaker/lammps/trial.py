"""Trial of a user's LAMMPS commands on the initial structure, before a campaign is created."""

from __future__ import annotations

import logging

from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.errors import ConfigError
from acemaker.lammps import script
from acemaker.lammps.box import put_structure
from acemaker.lammps.conditions import conditions_of, definitions
from acemaker.lammps.library import open_lammps

logger = logging.getLogger("acemaker")

CUTOFF = 3.0
"""Å; cutoff of a potential without forces."""


def try_commands(config: EngineConfig, structure: Atoms) -> None:
    """Let LAMMPS read the commands of the configuration and evaluate them once, without a potential.

    Parameters
    ----------
    config
        Settings of the engine; nothing is done without ``lammps_commands``.
    structure
        Initial structure.

    Raises
    ------
    ConfigError
        With LAMMPS's own message, if it rejects a command.
    """
    if not config.lammps_commands:
        return
    elements = sorted(set(structure.get_chemical_symbols()))
    conditions = conditions_of(config.stage(0).settings, structure)
    lmp = open_lammps()
    try:
        for command in script.header_commands(bool(structure.pbc.all())):
            lmp.command(command)
        put_structure(lmp, structure, elements, config.may_tilt)
        commands = [
            f"pair_style zero {CUTOFF:g}",
            "pair_coeff * *",
            *definitions(conditions, structure, restored=False),
        ]
        commands += script.neighbor_commands(config.skin)
        commands += ["fix trial all nve", *conditions.before(), *conditions.after(0), "run 0"]
        for command in commands:
            lmp.command(command)
    except Exception as error:  # LAMMPS raises plain exceptions
        raise ConfigError(
            f"EngineConfig.lammps_commands: LAMMPS rejects the commands for this structure: {error}"
        ) from error
    finally:
        lmp.close()
