"""The trajectory of a cheap potential under the conditions of a campaign, and frames of it."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig, OTFConfig, PotentialConfig, SystemConfig
from acemaker.config.cold_start import NAMED, in_own_words
from acemaker.engines.lammps_session import LammpsSession
from acemaker.engines.protocol import Request
from acemaker.errors import AcemakerError, ConfigError, EngineError
from acemaker.formatting.summary import number
from acemaker.lammps.box import by_tag, held_atoms, is_triclinic, read_cell
from acemaker.lammps.library import open_lammps
from acemaker.lammps.script import random_seed
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.structures.geometry import put_into_box
from acemaker.structures.per_atom import bare_copy, with_per_atom
from acemaker.utils.interrupt import interruptions

logger = logging.getLogger("acemaker")

FIELD = "SystemConfig.cold_start"

PURPOSE = 6
"""Number from which the seed of the run is derived: its velocities are not those of the campaign's own trajectory."""

LIST_CUTOFF = 1.0
"""Å; cutoff of a neighbor list that LAMMPS requires, but that is not used."""

CHECK_RATTLE = 0.02
"""Standard deviation of the displacements with which a potential is tried, Å: at a symmetric structure all forces are
zero, also those of a potential that is defined for no pair of its elements."""

Progress = Callable[[int, float], None]
"""Function of a step, and of the temperature there in K."""


@dataclass(frozen=True, kw_only=True)
class _Explorer:
    """What a LAMMPS session needs to know of a potential."""

    elements: tuple[str, ...]
    baseline: Baseline
    cutoff: float = LIST_CUTOFF


def cheap_potential(config: SystemConfig, elements: tuple[str, ...]) -> Baseline:
    """Return the potential that a configuration names for a cold start.

    Parameters
    ----------
    config
        ``cold_start``, which must not be empty, and its coefficients or arguments.
    elements
        Elements in the order of LAMMPS's types.

    Returns
    -------
    Baseline
        A potential that LAMMPS evaluates, or that its callback does.

    Raises
    ------
    ConfigError
        If a coefficient is not a plain command, is for other elements, or names a file that does not exist.

    Examples
    --------
    >>> from acemaker import SystemConfig
    >>> cheap_potential(SystemConfig(cold_start="emt"), ("Cu",)).name
    'ase.calculators.emt:EMT'
    """
    name = config.cold_start
    if name in NAMED or ":" in name:
        return CalculatorBaseline(path=NAMED.get(name, name), arguments=config.cold_start_arguments)
    with _in_own_words():
        baseline = find_baseline(PotentialConfig(baseline_style=name, baseline_coeff=config.cold_start_coeff), elements)
    assert baseline is not None
    return baseline


def check_potential(potential: Baseline, name: str, atoms: Atoms) -> None:
    """Check that a potential has finite energy and forces for a structure.

    Parameters
    ----------
    potential
        The potential.
    name
        Its name in the configuration.
    atoms
        Structure with which a trajectory starts; its atoms are displaced a little.

    Raises
    ------
    ConfigError
        If it cannot be evaluated, is not finite, or has no forces at all.
    MissingLibraryError
        If a package is missing.
    """
    tried = bare_copy(atoms)
    tried.positions += np.random.default_rng(0).normal(scale=CHECK_RATTLE, size=tried.positions.shape)
    elements = ", ".join(sorted(set(atoms.get_chemical_symbols())))
    with _in_own_words():
        energy, forces, virial = potential.evaluate(tried)
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(virial).all()):
        raise ConfigError(
            f"{FIELD}: {name!r} has an energy, forces or stress that are not finite for the initial structure "
            f"({len(atoms)} atoms of {elements}, energy {energy:g} eV); choose a potential for this material, or check "
            "lattice_constant"
        )
    if len(atoms) > 1 and not np.abs(forces).max() > 0:
        raise ConfigError(
            f"{FIELD}: {name!r} has no forces on displaced atoms of {elements}, so that they would fly apart; choose a "
            "potential for this material"
        )


