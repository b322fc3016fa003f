"""LAMMPS commands as pure functions of the configuration: text in, text out."""

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
"""LAMMPS's constant in metal units."""

OBSERVABLES = {
    "temp": "temperature_K",
    "press": "pressure_GPa",
    "pe": "potential_energy_eV",
    "vol": "volume_A3",
}
"""Thermo keywords and the names under which they are recorded."""

COLUMNS = {"temp": "Temp", "press": "Press", "pe": "PotEng", "vol": "Volume"}
"""What LAMMPS calls these keywords in its output."""

LOG_FILE = "log.lammps"


THERMOSTAT, STOCHASTIC = "thermostat", {"csvr": "temp/csvr", "langevin": "langevin"}
"""How names of stochastic thermostats begin, and what LAMMPS calls those that there are."""

BATH = "bath_temperature"
"""LAMMPS's variable for the target of Langevin dynamics, K."""

STRIDE, SEEDS = 7919, 900_000_000
"""Between the seeds of two steps, and how many there are: LAMMPS takes those up to 900 million."""


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
        If LAMMPS cannot be given the path.
    """
    text = str(path)
    if not is_plain(text):
        raise ConfigError(
            f"LAMMPS cannot use the path {text!r}: it must be of ASCII characters and hold no double quote, asterisk, "
            "percent sign or line break; choose another directory"
        )
    return f'"{text}"'


def is_plain(text: str) -> bool:
    """Tell whether LAMMPS takes a path as it is: it expands some characters even within quotes, and replaces others.

    Parameters
    ----------
    text
        The path.
    """
    return text.isascii() and not any(character in text for character in '"\n\r*%')


def random_seed(*numbers: int) -> int:
    """Derive a seed that LAMMPS accepts from numbers that name its use."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] % SEEDS) + 1


def header_commands(periodic: bool) -> list[str]:
    """Set units, atom style and boundary; sorting is off, since it changes the order of sums."""
    boundary = "p p p" if periodic else "s s s"
    return [
        "units metal",
        "atom_style atomic",
        "atom_modify map array sort 0 0",
        f"boundary {boundary}",
    ]


def box_commands(cell: np.ndarray, elements: Sequence[str], triclinic: bool) -> list[str]:
    """Make the box and the masses.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Lower triangular cell, Å.
    elements
        In the order of their types.
    triclinic
        Whether the box can be, or become, tilted.

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
    """Set the masses in u, by type."""
    return [
        f"mass {number} {atomic_masses[atomic_numbers[element]]:.17g}"
        for number, element in enumerate(elements, start=1)
    ]


class PairBaseline(Protocol):
    """The part of a baseline potential that `callback_commands` needs."""

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
    """Ask for a full neighbour list and for a callback that gives forces, energy and virial.

    Parameters
    ----------
    cutoff
        Å.
    baseline
        What LAMMPS adds to the callback's; the callback itself adds a calculator.
    quote_path
        Writes the paths of its files.
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


def neighbour_commands(skin: float) -> list[str]:
    """Rebuild the lists whenever an atom has moved half the skin."""
    return [f"neighbor {skin:.17g} bin", "neigh_modify every 1 delay 0 check yes"]


def step_commands(step: int) -> list[str]:
    """Count steps from one that is not the first, where a structure alone is gone on from."""
    return [f"reset_timestep {step}"] if step else []


def velocity_commands(temperature: float, seed: int) -> list[str]:
    """Draw velocities at a temperature in K, with no momentum."""
    return [f"velocity all create {temperature:.17g} {seed} mom yes dist gaussian"]


def ensemble_commands(config: EngineConfig, seed: int, step: int = 0) -> list[str]:
    """Declare the integrator, thermostat and barostat.

    Parameters
    ----------
    config
        Ensemble, ramps and relaxation times.
    seed
        For the stochastic thermostats.
    step
        At which the run starts.

    Returns
    -------
    list of str
        Barostats get a fixed point, or they would take a new one from the box after every restart.
    """
    thermostat = _thermostat(config)
    if config.ensemble == "nvt":
        return [f"fix ensemble all nvt temp {thermostat}"]
    if config.ensemble == "npt":
        low, high = (pressure * BAR_PER_GPA for pressure in config.pressure)
        barostat = f"{config.pressure_coupling} {low:.17g} {high:.17g} {config.barostat_time / 1000:.17g}"
        return [f"fix ensemble all npt temp {thermostat} {barostat} fixedpoint 0 0 0"]
    if config.ensemble in STOCHASTIC:
        noise = _stochastic_commands(config, stretch_seed(seed, step), thermostat_name(config, step), step)
        return ["fix ensemble all nve", *noise]
    return ["fix ensemble all nve"]


def output_commands(config: EngineConfig, check_every: int) -> list[str]:
    """Set the time step, and print the observables at every check, with all digits and flushed at once."""
    return [
        f"timestep {config.timestep / 1000:.17g}",
        f"thermo_style custom step {' '.join(OBSERVABLES)}",
        "thermo_modify line yaml flush yes format float %.17g",
        f"thermo {check_every}",
    ]


def soft_start_steps(config: EngineConfig) -> int:
    """Return the length of a soft start in this ensemble."""
    return 0 if config.ensemble == "nve" else config.soft_start_steps


