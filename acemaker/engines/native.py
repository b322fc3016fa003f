"""Script for a LAMMPS with ML-PACE in a child process; it runs in its directory and refers to no other path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acemaker.config import EngineConfig
from acemaker.engines import dump
from acemaker.engines.checkpoints import CHECKPOINT
from acemaker.lammps import script
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.generation import pair_commands

SCRIPT, DATA, RESTART = "in.lammps", "start.data", "start.restart"
"""Files with the script, and with the state from which it starts as a data file or a restart file."""

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
    soft_seed: int | None = None,
    potential: Potential | None = None,
    group: str = script.ALL,
    atom_commands: Sequence[str] = (),
) -> str:
    """Return the script of a segment.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints.
    elements
        Chemical symbols in the order of their types.
    check_every
        MD steps between two checks of gamma.
    start_step
        Step at which the script starts.
    from_restart
        Whether to start from the file `RESTART` rather than from `DATA`.
    periodic
        Whether the boundaries are periodic.
    thermostat_seed
        Seed of a stochastic thermostat.
    velocity_seed
        Seed of the initial velocities; None to use those of the file.
    soft_seed
        Seed of the damping of a soft start; None for no soft start.
    potential
        Commands that define the potential; None for the generation in the files `POTENTIAL`.
    group
        Group of the atoms that move, from `acemaker.lammps.box.group_of`.
    atom_commands
        Commands for frozen atoms and masses, from `acemaker.lammps.box.atom_commands`.

    Returns
    -------
    str
        The script runs to the last step unless LAMMPS is killed, and writes restart files ``checkpoint.STEP``.
    """
    potential = potential or extrapolating(elements, check_every)
    opening = [*start_commands(elements, from_restart, periodic), *atom_commands]
    if not from_restart:
        opening += script.step_commands(start_step)
    if not from_restart and velocity_seed is not None:
        opening += script.velocity_commands(config.temperature[0], velocity_seed, group)
    opening += [*potential.pair, *script.neighbor_commands(config.skin)]
    opening += [*script.molecule_commands(config.skin, periodic), *potential.gamma]
    commands = list(opening)
    if soft_seed is not None:
        commands += soft_commands(config, start_step, soft_seed, check_every, potential, group)
        commands += ["clear", f"log {script.LOG_FILE}", *opening]
    commands += script.ensemble_commands(config, thermostat_seed, start_step, group)
    commands += script.output_commands(config, check_every, group)
    if soft_seed is not None:
        commands.append(script.soft_state_command(config, start_step, script.SOFT_STATE))
    commands += dump_commands(dump.dump_name(start_step), check_every, potential)
    commands += run_commands(config, start_step, check_every, thermostat_seed, potential, group)
    return "\n".join(commands) + "\n"


def start_commands(elements: Sequence[str], from_restart: bool, periodic: bool) -> list[str]:
    """Return the commands that read the state; a restart file includes units, boundary, box, masses and velocities."""
    if from_restart:
        return [f"read_restart {RESTART}", "atom_modify sort 0 0"]
    return [*script.header_commands(periodic), f"read_data {DATA}", *script.mass_commands(elements)]


@dataclass(frozen=True, kw_only=True)
class Potential:
    """Commands that define a potential.

    Attributes
    ----------
    pair : tuple of str
        Pair styles and their coefficients.
    gamma : tuple of str
        Commands that compute gamma as ``f_gamma``; empty for a potential without gamma.
    """

    pair: tuple[str, ...]
    gamma: tuple[str, ...] = ()

    @property
    def columns(self) -> str:
        """Columns that a dump of checks can contain."""
        return dump.COLUMNS if self.gamma else dump.COLUMNS.removesuffix(" f_gamma")


def extrapolating(elements: Sequence[str], check_every: int, baseline: Baseline | None = None) -> Potential:
    """Return the commands for the generation's files; gamma is expensive and computed only at the checks.

    Parameters
    ----------
    elements
        Chemical symbols in the order of their types.
    check_every
        MD steps between two checks of gamma.
    baseline
        Potential that LAMMPS adds, with its files in the directory of the script.
    """
    return Potential(
        pair=pair_commands("pace/extrapolation", " ".join([*POTENTIAL, *elements]), baseline),
        gamma=(f"fix gamma all pair {check_every} pace/extrapolation gamma 1",),
    )


def soft_commands(
    config: EngineConfig, start_step: int, seed: int, check_every: int, potential: Potential, group: str = script.ALL
) -> list[str]:
    """Return the commands of a soft start, whose checks are written to a separate dump."""
    return [
        *script.soft_start_commands(config, start_step, seed, check_every, group),
        *dump_commands(dump.SOFT_DUMP, check_every, potential),
        f"run {script.soft_start_steps(config)}",
        "undump checks",
        *script.soft_end_commands(script.SOFT_STATE),
    ]


def dump_commands(file: str, check_every: int, potential: Potential) -> list[str]:
    """Return the commands that begin a dump of the checks; `file` may contain a LAMMPS variable."""
    return [
        f"dump checks all custom {check_every} {file} {potential.columns}",
        "dump_modify checks sort id flush yes format float %.17g",
    ]


def run_commands(
    config: EngineConfig, start_step: int, check_every: int, seed: int, potential: Potential, group: str = script.ALL
) -> list[str]:
    """Return the commands that run from checkpoint to checkpoint, each stretch with its own setup, restart and dump.

    ``fix pair`` computes gamma once per step. Without a new definition it would skip the setup of the next stretch,
    whose forces would then come from another evaluator than in a run that starts there and differ in the last digit.
    """
    at_checkpoint = [f"write_restart {CHECKPOINT}$(step)", "undump checks"]
    if potential.gamma:
        at_checkpoint += ["unfix gamma", *potential.gamma]
    at_checkpoint += dump_commands(dump.dump_name("$(step)"), check_every, potential)
    at_checkpoint += noise_commands(config, seed, group)
    first = script.stretch_end(start_step, config)
    commands = []
    if start_step < config.steps:
        commands += [script.run_command(first, config.steps), *at_checkpoint]
    if first < config.steps:
        quoted = " ".join(f'"{command}"' for command in at_checkpoint)
        commands.append(f"{script.run_command(config.steps, config.steps)} every {config.restart_every} {quoted}")
    return commands


def noise_commands(config: EngineConfig, seed: int, group: str = script.ALL) -> list[str]:
    """Return `script.noise_commands` for the end of any stretch: LAMMPS computes names and seed from the step."""
    every, name = config.restart_every, script.THERMOSTAT
    return script.noise_commands(
        config,
        f"{name}_$(ceil(step/{every})*{every}-{every}:%.0f)",
        f"{name}_$(step:%.0f)",
        f"$(1+({seed}+{script.STRIDE}*step)%{script.SEEDS}:%.0f)",
        "$(step:%.0f)",
        group,
    )


def check_script(elements: Sequence[str], periodic: bool, skin: float, baseline: Baseline | None = None) -> str:
    """Return the script that evaluates the structure in `DATA` once, for the preflight."""
    commands = start_commands(elements, from_restart=False, periodic=periodic)
    potential = extrapolating(elements, 1, baseline)
    commands += [*potential.pair, *script.neighbor_commands(skin)]
    commands += [*script.molecule_commands(skin, periodic), *potential.gamma]
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
