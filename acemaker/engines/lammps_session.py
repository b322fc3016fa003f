"""LAMMPS in this process: loads the start of a segment, and runs from checkpoint to checkpoint."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from acemaker.config import EngineConfig
from acemaker.engines.callback import Callback
from acemaker.engines.protocol import Request
from acemaker.lammps import script
from acemaker.lammps.box import has_momenta, is_triclinic, put_structure
from acemaker.lammps.conditions import Conditions, conditions_of, definitions
from acemaker.lammps.paths import PlainPaths
from acemaker.lammps.restart import is_whole


class RunCallback(Protocol):
    """Part of the interface of LAMMPS's callback that `LammpsSession.run` uses."""

    error: BaseException | None

    def arm(self) -> None:
        """Register the callback with LAMMPS; required before each ``run``."""


class LammpsSession:
    """Loads, runs and saves states of a LAMMPS instance.

    Parameters
    ----------
    lmp
        LAMMPS instance.
    config
        Ensemble, ramps, time step, checkpoints.
    seed
        Seed of the campaign, from which those of velocities and stochastic thermostats are derived.
    """

    def __init__(self, lmp: Any, config: EngineConfig, seed: int) -> None:
        self.lmp = lmp
        self._config = config
        self._seed = seed
        self._paths = PlainPaths()
        self._thermostat_seed = script.random_seed(seed, 1)
        self._thermostat = ""
        self._group = script.ALL
        self._stage = config.stage(0)
        self._conditions = Conditions()
        self._strain = ""

    def load(self, request: Request, checkpoint: Path | None) -> None:
        """Load a state, ready for production.

        Parameters
        ----------
        request
            Segment.
        checkpoint
            Restart file of the state; None to start from the structure of the request.
        """
        self._read(request, checkpoint)
        step = int(self.lmp.extract_global("ntimestep"))
        self._stage = self._config.stage(step)
        self._conditions = conditions = conditions_of(self._stage.settings, request.structure)
        self._strain = conditions.strain_name(step)
        self._commands(conditions.before())
        self._commands(script.ensemble_commands(self._config, self._thermostat_seed, step, self._group))
        self._commands(conditions.after(step, self._strain))
        self._thermostat = script.thermostat_name(self._config, step)
        self._commands(script.output_commands(self._config, request.rule.check_every, self._group))

    def soften(
        self,
        request: Request,
        checkpoint: Path | None,
        callback: Callback,
        file: Path,
        on_end: Callable[[], None] = lambda: None,
    ) -> bool:
        """Run a soft start with a new potential, then load its result, ready for production.

        Parameters
        ----------
        request
            Segment.
        checkpoint
            As in `load`; thermostat, barostat and step of this state are used in production.
        callback
            Callback during the soft start; its error is raised.
        file
            Temporary file for positions and velocities.
        on_end
            Called when the last step of the soft start is complete.

        Returns
        -------
        bool
            False if the callback stopped the run; LAMMPS then remains at the step where it was stopped.
        """
        step, name = request.start_step, self._paths.quote(file)
        self._read(request, checkpoint)
        seed = script.random_seed(self._seed, 2, request.number)
        self._commands(self._conditions.before(soft=True))
        self._commands(script.soft_start_commands(self._config, step, seed, request.rule.check_every, self._group))
        self._commands(self._conditions.after(step, soft=True))
        callback.arm()
        self.lmp.command(f"run {script.soft_start_steps(self._config, step)}")
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
        """Read a state, then define the potential."""
        lmp, config, generation = self.lmp, self._config, request.generation
        lmp.command("clear")
        self._commands(script.header_commands(bool(request.structure.pbc.all())))
        self._conditions = conditions_of(config.stage(request.start_step).settings, request.structure)
        self._group = self._conditions.group
        if checkpoint is None:
            put_structure(lmp, request.start, generation.elements, config.may_tilt)
            commands = definitions(self._conditions, request.structure, restored=False)
            commands += script.step_commands(request.start_step)
            if not has_momenta(request.start):
                seed = script.random_seed(self._seed, 0)
                commands += self._conditions.velocities(config.first_temperature, seed)
            commands += self._conditions.stop()
        else:
            lmp.command(f"read_restart {self._paths.quote(checkpoint)}")
            commands = definitions(self._conditions, request.structure, restored=True)
        commands += script.callback_commands(generation.cutoff, generation.baseline, self._paths.quote)
        commands += script.neighbor_commands(config.skin)
        commands += script.molecule_commands(config.skin, bool(request.structure.pbc.all()))
        self._commands(commands)

    def run(self, request: Request, callback: RunCallback, on_checkpoint: Callable[[int], Path | None]) -> None:
        """Run to the last step, in stretches from checkpoint to checkpoint.

        LAMMPS's setup, which rebuilds lists and derives the masses of thermostat and barostat from the temperature of
        the ramp, is executed at every checkpoint, so that a run that starts there does exactly the same. A triclinic
        box is also read from the restart file, since reading rounds the positions, and so is the first state of each
        stage.

        Parameters
        ----------
        request
            Segment.
        callback
            Callback of LAMMPS; its error is raised.
        on_checkpoint
            Called with the step at the end of each stretch; returns the restart file that it wrote, or None to end the
            run.
        """
        lmp, config = self.lmp, self._config
        triclinic = is_triclinic(lmp)
        step = int(lmp.extract_global("ntimestep"))
        while step < config.steps:
            self._reseed_thermostat(step)
            callback.arm()
            stage = self._stage
            lmp.command(script.run_command(script.stretch_end(step, config), stage.end, stage.begin))
            if callback.error is not None:
                raise callback.error
            step = int(lmp.extract_global("ntimestep"))
            checkpoint = on_checkpoint(step)
            if checkpoint is None:
                return
            if (triclinic or step in config.borders) and step < config.steps:
                self.load(request, checkpoint)

    def _reseed_thermostat(self, step: int) -> None:
        """Seed the thermostat, and define what follows it, as if a restart file of this step had been read."""
        name = script.thermostat_name(self._config, step)
        # at a halt between checkpoints, the random state of CSVR is in the restart file
        if name != self._thermostat or self._stage.settings.ensemble == "langevin":
            seed = script.stretch_seed(self._thermostat_seed, step)
            self._commands(script.noise_commands(self._stage.settings, self._thermostat, name, seed, step, self._group))
            strain = self._conditions.strain_name(step)
            self._commands(self._conditions.renew(step, self._strain, strain))
            self._thermostat, self._strain = name, strain

    def log(self, path: Path) -> None:
        """Redirect LAMMPS's log to a file."""
        self.lmp.command(f"log {self._paths.quote(path)}")

    def close(self) -> None:
        """Close LAMMPS."""
        self.lmp.close()
        self._paths.close()

    def save(self, path: Path) -> None:
        """Write a restart file of the current state.

        Raises
        ------
        OSError
            If the file is incomplete, e.g. on a full disk: LAMMPS does not check whether writing succeeds.
        """
        self.lmp.command(f"write_restart {self._paths.quote(path)}")
        if not is_whole(path):
            message = "LAMMPS could not write the complete restart file; check whether the disk is full"
            raise OSError(errno.ENOSPC, message, str(path))

    def thermo(self) -> dict[str, float]:
        """Return the last thermodynamic output by LAMMPS's column names."""
        return self.lmp.last_thermo() or {}

    def _commands(self, commands: Sequence[str]) -> None:
        for command in commands:
            self.lmp.command(command)
