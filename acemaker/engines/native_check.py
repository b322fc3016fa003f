"""Lets a LAMMPS with ML-PACE evaluate one structure in a process of its own, for the preflight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines import native
from acemaker.engines.preflight import Seen
from acemaker.engines.scratch import keep_log, stage_potential, write_data
from acemaker.errors import MDHaltError
from acemaker.lammps import script
from acemaker.lammps.box import standard_form
from acemaker.potentials.generation import Generation
from acemaker.process.child import ChildProcess, describe_status
from acemaker.process.folder import clean
from acemaker.process.tail import ThermoReader
from acemaker.utils.interrupt import interruptions


def evaluate(
    lammps: Sequence[str],
    generation: Generation,
    atoms: Atoms,
    skin: float,
    directory: Path,
    patience: float,
    launcher: Sequence[str] = (),
    kept: Path | None = None,
) -> Seen:
    """Run LAMMPS once.

    Parameters
    ----------
    lammps
        Its command line.
    generation
        The potential.
    atoms
        The structure.
    skin
        Å, margin of the neighbour list.
    directory
        Where it runs, in a folder of its own.
    patience
        s, after which it is killed.
    launcher
        Command line put before it.
    kept
        Folder for its log if it fails; by default that around `directory`.

    Returns
    -------
    Seen

    Raises
    ------
    MDHaltError
        If it does not end, or ends with an error.
    """
    folder = clean(directory / "preflight")
    stage_potential(generation, folder)
    write_data(folder / native.DATA, atoms, generation.elements, triclinic=False)
    periodic = bool(atoms.pbc.all())
    text = native.check_script(generation.elements, periodic, skin, generation.baseline)
    (folder / native.SCRIPT).write_text(text)
    process = ChildProcess([*lammps, "-in", native.SCRIPT, "-log", script.LOG_FILE, "-nocite"], folder, {}, launcher)
    deadline = time.monotonic() + patience
    with interruptions() as interrupt:
        try:
            while (status := process.poll()) is None and time.monotonic() < deadline and not interrupt.is_set():
                time.sleep(0.005)
        finally:
            process.end()
    if interrupt.is_set():
        raise KeyboardInterrupt
    if status != 0:
        said = "did not end" if status is None else f"ended with {describe_status(status)}"
        raise MDHaltError(
            f"LAMMPS {said} when it evaluated a rattled cell for the preflight",
            keep_log(folder, kept or directory.parent),
            status=status,
        )
    try:
        rows = (folder / "forces.dump").read_text().split(f"ITEM: ATOMS {native.FORCE_COLUMNS}")[1]
        values = np.array(rows.split(), dtype=float).reshape(len(atoms), 5)
        thermo = ThermoReader().feed((folder / script.LOG_FILE).read_bytes())[-1]
    except (OSError, ValueError, IndexError) as error:
        raise MDHaltError(
            f"LAMMPS ended without an error, but wrote no forces of a rattled cell for the preflight ({error}); is "
            "the command line one that waits for LAMMPS?",
            keep_log(folder, kept or directory.parent),
            status=status,
        ) from error
    cell, positions, _ = standard_form(atoms)
    return Seen(
        atoms=Atoms(atoms.symbols, positions, cell=cell if periodic else None, pbc=atoms.pbc),
        energy=thermo["PotEng"],
        pressure=thermo["Press"],
        forces=values[:, 1:4],
        gamma=values[:, 4],
    )
