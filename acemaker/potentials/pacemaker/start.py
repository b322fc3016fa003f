"""Where a fit starts: potentials as pacemaker reads them, and its own as acemaker does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.potentials.basis import Basis
from acemaker.potentials.pyace_library import load_pyace


def embedding_of(fit: PacemakerConfig) -> Mapping[str, Any]:
    """Say in pacemaker's words how densities become energies.

    Its plain ``FinnisSinclair`` is no choice: its root is rough at zero, where the second density starts.
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
    """Say where the fit of generation 0 starts.

    Parameters
    ----------
    config, fit
        Basis and densities.
    elements
        Chemical symbols.
    linear : ndarray, shape (n_functions,), or None
        Coefficients of the first density, eV; the second is zero. None for both.
    folder
        For a file that is gone afterwards.

    Returns
    -------
    str
        A B-basis ``.yaml``.
    """
    basis_set = Basis.create(config, elements, embedding_of(fit)).basis_set
    if linear is not None:
        coefficients = np.zeros(len(basis_set.basis_coeffs))
        coefficients[:: fit.densities] = linear  # each function has one for each density
        basis_set.basis_coeffs = list(coefficients)
    path = folder / "writing_start.yaml"  # pyace writes to files alone
    basis_set.to_BBasisConfiguration().save(str(path))
    text = path.read_text()
    path.unlink()
    return text


def load_basis(path: Path) -> Basis:
    """Read a potential; pacemaker's notes on time and user stay out of it."""
    pyace = load_pyace()
    configuration = pyace.BBasisConfiguration(str(path))
    for name in list(configuration.metadata):
        del configuration.metadata[name]
    return Basis(pyace.ACEBBasisSet(configuration))