def explore_cold(
    potential: Baseline,
    structure: Atoms,
    elements: tuple[str, ...],
    steps: Sequence[int],
    config: EngineConfig,
    seed: int,
    *,
    progress: Progress = lambda _step, _temperature: None,
) -> tuple[Atoms, ...]:
    """Run a trajectory with a potential, and return frames of it.

    Ensemble, ramps, time step, masses and frozen atoms are those of the campaign. Initial velocities, unless the
    structure has some, and the noise of thermostats have other random numbers than the campaign's own trajectory.

    Parameters
    ----------
    potential
        From `cheap_potential`.
    structure
        Structure with which the trajectory starts.
    elements
        Elements in the order of LAMMPS's types.
    steps
        MD steps of the frames; the run ends at the last step of `config` in any case.
    config
        Settings of the engine.
    seed
        Seed of the walker.
    progress
        Called at each checkpoint; an exception that it raises ends the run.

    Returns
    -------
    tuple of Atoms
        In the order of the steps, in LAMMPS's standard orientation, with ``info["step"]``; a cluster in the box of
        `structure`.

    Raises
    ------
    EngineError
        If LAMMPS stops, loses atoms, or an energy is not finite.
    KeyboardInterrupt
        After Ctrl-C.
    """
    session = LammpsSession(open_lammps(), config, random_seed(seed, PURPOSE))
    callback = _Callback(session.lmp, potential, elements, structure, steps)
    reached = 0
    with tempfile.TemporaryDirectory(prefix="acemaker-cold-") as folder:
        # the session reads elements, cutoff and baseline of a generation; the ACE of this one has no terms
        generation: Any = _Explorer(elements=elements, baseline=potential)
        request = Request(
            number=1,
            structure=structure,
            start_step=0,
            checkpoint=None,
            generation=generation,
            rule=OTFConfig(check_every=min(config.restart_every, config.steps)),
            directory=Path(folder),
        )

        def checkpoint(step: int) -> Path | None:
            nonlocal reached
            if callback.interrupt.is_set():
                return None
            thermo = session.thermo()
            n_atoms = int(session.lmp.get_natoms())
            if n_atoms != len(structure):
                raise EngineError(f"{n_atoms} of {len(structure)} atoms are left")
            if not np.isfinite([thermo["PotEng"], thermo["Temp"]]).all():
                raise EngineError(f"the energy is {thermo['PotEng']:g} eV at {thermo['Temp']:g} K")
            reached = step
            progress(step, float(thermo["Temp"]))
            path = Path(folder) / "state.restart"
            if is_triclinic(session.lmp) or step in config.borders:  # the only cases in which it is read
                session.save(path)
            return path

        try:
            with interruptions() as callback.interrupt:
                session.load(request, None)
                session.run(request, callback, checkpoint)
        except Exception as error:
            if isinstance(error, AcemakerError) and not isinstance(error, EngineError):
                raise
            raise EngineError(
                f"{FIELD}: the trajectory of {potential.name!r} stopped after step {reached} of {config.steps}: "
                f"{in_own_words(str(error)).strip()}. Choose a potential that can run these conditions, or omit "
                "cold_start: Campaign.create(..., exist_ok=True) replaces a campaign that has no potential yet"
            ) from error
        finally:
            session.close()
    if callback.interrupt.is_set():
        raise KeyboardInterrupt
    return tuple(callback.frames[step] for step in steps)


class _Callback:
    """Callback of LAMMPS at every step: forces of a calculator, and frames.

    Parameters
    ----------
    lmp
        LAMMPS instance with ``fix external``.
    potential
        The potential; its forces are added here unless LAMMPS computes them.
    elements
        Elements in the order of the types.
    structure
        Structure of the trajectory.
    steps
        Steps of the frames.
    """

    def __init__(
        self, lmp: Any, potential: Baseline, elements: tuple[str, ...], structure: Atoms, steps: Collection[int]
    ) -> None:
        self._lmp, self._potential, self._elements = lmp, potential, elements
        self._structure, self._steps = structure, set(steps)
        self.frames: dict[int, Atoms] = {}
        self.error: BaseException | None = None
        self.interrupt = threading.Event()

    def arm(self) -> None:
        """Register the callback with LAMMPS; required before each ``run``."""
        self._lmp.set_fix_external_callback("ace", self, None)
        self._lmp.command("timer timeout off")

    def __call__(self, _: Any, step: int, nlocal: int, tags: np.ndarray, __: Any, forces: np.ndarray) -> None:
        """Write the forces of one step to the array of LAMMPS."""
        try:
            forces[:] = 0.0
            if self.error is not None:
                return
            if self.interrupt.is_set():
                self._lmp.force_timeout()
                return
            if not self._potential.in_lammps:
                self._add_forces(step, nlocal, tags, forces)
            if step in self._steps and step not in self.frames:
                self.frames[step] = self._frame(step, nlocal, tags)
        except BaseException as error:
            self.error = error
            forces[:] = 0.0
            self._lmp.force_timeout()

    def _add_forces(self, step: int, nlocal: int, tags: np.ndarray, forces: np.ndarray) -> None:
        energy, all_forces, virial = self._potential.evaluate(held_atoms(self._lmp, nlocal, self._elements))
        if not (np.isfinite(energy) and np.isfinite(all_forces).all()):
            raise EngineError(f"energy or forces are not finite at step {step} ({number(energy)} eV)")
        forces[:] = all_forces[tags - 1]
        self._lmp.fix_external_set_energy_global("ace", energy)
        # LAMMPS defines the virial with the opposite sign
        self._lmp.fix_external_set_virial_global("ace", -virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]])

    def _frame(self, step: int, nlocal: int, tags: np.ndarray) -> Atoms:
        start, periodic = self._structure, bool(self._structure.pbc.all())
        cell, origin = read_cell(self._lmp)
        positions = by_tag(self._lmp.numpy.extract_atom("x")[:nlocal].copy(), tags)
        if periodic:
            positions -= origin
        atoms = Atoms(start.symbols, positions, cell=cell if periodic else None, pbc=start.pbc)
        with_per_atom(start, atoms)
        if not periodic and start.cell.rank:
            put_into_box(atoms, start)  # an oracle may need it
        atoms.info["step"] = int(step)
        return atoms


@contextmanager
def _in_own_words() -> Iterator[None]:
    """Raise the errors of a baseline's checks as errors of the fields of a cold start."""
    try:
        yield
    except (ConfigError, EngineError) as error:
        text = in_own_words(str(error))
        raise ConfigError(text if text.startswith("SystemConfig.") else f"{FIELD}: {text}") from error