def ramp_temperature(config: EngineConfig, step: int) -> float:
    """Return the ramp's temperature at a step, K."""
    start, end = config.temperature
    return start + (end - start) * step / config.steps


def soft_start_commands(config: EngineConfig, step: int, seed: int, check_every: int) -> list[str]:
    """Damp strongly towards the temperature of a step, and print what heat that takes out.

    Parameters
    ----------
    config
        Length and strength of the damping.
    step
        The production step at which the trajectory is to go on.
    seed
        Of the damping's random forces.
    check_every
        MD steps between two looks at gamma.

    Returns
    -------
    list of str
        To be followed by ``run``.
    """
    temperature = f"{ramp_temperature(config, step):.17g}"
    damping = f"{temperature} {temperature} {config.soft_start_time / 1000:.17g}"
    return [
        "fix soft_integrator all nve",
        f"fix soft all langevin {damping} {seed} zero yes tally yes",
        f"timestep {config.timestep / 1000:.17g}",
        f"thermo_style custom step {' '.join(OBSERVABLES)} f_soft",
        "thermo_modify line yaml flush yes format float %.17g",
        f"thermo {check_every}",
    ]


def soft_end_commands(file: str) -> list[str]:
    """Keep where a soft start led, with all digits, in a file; production starts from a fresh reading."""
    state = f"write_dump all custom {file} {SOFT_COLUMNS} modify sort id format float %.17g"
    return [state, "unfix soft", "unfix soft_integrator"]


def soft_state_command(config: EngineConfig, step: int, file: str) -> str:
    """Take positions, velocities and box from the end of the soft start, and nothing else.

    Thermostat and barostat have been read from the restart file by then: LAMMPS drops what has not been
    claimed before the first ``run``, so that a production ensemble declared after the soft start in the same
    life of the system would begin with fresh chains.
    """
    columns = SOFT_COLUMNS.partition("type ")[2]
    return f"read_dump {file} {step + config.soft_start_steps} {columns} box yes replace yes timestep no"


SOFT_STATE, SOFT_COLUMNS = "soft.state", "id type x y z vx vy vz ix iy iz"
"""The file that a soft start leaves, and what it holds."""

SOFT_LOG = "soft.log"


def stretch_end(step: int, config: EngineConfig) -> int:
    """Return where the stretch that starts at a step ends: at the next checkpoint, or at the last step."""
    return min(config.steps, (step // config.restart_every + 1) * config.restart_every)


def noise_commands(config: EngineConfig, before: str, name: str, seed: int | str, step: int | str) -> list[str]:
    """Give a stochastic thermostat random numbers of the stretch's own, which a run that starts there draws as well.

    ``fix langevin`` does not save its random state in a restart file, and ``fix temp/csvr`` not all of it: normal
    random numbers come in pairs, of which one may be lost.

    Parameters
    ----------
    config
        The ensemble.
    before, name
        The thermostat's name so far and from now on, as of `thermostat_name`.
    seed
        The stretch's, as of `stretch_seed`.
    step
        Where the stretch starts.

    Returns
    -------
    list of str
        None for other ensembles.
    """
    if config.ensemble not in STOCHASTIC:
        return []
    return [f"unfix {before}", *_stochastic_commands(config, seed, name, step)]


def thermostat_name(config: EngineConfig, step: int) -> str:
    """Name a stochastic thermostat by the checkpoint behind which a step lies.

    LAMMPS gives a fix what a restart file holds for its name: here nothing at a checkpoint, whose stretch has random
    numbers of its own, and the random state of CSVR at a halt between two.
    """
    return f"{THERMOSTAT}_{step // config.restart_every * config.restart_every}"


def stretch_seed(seed: int, step: int) -> int:
    """Derive the seed of the stretch that starts at a step."""
    return 1 + (seed + STRIDE * step) % SEEDS


def _stochastic_commands(config: EngineConfig, seed: int | str, name: str, step: int | str) -> list[str]:
    """Declare a stochastic thermostat for the stretch that starts at a step.

    ``fix langevin`` kicks an atom with one random force at the end of a time step and at the beginning of the next.
    At a checkpoint the second half comes from other random numbers, so that the two add up to half of the variance:
    the temperature would fall below the target by a share of 1 / (2 restart_every). Three times the temperature, for
    the first evaluation of a stretch alone, gives the second half the variance that is missing.
    """
    fix = f"fix {name} all {STOCHASTIC[config.ensemble]}"
    if config.ensemble != "langevin":
        return [f"{fix} {_thermostat(config)} {seed}"]
    start, end = config.temperature
    target = f"ramp({start:.17g},{end:.17g})*(1+2*(step=={step}))"
    damp = f"{config.thermostat_time / 1000:.17g}"
    return [f"variable {BATH} equal {target}", f"{fix} v_{BATH} {end:.17g} {damp} {seed}"]


def _thermostat(config: EngineConfig) -> str:
    start, end = config.temperature
    return f"{start:.17g} {end:.17g} {config.thermostat_time / 1000:.17g}"


def run_command(upto: int, steps: int) -> str:
    """Run up to a step; ramps span the whole trajectory of `steps`, whatever step this run starts from."""
    return f"run {upto} upto start 0 stop {steps}"
