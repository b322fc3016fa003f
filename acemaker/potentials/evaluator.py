"""Energies, forces, virial and gamma of a generation, for environments from pyace or LAMMPS."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.environment import environment
from acemaker.potentials.generation import Generation
from acemaker.potentials.pyace_library import load_pyace


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Results of a potential for one structure.

    Attributes
    ----------
    energy : float
        eV, relative to the reference energies.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å.
    virial : ndarray, shape (6,)
        Stress times volume, eV, in the order of pyace: xx, yy, zz, xy, xz, yz.
    gamma : ndarray, shape (n_atoms,), or None
        Extrapolation grades; None from the fast evaluator.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    gamma: np.ndarray | None

    def plus(
        self, energy: float, forces: np.ndarray, virial: np.ndarray, order: np.ndarray | slice = slice(None)
    ) -> Evaluation:
        """Return the sum of this evaluation and that of a baseline.

        Parameters
        ----------
        energy : float
            eV.
        forces : ndarray, shape (n_atoms, 3)
            eV/Å.
        virial : ndarray, shape (3, 3)
            eV.
        order
            Indices that bring the forces of the baseline into the order of these.
        """
        return Evaluation(
            energy=self.energy + energy,
            forces=self.forces + forces[order],
            virial=self.virial + virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]],
            gamma=self.gamma,
        )


Key = tuple[Path, tuple[int, ...]]

CACHE_SIZE = 2
"""Number of cached evaluators: those of the generation in use and of its predecessor."""

_cache: OrderedDict[Key, Evaluator] = OrderedDict()

EVALUATION = threading.Lock()
"""Held while an evaluator is used in a thread besides the main one: evaluators are not thread-safe."""


def evaluator_of(generation: Generation) -> Evaluator:
    """Return the evaluator of a generation; the last two are cached, since loading one is slow."""
    key = _key(generation)
    if key not in _cache:
        cache_evaluator(generation, str(generation.yaml))
    _cache.move_to_end(key)
    return _cache[key]


def cache_evaluator(generation: Generation, source: Any) -> None:
    """Create and cache the evaluator of a generation.

    Parameters
    ----------
    generation
        The generation, whose files have been written.
    source
        Path of its ``.yaml``, or, to avoid parsing, the ``pyace.BBasisConfiguration`` that was written there. Both
        result in the same evaluator to the bit.
    """
    _cache[_key(generation)] = Evaluator(
        source, generation.asi, generation.elements, generation.cutoff, generation.baseline
    )
    while len(_cache) > CACHE_SIZE:
        _cache.popitem(last=False)


def _key(generation: Generation) -> Key:
    """Return paths and modification times, so that rewritten files are loaded again."""
    return generation.yaml, tuple(path.stat().st_mtime_ns for path in (generation.yaml, generation.asi))


class Evaluator:
    """Evaluator of a generation with gamma (graded) and without it (fast).

    Parameters
    ----------
    source
        Path of its ``.yaml``, or the ``pyace.BBasisConfiguration`` that was written there.
    asi
        File of its inverse active set.
    elements
        Elements in the order of the basis.
    cutoff
        Å.
    baseline
        Baseline of the ACE. Only `structure` adds it; the engines add it in other ways.
    """

    def __init__(
        self, source: Any, asi: Path, elements: tuple[str, ...], cutoff: float, baseline: Baseline | None = None
    ) -> None:
        pyace = load_pyace()
        from pyace.evaluator import ACERecursiveEvaluator

        self.elements = elements
        self.cutoff = cutoff
        self.baseline = baseline
        self._asi = asi
        # pyace's calculators hold no references to evaluator and basis
        self._basis = pyace.ACEBBasisSet(source)
        self._graded_evaluator = pyace.ACEBEvaluator(self._basis)
        self._graded_evaluator.load_active_set(str(asi))
        self._graded = pyace.ACECalculator(self._graded_evaluator)
        self._tilde = self._basis.to_ACECTildeBasisSet()  # equals the .yace, and is ten times faster than reading it
        self._fast_evaluator = ACERecursiveEvaluator(self._tilde)
        self._fast_evaluator.set_recursive(True)
        self._fast = pyace.ACECalculator()
        self._fast.set_evaluator(self._fast_evaluator)
        self._builder: DesignBuilder | None = None
        self._samples: list[tuple[Any, Any, Any]] = []  # calculator, and the evaluator and basis that it needs
        self._sampled: np.ndarray | None = None

    def graded(self, env: Any) -> Evaluation:
        """Evaluate the ACE on an environment, with gamma."""
        self._graded.compute(env, compute_projections=True)
        return self._read(self._graded, np.array(self._graded.gamma_grade, dtype=float))

    def fast(self, env: Any) -> Evaluation:
        """Evaluate the ACE on an environment, without gamma."""
        self._fast.compute(env, compute_projections=False)
        return self._read(self._fast, None)

    def structure(self, atoms: Atoms) -> Evaluation:
        """Evaluate ACE and baseline on a structure, with gamma.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

        Raises
        ------
        StructureError
            If the potential cannot describe the structure.
        """
        ace = self.graded(environment(atoms, self.elements, self.cutoff))
        if self.baseline is None:
            return ace
        return ace.plus(*self.baseline.evaluate(atoms))

    def force_rows(self, atoms: Atoms) -> np.ndarray:
        """Compute the forces per unit of each coefficient of a linear ACE.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

        Returns
        -------
        ndarray, shape (3 n_atoms, n_coefficients)
            eV/Å per unit coefficient; the components of each atom are consecutive.
        """
        if self._builder is None:
            self._builder = DesignBuilder(Basis(self._basis))
        return self._builder.forces(atoms)

    def sampled_forces(self, env: Any, samples: np.ndarray) -> np.ndarray:
        """Evaluate the forces of other coefficients of a linear ACE, each as fast as `fast`.

        Parameters
        ----------
        env
            Environment.
        samples : ndarray, shape (n_samples, n_coefficients)
            Coefficients, eV; their evaluators are created at the first call.

        Returns
        -------
        ndarray, shape (n_samples, n_atoms, 3)
            eV/Å.
        """
        if self._sampled is None or not np.array_equal(self._sampled, samples):
            self._samples, self._sampled = self._create_samples(samples), samples.copy()
        forces = []
        for calculator, *_ in self._samples:
            calculator.compute(env, compute_projections=False)
            forces.append(np.array(calculator.forces, dtype=float).reshape(-1, 3))
        return np.array(forces)

    def _create_samples(self, samples: np.ndarray) -> list[tuple[Any, Any, Any]]:
        pyace = load_pyace()
        from pyace.evaluator import ACERecursiveEvaluator

        configuration, created = self._basis.to_BBasisConfiguration(), []
        for block in configuration.funcspecs_blocks:
            if block.inner_cutoff_type == "zbl":  # the repulsion of nuclei has no coefficients, and no error
                block.core_rep_parameters = (0.0, block.core_rep_parameters[1])
        basis = pyace.ACEBBasisSet(configuration)
        for sample in samples:
            basis.basis_coeffs = list(sample)
            tilde = basis.to_ACECTildeBasisSet()
            evaluator = ACERecursiveEvaluator(tilde)
            evaluator.set_recursive(True)
            calculator = pyace.ACECalculator()
            calculator.set_evaluator(evaluator)
            created.append((calculator, evaluator, tilde))
        return created

    def amplification(self, atoms: Atoms) -> tuple[float, str, float, str]:
        """Return how much the ACE amplifies rounding errors: the size of sums of terms that cancel.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

        Returns
        -------
        energy : float
            Sum of the absolute terms of an atom's energy, eV, the largest of all atoms; 0 for a non-linear ACE.
        symbol : str
            Its element.
        gamma : float
            The same for gamma, in units of gamma.
        symbol : str
            Its element.
        """
        basis, coefficients = Basis(self._basis), np.abs(np.array(self._basis.basis_coeffs))
        linear = len(coefficients) == basis.size
        environment_ = environment(atoms, self.elements, self.cutoff)
        gamma = self.graded(environment_).gamma
        projections = self._graded.projections
        energies, ratios = np.zeros(len(atoms)), np.zeros(len(atoms))
        with np.load(self._asi) as inverses:
            for atom, species in enumerate(environment_.species_type[: len(atoms)]):
                row = np.abs(projections[atom])
                if linear:
                    energies[atom] = row @ coefficients[basis.offsets[species] : basis.offsets[species + 1]]
                if gamma is not None and gamma[atom] > 0:
                    ratios[atom] = (row @ np.abs(inverses[self.elements[species]])).max() / gamma[atom]
        first, second = int(energies.argmax()), int(ratios.argmax())
        return float(energies[first]), atoms.symbols[first], float(ratios[second]), atoms.symbols[second]

    @staticmethod
    def _read(calculator: Any, gamma: np.ndarray | None) -> Evaluation:
        return Evaluation(
            energy=float(calculator.energy),
            forces=np.array(calculator.forces, dtype=float).reshape(-1, 3),
            virial=np.array(calculator.virial, dtype=float),
            gamma=gamma,
        )
