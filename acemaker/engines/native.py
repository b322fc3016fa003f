"""Script for a LAMMPS with ML-PACE in a child process; it runs in its directory and refers to no other path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from acemaker.config import EngineConfig
from acemaker.config.engine import Stage
from acemaker.engines import dump
from acemaker.engines.checkpoints import CHECKPOINT
from acemaker.lammps import script
from acemaker.lammps.conditions import Conditions
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
    conditions: Callable[[EngineConfig], Conditions] | None = None,
    tilted: bool = False,
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
        Group of the atoms that move, from `acemaker.lammps.box.group_of`, without `conditions`.
    atom_commands
        Commands for frozen atoms, masses and groups, from `acemaker.lammps.conditions.definitions`.
    conditions
        Function that returns forces, fixed directions and strain for the settings of a stage; None for none.
    tilted
        Whether the box is or may become tilted: reading a restart file then rounds the positions, so that the script
        reads its own at each checkpoint.

    Returns
    -------
    str
        The script runs to the last step unless LAMMPS is killed, and writes restart files ``checkpoint.STEP``.
    """
    potential = potential or extrapolating(elements, check_every)
    stages = [stage for stage in config.protocol if stage.number >= config.stage(start_step).number]

    def conditions_in(stage: Stage) -> Conditions:
        if conditions is None:
            return Conditions(group=group, restart_every=config.restart_every)
        return conditions(stage.settings)

    first = conditions_in(stages[0])
    settings = [*potential.pair, *script.neighbor_commands(config.skin)]
    settings += [*script.molecule_commands(config.skin, periodic), *potential.gamma]
    opening = [*start_commands(elements, from_restart, periodic), *atom_commands]
    if not from_restart:
        opening += script.step_commands(start_step)
    if not from_restart and velocity_seed is not None:
        opening += first.velocities(config.first_temperature, velocity_seed)
    opening += first.stop() if not from_restart else []
    opening += settings
    commands = list(opening)
    if soft_seed is not None:
        commands += first.before(soft=True)
        commands += soft_commands(config, start_step, soft_seed, check_every, potential, first)
        commands += ["clear", f"log {script.LOG_FILE}", *opening]
    again = [*atom_commands, *settings]
    for stage in stages:
        own, step = conditions_in(stage), max(start_step, stage.begin)
        if stage is not stages[0]:
            commands += [*reread_commands(str(step)), *again]
        commands += own.before()
        commands += script.ensemble_commands(config, thermostat_seed, step, own.group)
        commands += own.after(step, own.strain_name(step))
        commands += script.output_commands(config, check_every, own.group)
        if soft_seed is not None and stage is stages[0]:
            commands.append(script.soft_state_command(config, start_step, script.SOFT_STATE))
        commands += dump_commands(dump.dump_name(step), check_every, potential)
        if tilted:
            commands += reading_commands(config, step, check_every, thermostat_seed, potential, own, again)
        else:
            commands += run_commands(config, step, check_every, thermostat_seed, potential, own)
    return "\n".join(commands) + "\n"


