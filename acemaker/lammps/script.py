"""Text of LAMMPS commands, as pure functions of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from acemaker.config import EngineConfig
from acemaker.errors import ConfigError

BAR_PER_GPA = 1e4
BAR_A3_PER_EV = 1.6021765e6
"""Conversion factors; the second is LAMMPS's constant in metal units."""

OBSERVABLES = {
    "temp": "temperature_K",
    "press": "pressure_GPa",
    "pe": "potential_energy_eV",
    "vol": "volume_A3",
}
"""Thermo keywords, and the names under which their values are recorded."""

COLUMNS = {"temp": "Temp", "press": "Press", "pe": "PotEng", "vol": "Volume"}
"""Names of these keywords in LAMMPS's output."""

LOG_FILE = "log.lammps"


THERMOSTAT, STOCHASTIC = "thermostat", {"csvr": "temp/csvr", "langevin": "langevin"}
"""Prefix of the fix IDs of stochastic thermostats, and their fix styles by ensemble."""

STRAIN = "strain"
"""Prefix of the names of the fix and the variables that deform the cell."""

BATH = "bath_temperature"
"""LAMMPS variable with the target temperature of Langevin dynamics, K."""

ALL, MOBILE = "all", "mobile"
"""Groups of the atoms that move: all, or those that are not frozen."""

MOBILE_TEMPERATURE = "mobile_temperature"
"""LAMMPS compute with the temperature of the group `MOBILE`."""

ATOM_MASSES = "atom_masses"
"""LAMMPS fix that stores the mass of each atom, where it differs from that of the element."""

STRIDE, SEEDS = 7919, 900_000_000
"""Difference between the seeds of two steps, and number of seeds: LAMMPS accepts seeds up to 900 million."""


def quote(path: Path) -> str:
    """Quote a path for a LAMMPS command.

    Parameters
    ----------
    path
        Any path for which `is_plain` holds.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If LAMMPS does not accept the path.
    """
    text = str(path)
    if not is_plain(text):
        raise ConfigError(
            f"LAMMPS cannot use the path {text!r}: it must consist of ASCII characters and contain no double quote, "
            "asterisk, percent sign or line break; choose another directory"
        )
    return f'"{text}"'


def is_plain(text: str) -> bool:
    """Return whether LAMMPS uses a path unchanged; it expands some characters even within quotes, and replaces others.

    Parameters
    ----------
    text
        Path.
    """
    return text.isascii() and not any(character in text for character in '"\n\r*%')


def random_seed(*numbers: int) -> int:
    """Derive a seed that LAMMPS accepts from numbers that identify its purpose."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] % SEEDS) + 1


MOLECULE = 20
"""Maximum number of atoms of a system that is not periodic whose neighbors are searched among all pairs."""


def header_commands(periodic: bool) -> list[str]:
    """Set units, atom style and boundary; sorting is disabled, since it changes the order of summation."""
    boundary = "p p p" if periodic else "s s s"
    return [
        "units metal",
        "atom_style atomic",
        "atom_modify map array sort 0 0",
        f"boundary {boundary}",
    ]


def box_commands(cell: np.ndarray, elements: Sequence[str], triclinic: bool) -> list[str]:
    """Create the box, and set the masses.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Lower triangular cell, Å.
    elements
        Chemical symbols in the order of their types.
    triclinic
        Whether the box is or may become tilted.

    Returns
    -------
    list of str
    """
    lengths = " ".join(f"0 {cell[axis, axis]:.17g}" for axis in range(3))
    if triclinic:
        tilts = f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g}"
        region = f"region whole prism {lengths} {tilts} units box"
    else:
        region = f"region whole block {lengths} units box"
    return [region, f"create_box {len(elements)} whole", *mass_commands(elements)]


def mass_commands(elements: Sequence[str]) -> list[str]:
    """Set the masses of all types, u."""
    return [
        f"mass {number} {atomic_masses[atomic_numbers[element]]:.17g}"
        for number, element in enumerate(elements, start=1)
    ]


class PairBaseline(Protocol):
    """Part of the interface of a baseline potential that `callback_commands` uses."""

    @property
    def in_lammps(self) -> bool:
        """Whether LAMMPS evaluates the baseline itself."""

    def commands(
        self, above: str, above_coeff: str = "", *, quote: Callable[[Path], str] | None = None
    ) -> tuple[str, ...]:
        """Return LAMMPS's commands for a potential with this baseline added to it."""


