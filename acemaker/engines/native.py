"""The script for a LAMMPS with ML-PACE in a process of its own; it runs in its directory and names no other path."""

from __future__ import annotations

from collections.abc import Sequence

from acemaker.config import EngineConfig
from acemaker.engines import dump, script
from acemaker.engines.segment_log import CHECKPOINT

SCRIPT, DATA, RESTART = "in.lammps", "start.data", "start.restart"
"""The script, and the states from which it starts."""

POTENTIAL = ("potential.yaml", "potential.asi")


def segment_script(
    config: EngineConfig,
    *,
    elements: Sequence[str],
    check_every: int,
    start_step: int,
    from_restart: bool,
    periodic: bool,
    thermostat_seed: int,
    velocity_seed: int | None,
) -> str:
    """Write the script of a segment.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints.
    elements
        In the order of their types.
    check_every
        MD steps between two looks at gamma.
    start_step
        Where the script starts.
    from_restart
        From the file `RESTART`; else from `DATA`.
    periodic
        The box's boundary.
    thermostat_seed
        For a stochastic thermostat.
    velocity_seed
        For the first velocities; None to take those of the file.

    Returns
    -------
    str
        It ends at the last step unless it is killed, and writes restart files ``checkpoint.STEP``.
    """
    commands = start_commands(elements, from_restart, periodic)
    if not from_restart and velocity_seed is not None:
        commands += script.velocity_commands(config.temperature[0], velocity_seed)
    commands += potential_commands(elements)
    commands += script.neighbour_commands(config.skin)
    commands += gamma_commands(check_every)
    commands += script.ensemble_commands(config, thermostat_seed)
    commands += script.output_commands(config, check_every)
    commands += dump_commands(str(start_step), check_every)
    commands += run_commands(config, start_step, check_every, thermostat_seed)
    return "\n".join(commands) + "\n"


def start_commands(elements: Sequence[str], from_restart: bool, periodic: bool) -> list[str]:
    """Read the state; a restart file brings units, boundary, box, masses and velocities along."""
    if from_restart:
        return [f"read_restart {RESTART}", "atom_modify sort 0 0"]
    return [*script.header_commands(periodic), f"read_data {DATA}", *script.mass_commands(elements)]


def potential_commands(elements: Sequence[str]) -> list[str]:
    """Use the generation's files."""
    return ["pair_style pace/extrapolation", f"pair_coeff * * {' '.join(POTENTIAL)} {' '.join(elements)}"]


def gamma_commands(check_every: int) -> list[str]:
    """Compute gamma at every check, and at no other step, since it costs."""
    return [f"fix gamma all pair {check_every} pace/extrapolation gamma 1"]


def dump_commands(step: str, check_every: int) -> list[str]:
    """Begin a dump of the checks; `step` may be a variable of LAMMPS's."""
    return [
        f"dump checks all custom {check_every} {dump.dump_name(step)} {dump.COLUMNS}",
        "dump_modify checks sort id flush yes format float %.17g",
    ]


def run_commands(config: EngineConfig, start_step: int, check_every: int, seed: int) -> list[str]:
    """Run in stretches from checkpoint to checkpoint, each with a set-up, a restart file and a dump of its own.

    ``fix pair`` computes gamma once a step: left as it is, it would skip the set-up of the next stretch, which
    then takes its forces from the other evaluator than a run that starts there, and differs in the last digit.
    """
    after = [f"write_restart {CHECKPOINT}$(step)", "undump checks", "unfix gamma", *gamma_commands(check_every)]
    after += dump_commands("$(step)", check_every) + script.noise_commands(config, seed, "step")
    first = script.stretch_end(start_step, config)
    commands = script.noise_commands(config, seed, start_step)
    if start_step < config.steps:
        commands += [script.run_command(first, config.steps), *after]
    if first < config.steps:
        every = " ".join(f'"{command}"' for command in after)
        commands.append(f"{script.run_command(config.steps, config.steps)} every {config.restart_every} {every}")
    return commands


def check_script(elements: Sequence[str], periodic: bool, skin: float) -> str:
    """Write the script that evaluates the structure in `DATA` once, for the preflight."""
    commands = start_commands(elements, from_restart=False, periodic=periodic)
    commands += potential_commands(elements)
    commands += script.neighbour_commands(skin)
    commands += gamma_commands(1)
    commands += [
        "thermo_style custom step pe press",
        "thermo_modify line yaml flush yes format float %.17g",
        f"dump forces all custom 1 forces.dump {FORCE_COLUMNS}",
        "dump_modify forces sort id format float %.17g",
        "fix ensemble all nve",
        "run 0",
    ]
    return "\n".join(commands) + "\n"


FORCE_COLUMNS = "id fx fy fz f_gamma"
