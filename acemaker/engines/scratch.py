"""The folder in which a child process works: what is laid out there, and what is kept of it."""

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
    """Lay a file beside the script, under a name that LAMMPS can be given whatever its own path is."""
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def stage_potential(generation: Generation, directory: Path) -> None:
    """Lay a generation's files beside the script, and those of its baseline."""
    if generation.baseline is not None:
        for name, source in generation.baseline.files.items():
            stage(source, directory / name)
    for source, name in zip((generation.yaml, generation.asi), native.POTENTIAL, strict=True):
        stage(source, directory / name)


def write_data(path: Path, atoms: Atoms, elements: tuple[str, ...], triclinic: bool) -> None:
    """Write LAMMPS's data file with all digits.

    Parameters
    ----------
    path
        Where.
    atoms
        The structure, with its momenta and ``arrays["images"]`` if it has some.
    elements
        In the order of their types.
    triclinic
        Whether the box may become tilted, even if it is not yet.
    """
    from ase.io import write

    cell, positions, rotation = standard_form(atoms)
    placed = Atoms(atoms.symbols, positions, cell=cell, pbc=True)
    if has_momenta(atoms):
        placed.set_velocities(atoms.get_velocities() @ rotation.T)
    images = image_numbers(atoms) if atoms.pbc.all() else np.zeros((len(atoms), 3), dtype=int)
    placed.positions += images @ cell
    write(
        path,
        placed,
        format="lammps-data",
        specorder=list(elements),
        velocities=has_momenta(atoms),
        force_skew=triclinic or is_tilted(cell),
        write_image_flags=bool(images.any()),
    )


def keep_log(directory: Path, target: Path) -> Path:
    """Keep what a run said, for the reader of an error: LAMMPS's log and the child's own words.

    Returns
    -------
    Path
        The kept file, where anything was said.
    """
    kept = target / script.LOG_FILE
    parts = [directory / name for name in (script.SOFT_LOG, script.LOG_FILE, OUTPUT)]
    texts = [part.read_text(errors="replace") for part in parts if part.exists()]
    if texts:
        kept.write_text("\n".join(texts))
    return kept