def callback_commands(
    cutoff: float, baseline: PairBaseline | None = None, quote_path: Callable[[Path], str] | None = None
) -> list[str]:
    """Request a full neighbor list, and a callback that provides forces, energy and virial.

    Parameters
    ----------
    cutoff
        Cutoff of the neighbor list, Å.
    baseline
        Potential that LAMMPS adds to the callback's; a calculator is added by the callback instead.
    quote_path
        Function that quotes the paths of the baseline's files.
    """
    zero = f"zero {cutoff:.17g} full"
    pair = [f"pair_style {zero}", "pair_coeff * *"]
    if baseline is not None and baseline.in_lammps:
        pair = list(baseline.commands(zero, quote=quote_path))
    return [
        *pair,
        "fix ace all external pf/callback 1 1",
        "fix_modify ace energy yes virial yes",
    ]


def neighbor_commands(skin: float) -> list[str]:
    """Rebuild the neighbor lists whenever an atom has moved by half the skin (Å)."""
    return [f"neighbor {skin:.17g} bin", "neigh_modify every 1 delay 0 check yes"]


def molecule_commands(skin: float, periodic: bool) -> list[str]:
    """Search the neighbors of small molecules without bins, which LAMMPS cannot use for flat and linear ones.

    The commands come after `neighbor_commands`. Other systems keep their bins, which determine the order of summation.
    """
    return [] if periodic else [f'if "$(atoms) <= {MOLECULE}" then "neighbor {skin:.17g} nsq"']


def step_commands(step: int) -> list[str]:
    """Set the step counter if a trajectory continues from a structure at a later step."""
    return [f"reset_timestep {step}"] if step else []


def group_commands(frozen: np.ndarray) -> list[str]:
    """Define the group of the atoms that move, and its temperature.

    All three components of the velocity of each mobile atom count: the frozen atoms hold the others in place, so that
    the total momentum is not conserved.

    Parameters
    ----------
    frozen : ndarray of bool, shape (n_atoms,)
        True for atoms that never move.

    Returns
    -------
    list of str
        Commands after the atoms have been created or read; also after those of a restart file, which contains the
        groups, but not the temperature.
    """
    numbers = id_ranges(frozen)
    return [
        *(f"group frozen id {' '.join(numbers[start : start + 50])}" for start in range(0, len(numbers), 50)),
        f"group {MOBILE} subtract all frozen",
        f"compute {MOBILE_TEMPERATURE} {MOBILE} temp",
        f"compute_modify {MOBILE_TEMPERATURE} extra/dof 0",
    ]


def atom_mass_commands(masses: np.ndarray, *, restored: bool) -> list[str]:
    """Set the mass of each atom; LAMMPS then ignores the masses of the types.

    Parameters
    ----------
    masses : ndarray, shape (n_atoms,)
        u.
    restored
        Whether the atoms were read from a restart file, which contains the masses.

    Returns
    -------
    list of str
    """
    commands = [f"fix {ATOM_MASSES} all property/atom rmass"]
    for mass in () if restored else np.unique(masses):
        ranges = (numbers.replace(":", "*") for numbers in id_ranges(masses == mass))
        commands += [f"set atom {numbers} mass {mass:.17g}" for numbers in ranges]
    return commands