def reread_commands(step: str) -> list[str]:
    """Return the commands that read a checkpoint of this script."""
    return ["clear", f"read_restart {CHECKPOINT}{step}", "atom_modify sort 0 0"]


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
        return dump.COLUMNS if self.gamma else dump.UNGRADED


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
    config: EngineConfig,
    start_step: int,
    seed: int,
    check_every: int,
    potential: Potential,
    conditions: Conditions,
) -> list[str]:
    """Return the commands of a soft start, whose checks are written to a separate dump."""
    return [
        *script.soft_start_commands(config, start_step, seed, check_every, conditions.group),
        *conditions.after(start_step, soft=True),
        *dump_commands(dump.SOFT_DUMP, check_every, potential),
        f"run {script.soft_start_steps(config, start_step)}",
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
    config: EngineConfig,
    start_step: int,
    check_every: int,
    seed: int,
    potential: Potential,
    conditions: Conditions,
) -> list[str]:
    """Return the commands that run a stage from checkpoint to checkpoint, each with a setup, a restart and a dump.

    ``fix pair`` computes gamma once per step. Without a new definition it would skip the setup of the next stretch,
    whose forces would then come from another evaluator than in a run that starts there and differ in the last digit.
    """
    at_checkpoint = [f"write_restart {CHECKPOINT}$(step)", "undump checks"]
    if potential.gamma:
        at_checkpoint += ["unfix gamma", *potential.gamma]
    at_checkpoint += dump_commands(dump.dump_name("$(step)"), check_every, potential)
    stage = config.stage(start_step)
    at_checkpoint += noise_commands(stage.settings, seed, conditions.group)
    at_checkpoint += conditions.renew("$(step:%.0f)", *stretch_names(config, script.STRAIN))
    first = script.stretch_end(start_step, config)
    commands = []
    if start_step < stage.end:
        commands += [script.run_command(first, stage.end, stage.begin), *at_checkpoint]
    if first < stage.end:
        quoted = " ".join(f'"{command}"' for command in at_checkpoint)
        run = script.run_command(stage.end, stage.end, stage.begin)
        commands.append(f"{run} every {config.restart_every} {quoted}")
    return commands


def reading_commands(
    config: EngineConfig,
    start_step: int,
    check_every: int,
    seed: int,
    potential: Potential,
    conditions: Conditions,
    settings: Sequence[str],
) -> list[str]:
    """Return the commands that run a stage from checkpoint to checkpoint, each of which is read before it goes on.

    Parameters
    ----------
    config, start_step, check_every, seed, potential, conditions
        As for `segment_script`.
    settings
        Commands that follow the reading of a restart file: groups, potential and neighbor lists.
    """
    stage = config.stage(start_step)
    if start_step >= stage.end:
        return []
    every, last, begin = config.restart_every, stage.end, "${begin}"
    following = f"(v_begin+{every})"
    end = f"$({following}*({following}<={last})+{last}*({following}>{last}):%.0f)"
    noise = f"$(1+({seed}+{script.STRIDE}*v_begin)%{script.SEEDS}:%.0f)", f"{script.THERMOSTAT}_{begin}", begin
    loop, done, checkpoint = f"stretch_{stage.number}", f"done_{stage.number}", f"write_restart {CHECKPOINT}$(step)"
    return [
        script.run_command(script.stretch_end(start_step, config), last, stage.begin),
        checkpoint,
        f"label {loop}",
        f'if "$(step) >= {last}" then "jump SELF {done}"',
        "variable begin string $(step:%.0f)",
        *reread_commands(begin),
        *settings,
        *conditions.before(),
        *script.ensemble_commands(config, seed, start_step, conditions.group, noise),
        *conditions.after(begin, f"{script.STRAIN}_{begin}"),
        *script.output_commands(config, check_every, conditions.group),
        *dump_commands(dump.dump_name(begin), check_every, potential),
        f"run {end} upto start {stage.begin} stop {last}",
        checkpoint,
        f"jump SELF {loop}",
        f"label {done}",
    ]


def noise_commands(config: EngineConfig, seed: int, group: str = script.ALL) -> list[str]:
    """Return `script.noise_commands` for the end of any stretch: LAMMPS computes names and seed from the step."""
    return script.noise_commands(
        config,
        *stretch_names(config, script.THERMOSTAT),
        f"$(1+({seed}+{script.STRIDE}*step)%{script.SEEDS}:%.0f)",
        "$(step:%.0f)",
        group,
    )


def stretch_names(config: EngineConfig, prefix: str) -> tuple[str, str]:
    """Return the names of a fix in the stretch that ends and in the one that starts, for LAMMPS to complete."""
    every = config.restart_every
    return f"{prefix}_$(ceil(step/{every})*{every}-{every}:%.0f)", f"{prefix}_$(step:%.0f)"


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
