"""What LAMMPS calls at every step: forces, energy and virial by pyace, and gamma at every check."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from acemaker.engines.forces import Forces
from acemaker.engines.segment_monitor import Look
from acemaker.lammps.box import by_tag, image_shifts, read_cell
from acemaker.potentials.evaluator import Evaluation

FORCE_TO_VELOCITY = 1 / 1.0364269e-4
"""(Å/ps) per (eV/Å ps / u), LAMMPS's constant in metal units."""

FORCE_LIMIT = 1e3
"""eV/Å; beyond it gamma is looked at at once, between two checks."""


class Callback:
    """Evaluates the potential within LAMMPS's time step.

    Parameters
    ----------
    lmp
        A LAMMPS with ``fix external``.
    forces
        The potential on LAMMPS's neighbour lists.
    check_every
        MD steps between two looks at gamma.
    periodic
        Whether positions count from the box's origin; a shrink-wrapped box moves its own with the atoms.
    on_look
        Called with each look; True stops the run.
    on_step
        Called before each evaluation, when the step before is complete.

    Attributes
    ----------
    error : BaseException or None
        What went wrong in a call; it cannot cross LAMMPS, so it is kept and the run is stopped.
    interrupt : threading.Event
        Stops the run once it is set.
    stopped : bool
        Whether a look has stopped it.
    """

    def __init__(
        self,
        lmp: Any,
        forces: Forces,
        check_every: int,
        periodic: bool,
        *,
        on_look: Callable[[Look], bool],
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._lmp = lmp
        self.forces = forces
        self._check_every = check_every
        self._periodic = periodic
        self._on_look = on_look
        self._on_step = on_step
        self._setting_up = False
        self.stopped = False
        self.error: BaseException | None = None
        self.interrupt = threading.Event()

    def arm(self) -> None:
        """Make LAMMPS call, before each ``run``."""
        self._lmp.set_fix_external_callback("ace", self, None)
        self._setting_up = True
        self.forces.forget()
        self._lmp.command("timer timeout off")

    def __call__(self, _: Any, step: int, nlocal: int, tags: np.ndarray, __: Any, forces: np.ndarray) -> None:
        """Fill in the forces of one step."""
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
        looks = step % self._check_every == 0
        result = self.forces.evaluate(nlocal, graded=looks)
        if not looks and not np.abs(result.forces).max() < FORCE_LIMIT:
            result, looks = self.forces.evaluate(nlocal, graded=True), True
        forces[:] = result.forces
        setting_up, self._setting_up = self._setting_up, False
        self._lmp.fix_external_set_energy_global("ace", result.energy)
        # LAMMPS counts the virial with the opposite sign
        self._lmp.fix_external_set_virial_global("ace", -result.virial)
        if looks and self._on_look(self._look(step, nlocal, tags, result, 0.0 if setting_up else 0.5)):
            self.stopped = True
            self._lmp.force_timeout()

    def _look(self, step: int, nlocal: int, tags: np.ndarray, result: Evaluation, kick: float) -> Look:
        """Look at the atoms; their velocities lack the last `kick` of a time step, but for a thermostat's part."""
        assert result.gamma is not None
        cell, origin = read_cell(self._lmp)
        positions = self._lmp.numpy.extract_atom("x")[:nlocal].copy()
        if self._periodic:
            positions -= origin
        forces = self._lmp.numpy.extract_atom("f")[:nlocal] + result.forces
        masses = self._lmp.numpy.extract_atom("mass")[self._lmp.numpy.extract_atom("type")[:nlocal]]
        velocities = self._lmp.numpy.extract_atom("v")[:nlocal].copy()
        velocities += kick * self._lmp.extract_global("dt") * forces / masses[:, None] * FORCE_TO_VELOCITY
        finite = bool(np.isfinite(result.forces).all())
        return Look(
            step=step,
            positions=by_tag(positions, tags),
            images=by_tag(image_shifts(self._lmp.numpy.extract_atom("image")[:nlocal]), tags),
            velocities=by_tag(velocities, tags),
            cell=cell,
            gamma=by_tag(result.gamma, tags) if finite else np.full(nlocal, np.nan),
        )
