"""Files in the folder in which a child process works: its input, and the log that is saved from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines import native
from acemaker.lammps import script
from acemaker.lammps.box import has_momenta, image_numbers, is_tilted, standard_form
from acemaker.potentials.generation import Generation
from acemaker.process.child import OUTPUT


def stage(source: Path, target: Path) -> None:
    """Link or copy a file to a path beside the script, since LAMMPS may not accept the file's own path."""
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def stage_potential(generation: Generation, directory: Path) -> None:
    """Link or copy the files of a generation and of its baseline to the folder of the script."""
    if generation.baseline is not None:
        for name, source in generation.baseline.files.items():
            stage(source, directory / name)
    for source, name in zip((generation.yaml, generation.asi), native.POTENTIAL, strict=True):
        stage(source, directory / name)


def write_data(path: Path, atoms: Atoms, elements: tuple[str, ...], triclinic: bool) -> None:
    """Write a LAMMPS data file with all digits.

    Parameters
    ----------
    path
        Path of the file.
    atoms
        Structure, written with its momenta and ``arrays["images"]`` if it has any.
    elements
        Chemical symbols in the order of their types.
    triclinic
        Whether the box may become tilted, even if it is not yet.
    """
    from ase.io import write

    cell, positions, rotation = standard_form(atoms)
    boxed = Atoms(atoms.symbols, positions, cell=cell, pbc=True)
    if has_momenta(atoms):
        boxed.set_velocities(atoms.get_velocities() @ rotation.T)
    images = image_numbers(atoms) if atoms.pbc.all() else np.zeros((len(atoms), 3), dtype=int)
    boxed.positions += images @ cell
    write(
        path,
        boxed,
        format="lammps-data",
        specorder=list(elements),
        velocities=has_momenta(atoms),
        force_skew=triclinic or is_tilted(cell),
        write_image_flags=bool(images.any()),
    )


def save_log(directory: Path, target: Path) -> Path:
    """Save the output of a run for error messages: LAMMPS's log and the output of the child process.

    Returns
    -------
    Path
        Path of the saved file, which is only written if there is output.
    """
    saved_log = target / script.LOG_FILE
    parts = [directory / name for name in (script.SOFT_LOG, script.LOG_FILE, OUTPUT)]
    texts = [part.read_text(errors="replace") for part in parts if part.exists()]
    if texts:
        saved_log.write_text("\n".join(texts))
    return saved_log
