"""Initial potentials of pacemaker fits, and reading of fitted potentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.potentials.basis import Basis
from acemaker.potentials.pyace_library import load_pyace


def embedding_of(fit: PacemakerConfig) -> Mapping[str, Any]:
    """Return the embedding function, which maps densities to energies, as in pacemaker's input.

    ``FinnisSinclair`` is not used, since its square root is not smooth at zero, where the second density starts.
    """
    parameters = [1, 1, 1, 0.5][: 2 * fit.densities]
    return {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": parameters, "ndensity": fit.densities}


def first_start(
    config: PotentialConfig,
    fit: PacemakerConfig,
    elements: Sequence[str],
    linear: np.ndarray | None,
    folder: Path,
) -> str:
    """Create the initial potential of the first generation.

    Parameters
    ----------
    config, fit
        Basis and densities.
    elements
        Chemical symbols.
    linear : ndarray, shape (n_functions,), or None
        Coefficients of the first density, eV; those of the second are zero. None to set both to zero.
    folder
        Folder for a temporary file.

    Returns
    -------
    str
        A B-basis ``.yaml``.
    """
    basis_set = Basis.create(config, elements, embedding_of(fit)).basis_set
    if linear is not None:
        coefficients = np.zeros(len(basis_set.basis_coeffs))
        coefficients[:: fit.densities] = linear  # each function has one coefficient per density
        basis_set.basis_coeffs = list(coefficients)
    path = folder / "writing_start.yaml"  # pyace can only write to files
    basis_set.to_BBasisConfiguration().save(str(path))
    text = path.read_text()
    path.unlink()
    return text


def load_basis(path: Path) -> Basis:
    """Read a potential without pacemaker's metadata on time and user."""
    pyace = load_pyace()
    configuration = pyace.BBasisConfiguration(str(path))
    for name in list(configuration.metadata):
        del configuration.metadata[name]
    return Basis(pyace.ACEBBasisSet(configuration))
