"""A committee of your own: potentials with one number each, which is fitted to the labels of a campaign."""

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.morse import MorsePotential
from ase.io import read


def opinions() -> list[MorsePotential]:
    """Return a committee that needs no training: three Morse potentials of copper with other well depths, eV."""
    return [_morse(depth) for depth in (0.33, 0.34, 0.36)]


def train(labels: str, model: str, seed: int) -> None:
    """Fit the well depth to the forces of the labels, with random weights from the seed, and write it to a file."""
    rng = np.random.default_rng(seed)
    numerator = denominator = 0.0
    for atoms in read(labels, ":"):
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=_morse(1.0))
        unit, weight = bare.get_forces(), rng.exponential()
        numerator += weight * np.sum(unit * atoms.arrays["REF_forces"])
        denominator += weight * np.sum(unit**2)
    Path(model).write_text(json.dumps(numerator / denominator))


def trained(models: list[str]) -> list[MorsePotential]:
    """Return the committee of the files that `train` has written."""
    return [_morse(json.loads(Path(model).read_text())) for model in models]


def _morse(depth: float) -> MorsePotential:
    return MorsePotential(epsilon=depth, r0=2.6, rho0=4.0, rcut1=3.4, rcut2=4.2)
