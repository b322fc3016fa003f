"""Measures of uncertainty besides gamma, evaluated on the coordinates of a check, whatever engine they are from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms

from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import EVALUATION, evaluator_of
from acemaker.potentials.force_error import ForceErrorModel
from acemaker.potentials.generation import Generation


class Measure(Protocol):
    """A measure of the uncertainty of the forces, by atom.

    Attributes
    ----------
    name : str
        Name in columns of checks, with underscores: ``"predicted_force_error"``.
    unit : str
        Unit of all its values: ``"meV/Å"``.
    """

    name: str
    unit: str

    def per_atom(self, atoms: Atoms) -> np.ndarray:
        """Return the uncertainty of each atom of a structure.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

        Returns
        -------
        ndarray, shape (n_atoms,)
            In `unit`; NaN is treated as above every tolerance.
        """


class PredictedForceError:
    """The predicted force error of a generation, from the forces of a few samples of its posterior.

    Each sample costs one evaluation of the potential; see `acemaker.potentials.force_error`.

    Parameters
    ----------
    generation
        A generation that predicts errors.

    Raises
    ------
    NoPredictionError
        If it predicts none.

    Examples
    --------
    >>> from acemaker.potentials.measures import PredictedForceError, largest
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> measure = PredictedForceError(campaign.generation)
    >>> largest(measure.per_atom(campaign.trajectory()[-1])) > 0
    True
    """

    name = "predicted_force_error"
    unit = "meV/Å"

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._model = _model_of(generation)

    def per_atom(self, atoms: Atoms) -> np.ndarray:
        """Return the predicted error of the force of each atom, meV/Å, shape (n_atoms,)."""
        generation = self._generation
        with EVALUATION:
            env = environment(atoms, generation.elements, generation.cutoff)
            forces = evaluator_of(generation).sampled_forces(env, self._model.samples)
        return self._model.sampled(forces)


_models: dict[tuple[Path, int], ForceErrorModel] = {}


def _model_of(generation: Generation) -> ForceErrorModel:
    """Read the model of a generation; the last one is cached, since many walkers run with it."""
    file = generation.error_file
    key = (file, file.stat().st_mtime_ns if file.exists() else 0)
    if key not in _models:
        model = generation.force_error_model()
        _models.clear()
        _models[key] = model
    return _models[key]


UNCERTAINTY = "uncertainty"
"""Name of the array of a frame with the uncertainty of each atom."""


def column(measure: Measure) -> str:
    """Return the name of the column of checks with the largest uncertainty, which ends in its unit, in ASCII."""
    return f"{measure.name}_{measure.unit.replace('Å', 'A')}"


def grade(generation: Generation, atoms: Atoms) -> np.ndarray:
    """Compute gamma of a structure, for engines that provide coordinates only.

    Parameters
    ----------
    generation
        The potential.
    atoms
        Structure, fully periodic or not at all.

    Returns
    -------
    ndarray, shape (n_atoms,)
        Extrapolation grades; NaN if positions or forces are not finite.
    """
    if not np.isfinite(atoms.positions).all():
        return np.full(len(atoms), np.nan)
    with EVALUATION:
        evaluation = evaluator_of(generation).graded(environment(atoms, generation.elements, generation.cutoff))
    assert evaluation.gamma is not None
    return evaluation.gamma if np.isfinite(evaluation.forces).all() else np.full(len(atoms), np.nan)


def largest(values: np.ndarray) -> float:
    """Return the largest value of a measure; infinite if one is NaN, or if there are no atoms."""
    value = float(np.max(values, initial=-math.inf))
    return value if math.isfinite(value) else math.inf