def id_ranges(chosen: np.ndarray) -> list[str]:
    """Return LAMMPS's numbers of the chosen atoms, which count from 1, as ranges such as 3:7."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    return [f"{first + 1}:{last}" for first, last in edges.reshape(-1, 2).tolist()]


def velocity_commands(temperature: float, seed: int, group: str = ALL) -> list[str]:
    """Draw velocities at a temperature, K; with zero total momentum, unless frozen atoms can take up momentum."""
    momentum = "mom yes dist gaussian" if group == ALL else f"mom no dist gaussian temp {MOBILE_TEMPERATURE}"
    return [f"velocity {group} create {temperature:.17g} {seed} {momentum}"]


def _with_temperature(fix: str, command: str, group: str) -> list[str]:
    """Return the command that defines a thermostat, which then uses the temperature of the mobile atoms."""
    return [command] if group == ALL else [command, f"fix_modify {fix} temp {MOBILE_TEMPERATURE}"]


def _thermo_temperature(group: str) -> list[str]:
    """Print the temperature of the mobile atoms, and the pressure that follows from it."""
    return [] if group == ALL else [f"thermo_modify temp {MOBILE_TEMPERATURE}"]


def ensemble_commands(
    config: EngineConfig, seed: int, step: int = 0, group: str = ALL, noise: tuple[str, str, str] | None = None
) -> list[str]:
    """Define the integrator, thermostat and barostat.

    Parameters
    ----------
    config
        Ensemble, ramps and relaxation times.
    seed
        Seed of the stochastic thermostats.
    step
        Step at which the run starts.
    group
        `ALL`, or `MOBILE` if some atoms are frozen.
    noise
        Seed, name and step of a stochastic thermostat, for LAMMPS to complete; None to derive them from `step`.

    Returns
    -------
    list of str
        A barostat has an explicit fixed point; otherwise it would use a new one of the box after every restart. The
        names of the fixes differ from stage to stage, so that a stage does not restore the state of another one.
    """
    whole, stage = config, config.stage(step)
    config, name = stage.settings, "ensemble" if stage.number == 1 else f"ensemble_{stage.number}"
    thermostat = _thermostat(config)
    if config.ensemble == "nvt":
        return _with_temperature(name, f"fix {name} {group} nvt temp {thermostat}", group)
    if config.has_barostat:
        bath = f"temp {thermostat} " if config.has_thermostat else ""
        return [f"fix {name} all {config.ensemble} {bath}{_barostat(config)} fixedpoint 0 0 0"]
    if config.ensemble in STOCHASTIC:
        own = noise or (str(stretch_seed(seed, step)), thermostat_name(whole, step), str(step))
        return [f"fix {name} {group} nve", *_stochastic_commands(config, *own, group)]
    return [f"fix {name} {group} nve"]


def _barostat(config: EngineConfig) -> str:
    """Return the arguments of ``fix npt`` and ``fix nph`` for the components that the barostat changes."""

    def target(ramp: tuple[float, float]) -> str:
        low, high = (pressure * BAR_PER_GPA for pressure in ramp)
        return f"{low:.17g} {high:.17g} {config.barostat_time / 1000:.17g}"

    if config.pressure_components:
        ramps = sorted(config.pressure_components.items(), key=lambda item: (len(item[0]), item[0]))
        return " ".join(f"{component} {target(ramp)}" for component, ramp in ramps)
    return _coupled(config.pressure_coupling, target(config.pressure))


def _coupled(coupling: str, target: str) -> str:
    """Return the arguments for directions with the same pressure."""
    if coupling in ("iso", "aniso", "tri"):
        return f"{coupling} {target}"
    directions = coupling.replace(" ", "")
    arguments = " ".join(f"{direction} {target}" for direction in directions)
    return f"{arguments} couple {coupling}" if len(directions) == 2 and " " not in coupling else arguments


def output_commands(config: EngineConfig, check_every: int, group: str = ALL) -> list[str]:
    """Set the time step, and print the observables at every check, with all digits and flushed immediately."""
    return [
        f"timestep {config.timestep / 1000:.17g}",
        f"thermo_style custom step {' '.join(OBSERVABLES)}",
        "thermo_modify line yaml flush yes format float %.17g",
        *_thermo_temperature(group),
        f"thermo {check_every}",
    ]


def soft_start_steps(config: EngineConfig, step: int = 0) -> int:
    """Return the number of steps of a soft start at a step, which depends on the ensemble there."""
    return config.soft_start_steps if config.stage(step).settings.has_thermostat else 0


def ramp_temperature(config: EngineConfig, step: int) -> float:
    """Return the temperature of the ramp at a step, K."""
    stage = config.stage(step)
    start, end = stage.settings.temperature
    return start + (end - start) * (step - stage.begin) / (stage.end - stage.begin)


def soft_start_commands(config: EngineConfig, step: int, seed: int, check_every: int, group: str = ALL) -> list[str]:
    """Damp strongly toward the ramp's temperature at a step, and print the heat that the damping removes.

    Parameters
    ----------
    config
        Length and strength of the damping.
    step
        Production step at which the trajectory continues afterwards.
    seed
        Seed of the random forces of the damping.
    check_every
        MD steps between two checks of gamma.
    group
        `ALL`, or `MOBILE` if some atoms are frozen.

    Returns
    -------
    list of str
        Commands to be followed by ``run``.
    """
    temperature = f"{ramp_temperature(config, step):.17g}"
    damping = f"{temperature} {temperature} {config.soft_start_time / 1000:.17g}"
    # frozen atoms can take up momentum; with a total random force of zero, a single mobile atom would only be cooled
    zero = "yes" if group == ALL else "no"
    return [
        f"fix soft_integrator {group} nve",
        f"fix soft {group} langevin {damping} {seed} zero {zero} tally yes",
        f"timestep {config.timestep / 1000:.17g}",
        f"thermo_style custom step {' '.join(OBSERVABLES)} f_soft",
        "thermo_modify line yaml flush yes format float %.17g",
        *_thermo_temperature(group),
        f"thermo {check_every}",
    ]


def soft_end_commands(file: str) -> list[str]:
    """Write the final state of a soft start to a file, with all digits; production reads it into a new system."""
    state = f"write_dump all custom {file} {SOFT_COLUMNS} modify sort id format float %.17g"
    return [state, "unfix soft", "unfix soft_integrator"]


def soft_state_command(config: EngineConfig, step: int, file: str) -> str:
    """Read positions, velocities and box of the end of the soft start, and nothing else.

    The states of thermostat and barostat are read from the restart file before. LAMMPS discards states that no fix has
    claimed before the first ``run``, so that an ensemble defined after the soft start, without reading the restart file
    again, would begin with new chains.
    """
    columns = SOFT_COLUMNS.partition("type ")[2]
    return f"read_dump {file} {step + config.soft_start_steps} {columns} box yes replace yes timestep no"


SOFT_STATE, SOFT_COLUMNS = "soft.state", "id type x y z vx vy vz ix iy iz"
"""File with the final state of a soft start, and its columns."""

SOFT_LOG = "soft.log"


def stretch_end(step: int, config: EngineConfig) -> int:
    """Return the end of the stretch that starts at a step: the next checkpoint or the last step, also of a stage."""
    return min(config.stage(step).end, (step // config.restart_every + 1) * config.restart_every)


def noise_commands(
    config: EngineConfig, before: str, name: str, seed: int | str, step: int | str, group: str = ALL
) -> list[str]:
    """Seed a stochastic thermostat for a stretch, so that a run that starts there draws the same random numbers.

    ``fix langevin`` does not save its random state in a restart file, and ``fix temp/csvr`` only a part of it: normal
    random numbers are generated in pairs, one of which may be lost.

    Parameters
    ----------
    config
        Settings with the ensemble.
    before, name
        Current and new name of the thermostat, from `thermostat_name`.
    seed
        Seed of the stretch, from `stretch_seed`.
    step
        Step at which the stretch starts.
    group
        `ALL`, or `MOBILE` if some atoms are frozen.

    Returns
    -------
    list of str
        Empty for other ensembles.
    """
    if config.ensemble not in STOCHASTIC:
        return []
    return [f"unfix {before}", *_stochastic_commands(config, seed, name, step, group)]


def thermostat_name(config: EngineConfig, step: int) -> str:
    """Return the name of a stochastic thermostat, which contains the step of the last checkpoint.

    LAMMPS restores the state of a fix by its name. At a checkpoint the name is new, so that nothing is restored and the
    stretch has its own random numbers; at a halt between two checkpoints, the random state of CSVR is restored.
    """
    return f"{THERMOSTAT}_{step // config.restart_every * config.restart_every}"


def stretch_seed(seed: int, step: int) -> int:
    """Derive the seed of the stretch that starts at a step."""
    return 1 + (seed + STRIDE * step) % SEEDS


def _stochastic_commands(config: EngineConfig, seed: int | str, name: str, step: int | str, group: str) -> list[str]:
    """Define a stochastic thermostat for the stretch that starts at a step.

    ``fix langevin`` applies the same random force to an atom at the end of a time step and at the beginning of the
    next. At a checkpoint the second half comes from other random numbers, so that the two add up to only half of the
    variance, and the temperature would be below the target by a fraction of 1 / (2 restart_every). Three times the
    temperature, only in the first evaluation of a stretch, adds the missing variance to the second half.
    """
    fix = f"fix {name} {group} {STOCHASTIC[config.ensemble]}"
    if config.ensemble != "langevin":
        return _with_temperature(name, f"{fix} {_thermostat(config)} {seed}", group)
    start, end = config.temperature
    target = f"ramp({start:.17g},{end:.17g})*(1+2*(step=={step}))"
    damp = f"{config.thermostat_time / 1000:.17g}"
    return [f"variable {BATH} equal {target}", f"{fix} v_{BATH} {end:.17g} {damp} {seed}"]


def _thermostat(config: EngineConfig) -> str:
    start, end = config.temperature
    return f"{start:.17g} {end:.17g} {config.thermostat_time / 1000:.17g}"


def run_command(upto: int, end: int, begin: int = 0) -> str:
    """Run up to a step; ramps span a stage from `begin` to `end`, independent of the step at which the run starts."""
    return f"run {upto} upto start {begin} stop {end}"
