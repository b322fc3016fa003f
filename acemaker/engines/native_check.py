"""Evaluation of one structure by a LAMMPS with ML-PACE in a child process, for the preflight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines import native
from acemaker.engines.preflight import LammpsResult
from acemaker.engines.scratch import save_log, stage_potential, write_data
from acemaker.errors import MDHaltError
from acemaker.lammps import script
from acemaker.lammps.box import standard_form
from acemaker.potentials.generation import Generation
from acemaker.process.child import ChildProcess, describe_status
from acemaker.process.folder import create_empty_folder
from acemaker.process.tail import ThermoReader
from acemaker.utils.interrupt import interruptions


def evaluate(
    lammps: Sequence[str],
    generation: Generation,
    atoms: Atoms,
    skin: float,
    directory: Path,
    poll_timeout: float,
    launcher: Sequence[str] = (),
    log_folder: Path | None = None,
) -> LammpsResult:
    """Evaluate a structure with LAMMPS.

    Parameters
    ----------
    lammps
        Command line of LAMMPS.
    generation
        Potential.
    atoms
        Structure.
    skin
        Margin of the neighbor list, Å.
    directory
        LAMMPS runs in a subfolder of this directory.
    poll_timeout
        Time after which LAMMPS is killed, s.
    launcher
        Command line put before that of LAMMPS.
    log_folder
        Folder for the log if LAMMPS fails; by default the parent of `directory`.

    Returns
    -------
    LammpsResult

    Raises
    ------
    MDHaltError
        If LAMMPS does not end in time, ends with an error, or writes no forces.
    """
    folder = create_empty_folder(directory / "preflight")
    stage_potential(generation, folder)
    write_data(folder / native.DATA, atoms, generation.elements, triclinic=False)
    periodic = bool(atoms.pbc.all())
    text = native.check_script(generation.elements, periodic, skin, generation.baseline)
    (folder / native.SCRIPT).write_text(text)
    process = ChildProcess([*lammps, "-in", native.SCRIPT, "-log", script.LOG_FILE, "-nocite"], folder, {}, launcher)
    deadline = time.monotonic() + poll_timeout
    with interruptions() as interrupt:
        try:
            while (status := process.poll()) is None and time.monotonic() < deadline and not interrupt.is_set():
                time.sleep(0.005)
        finally:
            process.end()
    if interrupt.is_set():
        raise KeyboardInterrupt
    if status != 0:
        ending = f"did not end within {poll_timeout:g} s" if status is None else f"ended with {describe_status(status)}"
        raise MDHaltError(
            f"LAMMPS {ending} when it evaluated a rattled cell for the preflight",
            save_log(folder, log_folder or directory.parent),
            status=status,
        )
    try:
        rows = (folder / "forces.dump").read_text().split(f"ITEM: ATOMS {native.FORCE_COLUMNS}")[1]
        values = np.array(rows.split(), dtype=float).reshape(len(atoms), 5)
        thermo = ThermoReader().feed((folder / script.LOG_FILE).read_bytes())[-1]
    except (OSError, ValueError, IndexError) as error:
        raise MDHaltError(
            f"LAMMPS ended without an error, but wrote no forces of a rattled cell for the preflight ({error}); check "
            "that the command line waits for LAMMPS to end",
            save_log(folder, log_folder or directory.parent),
            status=status,
        ) from error
    cell, positions, _ = standard_form(atoms)
    return LammpsResult(
        atoms=Atoms(atoms.symbols, positions, cell=cell if periodic else None, pbc=atoms.pbc),
        energy=thermo["PotEng"],
        pressure=thermo["Press"],
        forces=values[:, 1:4],
        gamma=values[:, 4],
    )
