"""Runaways: temperature, pressure or volume that leave their course although gamma is low.

A potential that extrapolates is stopped by gamma. One that is wrong where it does not extrapolate, a time step that is
too long, or a barostat that acts on a wrong pressure may instead drive a run to states that no material has, and
labels of those teach nothing. The limits are wide: thermal fluctuations of small cells, equilibration, melting,
evaporation of single atoms and shocks stay far within them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.config import EngineConfig
from acemaker.errors import RunawayError
from acemaker.formatting.summary import counted
from acemaker.lammps.script import ramp_temperature
from acemaker.structures.per_atom import frozen_atoms

N_CHECKS = 3
"""Number of consecutive checks outside of a limit that are a runaway: a single one may be a collision."""

BLEW_UP = re.compile(r"ERROR.*(Lost atoms|Non-numeric|unstable|out of range|neighbor bins)", re.IGNORECASE)
"""Errors of LAMMPS after forces that are too large."""

HOTTER, N_SIGMA, HEAT = 3.0, 6.0, 4000.0
"""Temperature that is a runaway, in units of the target, standard deviations of its fluctuation by which this factor
is enlarged, and K that are added: energy that a start releases, up to 1 eV per atom, half of which becomes motion."""

UNUSUAL = 2.0
"""Temperature in units of the target, half as many standard deviations and a quarter of the K above are added to it,
that counts as unusual where a run has broken several times."""

STRONGER, PRESSURE = 3.0, 500.0
"""Pressure that is a runaway, in units of the largest one that is set or that the run began with, and GPa added."""

FIRST_PRESSURE = 1000.0
"""GPa up to which the pressure with which a run began is taken as intended."""

LARGER, SMALLER = 3.0, 1 / 3
"""Volume that is a runaway, in units of that of the initial structure: crystals double theirs at most, as liquids."""

DENSE, DILUTE = 1.5, 0.1
"""Share of the volume that spheres of the covalent radii occupy: above the first, a smaller volume is a collapse and
not a gas that condenses; below the second, the start is a gas, whose volume is not limited. Crystals: 0.3 to 1."""


@dataclass(frozen=True, kw_only=True)
class Departure:
    """A quantity outside of its limit.

    Attributes
    ----------
    quantity : str
        "temperature", "pressure" or "volume".
    unit : str
        Unit of the values.
    step : int
        Step of the last check.
    value : float
        Value at that check.
    expected : float
        Target of the ramp, or the value at the start.
    limit : float
        Limit that was passed.
    """

    quantity: str
    unit: str
    step: int
    value: float
    expected: float
    limit: float

    def describe(self) -> str:
        """Return the departure in words."""
        expected = f"{self.expected:.4g} {self.unit}"
        if self.quantity == "volume":
            target = f"the initial structure has {expected}"
        elif self.quantity == "pressure" and math.isnan(self.expected):
            target = "none is set"
        else:
            target = f"the target is {expected}"
        return (
            f"{self.quantity} {self.value:.4g} {self.unit} at step {self.step}, where {target} and the limit is "
            f"{self.limit:.4g} {self.unit}"
        )


class Course:
    """Compares the observables of consecutive checks with the course that the settings describe.

    Parameters
    ----------
    config
        Ensemble, ramps and barostat.
    structure
        Initial structure of the trajectory.

    Attributes
    ----------
    first_step : int or None
        Step of the first check of the current departure; None if there is none.
    departure : Departure or None
        Quantity outside of its limit at the last check; None if there is none.
    n_checks : int
        Number of consecutive checks of the current departure.
    last_step : int
        Step of the last check.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker.config import EngineConfig
    >>> course = Course(EngineConfig(steps=100, temperature=(300, 300)), bulk("Cu", cubic=True) * 3)
    >>> [course.update(step, {"temperature_K": 8000.0}) is None for step in (5, 10)]
    [True, True]
    >>> course.update(15, {"temperature_K": 9000.0}).quantity
    'temperature'
    """

    def __init__(self, config: EngineConfig, structure: Atoms) -> None:
        self._config = config
        n_free = len(structure) - int(frozen_atoms(structure).sum())
        self._sigma = math.sqrt(2 / max(3 * n_free - 3, 1))
        self._is_periodic = bool(structure.pbc.all())
        self._volume = float(structure.cell.volume) if self._is_periodic else math.nan
        self._spheres = 4 / 3 * math.pi * float((covalent_radii[structure.numbers] ** 3).sum())
        self._first_pressure: float | None = None
        self.n_checks = 0
        self.first_step: int | None = None
        self.departure: Departure | None = None
        self.last_step = 0

    def update(self, step: int, observables: Mapping[str, float]) -> Departure | None:
        """Add one check.

        Parameters
        ----------
        step
            The engine's step.
        observables
            ``temperature_K``, ``pressure_GPa`` and ``volume_A3``; values that are missing or NaN are ignored.

        Returns
        -------
        Departure or None
            None unless a quantity has been outside of its limit at this check and at those before.
        """
        self.last_step = step
        pressure = observables.get("pressure_GPa", math.nan)
        if self._first_pressure is None and not math.isnan(pressure):
            self._first_pressure = pressure
        departures = (
            self._temperature(step, observables.get("temperature_K", math.nan)),
            self._pressure(step, pressure),
            self._volume_of(step, observables.get("volume_A3", math.nan)),
        )
        self.departure = next((item for item in departures if item is not None), None)
        if self.departure is None:
            self.n_checks, self.first_step = 0, None
            return None
        self.n_checks += 1
        if self.first_step is None:
            self.first_step = step
        return self.departure if self.n_checks >= N_CHECKS else None

    def temperature_limit(self, step: int) -> float:
        """Return the temperature, K, above which a run has left its course."""
        return HOTTER * self._target(step) * (1 + N_SIGMA * self._sigma) + HEAT

    def is_hot(self, step: int, temperature: float) -> bool:
        """Return whether a temperature, K, is unusual at a step, though not yet that of a runaway."""
        return temperature > UNUSUAL * self._target(step) * (1 + N_SIGMA / 2 * self._sigma) + HEAT / 4

    def _target(self, step: int) -> float:
        """Return the highest temperature of the ramp so far, K: a system that is cooled may lag behind."""
        earlier = [stage for stage in self._config.protocol if stage.begin <= step]
        starts = [stage.settings.temperature[0] for stage in earlier]
        ends = [stage.settings.temperature[1] for stage in earlier if stage.end <= step]
        return max(*starts, *ends, ramp_temperature(self._config, step))

    def _temperature(self, step: int, value: float) -> Departure | None:
        limit = self.temperature_limit(step)
        if not value > limit:
            return None
        return Departure(
            quantity="temperature",
            unit="K",
            step=step,
            value=value,
            expected=ramp_temperature(self._config, step),
            limit=limit,
        )

    def _pressure(self, step: int, value: float) -> Departure | None:
        if not self._is_periodic or self._first_pressure is None:
            return None
        ramps = [ramp for stage in self._config.protocol for ramp in stage.settings.pressure_ramps.values()]
        targets = np.abs(ramps) if ramps else np.zeros(1)
        usual = max(float(targets.max()), min(abs(self._first_pressure), FIRST_PRESSURE))
        limit = STRONGER * usual + PRESSURE
        if not abs(value) > limit:
            return None
        stage = self._config.stage(step)
        start, end = _mean_pressure(stage.settings)
        expected = start + (end - start) * (step - stage.begin) / (stage.end - stage.begin)
        return Departure(
            quantity="pressure",
            unit="GPa",
            step=step,
            value=value,
            expected=expected,
            limit=math.copysign(limit, value),
        )

    def _volume_of(self, step: int, value: float) -> Departure | None:
        if not self._config.has_barostat or not self._volume > 0:
            return None
        start, limit = self._volume, math.nan
        if value > LARGER * start and self._spheres / start > DILUTE:
            limit = LARGER * start
        elif 0 < value < SMALLER * start and self._spheres / value > DENSE:
            limit = SMALLER * start
        if math.isnan(limit):
            return None
        return Departure(quantity="volume", unit="Å³", step=step, value=value, expected=start, limit=limit)


def _mean_pressure(settings: EngineConfig) -> tuple[float, float]:
    """Return the pressure that is set, GPa, at the first and the last step; NaN if that of a length is not set."""
    if not settings.has_barostat:
        return math.nan, math.nan
    if not settings.pressure_components:
        return settings.pressure
    none = (math.nan, math.nan)
    lengths = [settings.pressure_components.get(axis, none) for axis in ("x", "y", "z")]
    return sum(start for start, _ in lengths) / 3, sum(end for _, end in lengths) / 3


def runaway(
    course: Course,
    config: EngineConfig,
    *,
    generation: int,
    safe_step: int,
    safe_checkpoint: Path | None,
    stopped: str = "",
) -> RunawayError:
    """Return the error that ends a run which has left its course.

    Parameters
    ----------
    course
        The course, with its departure, if there is one.
    config
        Settings of the run.
    generation
        Number of the potential.
    safe_step
        Step of the last state before the departure.
    safe_checkpoint
        Restart file of that state, or None.
    stopped
        Error with which LAMMPS stopped, e.g. since atoms were lost; empty if it runs.

    Returns
    -------
    RunawayError
    """
    departure = course.departure
    quantity = "motion" if departure is None else departure.quantity
    after = f", after which LAMMPS stopped: {stopped}" if stopped else ""
    described = (
        f"LAMMPS stopped ({stopped}) after a check at which temperature, pressure and volume were usual"
        if departure is None
        else f"{departure.describe()}, passed at {counted(course.n_checks, 'check')} in a row{after}"
    )
    too_long = f"or the time step of {config.timestep:g} fs is too long", "a shorter timestep, and more steps of a ramp"
    file = f" ({safe_checkpoint})" if safe_checkpoint is not None else ""
    cause, remedy = {
        "motion": too_long,
        "temperature": too_long,
        "pressure": ("or the cell is not the intended one", "a cell of the right size, and lower pressures"),
        "volume": (
            "or the system boils, evaporates or collapses",
            "ensemble='nvt', a pressure at which the system stays condensed, or a longer barostat_time",
        ),
    }[quantity]
    return RunawayError(
        f"the run has left its course: {described}. Gamma is low, so the potential of generation {generation} does not "
        "extrapolate: it is wrong within what it was trained on, "
        f"{cause}. The last safe state is that of step {safe_step}{file}. Validate the potential ('acemaker "
        "validate'), then create another campaign with smaller thresholds, more first structures (n_first) or a larger "
        f"basis (n_functions, cutoff), {remedy}; a label_store keeps paid labels. If the course is intended: "
        "Campaign.open(directory, check_course=False)",
        quantity=quantity,
        value=math.nan if departure is None else departure.value,
        target=math.nan if departure is None else departure.expected,
        step=course.last_step,
        safe_step=safe_step,
        safe_checkpoint=safe_checkpoint,
    )


def temperature_of(atoms: Atoms) -> float:
    """Return the temperature of a frame with velocities, K, without its frozen atoms; NaN without velocities."""
    free = ~frozen_atoms(atoms)
    degrees = 3 * int(free.sum()) - (3 if free.all() else 0)
    if not atoms.has("momenta") or degrees <= 0:
        return math.nan
    from ase.units import kB

    momenta, masses = atoms.get_momenta()[free], atoms.get_masses()[free]
    return float((momenta**2 / masses[:, None]).sum() / (degrees * kB))
