"""Calculators and a trainer that tests name by their paths: each is imported by another process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential
from ase.io import read


def morse(depths: list[float]) -> list[Calculator]:
    """Return a committee of Morse potentials for copper that differ in the depth of the well, eV."""
    return [MorsePotential(epsilon=depth, r0=2.6, rho0=4.0, rcut1=3.4, rcut2=4.2) for depth in depths]


class Shared(Calculator):
    """A committee in one calculator, as that of MACE; each member is EMT times a factor."""

    implemented_properties = ("energy", "forces")

    def __init__(self, factors: list[float], **results: Any) -> None:
        super().__init__()
        self._factors, self._own = factors, results

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Calculate the forces of all members."""
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        structure = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        structure.calc = EMT()
        forces = np.array([factor * structure.get_forces() for factor in self._factors])
        self.results = {"energy": 0.0, "forces": forces.mean(axis=0), "forces_comm": forces, **self._own}


def shared(factors: list[float]) -> Calculator:
    """Return a calculator with ``forces_comm``."""
    return Shared(factors)


class Broken(Calculator):
    """Fails as a test wants."""

    implemented_properties = ("energy", "forces")

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how = how

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Raise, die, hang or return nonsense."""
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        if self._how == "raise":
            raise ValueError("no parameters for this element")
        if self._how == "die":
            os._exit(7)
        if self._how == "hang":
            time.sleep(600)
        if self._how == "shape":
            self.results = {"energy": 0.0, "forces": np.zeros((1, 3))}
            return
        forces = np.zeros((len(atoms), 3))
        forces[1, 2] = np.nan
        self.results = {"energy": 0.0, "forces": forces}


def broken(how: str) -> Calculator:
    """Return a calculator that fails."""
    return Broken(how)


def number() -> float:
    """Return no calculator."""
    return 3.0


def train_scale(labels: str, model: str, seed: int, noise: float = 0.02) -> None:
    """Fit a factor of the forces of EMT to labels, disturbed by the seed: a model of one number."""
    structures = read(labels, ":")
    own, other = [], []
    for atoms in structures:
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        bare.calc = EMT()
        own.append(bare.get_forces().ravel())
        other.append(atoms.arrays["REF_forces"].ravel())
    factor = float(np.concatenate(own) @ np.concatenate(other) / np.sum(np.concatenate(own) ** 2))
    disturbed = factor * (1 + noise / len(structures) * float(np.random.default_rng(seed).normal()))
    Path(model).write_text(json.dumps({"factor": disturbed, "n_labels": len(structures)}))


def train_nothing(labels: str, model: str, seed: int) -> None:
    """Write no model, with a message."""
    print(f"there is nothing to learn from {Path(labels).name}")  # noqa: T201


def train_slowly(labels: str, model: str, seed: int) -> None:
    """Train, but only after a while."""
    Path(model).with_name("started").touch()
    time.sleep(600)
    train_scale(labels, model, seed)


def scaled(models: list[str]) -> Calculator:
    """Return the committee of the models that `train_scale` has written."""
    return Shared([json.loads(Path(file).read_text())["factor"] for file in models])
