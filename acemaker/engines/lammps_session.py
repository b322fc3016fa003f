"""A LAMMPS in this process, brought to a segment's start and run from checkpoint to checkpoint."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from acemaker.config import EngineConfig
from acemaker.engines.callback import Callback
from acemaker.engines.protocol import Request
from acemaker.lammps import script
from acemaker.lammps.box import has_momenta, is_triclinic, put_structure
from acemaker.lammps.paths import PlainPaths
from acemaker.lammps.restart import is_whole


class LivingLammps:
    """Loads, runs and saves.

    Parameters
    ----------
    lmp
        The instance.
    config
        Ensemble, ramps, time step, checkpoints.
    seed
        The campaign's; velocities and stochastic thermostats derive theirs from it.
    """

    def __init__(self, lmp: Any, config: EngineConfig, seed: int) -> None:
        self.lmp = lmp
        self._config = config
        self._seed = seed
        self._paths = PlainPaths()
        self._thermostat_seed = script.random_seed(seed, 1)
        self._thermostat = ""

    def load(self, request: Request, checkpoint: Path | None) -> None:
        """Bring LAMMPS to a state, ready for production.

        Parameters
        ----------
        request
            The segment.
        checkpoint
            Its restart file; None to start from the initial structure.
        """
        self._read(request, checkpoint)
        step = int(self.lmp.extract_global("ntimestep"))
        self._commands(script.ensemble_commands(self._config, self._thermostat_seed, step))
        self._thermostat = script.thermostat_name(self._config, step)
        self._commands(script.output_commands(self._config, request.rule.check_every))

    def soften(
        self,
        request: Request,
        checkpoint: Path | None,
        callback: Callback,
        file: Path,
        on_end: Callable[[], None] = lambda: None,
    ) -> bool:
        """Lead a state over to a new potential, then bring LAMMPS to it, ready for production.

        Parameters
        ----------
        request
            The segment.
        checkpoint
            As in `load`; thermostat, barostat and step are those of this state.
        callback
            What LAMMPS calls meanwhile; its error is raised.
        file
            Where positions and velocities are kept in between.
        on_end
            Called when its last step is complete.

        Returns
        -------
        bool
            False if the callback stopped the run, which leaves LAMMPS where it was stopped.
        """
        step, name = request.start_step, self._paths.quote(file)
        self._read(request, checkpoint)
        seed = script.random_seed(self._seed, 2, request.number)
        self._commands(script.soft_start_commands(self._config, step, seed, request.rule.check_every))
        callback.arm()
        self.lmp.command(f"run {script.soft_start_steps(self._config)}")
        if callback.error is not None:
            raise callback.error
        if callback.stopped or callback.interrupt.is_set():
            return False
        on_end()
        self._commands(script.soft_end_commands(name))
        self.load(request, checkpoint)
        self._commands([script.soft_state_command(self._config, step, name)])
        file.unlink()
        return True

    def _read(self, request: Request, checkpoint: Path | None) -> None:
        """Read a state, and define the potential after it."""
        lmp, config, generation = self.lmp, self._config, request.generation
        lmp.command("clear")
        self._commands(script.header_commands(bool(request.structure.pbc.all())))
        commands: list[str] = []
        if checkpoint is None:
            triclinic = config.ensemble == "npt" and config.pressure_coupling == "tri"
            put_structure(lmp, request.start, generation.elements, triclinic)
            commands += script.step_commands(request.start_step)
            if not has_momenta(request.start):
                commands += script.velocity_commands(config.temperature[0], script.random_seed(self._seed, 0))
        else:
            lmp.command(f"read_restart {self._paths.quote(checkpoint)}")
        commands += script.callback_commands(generation.cutoff, generation.baseline, self._paths.quote)
        commands += script.neighbour_commands(config.skin)
        self._commands(commands)

    def run(self, request: Request, callback: Callback, on_checkpoint: Callable[[int], Path | None]) -> None:
        """Run to the last step, in stretches from checkpoint to checkpoint.

        LAMMPS's set-up, which rebuilds lists and takes the masses of thermostat and barostat from the
        ramp's temperature, is made at every checkpoint, so that a run that starts there does nothing else.
        A triclinic box goes through the restart file as well: reading it rounds the positions.

        Parameters
        ----------
        request
            The segment.
        callback
            What LAMMPS calls; its error is raised.
        on_checkpoint
            Called with the step at the end of each stretch; returns the restart file that it wrote, or None
            to end the run.
        """
        lmp, config = self.lmp, self._config
        rounds = is_triclinic(lmp)
        step = int(lmp.extract_global("ntimestep"))
        while step < config.steps:
            self._draw_anew(step)
            callback.arm()
            lmp.command(script.run_command(script.stretch_end(step, config), config.steps))
            if callback.error is not None:
                raise callback.error
            step = int(lmp.extract_global("ntimestep"))
            checkpoint = on_checkpoint(step)
            if checkpoint is None:
                return
            if rounds and step < config.steps:
                self.load(request, checkpoint)

    def _draw_anew(self, step: int) -> None:
        """Give the thermostat the random numbers that it would have if a restart file of this step were read."""
        name = script.thermostat_name(self._config, step)
        if name != self._thermostat or self._config.ensemble == "langevin":  # CSVR's are in the file of a halt
            seed = script.stretch_seed(self._thermostat_seed, step)
            self._commands(script.noise_commands(self._config, self._thermostat, name, seed, step))
            self._thermostat = name

    def log(self, path: Path) -> None:
        """Write LAMMPS's log to a file from now on."""
        self.lmp.command(f"log {self._paths.quote(path)}")

    def close(self) -> None:
        """End LAMMPS."""
        self.lmp.close()
        self._paths.close()

    def save(self, path: Path) -> None:
        """Write a restart file of the state as it is.

        Raises
        ------
        OSError
            If there is no room for it: LAMMPS does not look whether what it writes arrives.
        """
        self.lmp.command(f"write_restart {self._paths.quote(path)}")
        if not is_whole(path):
            raise OSError(errno.ENOSPC, "LAMMPS could not write all of the restart file: is the disk full?", str(path))

    def thermo(self) -> dict[str, float]:
        """Return the last thermodynamic output by LAMMPS's column names."""
        return self.lmp.last_thermo() or {}

    def _commands(self, commands: Sequence[str]) -> None:
        for command in commands:
            self.lmp.command(command)
