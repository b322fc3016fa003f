from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from acemaker.errors import ConfigError, StructureError
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.environment import check_structure
from acemaker.potentials.pyace_library import load_pyace
from tests.conftest import alloy, copper, rattled, small_basis


def test_rows_times_coefficients_are_what_pyace_says() -> None:
    atoms = rattled(alloy(), 1)[0]
    basis = Basis.create(small_basis(), ["Cu", "Ni"])
    coefficients = np.random.default_rng(1).normal(size=basis.size) * 0.01
    design = DesignBuilder(basis).rows(atoms)
    basis.basis_set.basis_coeffs = list(coefficients)
    atoms.calc = load_pyace().PyACECalculator(basis.basis_set)
    assert design.energy @ coefficients * len(atoms) == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
    assert (design.forces @ coefficients).reshape(-1, 3) == pytest.approx(atoms.get_forces(), abs=1e-10)
    stress = design.virial @ coefficients * len(atoms) / atoms.get_volume()
    assert stress == pytest.approx(atoms.get_stress(), abs=1e-12)


def test_rows_of_a_cluster() -> None:
    atoms = copper()
    atoms.pbc = False
    basis = Basis.create(small_basis(), ["Cu"])
    coefficients = np.random.default_rng(1).normal(size=basis.size) * 0.01
    design = DesignBuilder(basis).rows(atoms)
    basis.basis_set.basis_coeffs = list(coefficients)
    atoms.calc = load_pyace().PyACECalculator(basis.basis_set)
    assert (design.forces @ coefficients).reshape(-1, 3) == pytest.approx(atoms.get_forces(), abs=1e-10)


def test_a_cell_smaller_than_the_cutoff() -> None:
    atoms = Atoms("Cu", cell=np.eye(3) * 2.4 + 0.2, pbc=True)
    basis = Basis.create(small_basis(cutoff=5.0), ["Cu"])
    coefficients = np.random.default_rng(1).normal(size=basis.size) * 0.01
    design = DesignBuilder(basis).rows(atoms)
    basis.basis_set.basis_coeffs = list(coefficients)
    atoms.calc = load_pyace().PyACECalculator(basis.basis_set)
    assert design.virial @ coefficients / atoms.get_volume() == pytest.approx(atoms.get_stress(), abs=1e-12)


def test_projections_alone_are_those_of_the_rows() -> None:
    atoms = rattled(alloy(), 1)[0]
    builder = DesignBuilder(Basis.create(small_basis(), ["Cu", "Ni"]))
    for _ in range(2):  # the second time from memory
        for mine, theirs in zip(builder.projections(atoms), builder.rows(atoms).projections, strict=True):
            assert np.array_equal(mine, theirs)
    moved = atoms.copy()
    moved.positions[0] += 0.1
    assert not np.array_equal(builder.projections(moved)[0], builder.projections(atoms)[0])


def test_the_basis_counts_its_functions() -> None:
    basis = Basis.create(small_basis(16), ["Ni", "Cu"])
    assert basis.elements == ("Cu", "Ni")
    assert basis.n_functions == (16, 16)
    assert basis.offsets == (0, 16, 32)
    assert basis.size == 32
    with pytest.raises(ConfigError, match="expected at most"):
        Basis.create(small_basis(3000), ["Cu"])


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (Atoms(), "empty"),
        (Atoms("Cu", pbc=[1, 1, 0], cell=[3, 3, 3]), "vacuum"),
        (Atoms("Cu", [[np.nan, 0, 0]]), "finite positions"),
        (Atoms("Cu", pbc=True), "cell with a nonzero volume"),
        (Atoms("Au", cell=[3, 3, 3], pbc=True), "but not for Au"),
    ],
)
def test_structures_that_cannot_be_described(atoms: Atoms, words: str) -> None:
    with pytest.raises(StructureError, match=words):
        check_structure(atoms, ["Cu"])
