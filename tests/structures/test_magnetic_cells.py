"""Small cells of antiferromagnets keep their magnetic order: no neighbors with the wrong sign, no net moment."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from acemaker.structures.embedding import fit_to_oracle


def antiferromagnet(symbol: str, n: int) -> Atoms:
    """Body-centered, with antiparallel nearest neighbors."""
    atoms = bulk(symbol, "bcc", a=2.88, cubic=True).repeat(n)
    atoms.set_initial_magnetic_moments([1.7, -1.7] * (len(atoms) // 2))
    atoms.rattle(0.05, seed=1)
    return atoms


def layers(symbol: str, n: int) -> Atoms:
    """Face-centered, with two layers up and two layers down."""
    atoms = bulk(symbol, "fcc", a=3.6, cubic=True).repeat(n)
    layer = np.round(atoms.positions[:, 2] / 1.8).astype(int)
    atoms.set_initial_magnetic_moments(np.where(layer // 2 % 2 == 0, 1.0, -1.0))
    atoms.rattle(0.03, seed=1)
    return atoms


@pytest.mark.parametrize("max_atoms", [54, 60, 100])
@pytest.mark.parametrize("symbol", ["Cr", "Fe"])
def test_a_cell_of_an_antiferromagnet_is_one_itself(symbol: str, max_atoms: int) -> None:
    cell = fit_to_oracle(antiferromagnet(symbol, 6), max_atoms)
    moments = cell.get_initial_magnetic_moments()
    first, second = neighbor_list("ij", cell, 2.7)
    assert abs(moments.sum()) < 1e-6
    assert np.mean(moments[first] * moments[second] > 0) < 0.02


@pytest.mark.parametrize("max_atoms", [54, 100, 144])
def test_a_cell_contains_whole_magnetic_periods(max_atoms: int) -> None:
    cell = fit_to_oracle(layers("Mn", 6), max_atoms)
    assert abs(cell.get_initial_magnetic_moments().sum()) < 1e-6


def test_equal_moments_do_not_change_a_cell() -> None:
    atoms = antiferromagnet("Fe", 6)
    bare = atoms.copy()
    bare.set_initial_magnetic_moments(None)
    equal = atoms.copy()
    equal.set_initial_magnetic_moments([2.2] * len(atoms))
    cells = [fit_to_oracle(each, 60) for each in (bare, equal)]
    assert np.array_equal(cells[0].positions, cells[1].positions)
    assert cells[1].get_initial_magnetic_moments().tolist() == [2.2] * len(cells[1])
