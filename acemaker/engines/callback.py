"""The callback of LAMMPS at every step: forces, energy and virial from pyace, and gamma at every check."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.engines.forces import Forces
from acemaker.engines.segment_monitor import Frame
from acemaker.lammps.box import by_tag, image_shifts, read_cell
from acemaker.potentials.evaluator import Evaluation

FORCE_TO_VELOCITY = 1 / 1.0364269e-4
"""(Å/ps) per (eV/Å ps / u), LAMMPS's constant in metal units."""

FORCE_LIMIT = 1e3
"""eV/Å; if a force exceeds it, gamma is computed at once, also between two checks."""


class Callback:
    """Evaluates the potential within LAMMPS's time step.

    Parameters
    ----------
    lmp
        LAMMPS instance with ``fix external``.
    forces
        Potential on LAMMPS's neighbor lists.
    check_every
        MD steps between two checks of gamma.
    structure
        Structure of the trajectory. Positions are relative to the origin of the box if it is periodic; the origin of a
        shrink-wrapped box moves with the atoms.
    on_frame
        Called with each `Frame`; stops the run if it returns True.
    on_step
        Called before each evaluation, when the previous step is complete.

    Attributes
    ----------
    error : BaseException or None
        Exception raised in a call. It cannot propagate through LAMMPS, so it is stored and the run is stopped.
    interrupt : threading.Event
        Stops the run once it is set.
    stopped : bool
        Whether `on_frame` has stopped the run.
    """

    def __init__(
        self,
        lmp: Any,
        forces: Forces,
        check_every: int,
        structure: Atoms,
        *,
        on_frame: Callable[[Frame], bool],
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._lmp = lmp
        self.forces = forces
        self._check_every = check_every
        self._periodic = bool(structure.pbc.all())
        self._masses = structure.get_masses()
        self._frozen = structure.arrays.get("frozen")
        self._on_frame = on_frame
        self._on_step = on_step
        self._setting_up = False
        self.stopped = False
        self.error: BaseException | None = None
        self.interrupt = threading.Event()

    def arm(self) -> None:
        """Register the callback with LAMMPS; required before each ``run``."""
        self._lmp.set_fix_external_callback("ace", self, None)
        self._setting_up = True
        self.forces.invalidate()
        self._lmp.command("timer timeout off")

    def __call__(self, _: Any, step: int, nlocal: int, tags: np.ndarray, __: Any, forces: np.ndarray) -> None:
        """Write the forces of one step to the array of LAMMPS."""
        try:
            self._on_step()
            if self.stopped or self.error is not None:
                forces[:] = 0.0
                return
            self._evaluate(step, nlocal, tags, forces)
            if self.interrupt.is_set():
                self._lmp.force_timeout()
        except BaseException as error:
            self.error = error
            forces[:] = 0.0
            self._lmp.force_timeout()

    def _evaluate(self, step: int, nlocal: int, tags: np.ndarray, forces: np.ndarray) -> None:
        graded = step % self._check_every == 0
        result = self.forces.evaluate(nlocal, graded=graded)
        if not graded and not np.abs(result.forces).max() < FORCE_LIMIT:
            result, graded = self.forces.evaluate(nlocal, graded=True), True
        forces[:] = result.forces
        setting_up, self._setting_up = self._setting_up, False
        self._lmp.fix_external_set_energy_global("ace", result.energy)
        # LAMMPS defines the virial with the opposite sign
        self._lmp.fix_external_set_virial_global("ace", -result.virial)
        if graded and self._on_frame(self._frame(step, nlocal, tags, result, 0.0 if setting_up else 0.5)):
            self.stopped = True
            self._lmp.force_timeout()

    def _frame(self, step: int, nlocal: int, tags: np.ndarray, result: Evaluation, kick: float) -> Frame:
        """Read the atoms, and complete their velocities by the last `kick` of a time step, without the thermostat."""
        assert result.gamma is not None
        cell, origin = read_cell(self._lmp)
        positions = self._lmp.numpy.extract_atom("x")[:nlocal].copy()
        if self._periodic:
            positions -= origin
        forces = self._lmp.numpy.extract_atom("f")[:nlocal] + result.forces
        masses = self._masses[tags - 1]
        velocities = self._lmp.numpy.extract_atom("v")[:nlocal].copy()
        velocities += kick * self._lmp.extract_global("dt") * forces / masses[:, None] * FORCE_TO_VELOCITY
        if self._frozen is not None:
            velocities[self._frozen[tags - 1]] = 0.0
        finite = bool(np.isfinite(result.forces).all())
        return Frame(
            step=step,
            positions=by_tag(positions, tags),
            images=by_tag(image_shifts(self._lmp.numpy.extract_atom("image")[:nlocal]), tags),
            velocities=by_tag(velocities, tags),
            cell=cell,
            gamma=by_tag(result.gamma, tags) if finite else np.full(nlocal, np.nan),
        )
