"""Distances that a training set holds, against all pairs counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from acemaker.structures.bonds import TrainedDistances
from tests.conftest import alloy, copper, rattled


def by_hand(atoms: Atoms, reach: float) -> dict[tuple[str, str], list[float]]:
    """The nearest neighbor of each kind, from the distances to all images."""
    shifts = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]) @ atoms.cell.array
    found: dict[tuple[str, str], list[float]] = {}
    for one in atoms:
        for element in sorted(set(atoms.get_chemical_symbols())):
            others = atoms.positions[atoms.symbols == element]
            distances = np.linalg.norm(others[:, None] + shifts - one.position, axis=2)
            nearest = distances[distances > 1e-9].min()
            if nearest < reach:
                found.setdefault((one.symbol, element), []).append(float(nearest))
    return found


@pytest.mark.parametrize("make", [copper, alloy])
def test_ranges_are_those_of_all_pairs(make: object) -> None:
    structures = rattled(make(), 3)
    trained = TrainedDistances(5.0)
    for atoms in structures:
        trained.add(atoms)
    known = [by_hand(atoms, 5.0) for atoms in structures]
    for kind, (low, high) in trained._ranges.items():
        distances = [distance for one in known for distance in one[kind]]
        assert low == pytest.approx(min(distances))
        assert high == pytest.approx(max(distances))
    assert set(trained._ranges) == set(known[0])
    assert trained.smallest == pytest.approx(min(low for low, _ in trained._ranges.values()))
    assert not any(trained.outside(atoms, range(len(atoms))) for atoms in structures)


def test_what_is_too_short_and_what_is_too_long() -> None:
    trained = TrainedDistances(5.0)
    for atoms in rattled(copper(), 3, scale=0.02):
        trained.add(atoms)
    squeezed = copper()
    squeezed.positions[0] += 0.25 * (squeezed.positions[1] - squeezed.positions[0])
    (pair, *_) = trained.outside(squeezed, [0])
    assert {pair.atom, pair.neighbor} == {0, 1}
    assert pair.distance == pytest.approx(0.75 * 2.556, abs=0.01)
    assert pair.distance < pair.trained[0]
    assert str(pair).startswith("Cu–Cu 1.92 Å, atoms 0 and 1 (2.")
    stretched = copper()
    stretched.set_cell(stretched.cell * 1.2, scale_atoms=True)
    found = trained.outside(stretched, [3])
    assert found
    assert all(3 in (bond.atom, bond.neighbor) and bond.distance > bond.trained[1] for bond in found)
    assert not trained.outside(copper(), range(32))


def test_a_kind_of_pair_that_was_never_seen() -> None:
    trained = TrainedDistances(5.0)
    trained.add(copper())
    mixed = copper()
    mixed.symbols[5] = "Ni"
    found = trained.outside(mixed, [5])
    assert {bond.elements for bond in found} <= {("Ni", "Cu"), ("Cu", "Ni")}
    assert "no such pair" in str(found[0])


def test_before_the_first_structure() -> None:
    assert TrainedDistances(5.0).smallest == np.inf
