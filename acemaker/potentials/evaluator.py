"""Energies, forces, virial and gamma of a generation, on environments that somebody else builds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.potentials.baseline import Baseline
from acemaker.potentials.environment import environment
from acemaker.potentials.generation import Generation
from acemaker.potentials.pyace_library import load_pyace


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a potential says of one structure.

    Attributes
    ----------
    energy : float
        eV, relative to the reference energies.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å.
    virial : ndarray, shape (6,)
        pyace's order xx, yy, zz, xy, xz, yz and sign: stress times volume, eV.
    gamma : ndarray, shape (n_atoms,), or None
        Extrapolation grade; None from the fast evaluator.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    gamma: np.ndarray | None

    def plus(
        self, energy: float, forces: np.ndarray, virial: np.ndarray, order: np.ndarray | slice = slice(None)
    ) -> Evaluation:
        """Add a baseline.

        Parameters
        ----------
        energy : float
            eV.
        forces : ndarray, shape (n_atoms, 3)
            eV/Å.
        virial : ndarray, shape (3, 3)
            eV.
        order
            The baseline's atoms in the order of these forces.
        """
        return Evaluation(
            energy=self.energy + energy,
            forces=self.forces + forces[order],
            virial=self.virial + virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]],
            gamma=self.gamma,
        )


Key = tuple[Path, tuple[int, ...]]

KEPT = 2
"""Evaluators that are kept: of the generation in use and its predecessor."""

_kept: OrderedDict[Key, Evaluator] = OrderedDict()


def evaluator_of(generation: Generation) -> Evaluator:
    """Return the evaluator of a generation; those of the last two are kept, since loading one takes a while."""
    key = _key(generation)
    if key not in _kept:
        keep_evaluator(generation, str(generation.yaml))
    _kept.move_to_end(key)
    return _kept[key]


def keep_evaluator(generation: Generation, source: Any) -> None:
    """Make the evaluator of a generation that has just been written.

    Parameters
    ----------
    generation
        With its files.
    source
        The path of its ``.yaml``, or, to save the parsing, the ``pyace.BBasisConfiguration`` that was
        written there. Both give the same evaluator to the bit.
    """
    _kept[_key(generation)] = Evaluator(
        source, generation.asi, generation.elements, generation.cutoff, generation.baseline
    )
    while len(_kept) > KEPT:
        _kept.popitem(last=False)


def _key(generation: Generation) -> Key:
    """Tell files that were written anew from those that were read."""
    return generation.yaml, tuple(path.stat().st_mtime_ns for path in (generation.yaml, generation.asi))


class Evaluator:
    """The graded and the fast evaluator of a generation.

    Parameters
    ----------
    source
        Its ``.yaml``, or the ``pyace.BBasisConfiguration`` that was written there.
    asi
        Its inverse active set.
    elements
        In the basis's order.
    cutoff
        Å.
    baseline
        What runs beside the ACE; `structure` alone adds it, whoever runs LAMMPS does so by other means.
    """

    def __init__(
        self, source: Any, asi: Path, elements: tuple[str, ...], cutoff: float, baseline: Baseline | None = None
    ) -> None:
        pyace = load_pyace()
        from pyace.evaluator import ACERecursiveEvaluator

        self.elements = elements
        self.cutoff = cutoff
        self.baseline = baseline
        # pyace's calculators keep neither evaluator nor basis alive: hold on to each of them
        self._basis = pyace.ACEBBasisSet(source)
        self._graded_evaluator = pyace.ACEBEvaluator(self._basis)
        self._graded_evaluator.load_active_set(str(asi))
        self._graded = pyace.ACECalculator(self._graded_evaluator)
        self._tilde = self._basis.to_ACECTildeBasisSet()  # as the .yace was made, and ten times faster to get
        self._fast_evaluator = ACERecursiveEvaluator(self._tilde)
        self._fast_evaluator.set_recursive(True)
        self._fast = pyace.ACECalculator()
        self._fast.set_evaluator(self._fast_evaluator)

    def graded(self, env: Any) -> Evaluation:
        """Evaluate the ACE on an environment, with gamma."""
        self._graded.compute(env, compute_projections=True)
        return self._read(self._graded, np.array(self._graded.gamma_grade, dtype=float))

    def fast(self, env: Any) -> Evaluation:
        """Evaluate the ACE on an environment, without gamma."""
        self._fast.compute(env, compute_projections=False)
        return self._read(self._fast, None)

    def structure(self, atoms: Atoms) -> Evaluation:
        """Evaluate the whole potential, its baseline included, on a structure, with gamma.

        Parameters
        ----------
        atoms
            Fully periodic or not at all.

        Raises
        ------
        StructureError
            If the potential cannot describe it.
        """
        ace = self.graded(environment(atoms, self.elements, self.cutoff))
        if self.baseline is None:
            return ace
        return ace.plus(*self.baseline.evaluate(atoms))

    @staticmethod
    def _read(calculator: Any, gamma: np.ndarray | None) -> Evaluation:
        return Evaluation(
            energy=float(calculator.energy),
            forces=np.array(calculator.forces, dtype=float).reshape(-1, 3),
            virial=np.array(calculator.virial, dtype=float),
            gamma=gamma,
        )
